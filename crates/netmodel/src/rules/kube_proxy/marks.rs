//! How kube-proxy gets another source address for packets: it marks them, and translates what is marked as it leaves.

use std::collections::BTreeSet;

use super::super::action::Action;
use super::super::decider::{Decider, list_chain};
use super::super::matching::{Marks, Truth, all_hold};
use super::super::model::{Chain, Family, Hook, Rule, RuleSet, Table, View};
use super::super::node::NodeRules;
use super::super::owner::Owner;
use super::super::packet::{Mark, Packet};
use super::super::values::AddressRange;
use super::{has_services, home, named, service_ports};

/// Something that is missing on the way from the mark to the translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkFault {
    /// What.
    pub kind: MarkFaultKind,
    /// The chain in which it is missing: `KUBE-MARK-MASQ`.
    pub chain: String,
    /// The Service port as kube-proxy names it in comments, where it is one's.
    pub service: Option<String>,
    /// That of the table.
    pub family: Family,
    /// The command that shows the chain.
    pub command: String,
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MarkFaultKind {
    /// The chain that is to mark packets marks none.
    MarksNothing,
    /// Packets that are marked keep their source.
    KeepsSource,
    /// Packets that are not marked are translated too.
    TranslatesAll,
    /// What comes from outside to a NodePort or an external address is not marked.
    Outside,
    /// What comes to the ClusterIP from beyond the pods is not marked.
    BeyondPods,
    /// What an endpoint sends to its own Service is not marked.
    Itself,
}

/// Names of the chains, in a view.
struct Names {
    marking: &'static str,
    translating: &'static str,
    external: &'static str,
    endpoint: &'static str,
}

fn names(view: View) -> Names {
    match view {
        View::IptablesNft | View::IptablesLegacy => Names {
            marking: "KUBE-MARK-MASQ",
            translating: "KUBE-POSTROUTING",
            external: "KUBE-EXT-",
            endpoint: "KUBE-SEP-",
        },
        View::Nft => Names {
            marking: "mark-for-masquerade",
            translating: "masquerading",
            external: "external-",
            endpoint: "endpoint-",
        },
    }
}

/// The bit that kube-proxy marks packets with; `None` where the chain that marks sets none.
pub fn masquerade_bit(set: &RuleSet) -> Option<u32> {
    tables(set).find_map(|table| bit(table.chains.get(names(set.view).marking)?))
}

/// What of the marking is not as kube-proxy writes it.
pub fn mark_faults(set: &RuleSet) -> Vec<MarkFault> {
    let of_clusters: Vec<(Family, String)> = service_ports(set)
        .into_iter()
        .map(|port| (port.family, port.chain))
        .collect();
    tables(set)
        .flat_map(|table| {
            let own = of_clusters.iter().filter(|(family, _)| *family == table.family);
            let chains: BTreeSet<&str> = own.map(|(_, chain)| chain.as_str()).collect();
            of_table(set.view, table, &chains)
        })
        .collect()
}

/// The tables in which kube-proxy has written Services.
fn tables(set: &RuleSet) -> impl Iterator<Item = &Table> {
    set.tables.iter().filter(|table| match set.view {
        View::IptablesNft | View::IptablesLegacy => has_services(table),
        View::Nft => table.name == home(set.view) && !table.is_inert(),
    })
}

