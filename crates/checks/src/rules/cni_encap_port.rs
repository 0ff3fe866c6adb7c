use netmodel::rules::{Action, Hook, Mss, Owner};
use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, Loss, TunnelStop, evidence, gap, repair, widths};
use crate::shell::on_node;
use crate::view::View;

/// Between nodes, packets of pods travel in UDP packets of the tunnel. A firewall that does not know its port leaves nodes
/// healthy to look at, and their pods without each other.
pub(crate) static CHECK: Check = Check {
    id: "cni-encap-port",
    claim: "the rules of every node let the tunnel's packets through",
    needs: &[Need::NodeAccess],
    judge,
};

/// What VXLAN adds to a packet over IPv4: an IP, a UDP and a VXLAN header, and the header of the inner frame.
const OVERHEAD: u32 = 20 + 8 + 8 + 14;
/// An IPv4 and a TCP header without options, which a segment size does not count.
const HEADERS: u32 = 40;

fn judge(view: &View<'_>) -> Judgement {
    let known: Vec<bool> = view.firewalls.iter().filter_map(Firewall::has_tunnel).collect();
    if !known.is_empty() && known.len() == view.firewalls.len() && !known.contains(&true) {
        return Judgement::skipped("no node has a VXLAN device, and of other tunnels the port is not known");
    }
    let clamp = smallest_clamp(view);
    super::each(view, |firewall, findings, gaps| {
        if firewall.has_tunnel().is_none() {
            gaps.push(gap(
                firewall,
                "the tunnel",
                "its links could not be read, so its port is not known",
            ));
        }
        for stop in firewall.tunnel_stops() {
            match &stop.loss {
                Loss::All => findings.push(closed(firewall, &stop)),
                Loss::Sizes(ranges) => {
                    // What the clamp lets through is small enough for the rule.
                    let is_repaired = clamp.is_some_and(|mss| {
                        let largest = u32::from(mss) + HEADERS + OVERHEAD;
                        ranges.iter().all(|range| *range.start() > largest)
                    });
                    findings.push(sized(firewall, &stop, &widths(ranges), is_repaired));
                }
                // A check of its own tells of what is lost at random.
                Loss::Share(_) => {}
            }
        }
    })
}

fn closed(firewall: &Firewall<'_>, stop: &TunnelStop<'_>) -> Finding {
    let (node, ends, port) = (firewall.name(), stop.ends(), stop.port);
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!(
            "{node} does not let the packets of tunnel {} (UDP port {port}) {ends} through",
            stop.device
        ),
        evidence: vec![evidence(
            firewall,
            &stop.by,
            &format!("stops UDP packets to port {port} {ends}"),
        )],
        hint: Some(opening(firewall, stop)),
        explains: Vec::new(),
    }
}

fn opening(firewall: &Firewall<'_>, stop: &TunnelStop<'_>) -> String {
    let (node, port) = (firewall.name(), stop.port);
    let open = |command: String| {
        format!(
            "open the tunnel's port between nodes: `{}`",
            on_node(node, &[&command])
        )
    };
    match stop.by.owner() {
        Owner::Firewalld => open(format!(
            "firewall-cmd --add-port={port}/udp --permanent && firewall-cmd --reload"
        )),
        Owner::Ufw => open(format!("ufw allow {port}/udp")),
        _ => repair(node, &stop.by, Some(stop.device)),
    }
}

/// Some sizes only: small requests pass, and transfers stall. That is what the check of sizes is called for.
fn sized(firewall: &Firewall<'_>, stop: &TunnelStop<'_>, sizes: &str, is_repaired: bool) -> Finding {
    let (node, ends) = (firewall.name(), stop.ends());
    let mut found = evidence(
        firewall,
        &stop.by,
        &format!("stops packets {sizes} to UDP port {} {ends}", stop.port),
    );
    if is_repaired {
        found
            .fact
            .push_str("; a rule that lowers TCP's segment size keeps TCP below that");
    }
    Finding {
        id: crate::path::net_mtu::CHECK.id.to_owned(),
        severity: if is_repaired {
            Severity::Note
        } else {
            Severity::Error
        },
        subject: Subject::node(node),
        summary: format!(
            "{node} does not let packets {sizes} of tunnel {} {ends} through",
            stop.device
        ),
        evidence: vec![found],
        hint: Some(repair(node, &stop.by, Some(stop.device))),
        explains: Vec::new(),
    }
}

