mod outcome;

use std::collections::HashSet;
use std::ptr;

use super::action::Action;
use super::decider::Decider;
use super::matching::{Marks, Truth, all_hold, holds};
use super::model::{Base, Chain, ChainKind, Family, Hook, Policy, Rule, RuleSet, Step, Table, View};
use super::packet::{Mark, Packet, State};
use super::test::Match;

pub use outcome::{Effect, Outcome, Stop, StopKind, Walk};

/// How many rules one walk looks at before it gives up; far above what a node with thousands of Services has on one path.
const RULES: usize = 200_000;
/// How many ways to an end one walk keeps, and how many escapes it names for each: chains that call each other in circles
/// have more of them than there is memory.
const WAYS: usize = 1_000;
const ESCAPES: usize = 16;
/// How deep chains may call each other. The kernel refuses loops, a text that was put together by hand does not.
const DEPTH: usize = 64;

/// Sends a packet through all chains of these rule sets that hang at a hook, in the order in which the kernel calls them.
///
/// Give one rule set to see what that view alone would do, and all of a node to see what the kernel does.
pub fn walk<'a>(sets: &[&'a RuleSet], hook: Hook, packet: &Packet) -> Walk<'a> {
    let mut bases: Vec<(View, &Table, &Chain, &Base)> = sets
        .iter()
        .flat_map(|set| set.chains().map(|(table, chain)| (set.view, table, chain)))
        .filter_map(|(view, table, chain)| Some((view, table, chain, chain.base.as_ref()?)))
        .filter(|(_, table, _, base)| base.hook == hook && sees(table.family, base, packet))
        .collect();
    bases.sort_by_key(|(view, _, _, base)| (base.priority, *view));
    let mut walker = Walker {
        packet,
        walk: Walk::default(),
        conditions: Vec::new(),
        returned: Vec::new(),
        accepted: Vec::new(),
        seen_accepting: HashSet::new(),
        left: None,
        rules: 0,
    };
    let mut marks = Marks {
        packet: packet.mark,
        connection: if packet.state == State::New {
            Mark::NONE
        } else {
            Mark { value: 0, known: 0 }
        },
        is_tracked: (packet.state != State::Untracked).into(),
    };
    for (view, table, chain, base) in bases {
        // Connections are translated by their first packet, and only those that are tracked.
        let skips_nat = marks.is_tracked == Truth::No || packet.state != State::New;
        if base.kind == ChainKind::Nat && skips_nat {
            continue;
        }
        match walker.base_chain(view, table, chain, base, marks) {
            Some(after) => marks = after,
            None => return walker.walk,
        }
    }
    walker.walk.can_pass = true;
    walker.walk
}

fn sees(family: Family, base: &Base, packet: &Packet) -> bool {
    match family {
        Family::Ip => packet.is_ipv4(),
        Family::Ip6 => !packet.is_ipv4(),
        Family::Inet => true,
        Family::Bridge => packet.is_bridged,
        Family::Netdev => {
            let device = match base.hook {
                Hook::Egress => &packet.out_interface,
                _ => &packet.in_interface,
            };
            device
                .as_ref()
                .is_some_and(|device| base.devices.contains(device))
        }
        Family::Arp => false,
    }
}

struct Walker<'a, 'p> {
    packet: &'p Packet,
    walk: Walk<'a>,
    /// What is assumed on the way so far.
    conditions: Vec<&'a Match>,
    /// Rules that may have led back, in the chains that are open.
    returned: Vec<Decider<'a>>,
    /// Rules that may have let the packet out of this base chain, at most [`ESCAPES`] of them.
    accepted: Vec<Decider<'a>>,
    /// All rules that let the packet out of any base chain.
    seen_accepting: HashSet<*const Rule>,
    /// The marks of packets that were let out of this base chain.
    left: Option<Marks>,
    rules: usize,
}

/// What a rule's action means for the rules after it.
enum Then {
    /// The next step of the same rule.
    Next(Marks),
    /// The packet is through with this chain: it has ended, or has left in another way.
    Ended,
    /// The packet is through with this chain, and goes on after where the chain was called from.
    Returned(Marks),
    /// The packet has left the base chain.
    Accepted,
    /// Nothing of the rule applies any more.
    NextRule,
}

