use netprobe::Outcome;
use observation::{Observation, SourceState};

use super::*;
use crate::firewall::fixture::Fixture;
use crate::reach::{Effort, Place, ReachOptions, assemble, fold_reach, plan_host_ports};
use crate::shown;
use crate::tries::scene::{silence, well};

fn port() -> HostPort {
    HostPort {
        namespace: "shop".to_owned(),
        pod: "edge-1".to_owned(),
        node: "node1".to_owned(),
        addresses: vec![[10, 244, 0, 7].into()],
        host_ip: None,
        host_port: 8081,
        container_port: 8080,
        protocol: "TCP".to_owned(),
        controller: Some("replicaset/edge".to_owned()),
        ready: true,
    }
}

const RULES: [&str; 3] = [
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8081 -j CNI-DN-1",
    "-A CNI-DN-1 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.244.0.7:8080",
];

/// Nodes with the rules that portmap writes on node1.
fn portmap() -> Fixture {
    let chains = ":CNI-HOSTPORT-DNAT - [0:0]\n:CNI-DN-1 - [0:0]\n";
    let fixture = Fixture::healthy().exchange("node1", "*nat\n", &format!("*nat\n{chains}"));
    RULES
        .into_iter()
        .fold(fixture, |fixture, rule| fixture.rule("node1", "nat", rule))
}

/// What is seen of these ports when each try ends as the closure says, or well where it says nothing.
fn tried(
    mut observation: Observation,
    ports: Vec<HostPort>,
    outcome: impl Fn(&Attempt) -> Option<Outcome>,
) -> Observation {
    let nodes = observation.nodes.seen().cloned().unwrap_or_default();
    let place = |number: u8| Place {
        source: Source::Pod {
            node: format!("node{}", number + 1),
        },
        addresses: vec![[10, 244, number, 2].into()],
        effort: Effort::Full,
    };
    let places: Vec<Place> = (0..3).map(place).collect();
    let options = ReachOptions::default();
    let (wanted, left_out) = plan_host_ports(&ports, &nodes, &places, &options);
    let plan = assemble("r", &places, &wanted, &options);
    let (_, mut attempts) = fold_reach(&plan, &BTreeMap::new());
    for attempt in &mut attempts {
        attempt.samples = vec![netprobe::Sample {
            at_us: 1,
            retry: false,
            outcome: outcome(attempt).unwrap_or_else(|| well(attempt)),
        }];
    }
    observation.reach = Some(Reach {
        host_ports: Some(Observed::Seen(ports)),
        sources: places
            .into_iter()
            .map(|place| SourceState {
                source: place.source,
                answered: Observed::Seen(()),
            })
            .collect(),
        attempts,
        left_out,
        ..Reach::about(vec![Topic::Service])
    });
    observation
}

fn is_host_port(attempt: &Attempt) -> bool {
    matches!(attempt.purpose, Purpose::HostPort { .. })
}

fn deaf(observation: Observation) -> Observation {
    tried(observation, vec![port()], |attempt| {
        is_host_port(attempt).then(silence)
    })
}

#[test]
fn host_ports_that_answer_pass_with_rules_and_without_any() {
    shown::passes(&CHECK, &tried(portmap().observe(), vec![port()], |_| None));
    // Whoever does it without rules does it too.
    shown::passes(
        &CHECK,
        &tried(Fixture::healthy().observe(), vec![port()], |_| None),
    );
    shown::passes(&CHECK, &tried(Fixture::unasked(), vec![port()], |_| None));
}

#[test]
fn a_port_without_a_rule_is_found_with_what_repairs_it() {
    let findings = shown::finds(&CHECK, &deaf(Fixture::healthy().observe()));
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].summary,
        "the host port 8081 of pod/edge-1 -n shop does not answer on node1, though the pod answers: no rule of node1 leads it there"
    );
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.ends_with("`kubectl delete pod edge-1 -n shop`"))
    );
}

