use observation::{
    Endpoint, EndpointSlice, Observation, PathEnds, PathPod, Reach, Service, ServicePort, SlicePort, Topic,
};
use report::{Observed, Origin, Subject};

use super::*;
use crate::firewall::fixture::Fixture;
use crate::shown;

fn object(kind: &str, name: &str) -> Subject {
    Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: Some("shop".to_owned()),
    }
}

fn pod(name: &str, node: &str, address: [u8; 4]) -> PathPod {
    PathPod {
        name: name.to_owned(),
        namespace: "shop".to_owned(),
        node: Some(node.to_owned()),
        phase: "Running".to_owned(),
        addresses: vec![address.into()],
        host_network: false,
    }
}

/// A path from a pod of node1 to one of node2.
fn to_pod(mut observation: Observation) -> Observation {
    observation.reach = Some(Reach {
        pods: vec![
            pod("client", "node1", [10, 244, 0, 9]),
            pod("far", "node2", [10, 244, 1, 2]),
        ],
        ends: Some(PathEnds {
            source: object("pod", "client"),
            source_node: "node1".to_owned(),
            destination: object("pod", "far"),
            port: Some(8080),
        }),
        ..Reach::about(vec![Topic::Path])
    });
    observation
}

/// A path from a pod of node1 to the Service of the recorded rules, with one of its endpoints.
fn to_service(observation: Observation) -> Observation {
    let mut observation = to_pod(observation);
    let service = Service {
        name: "web".to_owned(),
        namespace: "shop".to_owned(),
        cluster_ips: vec![[10, 99, 43, 77].into()],
        ports: vec![ServicePort {
            name: String::new(),
            protocol: "TCP".to_owned(),
            port: 80,
            target_port: "8080".to_owned(),
            node_port: None,
        }],
        ..Service::default()
    };
    let slice = EndpointSlice {
        name: "web-x".to_owned(),
        namespace: "shop".to_owned(),
        service: Some("web".to_owned()),
        address_type: "IPv4".to_owned(),
        ports: vec![SlicePort {
            name: String::new(),
            protocol: "TCP".to_owned(),
            port: Some(8080),
        }],
        endpoints: vec![Endpoint {
            addresses: vec![[10, 244, 1, 2].into()],
            ready: true,
            node: Some("node2".to_owned()),
            pod: Some("web-2".to_owned()),
            ..Endpoint::default()
        }],
        ..EndpointSlice::default()
    };
    if let Some(reach) = &mut observation.reach {
        reach.services = Some(Observed::Seen(vec![service]));
        reach.slices = Some(Observed::Seen(vec![slice]));
        reach.asked = vec![object("service", "web")];
        if let Some(ends) = &mut reach.ends {
            ends.destination = object("service", "web");
            ends.port = None;
        }
    }
    observation
}

fn facts(finding: &Finding) -> Vec<&str> {
    finding
        .evidence
        .iter()
        .map(|evidence| evidence.fact.as_str())
        .collect()
}

#[test]
fn every_hook_of_both_nodes_is_told_and_the_tunnel_between() {
    let observation = to_pod(Fixture::healthy().observe());
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        findings[0].summary,
        "TCP from pod/client -n shop to pod/far -n shop (10.244.1.2:8080) passes 8 hooks on node1 and node2, and no rule there \
         stops all of it"
    );
    let points: Vec<&str> = facts(&findings[0])
        .iter()
        .filter_map(|fact| fact.split(':').next())
        .collect();
    for point in [
        "node1 PREROUTING, to the destination",
        "node1 FORWARD, through the node",
        "node1 POSTROUTING, leaving it",
        "node1 OUTPUT, in the tunnel",
        "node2 INPUT, in the tunnel",
        "node2 PREROUTING, arriving",
        "node2 FORWARD, through the node",
        "node2 POSTROUTING, to the pod",
    ] {
        assert!(points.contains(&point), "{point}: {points:#?}");
    }
    shown::passes(&CHECK, &observation);
}