impl<'a> Walker<'a, '_> {
    /// The marks of the packet after this base chain; `None` when it does not come out.
    fn base_chain(
        &mut self,
        view: View,
        table: &'a Table,
        chain: &'a Chain,
        base: &Base,
        marks: Marks,
    ) -> Option<Marks> {
        self.accepted.clear();
        self.left = None;
        let through = self.chain(view, table, chain, marks, 0);
        let policy = Decider {
            view,
            table,
            chain,
            rule: None,
        };
        let through = match (through, base.policy) {
            (Some(_), Policy::Drop) => {
                self.stop(StopKind::Dropped, policy);
                None
            }
            (Some(marks), Policy::Accept) => {
                self.walk.accepted.push(policy);
                Some(marks)
            }
            (None, _) => None,
        };
        either(through, self.left)
    }

    /// The marks of the packet when it comes out of a chain at its end or by a return; `None` when it cannot.
    fn chain(
        &mut self,
        view: View,
        table: &'a Table,
        chain: &'a Chain,
        marks: Marks,
        depth: usize,
    ) -> Option<Marks> {
        let (returned, conditions) = (self.returned.len(), self.conditions.len());
        let mut marks = marks;
        let mut out = None;
        for rule in &chain.rules {
            self.rules += 1;
            if self.rules > RULES || self.walk.broken_off.is_some() {
                self.break_off(format!("more than {RULES} rules lie on the way"));
                break;
            }
            let by = Decider {
                view,
                table,
                chain,
                rule: Some(rule),
            };
            let then = self.rule(by, rule, marks, depth);
            let is_certain = self.conditions.len() == conditions;
            self.conditions.truncate(conditions);
            match then {
                Then::Next(after) if is_certain => marks = after,
                Then::Next(after) => marks = marks.either(after),
                Then::Returned(after) => {
                    out = either(out, Some(after));
                    if is_certain {
                        self.returned.truncate(returned);
                        return out;
                    }
                    self.returned.push(by);
                }
                Then::Ended | Then::Accepted if is_certain => {
                    self.returned.truncate(returned);
                    return out;
                }
                Then::Ended | Then::Accepted | Then::NextRule => {}
            }
        }
        self.returned.truncate(returned);
        either(out, Some(marks))
    }

    /// Applies one rule, and leaves what it assumed on `self.conditions`.
    fn rule(&mut self, by: Decider<'a>, rule: &'a Rule, marks: Marks, depth: usize) -> Then {
        let mut marks = marks;
        for step in &rule.steps {
            match step {
                Step::Match(wanted) => match holds(wanted, self.packet, marks) {
                    Truth::Yes => {}
                    Truth::No => return Then::NextRule,
                    Truth::Maybe => self.conditions.push(wanted),
                },
                Step::Do(action) => match self.action(by, action, marks, depth) {
                    Then::Next(after) => marks = after,
                    then => return then,
                },
            }
        }
        Then::Next(marks)
    }

    fn action(&mut self, by: Decider<'a>, action: &'a Action, marks: Marks, depth: usize) -> Then {
        match action {
            Action::Accept => self.accept(by, marks),
            Action::Masquerade | Action::Snat(_) | Action::Dnat(_) | Action::Redirect => {
                self.effect(action, by);
                self.accept(by, marks)
            }
            Action::Drop => self.end(StopKind::Dropped, by),
            Action::Reject(with) => self.end(StopKind::Rejected(with), by),
            Action::Queue => {
                self.stop(StopKind::Unknown("a program decides"), by);
                Then::Next(marks)
            }
            Action::Unread(text) => {
                self.stop(StopKind::Unknown(text), by);
                Then::Next(marks)
            }
            Action::Return => Then::Returned(marks),
            Action::Jump(name) => match self.call(by, name, marks, depth) {
                Some(after) => Then::Next(after),
                None => Then::Ended,
            },
            Action::Goto(name) => match self.call(by, name, marks, depth) {
                Some(after) => Then::Returned(after),
                None => Then::Ended,
            },
            Action::Map(entries) => self.map(by, entries, marks, depth),
            Action::NoTrack => {
                self.effect(action, by);
                Then::Next(Marks {
                    is_tracked: Truth::No,
                    ..marks
                })
            }
            Action::ClampMss(_) => {
                self.effect(action, by);
                Then::Next(marks)
            }
            Action::SetMark { keep, flip } => Then::Next(Marks {
                packet: marks.packet.changed(*keep, *flip),
                ..marks
            }),
            Action::SetMarkUnread => Then::Next(Marks {
                packet: Mark { value: 0, known: 0 },
                ..marks
            }),
            Action::SetConnectionMark => Then::Next(Marks {
                connection: Mark { value: 0, known: 0 },
                ..marks
            }),
            Action::Aside(_) => Then::Next(marks),
        }
    }

    /// Runs another chain of the same table.
    fn call(&mut self, by: Decider<'a>, name: &'a str, marks: Marks, depth: usize) -> Option<Marks> {
        let Some(chain) = by.table.chains.get(name) else {
            // No chain of this name: a target that is not known, whose end is not known either.
            self.stop(StopKind::Unknown(name), by);
            return Some(marks);
        };
        if depth >= DEPTH {
            self.break_off(format!("chains call each other more than {DEPTH} deep at {name}"));
            return Some(marks);
        }
        self.chain(by.view, by.table, chain, marks, depth + 1)
    }

    /// The first entry that fits decides. Those that may fit are followed one by one, each under its own assumption.
    fn map(
        &mut self,
        by: Decider<'a>,
        entries: &'a [(Vec<Match>, Action)],
        marks: Marks,
        depth: usize,
    ) -> Then {
        let conditions = self.conditions.len();
        let mut through = None;
        let mut returned = None;
        for (wanted, action) in entries {
            let so = all_hold(wanted, self.packet, marks);
            if so == Truth::No {
                continue;
            }
            if so == Truth::Maybe {
                let open = wanted
                    .iter()
                    .filter(|wanted| holds(wanted, self.packet, marks) == Truth::Maybe);
                self.conditions.extend(open);
            }
            let then = self.action(by, action, marks, depth);
            if so == Truth::Yes && through.is_none() && returned.is_none() {
                return then;
            }
            self.conditions.truncate(conditions);
            match then {
                Then::Next(after) => through = either(through, Some(after)),
                Then::Returned(after) => {
                    returned = either(returned, Some(after));
                    self.returned.push(by);
                }
                Then::Ended | Then::Accepted | Then::NextRule => {}
            }
            if so == Truth::Yes {
                break;
            }
        }
        // Some entry may have been found, or none: then the rule does not apply.
        match (returned, through) {
            (None, None) => Then::NextRule,
            (_, through) => Then::Next(either(through, returned).map_or(marks, |after| after.either(marks))),
        }
    }

    fn accept(&mut self, by: Decider<'a>, marks: Marks) -> Then {
        if by.rule.is_some_and(|rule| self.seen_accepting.insert(rule)) {
            self.walk.accepted.push(by);
        }
        if self.accepted.len() < ESCAPES && !self.accepted.contains(&by) {
            self.accepted.push(by);
        }
        self.left = either(self.left, Some(marks));
        Then::Accepted
    }

    fn end(&mut self, kind: StopKind<'a>, by: Decider<'a>) -> Then {
        self.stop(kind, by);
        Then::Ended
    }

    /// One way to an end for each rule is enough, and the most certain one tells most.
    fn stop(&mut self, kind: StopKind<'a>, by: Decider<'a>) {
        let stop = Stop {
            kind,
            by,
            conditions: self.conditions.clone(),
            unless: self.escapes(),
        };
        let stops = &mut self.walk.stops;
        match stops.iter().position(|known| known.by == by) {
            Some(at) if stop.is_certain() => stops[at] = stop,
            Some(_) => {}
            None if stops.len() < WAYS => stops.push(stop),
            None => self.break_off(format!("more than {WAYS} rules may end it")),
        }
    }

    fn effect(&mut self, action: &'a Action, by: Decider<'a>) {
        let effect = Effect {
            action,
            by,
            conditions: self.conditions.clone(),
            unless: self.escapes(),
        };
        let effects = &mut self.walk.effects;
        let same = |known: &Effect<'_>| known.by == by && ptr::eq(known.action, action);
        match effects.iter().position(same) {
            Some(at) if effect.is_certain() => effects[at] = effect,
            Some(_) => {}
            None if effects.len() < WAYS => effects.push(effect),
            None => self.break_off(format!("more than {WAYS} rules may change it")),
        }
    }

    fn escapes(&self) -> Vec<Decider<'a>> {
        let escapes = self.accepted.iter().chain(&self.returned);
        escapes.take(ESCAPES).copied().collect()
    }

    fn break_off(&mut self, why: String) {
        self.walk.broken_off.get_or_insert(why);
    }
}

fn either(one: Option<Marks>, other: Option<Marks>) -> Option<Marks> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.either(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
