//! Pods that are started for runs before these need them, node by node, and not always used.

use std::time::{Duration, Instant};

use observation::Place;
use testkit::{Config, FakeApi, NodeBehaviour, cluster_of};
use tokio_util::sync::CancellationToken;

use super::{NOT_WAITED, access, left, options, patient, ready, see_nothing_left, targets};
use crate::prepared::{Prepared, prepare_at};
use crate::run::begin;
use crate::{Gate, ProbeOptions, Removal};

async fn prepared(api: &FakeApi, options: &ProbeOptions, cancel: &CancellationToken) -> Prepared {
    prepare_at(access(api), options, &targets(2), cancel, &()).await
}

#[tokio::test]
async fn pods_that_were_started_and_not_used_are_taken_away() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let cancel = CancellationToken::new();
    let prepared = prepared(&api, &options(), &cancel).await;
    let launched = prepared.start(Gate::open(), &cancel, &()).await;
    assert!(
        left(&api).len() >= 5,
        "namespace, two ConfigMaps, two pods: {:?}",
        left(&api)
    );
    assert_eq!(launched.remove().await, Removal::Done);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_run_that_was_interrupted_before_it_began_makes_nothing() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let cancel = CancellationToken::new();
    cancel.cancel();
    let prepared = prepared(&api, &options(), &cancel).await;
    let launched = prepared.start(Gate::open(), &cancel, &()).await;
    assert_eq!(left(&api), Vec::<String>::new());
    assert_eq!(launched.remove().await, Removal::Done);
}

#[tokio::test]
async fn pods_start_on_a_node_when_its_gate_opens_and_not_before() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let cancel = CancellationToken::new();
    let prepared = prepared(&api, &options(), &cancel).await;
    let (opener, gate) = Gate::closed();
    let pods = || -> Vec<String> {
        let all = left(&api).into_iter();
        all.filter(|name| name.to_lowercase().contains("pod")).collect()
    };
    let opening = async {
        opener.open("node-002");
        while pods().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let early = pods();
        assert!(early.iter().all(|name| name.contains("node-002")), "{early:?}");
        opener.open_all();
    };
    let (launched, ()) = tokio::join!(prepared.start(gate, &cancel, &()), opening);
    let placement = launched.placement.as_ref().expect("there is a place");
    ready(&placement.nodes, "node-001");
    ready(&placement.nodes, "node-002");
    assert_eq!(launched.remove().await, Removal::Done);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_start_that_waits_at_a_gate_ends_when_it_is_interrupted() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let cancel = CancellationToken::new();
    let prepared = prepared(&api, &patient(), &cancel).await;
    let (_opener, gate) = Gate::closed();
    let began = Instant::now();
    let interrupting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    };
    let (launched, ()) = tokio::join!(prepared.start(gate, &cancel, &()), interrupting);
    assert!(began.elapsed() < NOT_WAITED, "{:?}", began.elapsed());
    assert_eq!(launched.remove().await, Removal::Done);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_node_that_is_slow_does_not_hold_up_what_is_done_first_on_another() {
    let slow = NodeBehaviour::Slow(Duration::from_millis(1500));
    let api = FakeApi::start(Config::new(cluster_of(2)).quick().behaviour("node-002", slow));
    let cancel = CancellationToken::new();
    let prepared = prepared(&api, &options(), &cancel).await;
    let first = async |run: &crate::ProbeRun, node: &str| {
        let seen: Vec<String> = run.placement().ready().map(str::to_owned).collect();
        assert_eq!(seen, [node], "nobody else is ready as far as it can tell");
        Instant::now()
    };
    let (launched, firsts) = begin(prepared, &cancel, &(), first).await;
    let after = firsts["node-002"] - firsts["node-001"];
    assert!(after >= Duration::from_millis(500), "{after:?}");
    assert_eq!(launched.remove().await, Removal::Done);
}

#[tokio::test]
async fn nothing_is_done_first_where_no_pod_can_be_had() {
    let behaviour = NodeBehaviour::NoSandbox {
        message: "Failed to create pod sandbox: no".to_owned(),
    };
    let api = FakeApi::start(
        Config::new(cluster_of(2))
            .quick()
            .behaviour("node-002", behaviour),
    );
    let cancel = CancellationToken::new();
    let prepared = prepared(&api, &options(), &cancel).await;
    let (launched, firsts) = begin(prepared, &cancel, &(), async |_, _| ()).await;
    assert_eq!(firsts.keys().collect::<Vec<_>>(), ["node-001"]);
    let placement = launched.placement.as_ref().expect("there is a place");
    assert!(matches!(placement.nodes["node-002"], Place::Failed(_)));
    assert_eq!(launched.remove().await, Removal::Done);
}
