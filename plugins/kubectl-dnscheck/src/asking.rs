//! Asks DNS servers from probe pods: whom, what, and from where.

use std::collections::{BTreeMap, BTreeSet};

use checks::{
    LookupOptions, LookupPlan, LookupQuestion, ReachPlace, Series, SourceAnswers, fold_lookups,
    outside_questions, plan_lookups, record, search_questions, upstreams, upstreams_unread,
};
use cluster::ConnectionArgs;
use futures::future::join_all;
use netmodel::resolv::{Libc, ResolvConf};
use observation::{Dns, Lookup, Lookups, Observation, Pace, Placement, PolicyQuestion, Service, Source};
use plugin::{Failure, Run, Spinner};
use probe::ProbeRun;
use report::Observed;
use session::tries::{given, pod_places};
use session::{Look, NodeChoice, Session};

use crate::facts::{Facts, nodes_to_ask};
use crate::status::dns;

/// How names are asked for, in every subcommand that does.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Lookups")]
pub(crate) struct AskArgs {
    /// A name outside of the cluster to ask for; may be repeated. Without one the name servers of the root are asked for, so that nothing is sent to a host of anybody's choice.
    #[arg(long = "external-name", value_name = "NAME")]
    pub(crate) external_names: Vec<String>,
    /// The domain of the cluster's names, instead of the one that kubelets give to pods.
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) cluster_domain: Option<String>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Names of every kind, of every server.
    Everything,
    /// Names that the user gave, each as a pod's resolver would complete it, and the API's own.
    Names {
        /// As they were typed.
        names: Vec<String>,
        /// Whose resolver completes them.
        libc: Libc,
    },
    /// Names outside, of upstreams and of the cluster's own servers.
    Outside,
    /// A few names again and again, to measure.
    Series(Series),
}

/// Reads what the API says of the cluster's DNS, and asks its servers; and reads which policies may keep pods from asking.
///
/// # Errors
/// When there is no way to the cluster, and when the user stopped it.
pub(crate) async fn observe(
    connection: &ConnectionArgs,
    look: &Look,
    asking: &AskArgs,
    what: &Ask,
    with_policies: bool,
    run: &Run,
) -> Result<(Observation, Dns), Failure> {
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let read = dns(&mut session, false).await?;
    let policy = if with_policies {
        let (cluster, everywhere) = (session.cluster.clone(), BTreeSet::new());
        let reading = Box::pin(cluster.policy_facts(PolicyQuestion::default(), &everywhere));
        Some(session.observe("reading policies", reading).await?)
    } else {
        None
    };
    let facts = Facts::read(&mut session, look, asking, &read).await?;
    let (placement, lookups) = ask(&mut session, look, facts, &read.dns, what).await?;
    let mut observation = session.finish(Some(placement))?;
    observation.lookups = Some(Box::new(lookups));
    observation.policy = policy;
    Ok((observation, read.dns))
}

