//! `iptables-save`, `ip6tables-save` and their legacy twins: one format, two kernels' worth of rules.

mod deletion;
mod matches;
mod options;
mod targets;

use std::collections::BTreeMap;

use super::counters::Counters;
use super::model::{Base, Chain, ChainKind, Family, Hook, Policy, Rule, RuleSet, Step, Table, View};
use super::words::split;

pub(crate) use deletion::deletion;

/// Reads what `iptables-save` printed, with or without counters. Never fails: lines that cannot be read are listed in
/// [`RuleSet::unread`], and so is a table that does not end.
///
/// `family` is [`Family::Ip`] for iptables and [`Family::Ip6`] for ip6tables; the text does not say it.
pub fn parse_iptables_save(text: &str, view: View, family: Family) -> RuleSet {
    let mut reader = Reader {
        set: RuleSet {
            view,
            tables: Vec::new(),
            unread: Vec::new(),
            left_out: Vec::new(),
        },
        family,
        open: None,
    };
    for line in text.lines() {
        reader.line(line.trim());
    }
    if let Some(table) = reader.open.take() {
        reader
            .set
            .unread
            .push(format!("table {} was cut off: it has no COMMIT", table.name));
        reader.set.tables.push(table);
    }
    reader.set
}

struct Reader {
    set: RuleSet,
    family: Family,
    open: Option<Table>,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if line.is_empty() {
            return;
        }
        if let Some(comment) = line.strip_prefix('#') {
            // As "# Table `filter' is incompatible, use 'nft' tool.": it holds rules that are not shown here.
            if comment.contains("is incompatible") {
                self.set.unread.push(comment.trim().to_owned());
            }
        } else if let Some(name) = line.strip_prefix('*') {
            self.close("has no COMMIT");
            self.open = Some(Table {
                family: self.family,
                name: name.trim().to_owned(),
                chains: BTreeMap::new(),
            });
        } else if line == "COMMIT" {
            self.set.tables.extend(self.open.take());
        } else if self.in_table(line).is_none() {
            self.set.unread.push(line.to_owned());
        }
    }

    fn close(&mut self, why: &str) {
        if let Some(table) = self.open.take() {
            self.set.unread.push(format!("table {} {why}", table.name));
            self.set.tables.push(table);
        }
    }

    /// A line that only makes sense within a table; `None` when it does not even there.
    fn in_table(&mut self, line: &str) -> Option<()> {
        let table = self.open.as_mut()?;
        if let Some(declared) = line.strip_prefix(':') {
            let chain = declared_chain(&table.name, declared)?;
            table.chains.insert(chain.name.clone(), chain);
            return Some(());
        }
        let (counters, text) = match line.split_once(' ') {
            Some((word, rest)) if word.starts_with('[') => (Some(Counters::parse(word)?), rest.trim_start()),
            Some(_) | None => (None, line),
        };
        let words = split(text);
        let [append, name, rest @ ..] = words.as_slice() else {
            return None;
        };
        if append.text != "-A" {
            return None;
        }
        let options = options::group(rest)?;
        let mut steps: Vec<Step> = Vec::new();
        for found in matches::matches(&options) {
            steps.push(Step::Match(found));
        }
        steps.extend(targets::action(&options).map(Step::Do));
        let rule = Rule {
            steps,
            counters: counters.or(options.counters),
            text: text.to_owned(),
            comment: options.comment(),
            handle: None,
        };
        // A chain that was not declared is one of a text that was put together by hand.
        let chain = table.chains.entry(name.text.clone()).or_insert_with(|| Chain {
            name: name.text.clone(),
            base: None,
            counters: None,
            rules: Vec::new(),
        });
        chain.rules.push(rule);
        Some(())
    }
}

/// `FORWARD ACCEPT [1:2]`, without its colon.
fn declared_chain(table: &str, declared: &str) -> Option<Chain> {
    let mut words = declared.split_ascii_whitespace();
    let name = words.next()?;
    let policy = match words.next()? {
        "ACCEPT" => Some(Policy::Accept),
        "DROP" => Some(Policy::Drop),
        "-" => None,
        _ => return None,
    };
    let base = match policy {
        None => None,
        Some(policy) => Some(built_in(table, name, policy)?),
    };
    Some(Chain {
        name: name.to_owned(),
        base,
        counters: words.next().and_then(Counters::parse),
        rules: Vec::new(),
    })
}

/// Where the kernel hangs the built-in chains: `enum nf_ip_hook_priorities` of `linux/netfilter_ipv4.h`.
pub(crate) fn built_in(table: &str, name: &str, policy: Policy) -> Option<Base> {
    let hook = Hook::from_name(name)?;
    let (priority, kind) = match (table, hook) {
        ("raw", _) => (-300, ChainKind::Filter),
        ("mangle", Hook::Output) => (-150, ChainKind::Route),
        ("mangle", _) => (-150, ChainKind::Filter),
        ("nat", Hook::Prerouting | Hook::Output) => (-100, ChainKind::Nat),
        ("nat", _) => (100, ChainKind::Nat),
        ("filter", _) => (0, ChainKind::Filter),
        ("security", _) => (50, ChainKind::Filter),
        _ => return None,
    };
    Some(Base {
        hook,
        priority,
        kind,
        policy,
        devices: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
