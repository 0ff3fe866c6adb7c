//! The one sentence that a reader reads first.

use std::collections::{BTreeMap, BTreeSet};

use report::{CheckResult, Finding, Protocol, RootCause, Severity, Verdict};

use crate::view::View;

pub(super) fn answer(
    view: &View<'_>,
    causes: &[RootCause],
    findings: &[Finding],
    checks: &[CheckResult],
) -> String {
    let verdict = checks
        .iter()
        .map(CheckResult::verdict)
        .max()
        .unwrap_or(Verdict::Skipped);
    let warnings = list(findings, Severity::Warning);
    let narrow = crate::proxy::answer(view, verdict, &warnings)
        .or_else(|| crate::pod_network::answer(view, verdict, &warnings))
        .or_else(|| crate::tracked::answer(view, verdict, &warnings))
        .or_else(|| {
            // Who was asked says more than the API.
            let is_asked = view.lookups.is_some();
            (!is_asked).then(|| crate::dns::answer(view, verdict, &warnings))?
        });
    if let Some(answer) = narrow {
        return answer;
    }
    if !view.is_wanted() && view.lookups.is_some() {
        let answer = crate::lookups::answer(view, verdict, &warnings);
        return answer.unwrap_or_else(|| match causes {
            [] => list(findings, Severity::Error),
            causes => first(causes),
        });
    }
    if !view.is_wanted()
        && let Some(scene) = &view.backends
    {
        let answer = crate::endpoints::answer(scene, verdict, &list(findings, Severity::Warning));
        return answer.unwrap_or_else(|| match causes {
            [] => list(findings, Severity::Error),
            causes => first(causes),
        });
    }
    if !view.is_wanted()
        && let Some(reach) = &view.observation.reach
    {
        let answer = crate::tries::answer(reach, verdict, &list(findings, Severity::Warning));
        return answer.unwrap_or_else(|| match causes {
            [] => list(findings, Severity::Error),
            causes => first(causes),
        });
    }
    match verdict {
        Verdict::Fail => {
            let Counts {
                answered, planned, ..
            } = counts(view);
            let what = match causes {
                [] => list(findings, Severity::Error),
                causes => first(causes),
            };
            if answered == planned {
                what
            } else {
                format!("{what}; {answered} of {} work", noun(planned, "pair"))
            }
        }
        Verdict::Warn => format!("{}, but {}", healthy(view), list(findings, Severity::Warning)),
        Verdict::Pass => healthy(view),
        Verdict::Unknown => unknown(view),
        Verdict::Skipped => "nothing was looked at".to_owned(),
    }
}

/// What is the cause, in as many words as are read.
fn first(causes: &[RootCause]) -> String {
    match causes {
        [] => String::new(),
        [one] => one.summary.clone(),
        [one, other] => format!("{}; {}", one.summary, other.summary),
        [one, rest @ ..] => format!("{}; and {} causes more", one.summary, rest.len()),
    }
}

/// The first two; a sentence with more is not read.
fn list(findings: &[Finding], severity: Severity) -> String {
    let summaries: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .map(|finding| finding.summary.as_str())
        .collect();
    match summaries.as_slice() {
        [one, other] => format!("{one}; {other}"),
        [one, rest @ ..] if !rest.is_empty() => format!("{one}; and {} problems more", rest.len()),
        _ => summaries.concat(),
    }
}

fn healthy(view: &View<'_>) -> String {
    let Counts {
        answered,
        planned,
        nodes,
    } = counts(view);
    if planned == 0 && !view.observation.node_evidence.is_empty() {
        return format!("nothing wrong was seen on {}", noun(read(view), "node"));
    }
    let whole = match nodes {
        1 => format!("pods of 1 node reach each other: {}", noun(planned, "pair")),
        _ => format!(
            "pods of {nodes} nodes reach each other: {answered} of {}",
            noun(planned, "pair")
        ),
    };
    format!("{whole}, {}; {}", ways(view), families(view))
}

fn unknown(view: &View<'_>) -> String {
    let Counts {
        answered,
        planned,
        nodes,
    } = counts(view);
    if planned == 0 && !view.observation.node_evidence.is_empty() {
        let read = noun(read(view), "node");
        return format!("nothing wrong was seen on {read}, but not all could be seen");
    }
    let missing: Vec<&str> = view.without_pod().into_keys().collect();
    let unseen = match missing.as_slice() {
        [] => "but not all could be seen".to_owned(),
        few if few.len() <= 3 => format!("but {} could not be probed", few.join(", ")),
        many => format!("but {} nodes could not be probed", many.len()),
    };
    if answered == 0 {
        return match missing.as_slice() {
            [] => "nothing could be probed".to_owned(),
            few if few.len() <= 3 => format!("nothing could be probed: no probe pod on {}", few.join(", ")),
            many => format!("nothing could be probed: no probe pod on {} nodes", many.len()),
        };
    }
    format!(
        "nothing wrong was seen, {unseen}: {answered} of {} of {} answer, {}; {}",
        noun(planned, "pair"),
        noun(nodes, "node"),
        ways(view),
        families(view)
    )
}

/// How many nodes were read.
fn read(view: &View<'_>) -> usize {
    let evidence = view.observation.node_evidence.values();
    evidence.filter(|evidence| evidence.seen().is_some()).count()
}

fn noun(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

struct Counts {
    /// Ordered pairs of which everything that decides was answered, flaky or not.
    answered: usize,
    /// Ordered pairs that were wanted, those of nodes without a probe pod included.
    planned: usize,
    nodes: usize,
}

fn counts(view: &View<'_>) -> Counts {
    let mut pairs: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    let informational = view.was_planned(Protocol::Tcp) || view.was_planned(Protocol::Udp);
    for (key, entry) in &view.entries {
        let answered = entry.state.is_ok() || matches!(entry.state, report::CellState::Flaky { .. });
        if key.protocol != Protocol::Icmp || !informational {
            *pairs.entry((key.source, key.target)).or_insert(true) &= answered;
        }
    }
    let answered = pairs.values().filter(|answered| **answered).count();
    let missing = view.without_pod().len();
    let nodes: BTreeSet<&str> = pairs
        .keys()
        .flat_map(|(source, target)| [*source, *target])
        .collect();
    let full = view
        .observation
        .mesh
        .as_ref()
        .is_none_or(|mesh| mesh.coverage == observation::Coverage::Full);
    let unprobed = if full {
        missing * (2 * nodes.len() + missing)
    } else {
        0
    };
    Counts {
        answered,
        planned: pairs.len() + unprobed,
        nodes: nodes.len() + missing,
    }
}

/// The ways of probing that every pair answered.
fn ways(view: &View<'_>) -> String {
    let answered = |protocol: &Protocol| {
        let mut entries = view.entries.iter().filter(|(key, _)| key.protocol == *protocol);
        *protocol != Protocol::Icmp || entries.all(|(_, entry)| entry.state.is_ok())
    };
    let names: Vec<String> = view
        .protocols()
        .iter()
        .filter(|protocol| answered(protocol))
        .map(|protocol| match protocol {
            Protocol::Tcp => "TCP".to_owned(),
            Protocol::Udp => "UDP".to_owned(),
            Protocol::Icmp => "ICMP".to_owned(),
            Protocol::Bulk => match view.bulk_bytes() {
                Some(bytes) => format!("{} KiB both ways", bytes / 1024),
                None => "bulk data both ways".to_owned(),
            },
        })
        .collect();
    names.join(", ")
}

fn families(view: &View<'_>) -> String {
    let families: Vec<String> = view.families().iter().map(ToString::to_string).collect();
    families.join(" and ")
}
