//! What packets pass before they come to kube-proxy's rules that translate.

use std::collections::{BTreeMap, BTreeSet};

use super::super::action::Action;
use super::super::decider::Decider;
use super::super::model::{Base, Chain, ChainKind, Family, Hook, Rule, RuleSet, Step, Table, View};
use super::super::node::NodeRules;
use super::super::packet::Packet;
use super::super::test::{Match, Test};
use super::super::walk::{StopKind, walk};

/// The rules that packets of a family pass at a hook ahead of kube-proxy's, with everything else left out.
#[derive(Clone, Debug)]
pub struct Ahead {
    rules: NodeRules,
    /// The table with the chain in which kube-proxy's rules are called.
    home: (View, Family, String),
    is_busy: bool,
}

/// A rule that keeps packets from kube-proxy's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverted<'a> {
    /// How.
    pub how: Diversion,
    /// By this one, which is none of the cluster's own software.
    pub by: Decider<'a>,
    /// Whether all of the packets that were meant are kept from them, not some.
    pub is_certain: bool,
}

/// How packets are kept from kube-proxy's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Diversion {
    /// They are dropped.
    Dropped,
    /// They are turned away.
    Rejected,
    /// They go to another place.
    Redirected,
    /// They are not tracked, and what is not tracked is not translated.
    Untracked,
    /// They leave the chain before.
    LetPass,
}

/// Stands for kube-proxy's rules where they were left out.
const SERVICES: &str = "the rules of kube-proxy";

/// What is ahead of kube-proxy's rules at a hook, in the families in which they are there.
pub fn ahead_of_services(rules: &NodeRules, hook: Hook) -> Vec<Ahead> {
    let mut found = Vec::new();
    for set in &rules.sets {
        for table in &set.tables {
            if let Some((chain, base, index)) = entry(set.view, table, hook) {
                found.push(cut(rules, set.view, table, chain, base, index));
            }
        }
    }
    found
}

/// The base chain of a table from which packets come to kube-proxy's rules, and the rule that calls them.
pub(super) fn entry(view: View, table: &Table, hook: Hook) -> Option<(&Chain, &Base, usize)> {
    let target = match (view, hook) {
        (View::Nft, Hook::Postrouting) => "masquerading",
        (View::Nft, _) => "services",
        (_, Hook::Postrouting) => "KUBE-POSTROUTING",
        (_, _) => "KUBE-SERVICES",
    };
    let wanted = match view {
        View::Nft => "kube-proxy",
        View::IptablesNft | View::IptablesLegacy => "nat",
    };
    let called = table.chains.get(target).filter(|_| table.name == wanted)?;
    if called.rules.is_empty() {
        return None;
    }
    table.chains.values().find_map(|chain| {
        let base = chain.base.as_ref()?;
        if base.hook != hook || base.kind != ChainKind::Nat {
            return None;
        }
        let index = chain
            .rules
            .iter()
            .position(|rule| rule.targets().contains(&target))?;
        Some((chain, base, index))
    })
}

fn cut(rules: &NodeRules, view: View, table: &Table, chain: &Chain, base: &Base, index: usize) -> Ahead {
    let mut sets = Vec::new();
    let mut is_busy = false;
    for set in &rules.sets {
        let mut tables = Vec::new();
        for its in &set.tables {
            let is_home = set.view == view && std::ptr::eq(its, table);
            let mut kept: BTreeMap<String, Chain> = BTreeMap::new();
            for other in its.chains.values() {
                let Some(its_base) = other.base.as_ref().filter(|its_base| its_base.hook == base.hook) else {
                    continue;
                };
                if is_home && std::ptr::eq(other, chain) {
                    let mut cut = other.clone();
                    cut.rules.truncate(index);
                    cut.rules.push(sentinel());
                    kept.insert(cut.name.clone(), cut);
                } else if its_base.priority < base.priority {
                    kept.insert(other.name.clone(), other.clone());
                }
            }
            called(its, &mut kept);
            let cut = Table {
                family: its.family,
                name: its.name.clone(),
                chains: kept,
            };
            let strange = |chain: &Chain| {
                chain.rules.iter().any(|rule| {
                    let by = Decider {
                        view: set.view,
                        table: its,
                        chain,
                        rule: Some(rule),
                    };
                    !is_sentinel(rule) && !by.owner().is_cluster()
                })
            };
            is_busy |= cut.chains.values().any(strange);
            tables.push(cut);
        }
        sets.push(RuleSet {
            view: set.view,
            tables,
            unread: Vec::new(),
            left_out: Vec::new(),
        });
    }
    Ahead {
        rules: NodeRules { sets },
        home: (view, table.family, table.name.clone()),
        is_busy,
    }
}

