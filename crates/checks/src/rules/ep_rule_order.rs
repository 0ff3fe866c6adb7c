use netmodel::rules::{
    AddressRange, Ahead, Decider, Diversion, Hook, Mark, Packet, ServicePort, ahead_of_services,
    external_ports, masquerade_bit, protocol, service_ports,
};
use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, Leg, evidence, repair};
use crate::view::View;

/// A rule of nobody known that packets to Services meet before they come to kube-proxy's: it drops them, sends them elsewhere, or lets
/// them out of the chain. kube-proxy's own rules are whole, and nothing comes to them.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-order",
    claim: "nothing decides over packets to Services before kube-proxy's rules do",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::proxied(view, |firewall, findings, _| {
        for hook in [Hook::Prerouting, Hook::Output, Hook::Postrouting] {
            for ahead in ahead_of_services(&firewall.rules, hook) {
                if ahead.is_busy() {
                    findings.extend(diverted(firewall, &ahead, hook));
                }
            }
        }
    })
}

/// Packets to a Service, and what is said of them.
struct Flow {
    /// As `what its pods send to Service port shop/web:http`.
    what: String,
    packet: Packet,
}

/// A rule with what it does to the first flow that meets it.
struct Found<'f> {
    how: Diversion,
    by: Decider<'f>,
    is_certain: bool,
    what: String,
    flows: usize,
}

fn diverted(firewall: &Firewall<'_>, ahead: &Ahead, hook: Hook) -> Vec<Finding> {
    let mut found: Vec<Found<'_>> = Vec::new();
    for flow in flows(firewall, hook, ahead.is_ipv4()) {
        for diverted in ahead.diverts(hook, &flow.packet) {
            match found.iter_mut().find(|known| known.by == diverted.by) {
                Some(known) => {
                    known.flows += 1;
                    if diverted.is_certain && !known.is_certain {
                        (known.how, known.is_certain) = (diverted.how, true);
                        known.what.clone_from(&flow.what);
                    }
                }
                None => found.push(Found {
                    how: diverted.how,
                    by: diverted.by,
                    is_certain: diverted.is_certain,
                    what: flow.what.clone(),
                    flows: 1,
                }),
            }
        }
    }
    found.iter().map(|found| finding(firewall, found)).collect()
}