fn of_table(view: View, table: &Table, of_clusters: &BTreeSet<&str>) -> Vec<MarkFault> {
    let names = names(view);
    let fault = |kind: MarkFaultKind, chain: &str, service: Option<String>| MarkFault {
        kind,
        chain: chain.to_owned(),
        service,
        family: table.family,
        command: list_chain(view, table.family, &table.name, chain),
    };
    let mut found = Vec::new();
    let bit = table.chains.get(names.marking).and_then(bit);
    if bit.is_none() {
        found.push(fault(MarkFaultKind::MarksNothing, names.marking, None));
    }
    let translating = table.chains.get(names.translating);
    if let Some(bit) = bit {
        let marked = Mark {
            value: bit,
            ..Mark::NONE
        };
        if !translating.is_some_and(|chain| translates(table, chain, marked)) {
            found.push(fault(MarkFaultKind::KeepsSource, names.translating, None));
        }
    }
    if translating.is_some_and(|chain| translates(table, chain, Mark::NONE)) {
        found.push(fault(MarkFaultKind::TranslatesAll, names.translating, None));
    }
    let marks = |chain: &Chain| {
        chain
            .rules
            .iter()
            .any(|rule| rule.targets().contains(&names.marking))
    };
    // Whether what comes from beyond the pods is marked at all is a setting, which is the same for all Services.
    let is_setting = of_clusters
        .iter()
        .any(|name| table.chains.get(*name).is_some_and(marks));
    for chain in table
        .chains
        .values()
        .filter(|chain| !chain.rules.is_empty() && !marks(chain))
    {
        let kind = if chain.name.starts_with(names.endpoint) {
            MarkFaultKind::Itself
        } else if chain.name.starts_with(names.external) {
            MarkFaultKind::Outside
        } else if is_setting && of_clusters.contains(chain.name.as_str()) {
            MarkFaultKind::BeyondPods
        } else {
            continue;
        };
        let comments = chain.rules.iter().filter_map(|rule| rule.comment.as_deref());
        let service = comments.into_iter().find_map(super::service_name);
        found.push(fault(
            kind,
            &chain.name,
            service.or_else(|| named(None, &chain.name)),
        ));
    }
    found
}

/// The bits that the rules of a chain set in every packet.
fn bit(chain: &Chain) -> Option<u32> {
    let always = chain.rules.iter().filter(|rule| rule.matches().next().is_none());
    always.flat_map(Rule::actions).find_map(|action| match action {
        Action::SetMark { flip, .. } if *flip != 0 => Some(*flip),
        _ => None,
    })
}

/// Whether a chain gives every packet with this mark another source.
fn translates(table: &Table, chain: &Chain, mark: Mark) -> bool {
    let any = if table.family == Family::Ip6 {
        "::/0"
    } else {
        "0.0.0.0/0"
    };
    let Some(any) = AddressRange::parse(any) else {
        return false;
    };
    let packet = Packet::tcp(any, any, 0);
    let mut marks = Marks {
        packet: mark,
        connection: Mark::NONE,
        is_tracked: Truth::Yes,
    };
    for rule in &chain.rules {
        // What asks for more is for some packets only.
        if all_hold(rule.matches(), &packet, marks) != Truth::Yes {
            continue;
        }
        for action in rule.actions() {
            match action {
                Action::Masquerade | Action::Snat(_) => return true,
                Action::Return | Action::Accept | Action::Drop => return false,
                Action::SetMark { keep, flip } => marks.packet = marks.packet.changed(*keep, *flip),
                _ => {}
            }
        }
    }
    false
}

/// Rules of others than kube-proxy that set its bit, or clear it where it is still to be read: as the packet is forwarded or leaves.
pub fn others_with_bit(rules: &NodeRules, bit: u32) -> Vec<Decider<'_>> {
    rules
        .rules()
        .filter(|by| by.owner() != Owner::KubeProxy)
        .filter(|by| {
            let late = by.chain.base.as_ref().is_some_and(|base| match base.hook {
                Hook::Forward => true,
                Hook::Postrouting => base.priority < SRCNAT,
                _ => false,
            });
            let actions = by.rule.into_iter().flat_map(Rule::actions);
            actions.into_iter().any(|action| match action {
                Action::SetMark { keep, flip } => flip & bit != 0 || (late && keep & bit == 0),
                _ => false,
            })
        })
        .collect()
}

