use netmodel::rules::{AddressRange, Decider, Hook, Packet};
use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, evidence, repair};
use crate::view::View;

/// Where a packet is too large for the way, a router says so by ICMP. Whoever drops that turns a packet that is too large into
/// silence, and connections stall once they carry much.
pub(crate) static CHECK: Check = Check {
    id: "net-mtu-pmtud",
    claim: "messages about packets that are too large reach the pods of every node",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::each(view, |firewall, findings, _| {
        for v4 in firewall.families() {
            findings.extend(dropping(firewall, v4).map(|by| finding(firewall, v4, &by)));
        }
    })
}

/// The rule that drops these messages, and not everything.
fn dropping<'f>(firewall: &'f Firewall<'_>, v4: bool) -> Option<Decider<'f>> {
    let own = AddressRange::from(firewall.pods(v4)?);
    let inside = firewall.pod_interface(v4);
    let node = AddressRange::from(firewall.address(v4)?);
    let mut from_node = Packet::too_big(node, own).leaving_by(inside);
    from_node.source_is_local = Some(true);
    let through = firewall.forwarded().into_iter().map(|flow| flow.packet);
    let through = through.filter(|packet| packet.is_ipv4() == v4 && packet.destination == own);
    let mut ways: Vec<(Hook, Packet, Packet)> = through
        .map(|packet| {
            let too_big = Packet::too_big(packet.source, own)
                .coming_from(packet.in_interface.as_deref())
                .leaving_by(inside);
            (Hook::Forward, too_big, packet)
        })
        .collect();
    let mut plain = Packet::tcp(node, own, 0).leaving_by(inside);
    plain.destination_port = None;
    plain.source_is_local = Some(true);
    ways.push((Hook::Output, from_node, plain));
    ways.into_iter().find_map(|(hook, message, plain)| {
        let by = certain(firewall, hook, &message)?;
        // What drops everything is told of elsewhere.
        (certain(firewall, hook, &plain) != Some(by)).then_some(by)
    })
}

fn certain<'f>(firewall: &'f Firewall<'_>, hook: Hook, packet: &Packet) -> Option<Decider<'f>> {
    let walk = firewall.rules.walk(hook, packet);
    walk.stops
        .iter()
        .find(|stop| stop.is_certain())
        .map(|stop| stop.by)
}

fn finding(firewall: &Firewall<'_>, v4: bool, by: &Decider<'_>) -> Finding {
    let node = firewall.name();
    let needed = needs_them(firewall);
    let message = if v4 {
        "fragmentation needed"
    } else {
        "packet too big"
    };
    let mut evidence = vec![evidence(
        firewall,
        by,
        &format!("stops the ICMP message \"{message}\" for pods"),
    )];
    if let Some((pod, path)) = &needed {
        let fact = format!("packets of pods may have {pod} bytes, and the way to other nodes carries {path}");
        evidence.push(report::Evidence::command(
            fact,
            crate::shell::on_node(node, &["ip -d link"]),
        ));
    }
    Finding {
        id: CHECK.id.to_owned(),
        severity: if needed.is_some() {
            Severity::Error
        } else {
            Severity::Warning
        },
        subject: Subject::node(node),
        summary: format!("{node} drops the messages that would tell its pods of packets that are too large"),
        evidence,
        hint: Some(repair(node, by, firewall.pod_interface(v4))),
        explains: Vec::new(),
    }
}

/// The MTU of pods and of the way to others, where the first is larger, so that the messages are needed.
fn needs_them(firewall: &Firewall<'_>) -> Option<(u32, u32)> {
    let links = firewall.reads.links.seen()?;
    let mtu = |name: &str| links.iter().find(|link| link.name == name).map(|link| link.mtu);
    let pods = firewall.pod_interface(true).and_then(mtu)?;
    let way = firewall.tunnels().filter_map(|(name, _)| mtu(name)).min()?;
    (pods > way).then_some((pods, way))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    const RULE: &str = "-A FORWARD -p icmp -m icmp --icmp-type 3/4 -j DROP";

    #[test]
    fn the_filter_alone_is_a_warning_and_with_a_larger_pod_an_error() {
        let fixture = || Fixture::healthy().rule("node1", "filter", RULE);
        let findings = shown::finds(&CHECK, &fixture().observe());
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning));
        let larger = fixture().links("node1", |links| {
            for link in links.iter_mut().filter(|link| link.name == "cni0") {
                link.mtu = 1500;
            }
        });
        assert_eq!(
            shown::finds(&CHECK, &larger.observe())[0].severity,
            Severity::Error
        );
    }

    #[test]
    fn all_icmp_that_is_dropped_on_its_way_out_counts_too() {
        let rule = "-A OUTPUT -p icmp -j DROP";
        shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node2", "filter", rule).observe(),
        );
    }

    #[test]
    fn echo_alone_and_a_drop_of_everything_are_other_matters() {
        let echo = "-A FORWARD -p icmp -m icmp --icmp-type 8 -j DROP";
        shown::passes(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", echo).observe(),
        );
        shown::passes(
            &CHECK,
            &Fixture::healthy()
                .rule("node1", "filter", "-A FORWARD -j DROP")
                .observe(),
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
