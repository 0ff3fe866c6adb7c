//! `kubectl netcheck pod-to-pod`: observe, place probe pods, probe every pair, judge, print.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use checks::{JudgeOptions, MeshOptions, SourceAnswers};
use cluster::{Cluster, ConnectionArgs, Identity, NodeRead};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use observation::{BUNDLE_VERSION, Mesh, Observation, Phase, Place, Placement, Stats};
use plugin::{Failure, Run, Spinner};
use probe::{NodeTarget, ProbeError, ProbeOptions, ProbeRun};
use report::{FailOn, Gap, GapReason, Observed};

use crate::args::{self, PodToPod};
use crate::bundle;

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &PodToPod, run: &Run) -> Result<u8, Failure> {
    let observation = match &wanted.from_bundle {
        Some(path) => bundle::read(path)?,
        None => observe(connection, wanted, run).await?,
    };
    if let Some(path) = &wanted.save_bundle {
        bundle::write(path, &observation)?;
    }
    let judge = JudgeOptions {
        command: "pod-to-pod".to_owned(),
        tool: tool(run),
    };
    let report = checks::judge(&observation, &judge);
    plugin::print(&report, &wanted.output)?;
    let fail_on = match wanted.fail_on {
        args::FailOn::Error => FailOn::Error,
        args::FailOn::Warning => FailOn::Warning,
    };
    Ok(report.exit_status(fail_on).into())
}

async fn observe(connection: &ConnectionArgs, wanted: &PodToPod, run: &Run) -> Result<Observation, Failure> {
    let spinner = Spinner::new(wanted.output.progress_on_stderr());
    let options = probe_options(wanted)?;
    let taken_at = jiff::Timestamp::now();
    let began = Instant::now();
    let identity = Identity::new(run.program.binary, run.program.version);
    let cluster = Cluster::connect(connection, &identity).await?;
    spinner.say("reading the nodes");
    let (server, nodes) = tokio::select! {
        read = async { tokio::join!(cluster.server_version(), cluster.nodes()) } => read,
        () = run.interrupt.token().cancelled() => return Err(Failure::new("error: interrupted")),
    };
    unreachable(&server, &nodes)?;
    let mut phases = vec![phase("observe", began.elapsed())];
    // Probes are wanted; without the nodes' names there is nowhere to place them, and the gap of the nodes says why.
    let mut placement = nowhere(&options, &cluster, BTreeMap::new());
    let mut mesh = None;
    if let Observed::Seen(reads) = &nodes {
        let selected = select(reads, wanted)?;
        let targets: Vec<NodeTarget> = selected.iter().map(|read| target(read)).collect();
        let probed = probe(&cluster, &options, &targets, wanted, run, &spinner, &mut phases).await?;
        placement = left_out(probed.0, reads, &selected, wanted);
        mesh = probed.1;
    }
    spinner.clear();
    cluster.check_warnings()?;
    let usage = cluster.usage();
    Ok(Observation {
        api_version: BUNDLE_VERSION.to_owned(),
        tool: tool(run),
        taken_at: taken_at.to_string(),
        server,
        nodes: nodes.map(|reads| reads.into_iter().map(|read| read.node).collect()),
        placement: Some(placement),
        mesh,
        stats: Stats {
            api_calls: Some(usage.calls),
            bytes_received: Some(usage.bytes_received),
            bytes_sent: Some(usage.bytes_sent),
            phases,
        },
    })
}

/// Nothing at all could be read: there is no cluster to say anything about.
fn unreachable(
    server: &Observed<observation::ServerVersion>,
    nodes: &Observed<Vec<NodeRead>>,
) -> Result<(), Failure> {
    let denied = |gap: &Gap| matches!(gap.why, GapReason::Forbidden { .. });
    match (server, nodes) {
        (Observed::Unseen(_), Observed::Unseen(gap)) if !denied(gap) => {
            Err(Failure::new(gap.message.clone()).with_hint(gap.hint.clone()))
        }
        _ => Ok(()),
    }
}

/// Starts the probe pods, runs the mesh, and takes them away again.
async fn probe(
    cluster: &Cluster,
    options: &ProbeOptions,
    targets: &[NodeTarget],
    wanted: &PodToPod,
    run: &Run,
    spinner: &Spinner,
    phases: &mut Vec<Phase>,
) -> Result<(Placement, Option<Mesh>), Failure> {
    let mesh_options = MeshOptions {
        full_mesh: wanted.full_mesh,
        count: wanted.count,
        timeout_ms: u64::try_from(wanted.timeout.as_millis()).unwrap_or(u64::MAX),
        tcp_port: options.tcp_port,
        udp_port: options.udp_port,
        ..MeshOptions::default()
    };
    let token = run.interrupt.token();
    let finished = probe::with_probes(cluster, options, targets, token, spinner, async |pods| {
        let began = Instant::now();
        let mesh = run_mesh(pods, &mesh_options, spinner).await;
        (mesh, began.elapsed())
    });
    match finished.await {
        Ok(finished) => {
            let (mesh, took) = finished.value;
            phases.push(phase("start", finished.start_took));
            phases.push(phase("probe", took));
            phases.push(phase("clean up", finished.removal_took));
            plugin::report_removal(&finished.removal);
            Ok((finished.placement, Some(mesh)))
        }
        Err(ProbeError::NotPrepared { gap, removal }) => {
            plugin::report_removal(&removal);
            let failed = |target: &NodeTarget| (target.name.clone(), Place::Failed(gap.clone()));
            Ok((
                nowhere(options, cluster, targets.iter().map(failed).collect()),
                None,
            ))
        }
        Err(error @ ProbeError::Cancelled { .. }) => {
            spinner.clear();
            Err(Failure::new(format!("error: interrupted: {}", error.removal())))
        }
    }
}

