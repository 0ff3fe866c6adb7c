//! `kubectl netcheck policy`: what NetworkPolicies say, and what they would say with others beside them.

mod ends;
mod live;
mod manifest;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use checks::JudgeOptions;
use cluster::ConnectionArgs;
use observation::{Observation, PolicyEnd, PolicyQuestion};
use plugin::{Failure, OutputArgs, Run};
use session::{FailOn, ProbePods, Session, bundle, tell, tool};

use self::ends::Port;

/// What may be typed after `kubectl netcheck policy`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PolicyArgs {
    /// A pod: which policies select it. With DST the source of a flow. As POD, TYPE/NAME, NAMESPACE/TYPE/NAME or an address.
    #[arg(value_name = "POD|SRC")]
    source: Option<String>,
    /// The destination of a flow from SRC; service/NAME goes to the pods behind it.
    #[arg(value_name = "DST", requires = "source")]
    destination: Option<String>,
    /// The port of DST: of the Service where it is one, else of the pod. Without it, every port that DST declares.
    #[arg(long, value_name = "PORT[/PROTOCOL]", requires = "destination", value_parser = ends::port)]
    port: Option<Port>,
    /// Judge the NetworkPolicies of this file as if they were in the cluster, and say what they would change. `-` reads standard
    /// input. May be repeated.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    manifests: Vec<PathBuf>,
    /// Look at the policies of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "source", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    all_namespaces: bool,
    /// Print the least policies that would allow what is denied, and nothing else.
    #[arg(long, requires = "source", conflicts_with = "live", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    suggest: bool,
    /// Also see whether policies are enforced: in a namespace of the run's own, with a policy that denies, and without it again.
    #[arg(long, conflicts_with = "from_bundle", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    live: bool,
    /// What counts as a failure for the exit status.
    #[arg(long, value_enum, default_value = "error", value_name = "SEVERITY")]
    fail_on: FailOn,
    /// Also write everything that was seen to this file; --from-bundle reads it, and with --redact makes one that can be shown.
    #[arg(long, value_name = "FILE")]
    save_bundle: Option<PathBuf>,
    /// Judge what an earlier run saw, without a cluster. `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    from_bundle: Option<PathBuf>,
    #[command(flatten)]
    redaction: bundle::Redaction,
    #[command(flatten)]
    pods: ProbePods,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &PolicyArgs, run: &Run) -> Result<u8, Failure> {
    wanted
        .redaction
        .refuse_copy(wanted.from_bundle.as_deref(), wanted.save_bundle.as_deref())?;
    let observation = match &wanted.from_bundle {
        Some(path) => reread(bundle::read(path)?, connection, wanted)?,
        None => Box::pin(observe(connection, wanted, run)).await?,
    };
    let observation = wanted.redaction.apply(observation)?;
    if let Some(path) = &wanted.save_bundle {
        bundle::write(path, &observation)?;
    }
    if let Some(missing) = checks::policy_question_missing(&observation) {
        return Err(Failure::new(format!("Error from server (NotFound): {missing}")));
    }
    if wanted.suggest {
        plugin::deliver(&suggestions(&observation)?, &wanted.output)?;
        return Ok(report::ExitStatus::NoProblem.into());
    }
    let judge = JudgeOptions {
        command: "policy".to_owned(),
        tool: tool(run),
    };
    let report = checks::judge(&observation, &judge);
    tell(&report, &wanted.output, wanted.fail_on)
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &PolicyArgs,
    run: &Run,
) -> Result<Observation, Failure> {
    // Before anything is asked of a cluster: a file that cannot be read is no reason to wait.
    let files = manifest::read(&wanted.manifests)?;
    let mut session = Session::open(connection, &wanted.pods, &wanted.output, run).await?;
    let namespace = session.cluster.namespace().to_owned();
    let question = question(wanted, &namespace)?;
    let added = manifest::policies(files, &namespace);
    let namespaces = namespaces(&question, &added);
    session.spinner.say("reading the policies and the pods");
    let mut facts = tokio::select! {
        facts = session.cluster.policy_facts(question, &namespaces) => facts,
        () = run.interrupt.token().cancelled() => return Err(Failure::new("error: interrupted")),
    };
    facts.added = added;
    let mut placement = None;
    if wanted.live {
        let (placed, enforcement) = live::enforcement(&mut session).await?;
        (placement, facts.enforcement) = (Some(placed), Some(enforcement));
    }
    let mut observation = session.finish(placement)?;
    observation.policy = Some(facts);
    Ok(observation)
}

/// A bundle, with what is asked now in place of what was asked then.
fn reread(
    mut observation: Observation,
    connection: &ConnectionArgs,
    wanted: &PolicyArgs,
) -> Result<Observation, Failure> {
    let Some(facts) = &mut observation.policy else {
        return Err(
            Failure::new("error: the bundle holds nothing about policies").with_hint(Some(
                "`kubectl netcheck policy --save-bundle FILE` writes one that does".to_owned(),
            )),
        );
    };
    let given = connection
        .namespace
        .clone()
        .filter(|namespace| !namespace.is_empty());
    let namespace = given.clone().or(facts.question.namespace.clone());
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    if wanted.source.is_some() || wanted.all_namespaces || given.is_some() {
        facts.question = question(wanted, &namespace)?;
    }
    facts
        .added
        .extend(manifest::policies(manifest::read(&wanted.manifests)?, &namespace));
    Ok(observation)
}

fn question(wanted: &PolicyArgs, namespace: &str) -> Result<PolicyQuestion, Failure> {
    let end = |text: &Option<String>| text.as_ref().map(|text| ends::end(text, namespace)).transpose();
    Ok(PolicyQuestion {
        namespace: (!wanted.all_namespaces).then(|| namespace.to_owned()),
        source: end(&wanted.source)?,
        destination: end(&wanted.destination)?,
        port: wanted.port.as_ref().map(|port| port.number),
        protocol: wanted.port.as_ref().and_then(|port| port.protocol.clone()),
    })
}

/// Where to look if not everywhere may be looked: the namespaces that the question is about, and that of DNS.
fn namespaces(question: &PolicyQuestion, added: &[observation::PolicyObject]) -> BTreeSet<String> {
    let mut namespaces: BTreeSet<String> = question.namespace.clone().into_iter().collect();
    for end in [&question.source, &question.destination].into_iter().flatten() {
        if let PolicyEnd::Object { namespace, .. } = end {
            namespaces.insert(namespace.clone());
        }
    }
    namespaces.extend(added.iter().map(|policy| policy.namespace.clone()));
    namespaces
}

fn suggestions(observation: &Observation) -> Result<String, Failure> {
    let manifests = checks::suggested_policies(observation);
    if manifests.is_empty() {
        return Ok("# nothing is missing, or it cannot be said by labels that last\n".to_owned());
    }
    let mut text = String::new();
    for (index, manifest) in manifests.iter().enumerate() {
        let separator = if index > 0 { "---\n" } else { "" };
        let _ = write!(text, "{separator}{}", plugin::yaml(manifest)?);
    }
    Ok(text)
}
