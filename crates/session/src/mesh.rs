//! Probes between all probe pods that there are.

use std::collections::BTreeMap;

use checks::{MeshOptions, MeshPlan, SourceAnswers};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use observation::Mesh;
use plugin::Spinner;
use probe::ProbeRun;

/// Probes every pair of the placement's nodes.
pub async fn run_mesh(pods: &ProbeRun, options: &MeshOptions, spinner: &Spinner) -> Mesh {
    let placement = pods.placement();
    let plan = checks::plan_mesh(&placement.nodes, &placement.run, options);
    run_plan(pods, &plan, "probing", spinner).await
}

/// Runs a plan from all its sources at once; `what` says what they do.
pub async fn run_plan(pods: &ProbeRun, plan: &MeshPlan, what: &str, spinner: &Spinner) -> Mesh {
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
