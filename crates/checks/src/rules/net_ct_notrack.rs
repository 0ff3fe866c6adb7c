use netmodel::rules::{Action, AddressRange, Effect, Hook, Packet, protocol, service_ports};
use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, evidence, repair};
use crate::view::View;

/// What is not tracked is not translated: Services do not answer, what leaves keeps the address of its pod, and answers are
/// not known for answers. NodeLocal DNSCache exempts its own address, which is right.
pub(crate) static CHECK: Check = Check {
    id: "net-ct-notrack",
    claim: "no rule exempts the cluster's packets from connection tracking",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::each(view, |firewall, findings, _| {
        let mut found: Vec<Effect<'_>> = Vec::new();
        for (hook, packet) in packets(firewall) {
            for effect in firewall.rules.walk(hook, &packet).effects {
                let is_strange = *effect.action == Action::NoTrack && !effect.by.owner().is_cluster();
                match found.iter().position(|known| known.by == effect.by) {
                    Some(at) if effect.is_certain() => found[at] = effect,
                    None if is_strange => found.push(effect),
                    Some(_) | None => {}
                }
            }
        }
        findings.extend(found.iter().map(|effect| finding(firewall, effect)));
    })
}

/// What the node has to track: between pods, out of the cluster, to a Service, and what it sends to pods itself.
fn packets(firewall: &Firewall<'_>) -> Vec<(Hook, Packet)> {
    let mut packets: Vec<(Hook, Packet)> = firewall
        .forwarded()
        .into_iter()
        .map(|flow| {
            let mut packet = flow.packet;
            // UDP between pods is DNS before all; ports of tunnels are often exempted, and rightly.
            packet.destination_port = (packet.protocol == protocol::UDP).then_some(53);
            (Hook::Prerouting, packet)
        })
        .collect();
    let ports = firewall.rules.sets.iter().flat_map(service_ports);
    // DNS has exemptions of its own.
    let service = ports
        .into_iter()
        .find(|port| port.port.is_some_and(|port| port != 53));
    let service = service.and_then(|service| Some((service.address?, service.port?)));
    for v4 in firewall.families() {
        let (Some(own), Some(node)) = (firewall.pods(v4).map(AddressRange::from), firewall.address(v4))
        else {
            continue;
        };
        let mut from_node = Packet::tcp(node.into(), own, 0).leaving_by(firewall.pod_interface(v4));
        from_node.destination_port = None;
        from_node.source_is_local = Some(true);
        packets.push((Hook::Output, from_node));
        if let Some((address, port)) = service.filter(|(address, _)| address.first.is_ipv4() == v4) {
            let packet = Packet::tcp(own, address, port).coming_from(firewall.pod_interface(v4));
            packets.push((Hook::Prerouting, packet));
        }
    }
    packets
}

fn finding(firewall: &Firewall<'_>, effect: &Effect<'_>) -> Finding {
    let node = firewall.name();
    let (severity, what) = if effect.is_certain() {
        (Severity::Error, "packets of pods")
    } else {
        (Severity::Warning, "some packets of pods")
    };
    Finding {
        id: CHECK.id.to_owned(),
        severity,
        subject: Subject::node(node),
        summary: format!("{node} does not track {what}, so it does not translate them either"),
        evidence: vec![evidence(firewall, &effect.by, "exempts them")],
        hint: Some(repair(node, &effect.by, None)),
        explains: vec!["ep-rule-order".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn an_exemption_of_the_tunnel_is_found() {
        let rule = "-A PREROUTING -i flannel.1 -j NOTRACK";
        let findings = shown::finds(&CHECK, &Fixture::healthy().rule("node1", "raw", rule).observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(
            findings[0]
                .hint
                .as_deref()
                .is_some_and(|hint| hint.ends_with("iptables -t raw -D PREROUTING -i flannel.1 -j NOTRACK`"))
        );
    }

    #[test]
    fn an_exemption_of_one_port_is_a_warning() {
        let rule = "-A PREROUTING -p tcp -m tcp --dport 8080 -j CT --notrack";
        let findings = shown::finds(&CHECK, &Fixture::healthy().rule("node1", "raw", rule).observe());
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn the_node_local_dns_is_right() {
        let rules = "-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -m comment --comment \"NodeLocal DNS Cache: skip \
                     conntrack\" -j NOTRACK\n-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -j NOTRACK\n\
                     -A PREROUTING -d 169.254.20.10/32 -p tcp -m tcp --dport 53 -j NOTRACK\n\
                     -A OUTPUT -s 169.254.20.10/32 -p udp -m udp --sport 53 -j NOTRACK";
        shown::passes(&CHECK, &Fixture::healthy().rule("node1", "raw", rules).observe());
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn an_exemption_of_the_tunnel_s_own_packets_is_harmless() {
        let rule = "-A PREROUTING -p udp -m udp --dport 8472 -j NOTRACK";
        shown::passes(&CHECK, &Fixture::healthy().rule("node1", "raw", rule).observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
