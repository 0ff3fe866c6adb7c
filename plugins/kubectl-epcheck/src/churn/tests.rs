use observation::{Endpoint, ServiceSettings};

use super::*;

fn service() -> Service {
    Service {
        name: "web".into(),
        namespace: "shop".into(),
        cluster_ips: vec![[10, 96, 0, 7].into()],
        ..Service::default()
    }
}

fn slice(endpoints: &[(&str, [u8; 4], bool)]) -> EndpointSlice {
    let endpoint = |(pod, address, ready): &(&str, [u8; 4], bool)| Endpoint {
        addresses: vec![(*address).into()],
        ready: *ready,
        node: Some("node1".into()),
        pod: Some((*pod).into()),
        ..Endpoint::default()
    };
    EndpointSlice {
        name: "web-1".into(),
        namespace: "shop".into(),
        service: Some("web".into()),
        endpoints: endpoints.iter().map(endpoint).collect(),
        ..EndpointSlice::default()
    }
}

fn pod(name: &str, ready: bool) -> BackendPod {
    BackendPod {
        namespace: "shop".into(),
        name: name.into(),
        ready,
        ..BackendPod::default()
    }
}

/// One that has seen its beginning: two endpoints, both ready.
fn ledger(service: Service) -> Ledger {
    let mut ledger = Ledger::new(&[service], BTreeSet::from(["node1".into(), "node2".into()]));
    ledger.pod(0, &pod("a", true));
    ledger.pod(0, &pod("c", false));
    let changes = ledger.slice(
        0,
        slice(&[("a", [10, 0, 0, 1], true), ("b", [10, 0, 0, 2], true)]),
    );
    assert_eq!(changes, []);
    ledger.listed();
    ledger
}

fn led(addresses: &[[u8; 4]]) -> Observed<Led> {
    let to = addresses.iter().map(|address| (*address, 8080).into()).collect();
    Observed::Seen(BTreeMap::from([([10, 96, 0, 7].into(), to)]))
}

fn whats(changes: &[Change]) -> Vec<&What> {
    changes.iter().map(|change| &change.what).collect()
}

#[test]
fn who_comes_is_told_with_the_time_since_its_pod_was_ready() {
    let mut ledger = ledger(service());
    assert_eq!(ledger.count(), (1, 2, 2));
    ledger.pod(100, &pod("c", true));
    let three = [
        ("a", [10, 0, 0, 1], true),
        ("b", [10, 0, 0, 2], true),
        ("c", [10, 0, 0, 3], true),
    ];
    let changes = ledger.slice(350, slice(&three));
    let ready = What::Ready {
        endpoint: "pod/c on node1".into(),
        after_pod_ms: Some(250),
    };
    assert_eq!(whats(&changes), [&ready]);
    assert_eq!((changes[0].ready, changes[0].all), (3, 3));
    assert_eq!(
        ledger.slice(400, slice(&three)),
        [],
        "what is as it was is no news"
    );
    assert_eq!(ledger.tally["service/web -n shop"].after_pod_ms, [250]);
}

#[test]
fn a_slice_that_is_seen_before_its_pod_came_at_once() {
    let mut ledger = ledger(service());
    let changes = ledger.slice(350, slice(&[("c", [10, 0, 0, 3], true)]));
    let ready = What::Ready {
        endpoint: "pod/c on node1".into(),
        after_pod_ms: Some(0),
    };
    assert_eq!(changes[0].what, ready);
}

