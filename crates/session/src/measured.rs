//! Measures between the probe pods that there are: loss by direction, and the sizes that arrive.

use crate::mesh::run_plan;
use checks::MeshOptions;
use netprobe::Kind;
use observation::Mesh;
use plugin::Spinner;
use probe::ProbeRun;

/// Measures the pairs of the mesh in these ways; `None` where there are none.
pub async fn measure(
    pods: &ProbeRun,
    kinds: &[Kind],
    options: &MeshOptions,
    spinner: &Spinner,
) -> Option<Mesh> {
    if kinds.is_empty() {
        return None;
    }
    let placement = pods.placement();
    let plan = checks::plan_measures(&placement.nodes, &placement.run, kinds, options);
    Some(run_plan(pods, &plan, "measuring", spinner).await)
}

/// Trains of small datagrams, and of such as fill a packet.
pub fn trains(count: u32, gap_ms: u32) -> [Kind; 2] {
    [false, true].map(|large| Kind::Train { count, gap_ms, large })
}