#[test]
fn a_configuration_without_portmap_is_told() {
    let mut observation = deaf(Fixture::healthy().observe());
    if let Some(Observed::Seen(evidence)) = observation.node_evidence.get_mut("node1") {
        let names = vec!["10-own.conflist".to_owned()];
        evidence
            .before
            .directories
            .insert(CONFIGURATIONS.to_owned(), Observed::Seen(names));
        let text = r#"{"plugins": [{"type": "bridge"}]}"#.to_owned();
        let path = format!("{CONFIGURATIONS}/10-own.conflist");
        evidence.before.files.insert(path, Observed::Seen(text));
    }
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.starts_with("add portmap ")),
        "{findings:#?}"
    );
}

#[test]
fn several_ports_of_a_node_without_rules_are_one_finding() {
    let mut other = port();
    (other.pod, other.host_port) = ("edge-2".to_owned(), 8082);
    let observation = tried(Fixture::healthy().observe(), vec![port(), other], |attempt| {
        is_host_port(attempt).then(silence)
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].subject, Subject::node("node1"));
}

#[test]
fn a_node_port_of_the_same_number_is_found_without_a_try() {
    let taken =
        "-A PREROUTING -d 172.30.0.11/32 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 10.244.1.9:80";
    let observation = tried(
        portmap().rule("node1", "nat", taken).observe(),
        vec![port()],
        |_| None,
    );
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "the host port 8081 of pod/edge-1 -n shop does not lead to it on node1: a rule leads it to 10.244.1.9:80"
    );
}

#[test]
fn a_firewall_before_a_port_that_is_led_is_told_apart() {
    let findings = shown::finds(&CHECK, &deaf(portmap().observe()));
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("a firewall")),
        "{findings:#?}"
    );
}

#[test]
fn a_program_with_the_number_is_told_beside_it() {
    let mut observation = deaf(Fixture::healthy().observe());
    if let Some(Observed::Seen(evidence)) = observation.node_evidence.get_mut("node1") {
        evidence.before.listeners = Observed::Seen(vec![observation::Listener {
            protocol: "tcp".to_owned(),
            address: [0, 0, 0, 0].into(),
            port: 8081,
        }]);
    }
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        findings[0]
            .evidence
            .iter()
            .any(|it| it.fact == "a program of node1 listens on 0.0.0.0:8081"),
        "{findings:#?}"
    );
}

#[test]
fn a_pod_that_does_not_answer_itself_is_no_matter_of_its_host_port() {
    shown::passes(
        &CHECK,
        &tried(Fixture::unasked(), vec![port()], |_| Some(silence())),
    );
}

#[test]
fn ports_that_cannot_be_tried_are_not() {
    let (mut loopback, mut waiting, mut udp) = (port(), port(), port());
    loopback.host_ip = Some([127, 0, 0, 1].into());
    waiting.ready = false;
    udp.protocol = "UDP".to_owned();
    let observation = tried(Fixture::unasked(), vec![loopback, waiting, udp], |_| {
        Some(silence())
    });
    assert!(
        judge(&View::new(&observation))
            .skipped
            .is_some_and(|why| why.contains("is ready"))
    );
    assert_eq!(observation.reach.map_or(0, |reach| reach.left_out.len()), 1);
}

#[test]
fn pods_that_may_not_be_read_and_answers_that_did_not_arrive_are_unknown() {
    let mut observation = tried(Fixture::unasked(), vec![port()], |_| None);
    for attempt in observation.reach.iter_mut().flat_map(|reach| &mut reach.attempts) {
        attempt.samples.clear();
    }
    shown::cannot_tell(&CHECK, &observation);
    if let Some(reach) = &mut observation.reach {
        reach.host_ports = Some(Observed::Unseen(Gap {
            what: "pods with host ports".to_owned(),
            why: report::GapReason::Failed,
            message: "the API server did not answer".to_owned(),
            hint: None,
        }));
    }
    shown::cannot_tell(&CHECK, &observation);
}

#[test]
fn a_cluster_without_host_ports_is_skipped_and_who_did_not_ask_hears_nothing() {
    let observation = tried(Fixture::unasked(), Vec::new(), |_| None);
    assert!(
        judge(&View::new(&observation))
            .skipped
            .is_some_and(|why| !why.is_empty())
    );
    assert!(!judge(&View::new(&Fixture::unasked())).is_asked());
}
