//! What kube-proxy has written: its hooks, its chains, and the addresses that it sends Services to.

mod ahead;
mod canary;
mod marks;
mod masquerade;
mod path;
mod ports;
mod shares;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::action::Action;
use super::decider::Decider;
use super::model::{ChainKind, Family, Hook, Rule, RuleSet, Table, View};
use super::test::Test;
use super::values::AddressRange;

pub use ahead::{Ahead, Diversion, Diverted, ahead_of_services};
pub use canary::{CANARY, lost_canaries};
pub use marks::{MarkFault, MarkFaultKind, mark_faults, masquerade_bit, others_with_bit};
pub use masquerade::masquerades_every_client;
pub use path::{PathEnd, ServicePath, service_path};
pub use ports::{RefusedPort, ServicePort, external_ports, refused_ports, service_ports};
pub use shares::{UnevenShares, uneven_shares};

/// How kube-proxy writes its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyMode {
    /// Chains `KUBE-*`, by this view of iptables.
    Iptables(View),
    /// Virtual servers of the kernel; rules of this view of iptables, which look addresses up in ipsets, only translate sources.
    Ipvs(View),
    /// Tables `kube-proxy` of nft.
    Nftables,
}

/// A jump without which rules of kube-proxy are never come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyHook {
    /// As `nat`.
    pub table: &'static str,
    /// As `PREROUTING`.
    pub from: &'static str,
    /// As `KUBE-SERVICES`.
    pub to: &'static str,
}

/// The jumps of the nat table. They are the same in every version since 1.9.
pub const NAT_HOOKS: [ProxyHook; 3] = [
    ProxyHook {
        table: "nat",
        from: "PREROUTING",
        to: "KUBE-SERVICES",
    },
    ProxyHook {
        table: "nat",
        from: "OUTPUT",
        to: "KUBE-SERVICES",
    },
    ProxyHook {
        table: "nat",
        from: "POSTROUTING",
        to: "KUBE-POSTROUTING",
    },
];

/// Something that another rule leads to and that leads nowhere.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadEnd<'a> {
    /// The Service port as kube-proxy names it in comments: `shop/web:http`; `None` where there is no comment.
    pub service: Option<String>,
    /// The chain that is missing or empty: `KUBE-SVC-…`.
    pub chain: String,
    /// Whether the chain is there at all.
    pub exists: bool,
    /// A rule that leads to it.
    pub by: Decider<'a>,
}

impl DeadEnd<'_> {
    /// Whether the chain is one of an endpoint, and not of the Service.
    pub fn is_endpoint(&self) -> bool {
        ["KUBE-SEP-", "endpoint-"]
            .iter()
            .any(|beginning| self.chain.starts_with(beginning))
    }
}

/// The modes in which kube-proxy has written rules here: none, one, or remains of several.
///
/// The kubelet's own chains (`KUBE-KUBELET-CANARY`, `KUBE-FIREWALL`) and empty chains that a flush left do not count.
pub fn proxy_modes(sets: &[RuleSet]) -> Vec<ProxyMode> {
    let mut modes: Vec<ProxyMode> = Vec::new();
    for set in sets {
        let found = match set.view {
            View::IptablesNft | View::IptablesLegacy => set.tables.iter().any(has_services),
            View::Nft => set
                .tables
                .iter()
                .any(|table| table.name == "kube-proxy" && !table.is_inert()),
        };
        if found {
            modes.push(match set.view {
                View::Nft => ProxyMode::Nftables,
                view if set.tables.iter().any(asks_sets) => ProxyMode::Ipvs(view),
                view => ProxyMode::Iptables(view),
            });
        }
    }
    modes.sort_unstable();
    modes.dedup();
    modes
}

fn has_services(table: &Table) -> bool {
    let services = table.chains.get("KUBE-SERVICES");
    table.name == "nat" && services.is_some_and(|chain| !chain.rules.is_empty())
}

