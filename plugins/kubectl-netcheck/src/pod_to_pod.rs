//! `kubectl netcheck pod-to-pod`: observe, place probe pods, probe every pair, judge, print.

use std::collections::BTreeMap;

use checks::{JudgeOptions, MeshOptions, SourceAnswers};
use cluster::ConnectionArgs;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use observation::{Mesh, Observation};
use plugin::{Failure, Run, Spinner};
use probe::ProbeRun;
use report::FailOn;

use crate::args::{self, PodToPod};
use crate::bundle;
use crate::session::{NodeChoice, Session, tool};

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
    let fail_on = match wanted.fail_on {
        args::FailOn::Error => FailOn::Error,
        args::FailOn::Warning => FailOn::Warning,
    };
    plugin::print_judged(&report, &wanted.output, fail_on)?;
    Ok(report.exit_status(fail_on).into())
}

async fn observe(connection: &ConnectionArgs, wanted: &PodToPod, run: &Run) -> Result<Observation, Failure> {
    let mut session = Session::open(connection, &wanted.pods, &wanted.output, run).await?;
    let options = MeshOptions {
        full_mesh: wanted.full_mesh,
        count: wanted.count,
        timeout_ms: u64::try_from(wanted.timeout.as_millis()).unwrap_or(u64::MAX),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..MeshOptions::default()
    };
    let choice = NodeChoice {
        names: &wanted.nodes,
        selector: wanted.selector.as_deref(),
    };
    let (placement, mesh) = session
        .with_pods(choice, async |pods, spinner| {
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