#[test]
fn every_hook_has_a_row_of_a_table() {
    let observation = to_pod(Fixture::healthy().observe());
    let tables = tables(&View::new(&observation));
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].rows.len(), 8, "{tables:#?}");
    assert!(super::tables(&View::new(&Fixture::healthy().observe())).is_empty());
}

#[test]
fn the_service_is_translated_to_the_endpoint_that_is_followed() {
    let findings = shown::finds(&CHECK, &to_service(Fixture::healthy().observe()));
    assert!(
        findings[0].summary.starts_with(
            "TCP from pod/client -n shop to 10.99.43.77:80 and on to pod/web-2 -n shop (10.244.1.2:8080) passes "
        ),
        "{findings:#?}"
    );
    let translated: Vec<&str> = facts(&findings[0])
        .into_iter()
        .filter(|fact| fact.contains("its destination becomes"))
        .collect();
    assert_eq!(translated.len(), 1, "{translated:#?}");
    assert!(
        translated[0].contains("becomes 10.244.1.2:8080 by -A KUBE-SEP-"),
        "{translated:#?}"
    );
}

#[test]
fn in_nftables_mode_as_well() {
    let mut observation = to_service(Fixture::nftables().observe());
    // What was recorded there.
    if let Some(Observed::Seen(services)) = observation
        .reach
        .as_mut()
        .and_then(|reach| reach.services.as_mut())
    {
        services[0].cluster_ips = vec![[10, 96, 0, 10].into()];
        services[0].ports[0].port = 53;
    }
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        facts(&findings[0])
            .iter()
            .any(|fact| fact.contains("node1 PREROUTING"))
    );
}

#[test]
fn the_rule_that_ends_it_is_named_and_nothing_is_told_beyond() {
    let fixture = Fixture::healthy().rule("node2", "filter", "-A FORWARD -s 10.244.0.0/24 -p tcp -j DROP");
    let findings = shown::finds(&CHECK, &to_pod(fixture.observe()));
    assert_eq!(
        findings[0].summary,
        "TCP from pod/client -n shop to pod/far -n shop (10.244.1.2:8080) is dropped on node2 at FORWARD by -A FORWARD -s \
         10.244.0.0/24 -p tcp -j DROP (iptables, table filter)"
    );
    let last = findings[0].evidence.last().expect("evidence");
    assert!(last.fact.starts_with("node2 FORWARD"), "{last:?}");
    assert!(
        matches!(&last.from, Origin::Command { command } if command.contains("iptables -t filter -S FORWARD"))
    );
}

#[test]
fn the_command_for_live_packets_takes_its_rule_away_again() {
    let findings = shown::finds(&CHECK, &to_service(Fixture::healthy().observe()));
    let hint = findings[0].hint.as_deref().unwrap_or_default();
    let (add, delete) = (
        hint.find("nft add table inet netcheck-trace"),
        hint.find("nft delete table inet netcheck-trace"),
    );
    assert!(add.is_some() && add < delete, "{hint}");
    assert!(
        hint.contains("ip saddr 10.244.0.9 ip daddr 10.99.43.77 tcp dport 80 meta nftrace set 1"),
        "{hint}"
    );
}

#[test]
fn a_node_of_the_way_that_was_not_read_is_a_gap() {
    let gaps = shown::cannot_tell(&CHECK, &to_pod(Fixture::healthy().unread("node2").observe()));
    assert_eq!(gaps.len(), 1, "{gaps:#?}");
}

#[test]
fn where_no_rules_were_to_be_read_it_is_skipped_and_says_how_to_have_them() {
    let judgement = judge(&View::new(&to_pod(Fixture::unasked())));
    assert!(judgement.skipped.is_some_and(|why| why.contains("--node-access")));
}

#[test]
fn a_path_without_a_port_is_skipped() {
    let mut observation = to_pod(Fixture::healthy().observe());
    if let Some(ends) = observation.reach.as_mut().and_then(|reach| reach.ends.as_mut()) {
        ends.port = None;
    }
    assert!(
        judge(&View::new(&observation))
            .skipped
            .is_some_and(|why| why.contains("port"))
    );
}