/// Starts probe pods, and asks.
///
/// # Errors
/// When the choice of nodes matches none, and when the user stopped it.
async fn ask(
    session: &mut Session<'_>,
    look: &Look,
    facts: Facts,
    dns: &Dns,
    ask: &Ask,
) -> Result<(Placement, Lookups), Failure> {
    session.options.twins = false;
    let nodes = session.nodes();
    let namespace = session.cluster.namespace().to_owned();
    let mut choice = look.choice();
    let sample = nodes_to_ask(&nodes, &facts.servers);
    let mut left_out = facts.left_out.clone();
    if choice.names.is_empty() && choice.selector.is_none() && !sample.is_empty() {
        left_out.push(format!(
            "asked from {} of {} nodes: --node names others",
            sample.len(),
            nodes.len()
        ));
        choice = NodeChoice {
            names: &sample,
            selector: None,
        };
    }
    let questions = facts.questions(ask, &namespace);
    let work = async |pods: &ProbeRun, spinner: &Spinner| {
        spinner.say("reading the resolv.conf of nodes");
        let resolv_conf = pods.on_each(async |node| pods.read_resolv_conf(node).await).await;
        let plan = plan(&facts, dns, ask, &questions, pods, &resolv_conf);
        spinner.say("asking DNS servers");
        let answers = fold_lookups(&plan, &execute(pods, &plan).await);
        let unread = upstreams_unread(dns, &resolv_conf, &pods.placement().nodes);
        (resolv_conf, unread, answers)
    };
    let (placement, value) = Box::pin(session.with_pods(choice, work)).await?;
    let mut lookups = Lookups {
        domain: facts.options.domain.clone(),
        service: facts.service.as_ref().map(Service::subject),
        unread: facts.unread,
        left_out,
        pace: match ask {
            Ask::Series(series) => Some(Pace {
                rate: series.rate,
                duration_ms: series.duration_ms,
            }),
            _ => None,
        },
        ..Lookups::default()
    };
    let asks_upstreams = matches!(ask, Ask::Everything | Ask::Outside);
    if asks_upstreams {
        lookups.upstreams_unread.extend(dns.corefiles.gap().cloned());
    }
    if let Some((resolv_conf, unread, answers)) = value {
        if asks_upstreams {
            lookups.upstreams_unread.extend(unread);
        }
        lookups.resolv_conf = resolv_conf;
        lookups.sources = answers.sources;
        lookups.lookups = answers.lookups;
        lookups.floor = answers.floor;
    }
    Ok((placement, lookups))
}

/// Who is asked what by whom, once it is known what nodes say.
fn plan(
    facts: &Facts,
    dns: &Dns,
    ask: &Ask,
    questions: &[LookupQuestion],
    pods: &ProbeRun,
    resolv_conf: &BTreeMap<String, Observed<String>>,
) -> LookupPlan {
    let places: Vec<ReachPlace> = pod_places(pods.placement());
    let mut servers = facts.servers.clone();
    let mut questions = questions.to_vec();
    let mut series = None;
    match ask {
        Ask::Everything => {
            servers.extend(upstreams(dns, resolv_conf));
            questions.extend(search_questions(&searched(resolv_conf), &facts.options));
        }
        Ask::Outside => servers.extend(upstreams(dns, resolv_conf)),
        Ask::Names { .. } => {}
        Ask::Series(wanted) => series = Some(*wanted),
    }
    let run = &pods.placement().run;
    plan_lookups(run, &places, &servers, &questions, series, &facts.options)
}

/// As [`ask`], once more with pods that run: what the watch does again and again.
pub(crate) async fn again(pods: &ProbeRun, facts: &Facts) -> Vec<Lookup> {
    let mut questions = facts.questions(&Ask::Outside, "default");
    questions.retain(|question| question.qtype != record::AAAA);
    if questions.is_empty() {
        questions = outside_questions(&facts.options);
    }
    let options = LookupOptions {
        retries: 0,
        ..facts.options.clone()
    };
    let places = pod_places(pods.placement());
    let plan = plan_lookups(
        &pods.placement().run,
        &places,
        &facts.servers,
        &questions,
        None,
        &options,
    );
    fold_lookups(&plan, &execute(pods, &plan).await).lookups
}

async fn execute(pods: &ProbeRun, plan: &LookupPlan) -> BTreeMap<Source, SourceAnswers> {
    let running = plan.sources.iter().filter_map(|(source, asked)| {
        let node = source.node()?;
        Some(async move { (source.clone(), given(pods.execute(node, &asked.plan).await)) })
    });
    join_all(running).await.into_iter().collect()
}

/// The domains in which nodes search.
fn searched(resolv_conf: &BTreeMap<String, Observed<String>>) -> BTreeSet<String> {
    let texts = resolv_conf.values().filter_map(Observed::seen);
    texts.flat_map(|text| ResolvConf::parse(text).search).collect()
}
