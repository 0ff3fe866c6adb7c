//! Whole runs against the fake API server.

mod cancelling;
mod cleaning;
mod executing;
mod placing;
mod preparing;
mod serving;
mod starting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use netprobe::{Kind, Plan, Probe, WIRE_VERSION};
use observation::{Place, ProbePod};
use report::Gap;
use testkit::FakeApi;
use tokio_util::sync::CancellationToken;

use crate::prepared::Access;
use crate::run::bracket;
use crate::{Executed, Finished, NodeImage, NodeTarget, ProbeError, ProbeOptions, ProbeRun};

pub(super) fn access(api: &FakeApi) -> Access {
    let config = kube::Config::new(api.url().parse().unwrap());
    Access {
        client: kube::Client::try_from(config).unwrap(),
        namespace: "default".to_owned(),
        streamed: Arc::default(),
        silent: Arc::default(),
    }
}

pub(super) fn target(node: &str) -> NodeTarget {
    let image = |name: &str| NodeImage {
        names: vec![name.to_owned()],
        size_bytes: Some(1),
    };
    NodeTarget {
        name: node.to_owned(),
        architecture: "amd64".to_owned(),
        operating_system: "linux".to_owned(),
        images: vec![
            image("registry.k8s.io/pause:3.10.1"),
            image("registry.k8s.io/kube-proxy:v1.34.4"),
        ],
        taints: vec![],
        not_ready: None,
    }
}

pub(super) fn targets(count: u32) -> Vec<NodeTarget> {
    (0..count)
        .map(|index| target(&testkit::node_name(index)))
        .collect()
}

pub(super) fn options() -> ProbeOptions {
    ProbeOptions {
        start_timeout: Duration::from_secs(5),
        ..ProbeOptions::new("netcheck")
    }
}

/// Whatever came to its end within this did not wait for a pod: [`patient`] runs wait longer by far. A bound closer to what it takes would
/// depend on what else the machine has to do.
pub(super) const NOT_WAITED: Duration = Duration::from_secs(30);

/// As [`options`], for runs of which it is told that they wait for nothing.
pub(super) fn patient() -> ProbeOptions {
    ProbeOptions {
        start_timeout: Duration::from_secs(90),
        ..options()
    }
}

pub(super) async fn run<T>(
    api: &FakeApi,
    options: ProbeOptions,
    targets: Vec<NodeTarget>,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    bracket(
        access(api),
        &options,
        &targets,
        &CancellationToken::new(),
        &(),
        work,
    )
    .await
}

/// A run that only starts and ends.
pub(super) async fn visit(api: &FakeApi, options: &ProbeOptions, nodes: u32) -> Finished<()> {
    run(api, options.clone(), targets(nodes), async |_| ())
        .await
        .unwrap()
}

/// What a run must not leave.
pub(super) fn left(api: &FakeApi) -> Vec<String> {
    api.labelled("app.kubernetes.io/managed-by", "kubectl-netcheck")
}

/// Waits until nothing is left: what is deleted may take a moment.
pub(super) async fn see_nothing_left(api: &FakeApi) {
    for _ in 0..100 {
        if left(api).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("left: {:?}", left(api));
}

pub(super) fn ready<'a>(nodes: &'a BTreeMap<String, Place>, node: &str) -> &'a ProbePod {
    match &nodes[node] {
        Place::Ready(pod) => pod,
        other => panic!("{other:?}"),
    }
}

pub(super) fn failed<'a>(nodes: &'a BTreeMap<String, Place>, node: &str) -> &'a Gap {
    match &nodes[node] {
        Place::Failed(gap) => gap,
        other => panic!("{other:?}"),
    }
}

/// A plan of one TCP probe from each of these nodes to the pod of another.
pub(super) fn plan(run: &ProbeRun, targets: &[&str]) -> Plan {
    let probes = targets.iter().zip(1..).map(|(target, id)| Probe {
        id,
        target: (ready(&run.placement().nodes, target).addresses[0], 7410).into(),
        kind: Kind::Tcp,
        count: 1,
        timeout_ms: 4000,
    });
    Plan {
        version: WIRE_VERSION,
        run: run.placement().run.clone(),
        concurrency: 4,
        deadline_ms: 3000,
        gap_ms: 0,
        retry: None,
        probes: probes.collect(),
    }
}

/// One exec in the pod of the first node, towards the second and third.
pub(super) async fn ask(api: &FakeApi) -> Executed {
    let finished = run(api, options(), targets(3), async |run| {
        run.execute("node-001", &plan(run, &["node-002", "node-003"]))
            .await
    });
    finished.await.unwrap().value
}

pub(super) fn count(api: &FakeApi, verb: &str, end: &str) -> usize {
    api.requests()
        .iter()
        .filter(|request| request.verb == verb && request.path.ends_with(end))
        .count()
}
