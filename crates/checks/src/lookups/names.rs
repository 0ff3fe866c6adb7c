//! Names that servers answer wrongly.

use std::collections::{BTreeMap, BTreeSet};

use observation::{LookupServer, NameClass, Truth};
use report::{Evidence, Finding, Severity, Subject};

use super::place::pod_of;
use super::seen;
use super::silence::no_server;
use super::table::{Row, State, Table, is_of_cluster, is_own};
use crate::check::Judgement;

/// How names of some classes are judged.
pub(crate) struct Names<'c> {
    pub(crate) id: &'static str,
    pub(crate) classes: &'c [NameClass],
    pub(crate) severity: Severity,
    /// What is asked for, as `the name of the API`.
    pub(crate) what: &'c str,
    /// What to do; a command in it stands in backquotes.
    pub(crate) hint: &'c str,
    /// Checks of which the claim does not hold either.
    pub(crate) explains: &'c [&'static str],
}

/// One question over all servers.
pub(crate) type Question<'a> = (&'a str, u16);

/// One name that is answered wrongly.
pub(crate) struct Wrong<'t, 'a> {
    pub(crate) rows: Vec<&'t Row<'a>>,
    /// One that says what the others say too.
    pub(crate) telling: &'t Row<'a>,
}

impl Names<'_> {
    pub(crate) fn judge(&self, table: &Table<'_>) -> Judgement {
        let asked = rows_of(table, self.classes).next().is_some();
        if !asked && super::table_is_whole(table) {
            return if table.asks_for_everything() {
                Judgement::skipped("the cluster has no such name to ask for")
            } else {
                Judgement::not_asked()
            };
        }
        let wrong = wrong(table, self.classes);
        // What is wrong in the same way with the API's own name is told there.
        let api = if self.classes.contains(&NameClass::Internal) {
            BTreeSet::new()
        } else {
            codes(&self::wrong(table, &[NameClass::Internal]))
        };
        let mut by_answer: BTreeMap<String, Vec<Wrong<'_, '_>>> = BTreeMap::new();
        for (_, wrong) in wrong {
            if code(wrong.telling).is_some_and(|code| api.contains(&code)) {
                continue;
            }
            by_answer.entry(wrong.telling.words()).or_default().push(wrong);
        }
        Judgement {
            findings: by_answer
                .values()
                .filter_map(|wrong| self.finding(table, wrong))
                .collect(),
            gaps: no_server(table),
            ..Judgement::default()
        }
    }

    fn finding(&self, table: &Table<'_>, wrong: &[Wrong<'_, '_>]) -> Option<Finding> {
        let first = wrong.first()?;
        let subject = match wrong {
            [one] => one.telling.lookup.subject.clone(),
            _ => None,
        };
        let is_api = self.classes.contains(&NameClass::Internal);
        let subject = subject.filter(|_| !is_api).unwrap_or_else(|| table.service());
        let names: BTreeSet<&str> = wrong.iter().map(|wrong| wrong.telling.lookup.name()).collect();
        let name = match names.len() {
            1 => format!("{} {}", self.what, names.first()?),
            many => format!("{} {} and {} more", self.what, names.first()?, many - 1),
        };
        let right = expected(&first.telling.lookup.truth);
        let servers: BTreeSet<&LookupServer> = first.rows.iter().map(|row| &row.lookup.server).collect();
        let by = match servers.first() {
            Some(server) if servers.len() == 1 => server_name(server),
            _ => "every DNS server".to_owned(),
        };
        let summary = format!("{name}: {by} {}{right}", first.telling.words());
        let mut evidence: Vec<Evidence> = wrong.iter().take(3).map(|wrong| seen(wrong.telling)).collect();
        if !is_api
            && let Some(well) =
                rows_of(table, &[NameClass::Internal]).find(|row| row.is_right() == Some(true))
        {
            evidence.push(seen(well));
        }
        let mut finding = Finding::new(
            self.id,
            self.severity,
            subject,
            summary,
            evidence.first()?.clone(),
        );
        finding.evidence = evidence;
        finding.hint = Some(self.hint.to_owned());
        finding.explains = self.explains.iter().map(|&id| id.to_owned()).collect();
        Some(finding)
    }
}

/// The lookups of some classes at the cluster's own servers, and at those that the user named.
pub(crate) fn rows_of<'t, 'a>(
    table: &'t Table<'a>,
    classes: &'t [NameClass],
) -> impl Iterator<Item = &'t Row<'a>> {
    table.rows.iter().filter(|row| {
        let lookup = row.lookup;
        let is_asked = is_own(&lookup.server) || lookup.server == LookupServer::Given;
        is_asked && classes.contains(&lookup.class) && !lookup.measured
    })
}

