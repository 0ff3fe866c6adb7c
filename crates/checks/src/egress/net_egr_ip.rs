use std::collections::BTreeSet;

use observation::{Purpose, Source};
use report::{Finding, Severity, Subject};

use super::{TOPICS, ways_out};
use crate::check::{Check, Judgement, Need};
use crate::service::{evidence, manner, names, works};
use crate::tries::{Row, about, gaps, rows};
use crate::view::View;

/// Addresses outside, by themselves. Where the node reaches what its pods do not, net-egr says so.
pub(crate) static CHECK: Check = Check {
    id: "net-egr-ip",
    claim: "addresses outside answer from every place that tried",
    needs: &[Need::Egress],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, TOPICS) else {
        return Judgement::not_asked();
    };
    let all = rows(reach);
    let outside: Vec<&Row<'_>> = all
        .iter()
        .filter(|row| row.sample.purpose == Purpose::AddressOutside)
        .collect();
    let gaps = gaps(view, reach);
    if outside.is_empty() && gaps.is_empty() {
        return Judgement::skipped("no address was named with --target");
    }
    let ways = ways_out(&all);
    let explained = |source: &Source| {
        let way = source.node().and_then(|node| ways.get(node));
        matches!(source, Source::Pod { .. })
            && way.is_some_and(|way| way.pods == Some(false) && way.host == Some(true))
    };
    let findings = outside.iter().filter_map(|row| finding(row, explained));
    Judgement {
        findings: findings.collect(),
        gaps,
        ..Judgement::default()
    }
}

fn finding(row: &Row<'_>, explained: impl Fn(&Source) -> bool) -> Option<Finding> {
    let failing: Vec<&Source> = row
        .failing()
        .into_iter()
        .filter(|source| !explained(source))
        .collect();
    let nodes: BTreeSet<&str> = failing.iter().filter_map(|source| source.node()).collect();
    let right = row.right();
    let target = match &row.sample.subject {
        Subject::Object { name, .. } if *name != row.sample.address.to_string() => {
            format!("{name} ({})", row.sample.address)
        }
        _ => row.sample.address.to_string(),
    };
    let (place, subject) = match nodes.iter().next() {
        None => return None,
        Some(_) if right.is_empty() => ("from anywhere in the cluster".to_owned(), Subject::Cluster),
        Some(node) if nodes.len() == 1 => (format!("from {}", names(&failing)), Subject::node(*node)),
        Some(_) => (format!("from {}", names(&failing)), Subject::Cluster),
    };
    let mut seen = evidence(row);
    seen.truncate(3);
    seen.extend(works(row));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!("{target} {} {place}", manner(row.telling())),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    let hosts_fail = failing.iter().any(|source| matches!(source, Source::Host { .. }));
    finding.hint = Some(if right.is_empty() && hosts_fail {
        "nodes do not reach it either: the outer firewall, the uplink, or the target itself".to_owned()
    } else if right.is_empty() {
        "whether the nodes themselves reach it was not seen; if they do, pods' addresses are not translated on the way out"
            .to_owned()
    } else {
        "others reach it, so that the target is well: look at the way out of these nodes".to_owned()
    });
    Some(finding)
}

#[cfg(test)]
mod tests;
