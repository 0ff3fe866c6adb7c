use std::fmt;
use std::ptr;

use super::iptables::deletion;
use super::model::{Chain, Family, Policy, Rule, Table, View};
use super::owner::{Owner, owner_of_chain, owner_of_rule};

/// A rule, or the policy of a chain, that decided over a packet.
#[derive(Clone, Copy, Debug)]
pub struct Decider<'a> {
    /// Who showed it.
    pub view: View,
    /// Its table.
    pub table: &'a Table,
    /// Its chain.
    pub chain: &'a Chain,
    /// `None` for the policy of the chain.
    pub rule: Option<&'a Rule>,
}

/// The command that lists a chain on its node.
pub(super) fn list_chain(view: View, family: Family, table: &str, chain: &str) -> String {
    match (view, family) {
        (View::Nft, family) => format!("nft -a list chain {family} {table} {chain}"),
        (View::IptablesNft, Family::Ip6) => format!("ip6tables -t {table} -S {chain}"),
        (View::IptablesNft, _) => format!("iptables -t {table} -S {chain}"),
        (View::IptablesLegacy, Family::Ip6) => format!("ip6tables-legacy -t {table} -S {chain}"),
        (View::IptablesLegacy, _) => format!("iptables-legacy -t {table} -S {chain}"),
    }
}

/// The same rule of the same rule set, not one that reads alike.
impl PartialEq for Decider<'_> {
    fn eq(&self, other: &Self) -> bool {
        let same_rule = match (self.rule, other.rule) {
            (Some(one), Some(other)) => ptr::eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_rule && ptr::eq(self.chain, other.chain)
    }
}

impl Decider<'_> {
    /// Who made it. A policy belongs to whom the chain belongs.
    pub fn owner(&self) -> Owner {
        match self.rule {
            Some(rule) => owner_of_rule(self.table, self.chain, rule),
            None => owner_of_chain(self.table, self.chain),
        }
    }

    /// The rule as it was printed; a policy as the command prints it: `-P FORWARD DROP`.
    pub fn text(&self) -> String {
        let policy = |iptables: bool| {
            let dropping = self
                .chain
                .base
                .as_ref()
                .is_some_and(|base| base.policy == Policy::Drop);
            match (iptables, dropping) {
                (true, true) => format!("-P {} DROP", self.chain.name),
                (true, false) => format!("-P {} ACCEPT", self.chain.name),
                (false, true) => "policy drop".to_owned(),
                (false, false) => "policy accept".to_owned(),
            }
        };
        match (self.rule, self.view) {
            (Some(rule), _) => rule.text.clone(),
            (None, View::IptablesNft | View::IptablesLegacy) => policy(true),
            (None, View::Nft) => policy(false),
        }
    }

    /// The command that shows it again on its node, for IPv4 or IPv6 as it is.
    pub fn command(&self) -> String {
        list_chain(self.view, self.table.family, &self.table.name, &self.chain.name)
    }

    /// The command that deletes this rule and nothing else, safe to paste; `None` for a policy.
    ///
    /// Whether it *should* be deleted is another question: a rule of the cluster's own software comes back, and others
    /// rest on it.
    pub fn deletion(&self) -> Option<String> {
        let rule = self.rule?;
        match self.view {
            View::IptablesNft | View::IptablesLegacy => {
                deletion(self.view, self.table.family, &self.table.name, &rule.text)
            }
            View::Nft => {
                let (family, table, chain) = (self.table.family, &self.table.name, &self.chain.name);
                Some(format!(
                    "nft delete rule {family} {table} {chain} handle {}",
                    rule.handle?
                ))
            }
        }
    }
}

impl fmt::Display for Decider<'_> {
    /// As `-A FORWARD -j DROP (iptables, table filter)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, table) = (self.text(), &self.table.name);
        match self.view {
            View::IptablesNft => write!(f, "{text} (iptables, table {table})"),
            View::IptablesLegacy => write!(f, "{text} (iptables-legacy, table {table})"),
            View::Nft => write!(
                f,
                "{text} (nft, chain {} of table {} {table})",
                self.chain.name, self.table.family
            ),
        }
    }
}
