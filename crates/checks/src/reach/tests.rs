use std::collections::BTreeMap;

use netprobe::{Answer, Outcome, Sample};
use observation::{Endpoint, EndpointSlice, Service, ServicePort, SlicePort};
use report::{Gap, GapReason, Observed};

use super::*;
use crate::fold::SourceAnswers;

fn pod(node: &str, last: u8) -> Place {
    Place {
        source: Source::Pod {
            node: node.to_owned(),
        },
        addresses: vec![[10, 244, last, 2].into()],
        effort: Effort::Full,
    }
}

fn service(name: &str) -> Service {
    Service {
        name: name.to_owned(),
        namespace: "shop".to_owned(),
        kind: "ClusterIP".to_owned(),
        cluster_ips: vec![[10, 96, 0, 7].into()],
        headless: false,
        external_name: None,
        external_ips: Vec::new(),
        load_balancer: Vec::new(),
        ports: vec![ServicePort {
            name: "http".to_owned(),
            protocol: "TCP".to_owned(),
            port: 80,
            target_port: "8080".to_owned(),
            node_port: None,
        }],
        selector: BTreeMap::new(),
        internal_local: false,
        external_local: false,
        health_check_node_port: None,
        is_dns: false,
        settings: observation::ServiceSettings::default(),
    }
}

fn slice(service: &str, nodes: &[&str]) -> EndpointSlice {
    EndpointSlice {
        name: format!("{service}-x"),
        namespace: "shop".to_owned(),
        service: Some(service.to_owned()),
        address_type: "IPv4".to_owned(),
        ports: vec![SlicePort {
            name: "http".to_owned(),
            protocol: "TCP".to_owned(),
            port: Some(8080),
        }],
        endpoints: nodes
            .iter()
            .zip(1..)
            .map(|(node, last)| Endpoint {
                addresses: vec![[10, 244, 9, last].into()],
                ready: true,
                serving: true,
                terminating: false,
                node: Some((*node).to_owned()),
                pod: Some(format!("{service}-{last}")),
                ..Endpoint::default()
            })
            .collect(),
        ..EndpointSlice::default()
    }
}

fn plan(service: &Service, slices: &[EndpointSlice], options: &ReachOptions) -> (Vec<Wanted>, Vec<String>) {
    let places = [pod("node1", 1), pod("node2", 2)];
    plan_services(
        &[(service, ServiceDepth::Full)],
        slices,
        None,
        &[],
        &places,
        options,
    )
}

#[test]
fn a_service_is_tried_by_its_address_and_each_endpoint_by_its_own() {
    let (wanted, left_out) = plan(
        &service("web"),
        &[slice("web", &["node1", "node2"])],
        &ReachOptions::default(),
    );
    let addresses: Vec<String> = wanted.iter().map(|want| want.address.to_string()).collect();
    assert_eq!(addresses, ["10.96.0.7:80", "10.244.9.1:8080", "10.244.9.2:8080"]);
    assert_eq!(wanted[0].tries, 10);
    assert_eq!(
        left_out,
        ["the name of service/web -n shop: no DNS Service was found"]
    );
}

#[test]
fn a_service_without_a_ready_endpoint_has_to_refuse() {
    let mut empty = slice("web", &["node1"]);
    empty.endpoints[0].ready = false;
    let (wanted, _) = plan(&service("web"), &[empty], &ReachOptions::default());
    assert_eq!(wanted[0].expected, Expected::Refusal);
    assert_eq!(wanted.len(), 1);
}

#[test]
fn where_traffic_stays_on_the_node_nodes_without_endpoint_stay_silent() {
    let local = Service {
        internal_local: true,
        ..service("web")
    };
    let (wanted, _) = plan(&local, &[slice("web", &["node2"])], &ReachOptions::default());
    let expected: Vec<(Option<&str>, Expected)> = wanted
        .iter()
        .filter(|want| want.purpose == Purpose::ClusterIp)
        .map(|want| (want.source.as_ref().and_then(Source::node), want.expected))
        .collect();
    assert_eq!(
        expected,
        [
            (Some("node1"), Expected::Silence),
            (Some("node2"), Expected::Answer)
        ]
    );
}

