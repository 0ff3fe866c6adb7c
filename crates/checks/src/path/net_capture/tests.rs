use observation::{PathEnds, PathPod, Reach, Topic};
use report::{Origin, Subject};

use super::*;
use crate::pod::scene::PodScene;
use crate::shown;

fn pod(name: &str) -> Subject {
    Subject::Object {
        kind: "pod".to_owned(),
        name: name.to_owned(),
        namespace: Some("shop".to_owned()),
    }
}

fn path_pod(name: &str, node: &str, address: [u8; 4]) -> PathPod {
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
fn asked(mut observation: Observation) -> Observation {
    observation.reach = Some(Reach {
        pods: vec![
            path_pod("web-1", "node1", [10, 244, 1, 5]),
            path_pod("far", "node2", [10, 244, 2, 9]),
        ],
        ends: Some(PathEnds {
            source: pod("web-1"),
            source_node: "node1".to_owned(),
            destination: pod("far"),
            port: Some(8080),
        }),
        ..Reach::about(vec![Topic::Path])
    });
    observation
}

fn lines(finding: &Finding) -> Vec<String> {
    let command = |evidence: &Evidence| match &evidence.from {
        Origin::Command { command } => format!("{}: {command}", evidence.fact),
        _ => panic!("{evidence:?}"),
    };
    finding.evidence.iter().map(command).collect()
}

#[test]
fn each_end_has_its_own_device_and_the_tunnel_its_port() {
    let observation = asked(PodScene::healthy().observation());
    let findings = shown::finds(&CHECK, &observation);
    let lines = lines(&findings[0]);
    assert!(
        lines[0].starts_with("at the node's end of pod/web-1 -n shop, on node1: kubectl debug node/node1 ")
            && lines[0]
                .ends_with("chroot /host tcpdump -nni veth5 -c 200 host 10.244.1.5 and host 10.244.2.9"),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("on node1") && line.contains("udp port 8472 and host ")),
        "{lines:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.contains("on node2") && line.ends_with("host 10.244.2.9 and port 8080")),
        "{lines:#?}"
    );
    shown::passes(&CHECK, &observation);
}

#[test]
fn without_the_devices_of_the_nodes_any_of_them_is_captured() {
    let mut observation = asked(PodScene::healthy().observation());
    observation.node_evidence.clear();
    let findings = shown::finds(&CHECK, &observation);
    let lines = lines(&findings[0]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(
        lines.iter().all(|line| line.contains("tcpdump -nni any -c 200 ")),
        "{lines:#?}"
    );
}

#[test]
fn a_pod_without_an_address_cannot_be_captured() {
    let mut observation = asked(PodScene::healthy().observation());
    for pod in observation.reach.iter_mut().flat_map(|reach| &mut reach.pods) {
        pod.addresses.clear();
    }
    shown::cannot_tell(&CHECK, &observation);
}

#[test]
fn a_command_holds_no_second_one() {
    let mut observation = asked(PodScene::healthy().observation());
    if let Some(Observed::Seen(nodes)) = Some(&mut observation.nodes) {
        nodes[0].name = "a; reboot".to_owned();
    }
    if let Some(pod) = observation
        .reach
        .as_mut()
        .and_then(|reach| reach.pods.first_mut())
    {
        pod.node = Some("a; reboot".to_owned());
    }
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        lines(&findings[0])[0].contains("node/'a; reboot' "),
        "{findings:#?}"
    );
}

#[test]
fn who_asks_about_no_path_gets_no_commands() {
    assert!(!judge(&View::new(&PodScene::healthy().observation())).is_asked());
}
