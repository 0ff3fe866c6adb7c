use std::collections::BTreeMap;

use observation::{NameClass, Source};
use report::{Finding, Severity};

use super::table::{Row, Table, is_own};
use super::{judged, seen};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// How widely names fail, which decides how urgent it is: from every node, from some, or only names outside.
///
/// It names no cause. A pod by itself is told by `dns-pod-policy` and the checks beside it.
pub(crate) static CHECK: Check = Check {
    id: "dns-class",
    claim: "names resolve from every node that asked",
    needs: &[Need::Lookups],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| Judgement {
        findings: finding(table).into_iter().collect(),
        gaps: super::silence::no_server(table),
        ..Judgement::default()
    })
}

/// Of one place, whether it resolved anything of a kind, and one lookup that it did not.
#[derive(Default)]
struct Heard<'t, 'a> {
    right: usize,
    wrong: Option<&'t Row<'a>>,
}

/// A name as programs ask for it: of the address that kubelets give out, where there is one, and over UDP.
fn heard<'t, 'a>(table: &'t Table<'a>, class: NameClass) -> BTreeMap<&'a Source, Heard<'t, 'a>> {
    let is_pod = |row: &Row<'_>| super::place::pod_of(&row.lookup.server).is_some();
    let has_service = table
        .rows
        .iter()
        .any(|row| is_own(&row.lookup.server) && !is_pod(row));
    let mut all: BTreeMap<&Source, Heard<'_, '_>> = BTreeMap::new();
    for row in table.rows.iter().filter(|row| {
        let lookup = row.lookup;
        lookup.class == class && !lookup.is_tcp() && is_own(&lookup.server) && !(has_service && is_pod(row))
    }) {
        let heard = all.entry(&row.lookup.source).or_default();
        match row.is_right() {
            Some(true) => heard.right += 1,
            Some(false) => heard.wrong = Some(row),
            None => {}
        }
    }
    all
}

fn finding(table: &Table<'_>) -> Option<Finding> {
    let inside = heard(table, NameClass::Internal);
    let failing: Vec<&Heard<'_, '_>> = inside.values().filter(|heard| heard.wrong.is_some()).collect();
    let outside = heard(table, NameClass::External);
    let (row, words) = if let Some(row) = failing.iter().find_map(|heard| heard.wrong) {
        let all = inside.len();
        let words = if failing.len() == all && failing.iter().all(|heard| heard.right == 0) {
            format!(
                "the most urgent kind: names of the cluster fail from every node that asked ({all}), and nearly everything begins with one"
            )
        } else if failing.len() == all {
            format!("urgent: some lookups of names of the cluster fail from every node that asked ({all})")
        } else {
            let nodes: Vec<String> = inside
                .iter()
                .filter(|(_, heard)| heard.wrong.is_some())
                .map(|(source, _)| crate::tries::source_name(source))
                .collect();
            format!(
                "urgent for what runs there: names of the cluster fail from {}, and from {} other nodes they do not",
                nodes.join(", "),
                all - failing.len()
            )
        };
        (row, words)
    } else {
        let failing = outside.values().filter(|heard| heard.wrong.is_some()).count();
        let row = outside.values().find_map(|heard| heard.wrong)?;
        let words = format!(
            "urgent for what needs names outside: they fail from {failing} of {} nodes, and names of the cluster resolve",
            outside.len()
        );
        (row, words)
    };
    Some(Finding::new(
        CHECK.id,
        Severity::Note,
        table.service(),
        words,
        seen(row),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::fixture::{Scene, silence};
    use crate::shown;

    fn words(is_lost: impl Fn(&observation::Lookup) -> bool) -> String {
        let observation = Scene::new().observe(|lookup| is_lost(lookup).then(silence));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Note));
        findings[0].summary.clone()
    }

    #[test]
    fn breadth_decides_how_urgent_it_is() {
        assert!(
            words(|_| true).starts_with("the most urgent kind: names of the cluster fail from every node")
        );
        let one = words(|lookup| lookup.source.node() == Some("node2"));
        assert!(one.contains("fail from node2,"), "{one}");
        let outside = words(|lookup| lookup.class == NameClass::External);
        assert!(
            outside.starts_with("urgent for what needs names outside"),
            "{outside}"
        );
    }

    #[test]
    fn names_that_resolve_pass_and_lookups_that_were_not_made_are_a_gap() {
        shown::passes(&CHECK, &Scene::new().observe(|_| None));
        shown::cannot_tell(&CHECK, &Scene::new().unanswered());
    }
}