/// The questions of some classes that are answered wrongly, where their ways carry anything. One that only some DNS pods answer wrongly is
/// a matter of these pods, and one that is lost beside others that are answered is one of the way.
pub(crate) fn wrong<'t, 'a>(
    table: &'t Table<'a>,
    classes: &'t [NameClass],
) -> BTreeMap<Question<'a>, Wrong<'t, 'a>> {
    let mut questions: BTreeMap<Question<'a>, Vec<&'t Row<'a>>> = BTreeMap::new();
    for row in rows_of(table, classes).filter(|row| !table.is_on_silent_way(row.lookup)) {
        let lookup = row.lookup;
        let question = (lookup.name(), lookup.qtype());
        questions.entry(question).or_default().push(row);
    }
    questions
        .into_iter()
        .filter_map(|(question, rows)| Some((question, judge_question(rows)?)))
        .collect()
}

fn judge_question<'t, 'a>(rows: Vec<&'t Row<'a>>) -> Option<Wrong<'t, 'a>> {
    let is_outside = rows.iter().any(|row| !is_of_cluster(row.lookup.class));
    let mut by_server: BTreeMap<&LookupServer, Vec<&'t Row<'a>>> = BTreeMap::new();
    for row in rows {
        by_server.entry(&row.lookup.server).or_default().push(row);
    }
    let mut sick: Vec<&'t Row<'a>> = Vec::new();
    let mut some_pod_is_well = false;
    let mut is_some_pod_sick = false;
    let mut is_other_sick = false;
    for (server, rows) in by_server {
        let wrong: Vec<&'t Row<'a>> = rows
            .iter()
            .copied()
            .filter(|row| matches!(row.state, State::Said(_)) && row.is_right() == Some(false))
            .collect();
        let known: Vec<&'t Row<'a>> = rows.into_iter().filter(|row| row.is_right().is_some()).collect();
        // Silence of a name of the cluster is a matter of the way; the server has to ask others for a name outside.
        let is_silent =
            is_outside && !known.is_empty() && known.iter().all(|row| matches!(row.state, State::Failed(_)));
        let is_sick = !wrong.is_empty() || is_silent;
        if pod_of(server).is_some() {
            some_pod_is_well |= !is_sick && known.iter().any(|row| row.is_right() == Some(true));
            is_some_pod_sick |= is_sick;
        } else {
            is_other_sick |= is_sick;
        }
        sick.extend(if is_silent { known } else { wrong });
    }
    // What one pod says otherwise than another is told of that pod; the Service leads to either.
    if (some_pod_is_well && is_some_pod_sick) || !(is_some_pod_sick || is_other_sick) {
        return None;
    }
    let telling = sick
        .iter()
        .copied()
        .max_by_key(|row| matches!(row.state, State::Said(_)))?;
    Some(Wrong { rows: sick, telling })
}

fn code(row: &Row<'_>) -> Option<u8> {
    match &row.state {
        State::Said(reply) if reply.rcode != 0 => Some(reply.rcode),
        _ => None,
    }
}

fn codes(wrong: &BTreeMap<Question<'_>, Wrong<'_, '_>>) -> BTreeSet<u8> {
    wrong.values().filter_map(|wrong| code(wrong.telling)).collect()
}

/// A server at the beginning of a clause.
pub(crate) fn server_name(server: &LookupServer) -> String {
    match server {
        LookupServer::Service => "the DNS Service".to_owned(),
        LookupServer::Pod { .. } => pod_of(server)
            .as_ref()
            .map(Subject::to_string)
            .unwrap_or_default(),
        LookupServer::NodeLocal => "the cache on the node".to_owned(),
        LookupServer::Upstream { .. } => "the upstream".to_owned(),
        LookupServer::Given => "the server that was named".to_owned(),
    }
}

/// What would have been right, behind a clause.
fn expected(truth: &Truth) -> String {
    match truth {
        Truth::Addresses { addresses } if addresses.is_empty() => {
            ", and by the API it exists and has no address of that family".to_owned()
        }
        Truth::Addresses { addresses } => {
            let all: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
            let more = addresses.len().saturating_sub(4);
            let rest = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            format!(", and by the API it is {}{rest}", all.join(", "))
        }
        Truth::OneOf { names } => format!(", and by the API it is {}", names.join(" or ")),
        Truth::Records { count } => format!(", and by the API it has {count} or more"),
        Truth::NoSuchName => ", and nothing has that name".to_owned(),
        Truth::Something | Truth::Anything => String::new(),
    }
}
