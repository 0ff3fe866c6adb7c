//! The way of one connection through kube-proxy's rules, chain by chain.

use super::super::action::Action;
use super::super::decider::Decider;
use super::super::model::{Chain, Hook, Rule, RuleSet, Table, View};
use super::super::test::{Match, Test};
use super::super::values::AddressRange;
use super::ahead::entry;
use super::is_of_service;
use super::shares::{choices, parts};

/// The way of a connection to a Service port by the rules of one set.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePath<'a> {
    /// The rule of the base chain that leads to kube-proxy's.
    pub hook: Decider<'a>,
    /// The rule, or that with the map, that leads to the Service's chain.
    pub service: Decider<'a>,
    /// The Service's chain: `KUBE-SVC-…`.
    pub chain: String,
    /// The endpoints among which it chooses, in the order of the rules.
    pub endpoints: Vec<PathEnd<'a>>,
}

/// One end of the way.
#[derive(Clone, Debug, PartialEq)]
pub struct PathEnd<'a> {
    /// The endpoint's chain: `KUBE-SEP-…`.
    pub chain: &'a str,
    /// The share of connections that come there, from 0 to 1.
    pub share: f64,
    /// Where they go, as the rule writes it; `None` where nothing translates them.
    pub leads_to: Option<String>,
    /// The rule that translates.
    pub by: Option<Decider<'a>>,
}

/// The way of a connection to this address and port, from a pod or from elsewhere (`PREROUTING`); `None` where no rule of the set is for it.
pub fn service_path<'a>(
    set: &'a RuleSet,
    address: AddressRange,
    protocol: u8,
    port: u16,
) -> Option<ServicePath<'a>> {
    set.tables.iter().find_map(|table| {
        let (base, _, index) = entry(set.view, table, Hook::Prerouting)?;
        let decider = |chain: &'a Chain, rule: &'a Rule| Decider {
            view: set.view,
            table,
            chain,
            rule: Some(rule),
        };
        let hook = decider(base, base.rules.get(index)?);
        let services = match set.view {
            View::Nft => "services",
            View::IptablesNft | View::IptablesLegacy => "KUBE-SERVICES",
        };
        let services = table.chains.get(services)?;
        let is_meant = |tests: &[&Match]| asks(tests, address, protocol, port);
        let (rule, target) = services
            .rules
            .iter()
            .find_map(|rule| Some((rule, leads(rule, &is_meant)?)))?;
        Some(ServicePath {
            hook,
            service: decider(services, rule),
            chain: target.to_owned(),
            endpoints: ends(set.view, table, target),
        })
    })
}

/// Whether tests ask for packets of this kind and name the address.
fn asks(tests: &[&Match], address: AddressRange, protocol: u8, port: u16) -> bool {
    let mut is_named = false;
    let holds = tests.iter().all(|wanted| match &wanted.test {
        Test::Destination(ranges) => {
            is_named = ranges.contains(&address);
            is_named
        }
        Test::Protocol(numbers) => numbers.contains(&protocol),
        Test::DestinationPort(ports) => ports.iter().any(|range| range.contains(&port)),
        _ => true,
    });
    holds && is_named
}

/// The chain of a Service to which a rule leads packets that are meant.
fn leads<'a>(rule: &'a Rule, is_meant: &impl Fn(&[&Match]) -> bool) -> Option<&'a str> {
    let own: Vec<&Match> = rule.matches().collect();
    rule.actions().find_map(|action| match action {
        Action::Map(entries) => entries.iter().find_map(|(wanted, action)| {
            let wanted: Vec<&Match> = wanted.iter().collect();
            let target = action.chains().into_iter().next()?;
            is_meant(&wanted).then_some(target)
        }),
        action => {
            let target = action.chains().into_iter().find(|target| is_of_service(target))?;
            is_meant(&own).then_some(target)
        }
    })
}

fn ends<'a>(view: View, table: &'a Table, chain: &str) -> Vec<PathEnd<'a>> {
    let Some(choices) = table.chains.get(chain).and_then(|chain| choices(view, chain)) else {
        return Vec::new();
    };
    let (shares, _) = parts(view, &choices);
    let ends = choices.iter().zip(shares).map(|((_, target, _), share)| {
        let found = table.chains.get(*target).and_then(|chain| {
            chain.rules.iter().find_map(|rule| {
                let to = rule.actions().find_map(|action| match action {
                    Action::Dnat(to) => to.first().cloned(),
                    _ => None,
                })?;
                let by = Decider {
                    view,
                    table,
                    chain,
                    rule: Some(rule),
                };
                Some((to, by))
            })
        });
        let (leads_to, by) = found.unzip();
        PathEnd {
            chain: target,
            share,
            leads_to,
            by,
        }
    });
    ends.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Family, parse_iptables_save, parse_nft_json};

    fn shown(set: &RuleSet, address: &str, protocol: u8, port: u16) -> Option<Vec<String>> {
        let address = AddressRange::parse(address).expect("an address");
        let path = service_path(set, address, protocol, port)?;
        let mut shown = vec![
            path.hook.chain.name.clone(),
            path.service.chain.name.clone(),
            path.chain.clone(),
        ];
        shown.extend(path.endpoints.iter().map(|end| {
            format!(
                "{:.2} {} {}",
                end.share,
                end.chain,
                end.leads_to.as_deref().unwrap_or("nowhere")
            )
        }));
        Some(shown)
    }

    #[test]
    fn a_way_has_the_real_names_of_its_chains() {
        let text = include_str!("../fixtures/flannel-iptables.save");
        let set = parse_iptables_save(text, View::IptablesNft, Family::Ip);
        assert_eq!(
            shown(&set, "10.99.43.77", 6, 80).expect("a way"),
            [
                "PREROUTING",
                "KUBE-SERVICES",
                "KUBE-SVC-67NZLRHBNDSAWJRO",
                "0.33 KUBE-SEP-NIKZ6PCBEJFQLK7F 10.244.0.3:8080",
                "0.33 KUBE-SEP-XTJTEC7KOHLCQM25 10.244.1.2:8080",
                "0.33 KUBE-SEP-ZEIDTFVL27F4EVRN 10.244.2.3:8080",
            ]
        );
        assert_eq!(shown(&set, "10.99.43.77", 6, 81), None);
        assert_eq!(shown(&set, "10.97.134.127", 6, 80), None);
        assert_eq!(shown(&set, "10.96.0.10", 17, 53).map(|path| path.len()), Some(5));
    }

    #[test]
    fn a_way_through_nftables_has_them_too() {
        let set = parse_nft_json(include_str!("../fixtures/flannel-nftables.nft.json")).expect("a ruleset");
        assert_eq!(
            shown(&set, "10.96.0.10", 17, 53).expect("a way"),
            [
                "nat-prerouting",
                "services",
                "service-FY5PMXPG-kube-system/kube-dns/udp/dns",
                "0.50 endpoint-2GKX576Q-kube-system/kube-dns/udp/dns__10.244.0.2/53 10.244.0.2:53",
                "0.50 endpoint-TF6S6XX7-kube-system/kube-dns/udp/dns__10.244.1.2/53 10.244.1.2:53",
            ]
        );
    }
}
