//! The ports of Services, as rules implement them.

use std::collections::BTreeSet;

use super::super::action::Action;
use super::super::model::{Rule, RuleSet, Step, Table, View};
use super::super::test::Test;
use super::super::values::AddressRange;
use super::{is_of_service, nft_name, service_name};

/// One port of a Service, as the rules implement it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// As kube-proxy names it in comments: `shop/web:http`, or `shop/web` for a port without a name; `None` where there is
    /// no comment, as on nodes with very many endpoints.
    pub name: Option<String>,
    /// The ClusterIP, where the rule names one address.
    pub address: Option<AddressRange>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// The Service's port.
    pub port: Option<u16>,
    /// The chain that chooses an endpoint.
    pub chain: String,
    /// Every address that connections may be sent to, as the rules write them: `10.244.1.7:8080`.
    pub endpoints: BTreeSet<String>,
}

/// A port of a Service whose packets a rule turns away, because there is nobody to send them to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPort {
    /// As kube-proxy names it in comments; `None` where there is no comment, as in nftables.
    pub name: Option<String>,
    /// The address of the Service; `None` for a NodePort, which is one of any address of the node.
    pub address: Option<AddressRange>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// The Service's port.
    pub port: Option<u16>,
    /// Whether who asks is told; without it there is only silence, as where a Service wants endpoints of the node itself.
    pub is_told: bool,
    /// The rule as it was printed, or the element of the map.
    pub text: String,
}

/// The Service ports that a set implements at their ClusterIPs, each with its endpoints.
pub fn service_ports(set: &RuleSet) -> Vec<ServicePort> {
    set.tables
        .iter()
        .flat_map(|table| match set.view {
            View::IptablesNft | View::IptablesLegacy => iptables_ports(table),
            View::Nft => nft_ports(table),
        })
        .collect()
}

fn iptables_ports(table: &Table) -> Vec<ServicePort> {
    let services = table.chains.get("KUBE-SERVICES").filter(|_| table.name == "nat");
    let rules = services.into_iter().flat_map(|chain| &chain.rules);
    rules
        .filter_map(|rule| {
            let target = rule.targets().into_iter().find(|target| is_of_service(target))?;
            let comment = rule.comment.as_deref();
            // External and load balancer addresses lead to the same endpoints.
            if comment.is_some_and(|comment| !comment.ends_with("cluster IP")) {
                return None;
            }
            Some(port_of(
                table,
                rule.matches().map(|wanted| &wanted.test),
                target,
                comment.and_then(service_name),
            ))
        })
        .collect()
}

fn nft_ports(table: &Table) -> Vec<ServicePort> {
    let services = table
        .chains
        .get("services")
        .filter(|_| table.name == "kube-proxy");
    let rules = services.into_iter().flat_map(|chain| &chain.rules);
    rules
        .flat_map(Rule::actions)
        .filter_map(|action| match action {
            Action::Map(entries) => Some(entries),
            _ => None,
        })
        .flatten()
        .filter_map(|(wanted, action)| {
            let target = action.chains().into_iter().next()?;
            let port = port_of(
                table,
                wanted.iter().map(|wanted| &wanted.test),
                target,
                nft_name(target),
            );
            // Entries of the map of NodePorts have no address.
            port.address.is_some().then_some(port)
        })
        .collect()
}

/// The Service ports that a set turns away.
pub fn refused_ports(set: &RuleSet) -> Vec<RefusedPort> {
    set.tables
        .iter()
        .flat_map(|table| match set.view {
            View::IptablesNft | View::IptablesLegacy => iptables_refused(table),
            View::Nft => nft_refused(table),
        })
        .collect()
}

fn iptables_refused(table: &Table) -> Vec<RefusedPort> {
    let chains = ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"]
        .into_iter()
        .filter_map(|name| table.chains.get(name).filter(|_| table.name == "filter"));
    let rules = chains.flat_map(|chain| &chain.rules);
    rules
        .filter_map(|rule| {
            let is_told = is_told(rule.actions())?;
            let port = keys(rule.matches().map(|wanted| &wanted.test));
            Some(RefusedPort {
                name: rule.comment.as_deref().and_then(service_name),
                is_told,
                text: rule.text.clone(),
                ..port
            })
        })
        .collect()
}

fn nft_refused(table: &Table) -> Vec<RefusedPort> {
    let chains = ["service-endpoints-check", "nodeport-endpoints-check"]
        .into_iter()
        .filter_map(|name| table.chains.get(name).filter(|_| table.name == "kube-proxy"));
    let rules = chains.flat_map(|chain| &chain.rules);
    rules
        .flat_map(Rule::actions)
        .filter_map(|action| match action {
            Action::Map(entries) => Some(entries),
            _ => None,
        })
        .flatten()
        .filter_map(|(wanted, action)| {
            let is_told = match action {
                Action::Goto(chain) | Action::Jump(chain) => {
                    is_told(table.chains.get(chain)?.rules.iter().flat_map(Rule::actions))?
                }
                one => is_told(std::iter::once(one))?,
            };
            let port = keys(wanted.iter().map(|wanted| &wanted.test));
            let shown = |range: Option<AddressRange>| range.map_or_else(String::new, |it| it.to_string());
            Some(RefusedPort {
                is_told,
                text: format!(
                    "no-endpoint element {} port {}",
                    shown(port.address),
                    port.port.unwrap_or_default()
                ),
                ..port
            })
        })
        .collect()
}

/// Whether packets are turned away with an error; `None` where they are not turned away.
fn is_told<'a>(mut actions: impl Iterator<Item = &'a Action>) -> Option<bool> {
    actions.find_map(|action| match action {
        Action::Reject(_) => Some(true),
        Action::Drop => Some(false),
        _ => None,
    })
}

/// What a rule asks of a packet's destination.
fn keys<'a>(tests: impl Iterator<Item = &'a Test>) -> RefusedPort {
    let mut port = RefusedPort {
        name: None,
        address: None,
        protocol: None,
        port: None,
        is_told: false,
        text: String::new(),
    };
    for test in tests {
        match test {
            Test::Destination(ranges) => port.address = ranges.first().copied(),
            Test::Protocol(numbers) => port.protocol = numbers.first().copied(),
            Test::DestinationPort(ranges) => port.port = ranges.first().map(|range| *range.start()),
            _ => {}
        }
    }
    port
}

fn port_of<'a>(
    table: &Table,
    tests: impl Iterator<Item = &'a Test>,
    target: &str,
    name: Option<String>,
) -> ServicePort {
    let RefusedPort {
        address,
        protocol,
        port,
        ..
    } = keys(tests);
    let mut port = ServicePort {
        name,
        address,
        protocol,
        port,
        chain: target.to_owned(),
        endpoints: BTreeSet::new(),
    };
    let mut seen = BTreeSet::new();
    endpoints(table, target, &mut seen, &mut port.endpoints);
    port
}

/// Every destination that can be come to from a chain.
fn endpoints<'a>(
    table: &'a Table,
    chain: &'a str,
    seen: &mut BTreeSet<&'a str>,
    found: &mut BTreeSet<String>,
) {
    let mut open = vec![chain];
    while let Some(name) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        let Some(chain) = table.chains.get(name) else {
            continue;
        };
        for rule in &chain.rules {
            for step in &rule.steps {
                if let Step::Do(Action::Dnat(to)) = step {
                    found.extend(to.iter().cloned());
                }
            }
            open.extend(rule.targets());
        }
    }
}
