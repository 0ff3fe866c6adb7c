//! `kubectl netcheck perf`: how long things take between pods, and how much gets lost.

use std::net::IpAddr;

use checks::{MeshOptions, ReachOptions};
use cluster::{Cluster, ConnectionArgs};
use observation::{Load, Observation, Place, Reach, Topic};
use plugin::{Failure, Run, Spinner};

use session::measured::{measure, trains};
use session::tries::{pod_places, try_all};
use session::{Look, Session};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PerfArgs {
    /// Requests and datagrams for each pair of nodes. Below 20 loss is not spoken of.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// How much data is sent each way for each pair, in MiB.
    #[arg(long, default_value_t = 8, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1024))]
    data: u64,
    #[command(flatten)]
    look: Look,
}

/// From one datagram of a train to the next.
const TRAIN_GAP_MS: u32 = 10;

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &PerfArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    wanted.look.conclude("perf", run, observe).await
}

async fn observe(connection: &ConnectionArgs, wanted: &PerfArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let options = ReachOptions {
        // Each sample by itself: what is lost has to be counted, and one at a time does not slow down the next.
        series: u32::MAX,
        retries: 0,
        concurrency: 2,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..ReachOptions::default()
    };
    let mesh = MeshOptions {
        timeout_ms: look.timeout_ms(),
        tcp_port: options.tcp_port,
        udp_port: options.udp_port,
        ..MeshOptions::default()
    };
    let cluster = session.cluster.clone();
    let (placement, tried) = session
        .with_pods(look.choice(), async |pods, spinner| {
            let places = pod_places(pods.placement());
            let twins: Vec<Option<IpAddr>> = pods
                .placement()
                .nodes
                .values()
                .filter_map(|place| match place {
                    Place::Ready(pod) => Some(pod.twin.as_ref()),
                    Place::LeftOut { .. } | Place::Failed(_) => None,
                })
                .map(|twin| twin.and_then(|twin| twin.addresses.first().copied()))
                .collect();
            // Before the data, which would crowd them out.
            let trains = trains(wanted.samples, TRAIN_GAP_MS);
            let measured = measure(pods, &trains, &mesh, spinner).await;
            let bytes = wanted.data << 20;
            let wanted = checks::plan_performance(&places, &twins, wanted.samples, bytes, &options);
            let plan = checks::assemble(&pods.placement().run, &places, &wanted, &options);
            let (sources, attempts) = try_all(pods, &plan, spinner).await;
            let reach = Reach {
                sources,
                attempts,
                ..Reach::about(vec![Topic::Performance])
            };
            let load = load(&cluster, &pods.placement().namespace, &reach, spinner).await;
            (measured, reach, load)
        })
        .await?;
    let mut observation = session.finish(Some(placement))?;
    let nothing = || (None, Reach::about(vec![Topic::Performance]), None);
    let (measured, reach, load) = tried.unwrap_or_else(nothing);
    observation.measured = measured;
    observation.load = load.map(Box::new);
    observation.reach = Some(reach);
    Ok(observation)
}

/// What the nodes use between which something is slow, and their containers that packets depend on. Where nothing is slow there is nothing to
/// explain, and nobody is asked.
async fn load(cluster: &Cluster, namespace: &str, reach: &Reach, spinner: &Spinner) -> Option<Load> {
    let nodes = checks::slow_nodes(reach);
    if nodes.is_empty() {
        return None;
    }
    spinner.say("reading what slow nodes use");
    let mut namespaces = vec![namespace];
    namespaces.extend(checks::NETWORK_NAMESPACES);
    Some(cluster.load(&nodes, &namespaces).await)
}