/// Adds what the kept chains call, and what that calls.
fn called(table: &Table, kept: &mut BTreeMap<String, Chain>) {
    let targets = |chain: &Chain| -> Vec<String> {
        let targets = chain.rules.iter().flat_map(Rule::targets);
        targets.map(str::to_owned).collect()
    };
    let mut open: Vec<String> = kept.values().flat_map(targets).collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) || kept.contains_key(&name) {
            continue;
        }
        if let Some(chain) = table.chains.get(&name) {
            open.extend(targets(chain));
            kept.insert(name, chain.clone());
        }
    }
}

fn sentinel() -> Rule {
    Rule {
        steps: vec![Step::Do(Action::Dnat(vec![SERVICES.to_owned()]))],
        counters: None,
        text: SERVICES.to_owned(),
        comment: None,
        handle: None,
    }
}

fn is_sentinel(rule: &Rule) -> bool {
    rule.text == SERVICES
}

impl Ahead {
    /// Whether it holds any rule that is none of the cluster's own software. Without one nothing can divert.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// The family of the packets that come to these rules of kube-proxy's.
    pub fn is_ipv4(&self) -> bool {
        self.home.1 == Family::Ip
    }

    /// What keeps a packet of this kind from kube-proxy's rules, the most certain first.
    ///
    /// What a set of addresses or a limited rate decides is left out: such rules are there to keep some clients away.
    pub fn diverts(&self, hook: Hook, packet: &Packet) -> Vec<Diverted<'_>> {
        if !self.is_busy {
            return Vec::new();
        }
        let sets: Vec<&RuleSet> = self.rules.sets.iter().collect();
        let walk = walk(&sets, hook, packet);
        let mut found: Vec<Diverted<'_>> = Vec::new();
        let mut add = |how: Diversion, by, is_certain: bool| {
            let diverted = Diverted { how, by, is_certain };
            if !diverted.by.owner().is_cluster() && !found.iter().any(|known| known.by == diverted.by) {
                found.push(diverted);
            }
        };
        for stop in walk.stops.iter().filter(|stop| is_plain(&stop.conditions)) {
            match stop.kind {
                StopKind::Dropped => add(Diversion::Dropped, stop.by, stop.conditions.is_empty()),
                StopKind::Rejected(_) => add(Diversion::Rejected, stop.by, stop.conditions.is_empty()),
                StopKind::Unknown(_) => {}
            }
        }
        let mut comes_there = false;
        for effect in walk.effects.iter().filter(|effect| is_plain(&effect.conditions)) {
            let is_certain = effect.conditions.is_empty();
            match effect.action {
                _ if effect.by.rule.is_some_and(is_sentinel) => {
                    comes_there = true;
                    for by in effect.unless.iter().filter(|by| self.is_home(by)) {
                        let tests: Vec<&Match> = by.rule.into_iter().flat_map(Rule::matches).collect();
                        if is_plain(&tests) {
                            add(Diversion::LetPass, *by, false);
                        }
                    }
                }
                Action::NoTrack => add(Diversion::Untracked, effect.by, is_certain),
                Action::Dnat(_) | Action::Redirect if hook != Hook::Postrouting => {
                    add(Diversion::Redirected, effect.by, is_certain);
                }
                _ => {}
            }
        }
        if !comes_there {
            // Only what leaves the very chain in which kube-proxy's rules are called goes around them.
            for by in walk
                .accepted
                .iter()
                .filter(|by| self.is_home(by) && by.rule.is_some())
            {
                add(Diversion::LetPass, *by, true);
            }
            if let Some(by) = self.returning().filter(|_| walk.stops.is_empty()) {
                add(Diversion::LetPass, by, true);
            }
        }
        found.sort_by_key(|diverted| !diverted.is_certain);
        found
    }

    fn is_home(&self, by: &Decider<'_>) -> bool {
        by.view == self.home.0 && by.table.family == self.home.1 && by.table.name == self.home.2
    }

    /// The first rule of the base chain that leaves it: the walk does not name rules that return.
    fn returning(&self) -> Option<Decider<'_>> {
        let is_return = |rule: &Rule| rule.actions().any(|action| *action == Action::Return);
        self.rules.rules().find(|by| {
            let is_base = by.chain.base.is_some() && self.is_home(by);
            is_base && by.rule.is_some_and(is_return) && !by.owner().is_cluster()
        })
    }
}

