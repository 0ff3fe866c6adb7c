use observation::{Listener, Service, ServicePort};
use report::{Evidence, Finding, Observed, Severity};

use super::lint::{each, gaps};
use super::words::{about, field};
use crate::check::{Check, Judgement, Need};
use crate::firewall::joined;
use crate::shell::on_node;
use crate::view::View;

/// A program on a node that listens on the number of a node port. kube-proxy takes the packets before any program does, so that whoever
/// asks the program from elsewhere comes to the Service. kube-proxy itself has listened there last in Kubernetes 1.23.
pub(crate) static CHECK: Check = Check {
    id: "ep-np-clash",
    claim: "no program on a node listens on the number of a node port",
    needs: &[Need::Backends, Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(scene) = &view.backends else {
        return Judgement::not_asked();
    };
    match &view.observation.node_reading {
        None => {
            return Judgement::skipped(
                "it takes a pod in the network of each node to read its sockets: --node-access allows it",
            );
        }
        Some(Observed::Unseen(gap)) => {
            return Judgement {
                gaps: vec![gap.clone()],
                ..Judgement::default()
            };
        }
        Some(Observed::Seen(())) => {}
    }
    let mut judgement = Judgement {
        gaps: gaps(view, scene, &[]),
        ..Judgement::default()
    };
    let mut listening: Vec<(&str, &[Listener])> = Vec::new();
    for (node, evidence) in &view.observation.node_evidence {
        match evidence {
            Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
            Observed::Seen(evidence) => match &evidence.before.listeners {
                Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
                Observed::Seen(listeners) => listening.push((node, listeners)),
            },
        }
    }
    let found = each(view, &[], |_, case| {
        let ports = case.service.ports.iter();
        ports
            .filter_map(|port| clash(case.service, port, &listening))
            .collect()
    });
    judgement.findings = found.findings;
    judgement
}

fn clash(service: &Service, port: &ServicePort, listening: &[(&str, &[Listener])]) -> Option<Finding> {
    let number = port.node_port?;
    let protocol = port.protocol.to_ascii_lowercase();
    let is_taken = |listener: &&Listener| {
        listener.port == number && listener.protocol == protocol && !listener.address.is_loopback()
    };
    let holding: Vec<(&str, &Listener)> = listening
        .iter()
        .filter_map(|(node, listeners)| Some((*node, listeners.iter().find(is_taken)?)))
        .collect();
    let (first, listener) = *holding.first()?;
    let nodes: Vec<&str> = holding.iter().map(|(node, _)| *node).collect();
    let summary = format!(
        "a program on {} listens on {number}/{}, which is the node port of {}",
        joined(&nodes),
        port.protocol,
        service.subject()
    );
    let option = if protocol == "udp" { "u" } else { "t" };
    let evidence = Evidence::command(
        format!(
            "{first} has a socket that listens on {}:{number}",
            shown(listener)
        ),
        on_node(first, &[&format!("ss -ln{option}p sport = :{number}")]),
    );
    let mut finding = about(CHECK.id, Severity::Warning, service, summary, evidence);
    finding
        .evidence
        .push(field(service, format!("nodePort: {number}")));
    finding.hint = Some(
        "kube-proxy gives those packets to the Service before the program sees them; let the program listen elsewhere, or give the \
         Service another nodePort"
            .to_owned(),
    );
    Some(finding)
}

fn shown(listener: &Listener) -> String {
    if listener.address.is_ipv6() {
        format!("[{}]", listener.address)
    } else {
        listener.address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use observation::Observation;
    use report::{Gap, GapReason};

    use super::*;
    use crate::endpoints::fixture::Fixture;
    use crate::endpoints::sockets::listening;
    use crate::shown;

    fn with_node_port() -> Observation {
        let fixture = Fixture::shop().web(|service| service.ports[0].node_port = Some(30_080));
        listening(fixture, &[])
    }

    fn on_node2(observation: &mut Observation, address: &str, protocol: &str) {
        let evidence = observation.node_evidence.get_mut("node2").expect("it was read");
        if let Observed::Seen(evidence) = evidence
            && let Observed::Seen(listeners) = &mut evidence.before.listeners
        {
            listeners.push(Listener {
                protocol: protocol.to_owned(),
                address: address.parse().expect("an address"),
                port: 30_080,
            });
        }
    }

    #[test]
    fn a_program_on_the_number_of_a_node_port_is_found() {
        let mut observation = with_node_port();
        on_node2(&mut observation, "0.0.0.0", "tcp");
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].summary,
            "a program on node2 listens on 30080/TCP, which is the node port of service/web -n shop"
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn a_program_of_another_protocol_or_for_the_node_itself_is_not_in_the_way() {
        let mut observation = with_node_port();
        on_node2(&mut observation, "0.0.0.0", "udp");
        on_node2(&mut observation, "127.0.0.1", "tcp");
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn sockets_that_could_not_be_read_are_a_gap() {
        let mut observation = with_node_port();
        let evidence = observation.node_evidence.get_mut("node1").expect("it was read");
        if let Observed::Seen(evidence) = evidence {
            evidence.before.listeners = Observed::Unseen(Gap {
                what: "sockets of node1".into(),
                why: GapReason::Failed,
                message: "no".into(),
                hint: None,
            });
        }
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn without_a_look_at_nodes_nobody_knows() {
        let fixture = Fixture::shop().web(|service| service.ports[0].node_port = Some(30_080));
        let observation = fixture.observe();
        assert!(judge(&View::new(&observation)).skipped.is_some());
    }
}