/// The placement of a run that never had a pod.
fn nowhere(options: &ProbeOptions, cluster: &Cluster, nodes: BTreeMap<String, Place>) -> Placement {
    let namespace = options.probe_namespace.as_deref().unwrap_or(cluster.namespace());
    Placement {
        run: String::new(),
        namespace: namespace.to_owned(),
        own_namespace: Observed::Seen(()),
        nodes,
        notes: Vec::new(),
    }
}

async fn run_mesh(pods: &ProbeRun, options: &MeshOptions, spinner: &Spinner) -> Mesh {
    let placement = pods.placement();
    let plan = checks::plan_mesh(&placement.nodes, &placement.run, options);
    let total = plan.sources.len();
    spinner.say(format!("probing from {total} nodes"));
    let mut running: FuturesUnordered<_> = plan
        .sources
        .iter()
        .map(|(node, source)| async move { (node.clone(), pods.execute(node, &source.plan).await) })
        .collect();
    let mut answers = BTreeMap::new();
    while let Some((node, executed)) = running.next().await {
        answers.insert(
            node,
            SourceAnswers {
                answers: executed.answers,
                complete: executed.seen,
            },
        );
        spinner.say(format!(
            "probing: {} of {total} nodes have answered",
            answers.len()
        ));
    }
    checks::fold(&plan, &answers)
}

/// The nodes that were asked for, in the order of their names.
fn select<'a>(reads: &'a [NodeRead], wanted: &PodToPod) -> Result<Vec<&'a NodeRead>, Failure> {
    if let Some(missing) = wanted
        .nodes
        .iter()
        .find(|name| !reads.iter().any(|read| read.node.name == **name))
    {
        return Err(Failure::new(format!(
            "Error from server (NotFound): nodes {missing:?} not found"
        )));
    }
    let selector = match &wanted.selector {
        Some(text) => Some(cluster::Selector::parse(text).map_err(|error| Failure::of(&error))?),
        None => None,
    };
    let named = |read: &NodeRead| wanted.nodes.is_empty() || wanted.nodes.contains(&read.node.name);
    let labelled = |read: &NodeRead| {
        selector
            .as_ref()
            .is_none_or(|selector| selector.matches(&read.labels))
    };
    let selected: Vec<&NodeRead> = reads
        .iter()
        .filter(|read| named(read) && labelled(read))
        .collect();
    if selected.is_empty() {
        return Err(Failure::new("error: no node matches --node and --selector")
            .with_hint(Some("kubectl get nodes --show-labels".to_owned())));
    }
    Ok(selected)
}

fn target(read: &NodeRead) -> NodeTarget {
    let images = read.images.iter().map(|image| probe::NodeImage {
        names: image.names.clone(),
        size_bytes: image.size_bytes,
    });
    NodeTarget::new(&read.node, images.collect())
}

/// Adds the nodes that were not asked for, and turns a node that was asked for by name but left out into a gap: the user
/// wanted to know about it.
fn left_out(
    mut placement: Placement,
    reads: &[NodeRead],
    selected: &[&NodeRead],
    wanted: &PodToPod,
) -> Placement {
    for (name, place) in &mut placement.nodes {
        if let Place::LeftOut { reason, hint } = place
            && wanted.nodes.contains(name)
        {
            *place = Place::Failed(Gap {
                what: format!("probe pod on {name}"),
                why: GapReason::NotStarted,
                message: format!("{name} was asked for by name and is {reason}"),
                hint: hint.take(),
            });
        }
    }
    for read in reads
        .iter()
        .filter(|read| !selected.iter().any(|chosen| chosen.node.name == read.node.name))
    {
        let place = Place::LeftOut {
            reason: "not selected".to_owned(),
            hint: None,
        };
        placement.nodes.insert(read.node.name.clone(), place);
    }
    placement
}

fn probe_options(wanted: &PodToPod) -> Result<ProbeOptions, Failure> {
    let mut options = ProbeOptions::new("netcheck");
    let pods = &wanted.pods;
    options.probe_namespace.clone_from(&pods.probe_namespace);
    options.image.clone_from(&pods.image);
    options.image_pull_secret.clone_from(&pods.image_pull_secret);
    options.keep = pods.keep;
    options.start_timeout = pods.start_timeout;
    for text in &pods.tolerations {
        options
            .tolerations
            .push(text.parse().map_err(|error| Failure::of(&error))?);
    }
    if let Some(text) = &pods.requests {
        args::apply_resources("--requests", text, &mut options.requests)?;
    }
    if let Some(text) = &pods.limits {
        args::apply_resources("--limits", text, &mut options.limits)?;
    }
    Ok(options)
}

fn phase(name: &str, took: Duration) -> Phase {
    Phase {
        name: name.to_owned(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}

fn tool(run: &Run) -> String {
    format!("{} v{}", run.program.binary, run.program.version)
}