/// Whether all that is not known is which of the packets that were meant it is.
fn is_plain(conditions: &[&Match]) -> bool {
    conditions
        .iter()
        .all(|wanted| !matches!(wanted.test, Test::Unread(_) | Test::Rate(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{AddressRange, parse_iptables_save, parse_nft_json};

    const SAVE: &str = include_str!("../fixtures/flannel-iptables.save");
    const NFTABLES: &str = include_str!("../fixtures/flannel-nftables.save");
    const NFT: &str = include_str!("../fixtures/flannel-nftables.nft.json");

    fn saved(text: &str) -> RuleSet {
        parse_iptables_save(text, View::IptablesNft, Family::Ip)
    }

    /// The recorded rules with one more at the head of a table's chain.
    fn with(table: &str, rule: &str) -> NodeRules {
        let (before, after) = SAVE.split_once(&format!("*{table}\n")).unwrap_or((SAVE, ""));
        let text = if after.is_empty() {
            format!("{SAVE}*{table}\n:PREROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n")
        } else {
            let (chains, rules) = after.split_once("\n[").unwrap_or((after, ""));
            format!("{before}*{table}\n{chains}\n{rule}\n[{rules}")
        };
        let set = saved(&text);
        assert_eq!(set.unread, Vec::<String>::new());
        NodeRules { sets: vec![set] }
    }

    fn range(text: &str) -> AddressRange {
        AddressRange::parse(text).expect("addresses")
    }

    fn to_service() -> Packet {
        Packet::tcp(range("10.244.0.0/24"), range("10.99.43.77"), 80).coming_from(Some("cni0"))
    }

    fn found(rules: &NodeRules) -> Vec<(Diversion, bool)> {
        ahead_of_services(rules, Hook::Prerouting)
            .iter()
            .filter(|ahead| ahead.is_ipv4())
            .flat_map(|ahead| ahead.diverts(Hook::Prerouting, &to_service()))
            .map(|diverted| (diverted.how, diverted.is_certain))
            .collect()
    }

    #[test]
    fn recorded_rules_have_nothing_of_others_ahead() {
        let nft = parse_nft_json(NFT).expect("what nft printed");
        for sets in [vec![saved(SAVE)], vec![saved(NFTABLES), nft]] {
            let rules = NodeRules { sets };
            for hook in [Hook::Prerouting, Hook::Output, Hook::Postrouting] {
                let ahead = ahead_of_services(&rules, hook);
                let busy: Vec<bool> = ahead
                    .iter()
                    .filter(|it| it.is_ipv4())
                    .map(Ahead::is_busy)
                    .collect();
                assert_eq!(busy, [false], "{hook:?}");
            }
        }
    }

    #[test]
    fn each_way_around_is_told() {
        for (table, rule, wanted) in [
            ("nat", "-A PREROUTING -j ACCEPT", (Diversion::LetPass, true)),
            ("nat", "-A PREROUTING -j RETURN", (Diversion::LetPass, true)),
            (
                "nat",
                "-A PREROUTING -d 10.96.0.0/12 -j RETURN",
                (Diversion::LetPass, true),
            ),
            (
                "nat",
                "-A PREROUTING -s 10.244.0.7/32 -j ACCEPT",
                (Diversion::LetPass, false),
            ),
            (
                "nat",
                "-A PREROUTING -s 10.244.0.7/32 -j RETURN",
                (Diversion::LetPass, false),
            ),
            (
                "nat",
                "-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.0.2.7:8080",
                (Diversion::Redirected, true),
            ),
            (
                "nat",
                "-A PREROUTING -p tcp -j REDIRECT --to-ports 3128",
                (Diversion::Redirected, true),
            ),
            (
                "raw",
                "-A PREROUTING -i cni0 -j NOTRACK",
                (Diversion::Untracked, true),
            ),
            (
                "mangle",
                "-A PREROUTING -d 10.99.43.77/32 -j DROP",
                (Diversion::Dropped, true),
            ),
        ] {
            let rules = if table == "mangle" {
                // This table was recorded without a rule.
                let text = SAVE.replacen(":KUBE-IPTABLES-HINT - [0:0]\n", &format!("{rule}\n"), 1);
                NodeRules {
                    sets: vec![saved(&text)],
                }
            } else {
                with(table, rule)
            };
            assert_eq!(found(&rules), [wanted], "{rule}");
        }
    }

    #[test]
    fn rules_for_others_or_after_are_harmless() {
        for (table, rule) in [
            ("nat", "-A PREROUTING -i docker0 -j RETURN"),
            ("nat", "-A PREROUTING -m addrtype --dst-type LOCAL -j ACCEPT"),
            (
                "nat",
                "-A PREROUTING -p tcp -m tcp --dport 8443 -j DNAT --to-destination 192.0.2.7:8080",
            ),
            ("filter", "-A FORWARD -j ACCEPT"),
            // Whom a list keeps away, and how many may come, is somebody's decision.
            ("raw", "-A PREROUTING -m set --match-set blocked src -j DROP"),
            ("raw", "-A PREROUTING -m limit --limit 10/sec -j DROP"),
            // Only the first in the chain itself goes around; an earlier table's ACCEPT does not.
            ("raw", "-A PREROUTING -j ACCEPT"),
        ] {
            assert_eq!(found(&with(table, rule)), [], "{rule}");
        }
        let after = SAVE.replacen(
            "[38:2686] -A OUTPUT -m comment",
            "-A PREROUTING -j ACCEPT\n[38:2686] -A OUTPUT -m comment",
            1,
        );
        let rules = NodeRules {
            sets: vec![saved(&after)],
        };
        assert_eq!(found(&rules), []);
    }

    #[test]
    fn a_table_of_nft_may_come_before_that_of_kube_proxy() {
        let chain = |priority: i64| {
            format!(
                r#",{{"table":{{"family":"ip","name":"own","handle":1}}}},{{"chain":{{"family":"ip","table":"own","name":"pre","handle":1,"type":"nat","hook":"prerouting","prio":{priority},"policy":"accept"}}}},{{"rule":{{"family":"ip","table":"own","chain":"pre","handle":2,"expr":[{{"dnat":{{"addr":"192.0.2.7"}}}}]}}}}"#
            )
        };
        let rules = |priority: i64| {
            let mut text = NFT.trim_end().to_owned();
            let end = text.rfind(']').expect("the end of the list");
            text.insert_str(end, &chain(priority));
            NodeRules {
                sets: vec![saved(NFTABLES), parse_nft_json(&text).expect("a ruleset")],
            }
        };
        assert_eq!(found(&rules(-150)), [(Diversion::Redirected, true)]);
        assert_eq!(found(&rules(-50)), []);
    }
}
