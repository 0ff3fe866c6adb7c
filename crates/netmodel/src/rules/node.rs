use super::action::Action;
use super::decider::Decider;
use super::model::{Hook, RuleSet, View};
use super::owner::{Owner, owner_of_rule};
use super::packet::Packet;
use super::walk::{Effect, Walk, walk};

/// All rules of one node, as far as they could be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeRules {
    /// One for each view and family that was read. A set that holds nothing is here too; one that is missing was not seen.
    pub sets: Vec<RuleSet>,
}

/// What becomes of the source of packets that leave.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceTranslation<'a> {
    /// It is translated: by this rule.
    Certain(Effect<'a>),
    /// It may be: by these rules, each under its conditions.
    Perhaps(Vec<Effect<'a>>),
    /// It stays. Where a rule or policy of a nat chain let the packet out before others could translate it, it is named.
    None {
        /// What let the packet pass, in order.
        accepted: Vec<Decider<'a>>,
    },
}

impl NodeRules {
    /// What one view holds.
    pub fn of(&self, view: View) -> impl Iterator<Item = &RuleSet> {
        self.sets.iter().filter(move |set| set.view == view)
    }

    /// What the kernel does with a packet at a hook: all views together.
    pub fn walk(&self, hook: Hook, packet: &Packet) -> Walk<'_> {
        let sets: Vec<&RuleSet> = self.sets.iter().collect();
        walk(&sets, hook, packet)
    }

    /// What becomes of the source of a packet that leaves.
    pub fn source_translation(&self, packet: &Packet) -> SourceTranslation<'_> {
        let walk = self.walk(Hook::Postrouting, packet);
        let mut found: Vec<Effect<'_>> = walk
            .effects
            .into_iter()
            .filter(|effect| matches!(effect.action, Action::Masquerade | Action::Snat(_)))
            .collect();
        match found.iter().position(Effect::is_certain) {
            Some(at) => SourceTranslation::Certain(found.swap_remove(at)),
            None if found.is_empty() => SourceTranslation::None {
                accepted: walk.accepted,
            },
            None => SourceTranslation::Perhaps(found),
        }
    }

    /// Every rule with the place where it stands.
    pub fn rules(&self) -> impl Iterator<Item = Decider<'_>> {
        self.sets.iter().flat_map(|set| {
            set.chains().flat_map(move |(table, chain)| {
                chain.rules.iter().map(move |rule| Decider {
                    view: set.view,
                    table,
                    chain,
                    rule: Some(rule),
                })
            })
        })
    }

    /// Rules in base chains that belong to nobody who is known.
    pub fn foreign(&self) -> impl Iterator<Item = Decider<'_>> {
        self.rules()
            .filter(|found| found.chain.base.is_some() && found.owner() == Owner::Foreign)
    }

    /// Whether a view holds rules of the cluster's own software that packets can come to, so that this view is where the
    /// cluster lives.
    pub fn is_home(&self, view: View) -> bool {
        self.of(view).flat_map(RuleSet::chains).any(|(table, chain)| {
            let is_cluster = |rule| owner_of_rule(table, chain, rule).is_cluster();
            chain.base.is_some() && chain.rules.iter().any(is_cluster)
        })
    }
}

#[cfg(test)]
mod tests;