/// `NF_IP_PRI_NAT_SRC` of `linux/netfilter_ipv4.h`: where sources are translated.
const SRCNAT: i64 = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{parse_iptables_save, parse_nft_json};

    const SAVE: &str = include_str!("../fixtures/flannel-iptables.save");
    const NFT: &str = include_str!("../fixtures/flannel-nftables.nft.json");
    const IPVS: &str = include_str!("../fixtures/ipvs.save");

    fn saved(text: &str) -> RuleSet {
        parse_iptables_save(text, View::IptablesNft, Family::Ip)
    }

    fn kinds(set: &RuleSet) -> Vec<(MarkFaultKind, Option<String>)> {
        mark_faults(set)
            .into_iter()
            .map(|fault| (fault.kind, fault.service))
            .collect()
    }

    fn without(part: &str) -> RuleSet {
        let lines = SAVE.lines().filter(|line| !line.contains(part));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        assert_ne!(text.len(), SAVE.len(), "{part}");
        saved(&text)
    }

    #[test]
    fn what_kube_proxy_writes_is_whole_in_every_mode() {
        for set in [
            saved(SAVE),
            saved(IPVS),
            parse_nft_json(NFT).expect("what nft printed"),
        ] {
            assert_eq!(mark_faults(&set), []);
            assert_eq!(masquerade_bit(&set), Some(0x4000));
        }
    }

    #[test]
    fn each_lost_rule_is_told_by_what_it_did() {
        let web = || Some("shop/web:http".to_owned());
        for (part, wanted) in [
            (
                "-A KUBE-MARK-MASQ -j MARK",
                vec![(MarkFaultKind::MarksNothing, None)],
            ),
            (
                "service traffic requiring SNAT",
                vec![(MarkFaultKind::KeepsSource, None)],
            ),
            (
                "-A KUBE-POSTROUTING -m mark ! --mark",
                vec![(MarkFaultKind::TranslatesAll, None)],
            ),
            (
                "-A KUBE-SEP-ZEIDTFVL27F4EVRN -s",
                vec![(MarkFaultKind::Itself, web())],
            ),
            (
                "masquerade traffic for shop/web",
                vec![(MarkFaultKind::Outside, web())],
            ),
            (
                "-A KUBE-SVC-67NZLRHBNDSAWJRO ! -s",
                vec![(MarkFaultKind::BeyondPods, web())],
            ),
        ] {
            let mut found = kinds(&without(part));
            // The chain of what comes from outside has no comment but that of the rule that is gone.
            if part.starts_with("masquerade") {
                found[0].1 = web();
            }
            assert_eq!(found, wanted, "{part}");
        }
    }

    #[test]
    fn who_does_not_mark_what_comes_from_beyond_the_pods_has_set_it_so() {
        assert_eq!(kinds(&without("! -s 10.244.0.0/16 -d 10.")), []);
    }

    #[test]
    fn lost_rules_of_nftables_are_found() {
        let without = |part: &str| {
            let mut document: serde_json::Value = serde_json::from_str(NFT).expect("JSON");
            let objects = document["nftables"].as_array_mut().expect("a list");
            let before = objects.len();
            objects.retain(|object| {
                let text = object.to_string();
                !(text.contains(part) && text.contains(r#""family":"ip","#))
            });
            assert!(objects.len() < before, "{part}");
            parse_nft_json(&document.to_string()).expect("a ruleset")
        };
        let set = without(r#""chain":"mark-for-masquerade""#);
        assert_eq!(kinds(&set), [(MarkFaultKind::MarksNothing, None)]);
        let set = without(r#""masquerade":{"flags""#);
        assert_eq!(kinds(&set), [(MarkFaultKind::KeepsSource, None)]);
    }

    #[test]
    fn others_that_use_the_bit_are_named() {
        let rules = |rule: &str| {
            let text = format!(
                "*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n"
            );
            NodeRules {
                sets: vec![saved(&text)],
            }
        };
        let count = |rule: &str| others_with_bit(&rules(rule), 0x4000).len();
        assert_eq!(count("-A PREROUTING -j MARK --set-xmark 0x4000/0x4000"), 1);
        assert_eq!(count("-A PREROUTING -j MARK --set-xmark 0x4001/0xffffffff"), 1);
        // What sets all bits clears those that it does not set, which matters once the mark has been set.
        assert_eq!(count("-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff"), 0);
        assert_eq!(count("-A FORWARD -j MARK --set-xmark 0x1/0xffffffff"), 1);
        assert_eq!(count("-A POSTROUTING -j MARK --set-xmark 0x1/0xff"), 0);
        assert_eq!(
            others_with_bit(
                &NodeRules {
                    sets: vec![saved(SAVE)]
                },
                0x4000
            ),
            []
        );
    }
}
