//! `kubectl dnscheck status`, and the commands that look at the same with fewer checks: the cluster's DNS, by what the API says.

use checks::Selection;
use cluster::{ConnectionArgs, DnsRead};
use observation::Observation;
use plugin::{Failure, Run};
use session::{Look, Session};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &StatusArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, &wanted.look, false, run));
    wanted.look.conclude("status", run, observe).await
}

/// Which ids `logs` is about.
const LOGS: [&str; 3] = ["dns-log", "dns-crash", "dns-resources"];
/// Which ids `metrics` is about.
const METRICS: [&str; 2] = ["dns-metrics", "dns-servfail"];
/// Which ids `scale` is about.
const SCALE: [&str; 3] = ["dns-scale", "dns-deploy", "dns-nodelocal"];

/// What the logs of the DNS pods say.
///
/// # Errors
/// When there is no way to the cluster, and when the user stopped it.
pub(crate) async fn logs(connection: &ConnectionArgs, wanted: &StatusArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, &wanted.look, false, run));
    let selection = Selection::of(|check| LOGS.contains(&check.id));
    wanted
        .look
        .conclude_selected("logs", &selection, run, observe)
        .await
}

/// Whether there are enough DNS pods.
///
/// # Errors
/// When there is no way to the cluster, and when the user stopped it.
pub(crate) async fn scale(
    connection: &ConnectionArgs,
    wanted: &StatusArgs,
    run: &Run,
) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, &wanted.look, false, run));
    let selection = Selection::of(|check| SCALE.contains(&check.id));
    wanted
        .look
        .conclude_selected("scale", &selection, run, observe)
        .await
}

/// What the DNS pods count.
///
/// # Errors
/// When there is no way to the cluster, and when the user stopped it.
pub(crate) async fn metrics(
    connection: &ConnectionArgs,
    wanted: &StatusArgs,
    run: &Run,
) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, &wanted.look, true, run));
    let selection = Selection::of(|check| METRICS.contains(&check.id));
    wanted
        .look
        .conclude_selected("metrics", &selection, run, observe)
        .await
}

/// What the API says of the cluster's DNS, and where it is wanted what the pods measure.
///
/// # Errors
/// When there is no way to the cluster, and when the user stopped it.
pub(crate) async fn observe(
    connection: &ConnectionArgs,
    look: &Look,
    with_metrics: bool,
    run: &Run,
) -> Result<Observation, Failure> {
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let dns = dns(&mut session, with_metrics).await?.dns;
    let mut observation = session.finish(None)?;
    observation.dns = Some(Box::new(dns));
    Ok(observation)
}

/// Reads what the API says of the cluster's DNS, and where it is wanted what the pods measure.
///
/// # Errors
/// When the user stopped it.
pub(crate) async fn dns(session: &mut Session<'_>, with_metrics: bool) -> Result<DnsRead, Failure> {
    let cluster = session.cluster.clone();
    let is_linux = |node: &observation::Node| node.operating_system == "linux";
    let nodes = session.nodes().into_iter().filter(is_linux);
    let nodes: Vec<String> = nodes.map(|node| node.name).collect();
    let read = cluster.dns(&nodes, jiff::Timestamp::now().to_string(), with_metrics);
    session.observe("reading the cluster's DNS", Box::pin(read)).await
}
