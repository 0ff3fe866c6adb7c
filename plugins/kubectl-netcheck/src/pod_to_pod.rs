//! `kubectl netcheck pod-to-pod`: observe, place probe pods, probe every pair, judge, print.

use std::collections::BTreeMap;

use checks::{MeshOptions, MeshPlan, SourceAnswers};
use cluster::ConnectionArgs;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use observation::{Mesh, Observation};
use plugin::{Failure, Run, Spinner};
use probe::ProbeRun;

use crate::args::PodToPod;
use crate::session::Session;

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &PodToPod, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    wanted.look.conclude("pod-to-pod", run, observe).await
}

async fn observe(connection: &ConnectionArgs, wanted: &PodToPod, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let options = MeshOptions {
        full_mesh: wanted.full_mesh,
        count: wanted.count,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..MeshOptions::default()
    };
    let (placement, mesh) = session
        .with_pods(look.choice(), async |pods, spinner| {
            run_mesh(pods, &options, spinner).await
        })
        .await?;
    let mut observation = session.finish(Some(placement))?;
    observation.mesh = mesh;
    Ok(observation)
}

/// Probes every pair of the placement's nodes.
pub(crate) async fn run_mesh(pods: &ProbeRun, options: &MeshOptions, spinner: &Spinner) -> Mesh {
    let placement = pods.placement();
    let plan = checks::plan_mesh(&placement.nodes, &placement.run, options);
    run_plan(pods, &plan, "probing", spinner).await
}

/// Runs a plan from all its sources at once; `what` says what they do.
pub(crate) async fn run_plan(pods: &ProbeRun, plan: &MeshPlan, what: &str, spinner: &Spinner) -> Mesh {
    let total = plan.sources.len();
    spinner.say(format!("{what} from {total} nodes"));
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
            "{what}: {} of {total} nodes have answered",
            answers.len()
        ));
    }
    checks::fold(plan, &answers)
}
