//! Lookups: asking DNS servers from probe pods, and judging what they said. One check each, named as the file.

mod ask;
pub(crate) mod dns_5s;
pub(crate) mod dns_cache_effect;
pub(crate) mod dns_class;
pub(crate) mod dns_lat;
pub(crate) mod dns_port_tcp;
pub(crate) mod dns_port_udp;
pub(crate) mod dns_replica_diff;
pub(crate) mod dns_res_ext;
pub(crate) mod dns_res_extname;
pub(crate) mod dns_res_headless;
pub(crate) mod dns_res_int;
pub(crate) mod dns_res_podname;
pub(crate) mod dns_res_ptr;
pub(crate) mod dns_res_server;
pub(crate) mod dns_res_srv;
pub(crate) mod dns_res_svc;
pub(crate) mod dns_up;
#[cfg(test)]
pub(crate) mod fixture;
mod names;
mod place;
mod plan;
mod series;
mod servers;
mod show;
mod silence;
mod table;
mod upstreams;

use observation::Lookups;
use report::{Evidence, Gap, GapReason, Observed};

use crate::check::Judgement;
use crate::view::View;
use table::{Row, State, Way};

pub use ask::{
    LookupQuestion, lookup_questions, named_question, outside_questions, record, search_questions,
};
pub use plan::{LookupAnswers, LookupOptions, LookupPlan, Series, SourceLookups, fold_lookups, plan_lookups};
pub use servers::{DnsPodAt, DnsServerAt, dns_servers};
pub(crate) use show::{answer, tables};
pub(crate) use table::Table;
pub use upstreams::{upstreams, upstreams_unread};

/// What keeps lookups from being judged: what was not read, pods that did not run, answers that did not arrive.
fn gaps(view: &View<'_>, table: &Table<'_>) -> Vec<Gap> {
    let lookups: &Lookups = table.lookups;
    let mut gaps = lookups.unread.clone();
    gaps.extend(view.without_pod().into_values().cloned());
    gaps.extend(
        lookups
            .sources
            .iter()
            .filter_map(|source| source.answered.gap())
            .cloned(),
    );
    let is_known = lookups
        .sources
        .iter()
        .any(|source| matches!(source.answered, Observed::Unseen(_)));
    let unasked = table
        .rows
        .iter()
        .filter(|row| matches!(row.state, State::Unasked))
        .count();
    if unasked > 0 && !is_known {
        gaps.push(Gap {
            what: format!("{unasked} of {} lookups", table.rows.len()),
            why: GapReason::Truncated,
            message: "they were planned and have no answer".to_owned(),
            hint: None,
        });
    }
    if table.rows.is_empty() && gaps.is_empty() {
        gaps.push(Gap {
            what: "lookups".to_owned(),
            why: GapReason::NotStarted,
            message: "there was nobody to ask, or no place to ask from".to_owned(),
            hint: None,
        });
    }
    gaps
}

/// A check of lookups, made where any were to be asked.
fn judged<'v>(view: &'v View<'_>, judge: impl FnOnce(&'v Table<'v>) -> Judgement) -> Judgement {
    let Some(table) = &view.lookups else {
        return Judgement::not_asked();
    };
    let mut judgement = judge(table);
    if judgement.skipped.is_none() {
        judgement.gaps.extend(gaps(view, table));
        judgement.gaps.dedup();
    }
    judgement
}

/// Whether all was read that says what there is to ask for.
fn table_is_whole(table: &Table<'_>) -> bool {
    table.lookups.unread.is_empty() && !table.rows.is_empty()
}

/// What one lookup brought back.
fn seen(row: &Row<'_>) -> Evidence {
    Evidence::probe(row.words(), row.label())
}

/// How many lookups on a way were answered.
fn counted(way: &Way<'_>) -> Evidence {
    let answered = way.asked - way.lost;
    let detail = way
        .failure
        .as_ref()
        .map(|failure| format!("; {}", failure.detail))
        .unwrap_or_default();
    Evidence::probe(
        format!("{answered} of {} lookups are answered{detail}", way.asked),
        format!(
            "{} {} → {}",
            if way.tcp { "dns over tcp" } else { "dns" },
            crate::tries::source_name(way.source),
            way.address
        ),
    )
}