/// The segment size that some node sets for all TCP connections of pods; each connection passes both its nodes.
fn smallest_clamp(view: &View<'_>) -> Option<u16> {
    let of_node = |firewall: &Firewall<'_>| {
        let flows = firewall.forwarded();
        let walks = flows
            .iter()
            .map(|flow| firewall.rules.walk(Hook::Forward, &flow.packet));
        walks
            .flat_map(|walk| walk.effects)
            .filter(netmodel::rules::Effect::is_certain)
            .filter_map(|effect| match effect.action {
                Action::ClampMss(Mss::Bytes(bytes)) => Some(*bytes),
                _ => None,
            })
            .min()
    };
    view.firewalls.iter().filter_map(of_node).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    const PORT: &str = "-A INPUT -p udp -m udp --dport 8472";

    fn with(rule: &str) -> Vec<Finding> {
        let observation = Fixture::healthy().rule("node2", "filter", rule).observe();
        judge(&View::new(&observation)).findings
    }

    #[test]
    fn a_closed_port_is_found_where_it_is_closed() {
        let observation = Fixture::healthy()
            .rule("node2", "filter", &format!("{PORT} -j DROP"))
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node2 does not let the packets of tunnel flannel.1 (UDP port 8472) from all other nodes through"
        );
        assert!(findings[0].hint.as_deref().is_some_and(|hint| {
            hint.ends_with("iptables -t filter -D INPUT -p udp -m udp --dport 8472 -j DROP`")
        }));
    }

    #[test]
    fn rejecting_dropping_before_routing_and_not_sending_are_alike() {
        assert_eq!(
            with(&format!("{PORT} -j REJECT --reject-with icmp-port-unreachable"))[0].id,
            CHECK.id
        );
        let early =
            Fixture::healthy().rule("node2", "raw", "-A PREROUTING -p udp -m udp --dport 8472 -j DROP");
        assert_eq!(shown::finds(&CHECK, &early.observe()).len(), 1);
        let late = Fixture::healthy().rule("node2", "filter", "-A OUTPUT -d 172.30.0.11/32 -p udp -j DROP");
        assert_eq!(
            shown::finds(&CHECK, &late.observe())[0].summary,
            "node2 does not let the packets of tunnel flannel.1 (UDP port 8472) to node1 through"
        );
    }

    #[test]
    fn a_custom_port_is_that_of_the_device() {
        let other = |fixture: Fixture| {
            fixture.links("node2", |links| {
                for tunnel in links.iter_mut().filter_map(|link| link.vxlan.as_mut()) {
                    tunnel.port = 4789;
                }
            })
        };
        let rule = "-A INPUT -p udp -m udp --dport 4789 -j DROP";
        shown::finds(
            &CHECK,
            &other(Fixture::healthy().rule("node2", "filter", rule)).observe(),
        );
        shown::passes(
            &CHECK,
            &Fixture::healthy().rule("node2", "filter", rule).observe(),
        );
    }

    #[test]
    fn a_rule_of_sizes_is_told_as_one_of_sizes() {
        let findings = with(&format!("{PORT} -m length --length 1401:65535 -j DROP"));
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].id.as_str(), findings[0].severity),
            ("net-mtu", Severity::Error)
        );
        assert_eq!(
            findings[0].summary,
            "node2 does not let packets of 1401 bytes and more of tunnel flannel.1 from all other nodes through"
        );
    }

    #[test]
    fn a_clamp_that_keeps_tcp_below_makes_it_a_note() {
        let clamp = |mss: u16| {
            let rule = format!("-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss {mss}");
            let fixture = Fixture::healthy()
                .rule(
                    "node2",
                    "filter",
                    &format!("{PORT} -m length --length 1401:65535 -j DROP"),
                )
                .rule("node1", "filter", &rule);
            judge(&View::new(&fixture.observe())).findings[0].severity
        };
        assert_eq!(clamp(1300), Severity::Note);
        assert_eq!(clamp(1400), Severity::Error);
    }

    #[test]
    fn a_share_is_left_to_its_own_check() {
        let findings = with(&format!(
            "{PORT} -m statistic --mode random --probability 0.2 -j DROP"
        ));
        assert_eq!(findings, []);
    }

    #[test]
    fn a_firewall_that_leaves_the_port_open_passes() {
        let rules = "-A INPUT -i eth0 -p udp -m udp --dport 8472 -j ACCEPT\n-A INPUT -i eth0 -p tcp -m tcp --dport 10250 -j ACCEPT\n\
                     -A INPUT -i eth0 -m conntrack --ctstate NEW -j DROP";
        shown::passes(
            &CHECK,
            &Fixture::healthy().rule("node2", "filter", rules).observe(),
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn a_tunnel_that_could_not_be_read_is_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread_links("node2").observe());
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node2").observe());
    }

    #[test]
    fn without_a_tunnel_there_is_nothing_to_judge() {
        let mut fixture = Fixture::healthy();
        for node in ["node1", "node2", "node3"] {
            fixture = fixture.links(node, |links| links.retain(|link| link.vxlan.is_none()));
        }
        assert!(judge(&View::new(&fixture.observe())).skipped.is_some());
    }
}