#[test]
fn of_many_endpoints_those_of_many_nodes_are_tried_and_the_rest_is_told() {
    let nodes = ["node1", "node1", "node1", "node2", "node3"];
    let options = ReachOptions {
        endpoints: 3,
        ..ReachOptions::default()
    };
    let (wanted, left_out) = plan(&service("web"), &[slice("web", &nodes)], &options);
    let tried: Vec<Option<String>> = wanted
        .iter()
        .filter_map(|want| match &want.purpose {
            Purpose::Endpoint { node, .. } => Some(node.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(tried.len(), 3);
    for node in ["node1", "node2", "node3"] {
        assert!(tried.contains(&Some(node.to_owned())), "{node}");
    }
    assert!(
        left_out[0].starts_with("2 of 5 endpoints of port 80"),
        "{left_out:?}"
    );
}

#[test]
fn what_does_not_answer_by_itself_is_left_out_and_said() {
    let mut udp = service("syslog");
    udp.ports[0].protocol = "UDP".to_owned();
    let (wanted, left_out) = plan(&udp, &[], &ReachOptions::default());
    assert!(wanted.is_empty());
    assert!(left_out[0].contains("80/UDP of service/syslog"), "{left_out:?}");
}

fn sample(retry: bool, at_us: u64) -> Sample {
    Sample {
        at_us,
        retry,
        outcome: Outcome::TimedOut { after_us: 4 },
    }
}

fn assembled() -> ReachPlan {
    let (wanted, _) = plan(
        &service("web"),
        &[slice("web", &["node1"])],
        &ReachOptions::default(),
    );
    assemble("r", &[pod("node1", 1)], &wanted, &ReachOptions::default())
}

#[test]
fn tries_are_a_few_series_and_their_samples_come_back_to_the_attempt() {
    let plan = assembled();
    let (source, tries) = plan.sources.first_key_value().unwrap();
    assert_eq!((tries.attempts.len(), tries.plan.probes.len()), (2, 5));
    let answers = (0..5).map(|id| Answer {
        id,
        samples: vec![sample(false, u64::from(id)), sample(true, 99)],
    });
    let given = SourceAnswers {
        answers: answers.collect(),
        complete: Observed::Seen(()),
    };
    let (states, attempts) = fold_reach(&plan, &BTreeMap::from([(source.clone(), given)]));
    assert_eq!(states[0].answered, Observed::Seen(()));
    assert_eq!(attempts[0].samples.len(), 6);
    assert!(attempts[0].samples[..3].iter().all(|sample| !sample.retry));
}

#[test]
fn a_source_that_was_cut_off_or_answers_something_else_is_a_gap() {
    let plan = assembled();
    let source = plan.sources.keys().next().unwrap().clone();
    let gap = Gap {
        what: "answers".into(),
        why: GapReason::Truncated,
        message: "cut off".into(),
        hint: None,
    };
    let given = |id, complete| SourceAnswers {
        answers: vec![Answer {
            id,
            samples: vec![sample(false, 1)],
        }],
        complete,
    };
    let cut = given(0, Observed::Unseen(gap.clone()));
    let (states, attempts) = fold_reach(&plan, &BTreeMap::from([(source.clone(), cut)]));
    assert_eq!(states[0].answered, Observed::Unseen(gap));
    assert_eq!(attempts[0].samples.len(), 1, "what arrived is kept");
    let foreign = given(99, Observed::Seen(()));
    let (states, _) = fold_reach(&plan, &BTreeMap::from([(source, foreign)]));
    assert!(states[0].answered.gap().is_some());
    let (states, _) = fold_reach(&plan, &BTreeMap::new());
    assert!(states[0].answered.gap().is_some());
}

#[test]
fn a_family_that_the_source_lacks_is_not_tried() {
    let mut six = service("web");
    six.cluster_ips = vec!["fd00::7".parse().unwrap()];
    let (wanted, _) = plan(&six, &[], &ReachOptions::default());
    assert!(!wanted.is_empty());
    let plan = assemble("r", &[pod("node1", 1)], &wanted, &ReachOptions::default());
    assert!(plan.sources.is_empty());
}

/// A mesh in which `node1` asked `node2` and got these answers.
fn mesh(outcomes: Vec<Outcome>) -> Mesh {
    let samples = outcomes.into_iter().map(|outcome| Sample {
        at_us: 0,
        retry: false,
        outcome,
    });
    Mesh {
        coverage: observation::Coverage::Full,
        tcp_port: 7410,
        udp_port: 7410,
        sources: BTreeMap::new(),
        cells: vec![Cell {
            source: "node1".to_owned(),
            target: "node2".to_owned(),
            address: [10, 244, 2, 2].into(),
            kind: Kind::Tcp,
            samples: samples.collect(),
        }],
    }
}

#[test]
fn whoever_heard_nothing_in_the_mesh_does_not_wait_for_the_same_behind_every_service() {
    let silence = || Outcome::TimedOut { after_us: 4_000_000 };
    let silent = mesh(vec![silence(), silence()]);
    assert_eq!(Effort::after(&silent, "node1"), Effort::Brief);
    assert_eq!(Effort::after(&silent, "node2"), Effort::Full);
    // Nothing is known of a probe that was not made, and what came late can come again.
    assert_eq!(Effort::after(&mesh(Vec::new()), "node1"), Effort::Full);
    let refused = Outcome::Refused {
        after_us: 10,
        offender: None,
    };
    assert_eq!(
        Effort::after(&mesh(vec![silence(), refused]), "node1"),
        Effort::Full
    );

    let mut place = pod("node1", 1);
    place.effort = Effort::Brief;
    let (wanted, _) = plan(
        &service("web"),
        &[slice("web", &["node1"])],
        &ReachOptions::default(),
    );
    let brief = assemble("r", &[place], &wanted, &ReachOptions::default());
    let tries = &brief.sources.values().next().expect("one source").plan;
    assert!(tries.retry.is_none());
    assert!(tries.probes.iter().all(|probe| probe.count == 1));
    // Every address is still tried.
    assert_eq!(
        brief.sources.values().next().expect("one source").attempts.len(),
        assembled()
            .sources
            .values()
            .next()
            .expect("one source")
            .attempts
            .len()
    );
}
