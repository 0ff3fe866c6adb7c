//! The ports of Services, as rules implement them.

use std::collections::BTreeSet;

use super::super::action::Action;
use super::super::model::{Family, Rule, RuleSet, Step, Table, View};
use super::super::test::{Match, Test};
use super::super::values::AddressRange;
use super::{is_of_service, nft_name, service_name};

/// One port of a Service, as the rules implement it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// As kube-proxy names it in comments: `shop/web:http`, or `shop/web` for a port without a name; `None` where there is
    /// no comment, as on nodes with very many endpoints.
    pub name: Option<String>,
    /// That of the table.
    pub family: Family,
    /// The ClusterIP, external address or address of a load balancer; `None` for a NodePort.
    pub address: Option<AddressRange>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// The Service's port.
    pub port: Option<u16>,
    /// The chain that chooses an endpoint.
    pub chain: String,
    /// Every address that connections may be sent to, as the rules write them: `10.244.1.7:8080`.
    pub endpoints: BTreeSet<String>,
    /// Those of them that connections from outside of the cluster are sent to. With `externalTrafficPolicy: Local` they are those
    /// of the node itself, while the node and its pods are sent to any.
    pub for_outsiders: BTreeSet<String>,
}

/// A port of a Service whose packets a rule turns away, because there is nobody to send them to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPort {
    /// As kube-proxy names it in comments; `None` where there is no comment, as in nftables.
    pub name: Option<String>,
    /// That of the table.
    pub family: Family,
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
            View::Nft => nft_ports(table, |chain| !is_external(chain)),
        })
        .collect()
}

/// The Service ports of a set by their external addresses, the addresses of load balancers, and NodePorts.
pub fn external_ports(set: &RuleSet) -> Vec<ServicePort> {
    set.tables
        .iter()
        .flat_map(|table| match set.view {
            View::IptablesNft | View::IptablesLegacy => iptables_external(table),
            View::Nft => nft_ports(table, is_external),
        })
        .collect()
}

fn iptables_ports(table: &Table) -> Vec<ServicePort> {
    led(table, "KUBE-SERVICES")
        .filter(|(_, target)| !is_external(target))
        .map(|(rule, target)| port_of_rule(table, rule, target))
        .collect()
}

fn iptables_external(table: &Table) -> Vec<ServicePort> {
    let addresses = led(table, "KUBE-SERVICES").filter(|(_, target)| is_external(target));
    let numbers = led(table, "KUBE-NODEPORTS").filter(|(rule, _)| {
        // What comes to loopback has a rule of its own, which only counts.
        let asks_where = |wanted: &Match| matches!(wanted.test, Test::Destination(_));
        !rule.matches().any(asks_where)
    });
    addresses
        .chain(numbers)
        .map(|(rule, target)| port_of_rule(table, rule, target))
        .collect()
}

/// The rules of a chain of the nat table that lead to a Service, with the chain that they lead to.
fn led<'a>(table: &'a Table, chain: &str) -> impl Iterator<Item = (&'a Rule, &'a str)> {
    let chain = table.chains.get(chain).filter(|_| table.name == "nat");
    let rules = chain.into_iter().flat_map(|chain| &chain.rules);
    rules.filter_map(|rule| {
        let target = rule.targets().into_iter().find(|target| is_of_service(target))?;
        Some((rule, target))
    })
}

/// Whether a chain is for what comes to external addresses, load balancers and NodePorts.
fn is_external(chain: &str) -> bool {
    ["KUBE-EXT-", "KUBE-FW-", "external-"]
        .iter()
        .any(|beginning| chain.starts_with(beginning))
}

fn port_of_rule(table: &Table, rule: &Rule, target: &str) -> ServicePort {
    let tests = rule.matches().map(|wanted| &wanted.test);
    port_of(
        table,
        tests,
        target,
        rule.comment.as_deref().and_then(service_name),
    )
}

fn nft_ports(table: &Table, is_meant: impl Fn(&str) -> bool) -> Vec<ServicePort> {
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
            let target = action
                .chains()
                .into_iter()
                .next()
                .filter(|chain| is_meant(chain))?;
            let tests = wanted.iter().map(|wanted| &wanted.test);
            Some(port_of(table, tests, target, nft_name(target)))
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
            let port = keys(table.family, rule.matches().map(|wanted| &wanted.test));
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
            let port = keys(table.family, wanted.iter().map(|wanted| &wanted.test));
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
fn keys<'a>(family: Family, tests: impl Iterator<Item = &'a Test>) -> RefusedPort {
    let mut port = RefusedPort {
        name: None,
        family,
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
    } = keys(table.family, tests);
    let all = endpoints(table, target, |_, _| true);
    let for_outsiders = if is_external(target) {
        // What asks for something is for the node and its own pods; a firewall's chain asks for who may come at all.
        endpoints(table, target, |chain, rule| {
            !is_external(chain) || chain.starts_with("KUBE-FW-") || rule.matches().next().is_none()
        })
    } else {
        all.clone()
    };
    ServicePort {
        name,
        family: table.family,
        address,
        protocol,
        port,
        chain: target.to_owned(),
        endpoints: all,
        for_outsiders,
    }
}

/// Every destination that can be come to from a chain by rules that are followed.
fn endpoints(table: &Table, chain: &str, is_followed: impl Fn(&str, &Rule) -> bool) -> BTreeSet<String> {
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec![chain];
    while let Some(name) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        let Some(chain) = table.chains.get(name) else {
            continue;
        };
        for rule in chain.rules.iter().filter(|rule| is_followed(name, rule)) {
            for step in &rule.steps {
                if let Step::Do(Action::Dnat(to)) = step {
                    found.extend(to.iter().cloned());
                }
            }
            open.extend(rule.targets());
        }
    }
    found
}