#[test]
fn rules_follow_when_they_have_who_came_and_not_who_went() {
    let mut ledger = ledger(service());
    let changes = ledger.slice(
        1_000,
        slice(&[("a", [10, 0, 0, 1], true), ("c", [10, 0, 0, 3], true)]),
    );
    assert_eq!(changes.len(), 2);
    assert_eq!(
        ledger.awaited(),
        BTreeSet::from(["node1".to_owned(), "node2".to_owned()])
    );
    let old = led(&[[10, 0, 0, 1], [10, 0, 0, 2]]);
    assert_eq!(ledger.rules(1_500, "node1", &old), []);
    let both = led(&[[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]]);
    assert_eq!(ledger.rules(1_600, "node1", &both), []);
    let new = led(&[[10, 0, 0, 1], [10, 0, 0, 3]]);
    let followed = What::Followed {
        node: "node1".into(),
        after_ms: 900,
    };
    assert_eq!(whats(&ledger.rules(1_900, "node1", &new)), [&followed]);
    assert_eq!(ledger.awaited(), BTreeSet::from(["node2".to_owned()]));
    let behind = What::Behind {
        node: "node2".into(),
        after_ms: 31_000,
    };
    assert_eq!(whats(&ledger.rules(32_000, "node2", &old)), [&behind]);
    assert!(ledger.awaited().is_empty() && ledger.behind.contains("node2"));
}

#[test]
fn rules_that_cannot_be_read_are_not_behind() {
    let mut ledger = ledger(service());
    ledger.slice(1_000, slice(&[("a", [10, 0, 0, 1], true)]));
    let unread = Observed::Unseen(report::Gap {
        what: "rules of node1".into(),
        why: report::GapReason::Failed,
        message: "no".into(),
        hint: None,
    });
    assert_eq!(ledger.rules(40_000, "node1", &unread), []);
    assert!(ledger.behind.is_empty() && !ledger.awaited().contains("node1"));
}

#[test]
fn what_changes_back_before_rules_followed_is_not_awaited() {
    let mut ledger = ledger(service());
    let (a, b) = (("a", [10, 0, 0, 1], true), ("b", [10, 0, 0, 2], true));
    ledger.slice(1_000, slice(&[a]));
    ledger.slice(1_200, slice(&[a, b]));
    let led = led(&[[10, 0, 0, 1], [10, 0, 0, 2]]);
    ledger.rules(1_500, "node1", &led);
    ledger.rules(1_500, "node2", &led);
    assert!(ledger.awaited().is_empty());
}

#[test]
fn an_endpoint_that_stops_being_ready_again_and_again_cannot_make_up_its_mind() {
    let mut ledger = ledger(service());
    let (up, down) = (("a", [10, 0, 0, 1], true), ("a", [10, 0, 0, 1], false));
    let other = ("b", [10, 0, 0, 2], true);
    for round in 0..3 {
        let changes = ledger.slice(round * 1_000, slice(&[down, other]));
        let not_ready = What::NotReady {
            endpoint: "pod/a on node1".into(),
        };
        assert_eq!(whats(&changes), [&not_ready]);
        ledger.slice(round * 1_000 + 500, slice(&[up, other]));
    }
    let tally = &ledger.tally["service/web -n shop"];
    assert_eq!(tally.flapping().collect::<Vec<_>>(), [("pod/a on node1", 3)]);
    assert!(!tally.was_empty);
}

#[test]
fn a_service_that_loses_its_last_endpoint_was_empty_and_waits_for_no_rules() {
    let mut ledger = ledger(service());
    let changes = ledger.slice_gone(500, &("shop".into(), "web-1".into()));
    assert_eq!(changes.len(), 2);
    assert_eq!((changes[0].ready, changes[0].all), (0, 0));
    assert!(ledger.tally["service/web -n shop"].was_empty);
    assert!(ledger.awaited().is_empty());
}

#[test]
fn rules_of_services_whose_endpoints_nodes_choose_are_not_awaited() {
    let hinted = Service {
        settings: ServiceSettings {
            traffic_distribution: Some("PreferClose".into()),
            ..ServiceSettings::default()
        },
        ..service()
    };
    let mut ledger = ledger(hinted);
    ledger.slice(1_000, slice(&[("a", [10, 0, 0, 1], true)]));
    assert!(ledger.awaited().is_empty());
}