/// Whether Services are looked up in kube-proxy's ipsets, as only the mode `ipvs` does.
fn asks_sets(table: &Table) -> bool {
    let services = table.chains.get("KUBE-SERVICES").filter(|_| table.name == "nat");
    let rules = services.into_iter().flat_map(|chain| &chain.rules);
    rules
        .flat_map(Rule::matches)
        .any(|wanted| matches!(&wanted.test, Test::Unread(text) if text.contains("--match-set KUBE-")))
}

/// The jumps of [`NAT_HOOKS`] that are missing in a set whose nat table holds Services.
pub fn missing_hooks(set: &RuleSet, family: Family) -> Vec<ProxyHook> {
    let Some(table) = set.table(family, "nat").filter(|table| has_services(table)) else {
        return Vec::new();
    };
    let is_there = |hook: &ProxyHook| {
        table
            .chains
            .get(hook.from)
            .is_some_and(|chain| chain.rules.iter().any(|rule| rule.targets().contains(&hook.to)))
    };
    NAT_HOOKS.into_iter().filter(|hook| !is_there(hook)).collect()
}

/// Base chains of kube-proxy's nft tables that are missing or lead nowhere, by the hook: `prerouting`, `output`, `postrouting`.
pub fn missing_nft_hooks(set: &RuleSet, family: Family) -> Vec<Hook> {
    let Some(table) = set.table(family, "kube-proxy").filter(|table| !table.is_inert()) else {
        return Vec::new();
    };
    let is_there = |hook: Hook| {
        table.chains.values().any(|chain| {
            let here = chain
                .base
                .as_ref()
                .is_some_and(|base| base.hook == hook && base.kind == ChainKind::Nat);
            here && chain.rules.iter().any(|rule| !rule.targets().is_empty())
        })
    };
    [Hook::Prerouting, Hook::Output, Hook::Postrouting]
        .into_iter()
        .filter(|hook| !is_there(*hook))
        .collect()
}

/// Chains of Services and endpoints that rules lead to and that are missing or empty: whoever is sent there is not translated.
pub fn dead_ends(set: &RuleSet) -> Vec<DeadEnd<'_>> {
    let mut found: BTreeMap<&str, DeadEnd<'_>> = BTreeMap::new();
    for table in set.tables.iter().filter(|table| table.name == home(set.view)) {
        for (chain, rule) in table
            .chains
            .values()
            .flat_map(|chain| chain.rules.iter().map(move |rule| (chain, rule)))
        {
            for target in rule.targets() {
                let leads = table.chains.get(target);
                if !is_of_service(target) || leads.is_some_and(|chain| !chain.rules.is_empty()) {
                    continue;
                }
                let end = DeadEnd {
                    service: named(rule.comment.as_deref(), target),
                    chain: target.to_owned(),
                    exists: leads.is_some(),
                    by: Decider {
                        view: set.view,
                        table,
                        chain,
                        rule: Some(rule),
                    },
                };
                let known = found.entry(target).or_insert_with(|| end.clone());
                // Not every rule that leads there says for which Service.
                if known.service.is_none() && end.service.is_some() {
                    *known = end;
                }
            }
        }
    }
    found.into_values().collect()
}

/// The table in which kube-proxy leads Services to their endpoints.
fn home(view: View) -> &'static str {
    match view {
        View::IptablesNft | View::IptablesLegacy => "nat",
        View::Nft => "kube-proxy",
    }
}

/// Whether a chain of the table of [`home`] is one of a Service or of an endpoint.
fn is_of_service(chain: &str) -> bool {
    const ITS_BEGINNINGS: [&str; 10] = [
        "KUBE-SVC-",
        "KUBE-SVL-",
        "KUBE-EXT-",
        "KUBE-SEP-",
        "KUBE-FW-",
        "service-",
        "local-",
        "external-",
        "endpoint-",
        "firewall-",
    ];
    // Chains of nftables that every table has end in no Service.
    let is_common = ["service-endpoints-check", "firewall-check"].contains(&chain);
    !is_common
        && ITS_BEGINNINGS
            .iter()
            .any(|beginning| chain.starts_with(beginning))
}