fn finding(firewall: &Firewall<'_>, found: &Found<'_>) -> Finding {
    let node = firewall.name();
    let does = match found.how {
        Diversion::Dropped => "drops",
        Diversion::Rejected => "rejects",
        Diversion::Redirected => "sends elsewhere",
        Diversion::Untracked => "exempts from translation",
        Diversion::LetPass => "lets past kube-proxy's rules",
    };
    let some = if found.is_certain { "" } else { "some of " };
    let more = match found.flows {
        1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    let severity = if found.is_certain {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(node),
        format!("a rule of {node} {does} {some}{}{more}", found.what),
        evidence(firewall, &found.by, "stands before kube-proxy's rules"),
    );
    finding.hint = Some(repair(node, &found.by, None));
    finding
}

/// What comes to kube-proxy's rules at a hook.
fn flows(firewall: &Firewall<'_>, hook: Hook, v4: bool) -> Vec<Flow> {
    let own = firewall.pods(v4).map(AddressRange::from);
    let node = firewall.address(v4).map(AddressRange::from);
    let any = AddressRange::parse(if v4 { "0.0.0.0/0" } else { "::/0" });
    let sets = || firewall.rules.sets.iter();
    let is_meant = |port: &ServicePort| {
        port.address
            .map_or(port.family == netmodel::rules::Family::Ip, |address| {
                address.first.is_ipv4()
            })
            == v4
    };
    let mut flows = Vec::new();
    match hook {
        Hook::Postrouting => flows.extend(leaving(firewall, v4)),
        Hook::Output => {
            for port in sets().flat_map(service_ports).filter(is_meant) {
                if let (Some(source), Some(mut packet)) =
                    (node, node.and_then(|node| opening(&port, node, None)))
                {
                    packet.source = source;
                    packet.source_is_local = Some(true);
                    let what = format!("what {} itself sends to {}", firewall.name(), name(&port));
                    flows.push(Flow { what, packet });
                }
            }
        }
        _ => {
            for port in sets().flat_map(service_ports).filter(is_meant) {
                if let Some(packet) = own.and_then(|own| opening(&port, own, None)) {
                    let packet = packet.coming_from(firewall.pod_interface(v4));
                    let what = format!("what its pods send to {}", name(&port));
                    flows.push(Flow { what, packet });
                }
            }
            for port in sets().flat_map(external_ports).filter(is_meant) {
                if let Some(packet) = any.and_then(|any| opening(&port, any, node)) {
                    let packet = packet.coming_from(firewall.uplink(v4));
                    let packet = if port.address.is_none() {
                        packet.to_this_host()
                    } else {
                        packet
                    };
                    let what = match port.address {
                        Some(address) => format!("what comes to {address} of {}", name(&port)),
                        None => format!(
                            "what comes to NodePort {} of {}",
                            port.port.unwrap_or_default(),
                            name(&port)
                        ),
                    };
                    flows.push(Flow { what, packet });
                }
            }
        }
    }
    flows
}

/// The first packet of a connection to a Service port; `at` is where its NodePorts are.
fn opening(port: &ServicePort, source: AddressRange, at: Option<AddressRange>) -> Option<Packet> {
    let to = port.address.or(at)?;
    let number = port.port?;
    match port.protocol? {
        protocol::TCP => Some(Packet::tcp(source, to, number)),
        protocol::UDP => Some(Packet::udp(source, to, number)),
        _ => None,
    }
}

/// What kube-proxy has marked, and leaves for pods of another node.
fn leaving(firewall: &Firewall<'_>, v4: bool) -> Option<Flow> {
    let bit = firewall.rules.sets.iter().find_map(masquerade_bit)?;
    let mut flow = firewall
        .between_pods(v4)
        .into_iter()
        .find(|flow| matches!(flow.leg, Leg::ToPods(_)) && flow.packet.protocol == protocol::TCP)?;
    flow.packet.source = AddressRange::parse(if v4 { "0.0.0.0/0" } else { "::/0" })?;
    flow.packet.is_dnat = Some(true);
    flow.packet.mark = Mark {
        value: bit,
        ..Mark::NONE
    };
    Some(Flow {
        what: "what needs another source address as it leaves".to_owned(),
        packet: flow.packet,
    })
}

fn name(port: &ServicePort) -> String {
    match &port.name {
        Some(name) => format!("Service port {name}"),
        None => format!("the Service port of chain {}", port.chain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    fn found(rule: &str) -> Vec<(Severity, String)> {
        let findings = shown::finds(&CHECK, &Fixture::healthy().rule("node1", "nat", rule).observe());
        findings
            .into_iter()
            .map(|finding| (finding.severity, finding.summary))
            .collect()
    }

    #[test]
    fn a_foreign_rule_that_sends_a_service_elsewhere_is_found() {
        assert_eq!(
            found(
                "-A PREROUTING -d 10.99.43.77/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.0.2.7:80"
            ),
            [(
                Severity::Error,
                "a rule of node1 sends elsewhere what its pods send to Service port shop/web:http".to_owned()
            )]
        );
    }

    #[test]
    fn a_rule_that_lets_everything_pass_is_found_at_each_hook() {
        assert_eq!(
            found("-A PREROUTING -d 10.96.0.0/12 -j ACCEPT"),
            [(
                Severity::Error,
                "a rule of node1 lets past kube-proxy's rules what its pods send to Service port shop/web:http and 4 more".to_owned()
            )]
        );
        assert_eq!(
            found("-A OUTPUT -j RETURN")[0].1,
            "a rule of node1 lets past kube-proxy's rules what node1 itself sends to Service port shop/web:http and 4 more"
        );
        assert_eq!(
            found("-A POSTROUTING -d 10.244.0.0/16 -j ACCEPT")[0].1,
            "a rule of node1 lets past kube-proxy's rules what needs another source address as it leaves"
        );
        assert_eq!(
            found("-A PREROUTING -p tcp -m tcp --dport 30080 -j ACCEPT")[0].1,
            "a rule of node1 lets past kube-proxy's rules what comes to NodePort 30080 of Service port shop/web:http"
        );
    }

    #[test]
    fn a_rule_for_some_clients_is_a_warning() {
        let (severity, summary) = found("-A PREROUTING -s 10.244.0.7/32 -j ACCEPT").remove(0);
        assert_eq!(severity, Severity::Warning);
        assert!(summary.contains("some of what its pods send"), "{summary}");
    }

    #[test]
    fn rules_of_the_cluster_and_of_those_that_serve_others_pass() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
        for rule in [
            // The CNI's portmap, Docker, and a libvirt network.
            ":CNI-HOSTPORT-DNAT - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n-A CNI-HOSTPORT-DNAT -p tcp \
             -m tcp --dport 30080 -j DNAT --to-destination 10.244.0.9:80",
            ":DOCKER - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n-A DOCKER -i docker0 -j RETURN\n-A DOCKER ! -i docker0 \
             -p tcp -m tcp --dport 8443 -j DNAT --to-destination 172.17.0.2:443",
            "-A POSTROUTING -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN",
        ] {
            let chain = rule.lines().find(|line| line.starts_with("-A ")).expect("a rule");
            let place = chain.split(' ').nth(1).expect("a chain");
            // The fixture looks for the chain in the second word.
            let text = format!("-A {place} -m comment --comment \"x\"\n{rule}");
            shown::passes(&CHECK, &Fixture::healthy().rule("node1", "nat", &text).observe());
        }
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
