//! `nft -j list ruleset`: what libnftables-json(5) describes. Only what decides over packets is read; the rest is kept as text.

mod expression;
mod names;
mod print;
mod sets;
mod statement;

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::counters::Counters;
use super::model::{Base, Chain, ChainKind, Family, Hook, Policy, Rule, RuleSet, Step, Table, View};
use sets::Sets;

/// Why a text is not a ruleset of nft.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NftError {
    /// Not JSON at all, or cut off.
    #[error("not what `nft -j list ruleset` prints: not JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON of something else.
    #[error("not what `nft -j list ruleset` prints: it has no list `nftables`")]
    NotARuleset,
}

/// Reads what `nft -j list ruleset` printed, without the tables that `iptables-nft` manages: of these nft shows the matches
/// by name only, and `iptables-save` shows them whole.
///
/// Objects that cannot be read are listed in [`RuleSet::unread`]; expressions that are not known become undecidable tests.
pub fn parse_nft_json(text: &str) -> Result<RuleSet, NftError> {
    let document: Value = serde_json::from_str(text).map_err(NftError::NotJson)?;
    let objects = document
        .get("nftables")
        .and_then(Value::as_array)
        .ok_or(NftError::NotARuleset)?;
    let sets = Sets::read(objects);
    let mut set = RuleSet {
        view: View::Nft,
        tables: Vec::new(),
        unread: Vec::new(),
        left_out: Vec::new(),
    };
    let mut rules: Vec<(usize, &Value)> = Vec::new();
    let mut unread: Vec<usize> = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        let read = match object.as_object().and_then(|object| object.iter().next()) {
            Some((kind, value)) => match kind.as_str() {
                "table" => table(&mut set, value),
                "chain" => chain(&mut set, value),
                "rule" => {
                    rules.push((index, value));
                    Some(())
                }
                // Sets and maps are looked up where they are used; flow tables, counters and the like decide nothing alone.
                _ => Some(()),
            },
            None => None,
        };
        if read.is_none() {
            unread.push(index);
        }
    }
    // What iptables manages is left out before its rules are read: where there are many, they are most of it.
    let (managed, own): (Vec<Table>, Vec<Table>) = set.tables.into_iter().partition(is_managed_by_iptables);
    set.tables = own;
    let place = |table: &Table| (table.family.name(), table.name.clone());
    let managed: Vec<(_, bool)> = managed
        .iter()
        .map(|table| (place(table), table.is_inert()))
        .collect();
    let mut busy: HashSet<(&str, &str)> = HashSet::new();
    for (index, value) in rules {
        let at = name(value, "family").zip(name(value, "table"));
        let of_iptables = |(family, table): &(&str, &str)| {
            let is_it = |((its, name), _): &((&str, String), bool)| (family, *table) == (its, name.as_str());
            managed.iter().any(is_it)
        };
        if let Some(at) = at.filter(of_iptables) {
            busy.insert(at);
        } else if rule(&mut set, value, &sets).is_none() {
            unread.push(index);
        }
    }
    unread.sort_unstable();
    let unread = unread.into_iter().filter_map(|index| objects.get(index));
    set.unread = unread.map(|object| shortened(&object.to_string())).collect();
    set.left_out = managed
        .iter()
        .filter(|((family, name), is_inert)| !is_inert || busy.contains(&(*family, name.as_str())))
        .map(|((family, name), _)| format!("{family} {name}"))
        .collect();
    Ok(set)
}

/// Whether the table is one that iptables-nft made: of its name, with its chains at its priorities. nft warns about them in
/// its text output ("managed by iptables-nft"), but not in JSON.
fn is_managed_by_iptables(table: &Table) -> bool {
    let known = matches!(table.family, Family::Ip | Family::Ip6)
        && matches!(
            table.name.as_str(),
            "raw" | "mangle" | "nat" | "filter" | "security"
        );
    let mut bases = table
        .chains
        .values()
        .filter_map(|chain| Some((chain, chain.base.as_ref()?)));
    known
        && bases.all(|(chain, base)| {
            let built_in = super::iptables::built_in(&table.name, &chain.name, base.policy);
            chain.name.bytes().all(|byte| byte.is_ascii_uppercase())
                && built_in.is_some_and(|built_in| built_in == *base)
        })
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

fn name<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn table(set: &mut RuleSet, value: &Value) -> Option<()> {
    set.tables.push(Table {
        family: Family::from_name(name(value, "family")?)?,
        name: name(value, "name")?.to_owned(),
        chains: BTreeMap::new(),
    });
    Some(())
}

fn table_of<'a>(set: &'a mut RuleSet, value: &Value) -> Option<&'a mut Table> {
    let family = Family::from_name(name(value, "family")?)?;
    let table = name(value, "table")?;
    set.tables
        .iter_mut()
        .find(|candidate| candidate.family == family && candidate.name == table)
}

fn chain(set: &mut RuleSet, value: &Value) -> Option<()> {
    let chain = Chain {
        name: name(value, "name")?.to_owned(),
        base: match value.get("hook") {
            Some(_) => Some(base(value)?),
            None => None,
        },
        counters: None,
        rules: Vec::new(),
    };
    table_of(set, value)?.chains.insert(chain.name.clone(), chain);
    Some(())
}

fn base(value: &Value) -> Option<Base> {
    let devices = match value.get("dev") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(device)) => vec![device.clone()],
        Some(Value::Array(devices)) => devices
            .iter()
            .map(|device| device.as_str().map(str::to_owned))
            .collect::<Option<_>>()?,
        Some(_) => return None,
    };
    Some(Base {
        hook: Hook::from_name(name(value, "hook")?)?,
        priority: value.get("prio")?.as_i64()?,
        kind: match name(value, "type")? {
            "nat" => ChainKind::Nat,
            "route" => ChainKind::Route,
            "filter" => ChainKind::Filter,
            _ => return None,
        },
        policy: match name(value, "policy") {
            Some("drop") => Policy::Drop,
            Some("accept") | None => Policy::Accept,
            Some(_) => return None,
        },
        devices,
    })
}

fn rule(set: &mut RuleSet, value: &Value, sets: &Sets<'_>) -> Option<()> {
    let expressions = value.get("expr")?.as_array()?;
    let table = table_of(set, value)?;
    let place = expression::Place {
        family: table.family,
        table: &table.name,
        sets,
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut counters = None;
    for expression in expressions {
        if let Some(counter) = expression.get("counter") {
            counters = counters.or_else(|| counted(counter));
        } else {
            steps.extend(statement::steps(&place, expression));
        }
    }
    let rule = Rule {
        steps,
        counters,
        text: print::rule(expressions),
        comment: name(value, "comment").map(str::to_owned),
        handle: value.get("handle").and_then(Value::as_u64),
    };
    table.chains.get_mut(name(value, "chain")?)?.rules.push(rule);
    Some(())
}

fn counted(counter: &Value) -> Option<Counters> {
    Some(Counters {
        packets: counter.get("packets")?.as_u64()?,
        bytes: counter.get("bytes")?.as_u64()?,
    })
}

#[cfg(test)]
mod tests;