/// The Service port of a chain, which iptables has in a comment and nftables in the name.
fn named(comment: Option<&str>, chain: &str) -> Option<String> {
    comment.and_then(service_name).or_else(|| nft_name(chain))
}

/// `shop/web:http` of a comment such as `shop/web:http cluster IP` or `shop/web:http -> 10.244.0.3:8080`.
fn service_name(comment: &str) -> Option<String> {
    let word = comment.split_ascii_whitespace().next()?;
    word.contains('/').then(|| word.to_owned())
}

/// A chain of one endpoint that leads to another address.
#[derive(Clone, Debug, PartialEq)]
pub struct BentEndpoint<'a> {
    /// The Service port as kube-proxy names it in comments; `None` where there is no comment.
    pub service: Option<String>,
    /// Whose chain it is, by the rule that marks the endpoint's own packets.
    pub address: AddressRange,
    /// Where it leads, as the rule writes it: `10.244.2.250:8080`.
    pub leads_to: String,
    /// The rule that leads there.
    pub by: Decider<'a>,
}

/// Chains of endpoints (`KUBE-SEP-…`, `endpoint-…`) whose two rules are not of the same address. kube-proxy writes both at once, so
/// something else has changed one.
pub fn bent_endpoints(set: &RuleSet) -> Vec<BentEndpoint<'_>> {
    let mut found = Vec::new();
    for (table, chain) in set.chains() {
        let beginning = match set.view {
            View::IptablesNft | View::IptablesLegacy => "KUBE-SEP-",
            View::Nft => "endpoint-",
        };
        if table.name != home(set.view) || !chain.name.starts_with(beginning) {
            continue;
        }
        let sources = chain
            .rules
            .iter()
            .flat_map(Rule::matches)
            .filter_map(|wanted| match &wanted.test {
                Test::Source(ranges) => ranges.first().copied(),
                _ => None,
            });
        let Some(address) = sources.into_iter().next() else {
            continue;
        };
        for rule in &chain.rules {
            let targets = rule.actions().filter_map(|action| match action {
                Action::Dnat(to) => to.first(),
                _ => None,
            });
            for leads_to in targets {
                if destination(leads_to).is_some_and(|to| to != address.first) {
                    let comments = chain.rules.iter().filter_map(|rule| rule.comment.as_deref());
                    found.push(BentEndpoint {
                        service: comments
                            .into_iter()
                            .find_map(service_name)
                            .or_else(|| nft_name(&chain.name)),
                        address,
                        leads_to: leads_to.clone(),
                        by: Decider {
                            view: set.view,
                            table,
                            chain,
                            rule: Some(rule),
                        },
                    });
                }
            }
        }
    }
    found
}

/// The address of `10.244.1.7:8080`, `[fd00::7]:8080` or `10.244.1.7`.
fn destination(text: &str) -> Option<IpAddr> {
    let socket = text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    socket.or_else(|| text.parse().ok())
}

/// `kube-system/kube-dns:dns` of `service-FY5PMXPG-kube-system/kube-dns/udp/dns`, or of the chain of an endpoint,
/// `endpoint-TF6S6XX7-kube-system/kube-dns/udp/dns__10.244.1.2/53`.
fn nft_name(chain: &str) -> Option<String> {
    let (_, rest) = chain.split_once('-')?;
    let (_, rest) = rest.split_once('-')?;
    let mut parts = rest.split('/');
    let (namespace, name, _, port) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let port = port.split_once("__").map_or(port, |(port, _)| port);
    Some(if port.is_empty() {
        format!("{namespace}/{name}")
    } else {
        format!("{namespace}/{name}:{port}")
    })
}

#[cfg(test)]
mod tests;
