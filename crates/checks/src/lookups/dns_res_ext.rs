use observation::{LookupServer, NameClass};
use report::{Evidence, Finding, Severity};

use super::names::{rows_of, wrong};
use super::silence::no_server;
use super::table::{REFUSED, State, Table};
use super::{judged, seen};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Names outside of the cluster; and names that nothing has, below the domains in which nodes search.
pub(crate) static CHECK: Check = Check {
    id: "dns-res-ext",
    claim: "names outside of the cluster resolve, and those that nothing has do not",
    needs: &[Need::Lookups],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| Judgement {
        findings: outside(table).into_iter().chain(traps(table)).collect(),
        gaps: no_server(table),
        ..Judgement::default()
    })
}

fn outside(table: &Table<'_>) -> Option<Finding> {
    let wrong = wrong(table, &[NameClass::External]);
    let (_, first) = wrong.first_key_value()?;
    // Where nothing is passed on, that may be meant: no names outside are known in a cluster without a way out.
    let is_refused = wrong
        .values()
        .all(|wrong| matches!(&wrong.telling.state, State::Said(reply) if reply.rcode == REFUSED));
    let severity = if is_refused || passes_nothing_on(table) {
        Severity::Warning
    } else {
        Severity::Error
    };
    let mut evidence: Vec<Evidence> = wrong.values().take(2).map(|wrong| seen(wrong.telling)).collect();
    let inside = rows_of(table, &[NameClass::Internal]).find(|row| row.is_right() == Some(true));
    evidence.extend(inside.map(seen));
    let name = match first.telling.lookup.name() {
        "." => "whether anybody outside answers (the name servers of the root)".to_owned(),
        name => format!("the name {name} outside"),
    };
    let known = if inside.is_some() {
        "; names of the cluster resolve"
    } else {
        ""
    };
    let summary = format!("{name}: DNS {}{known}", first.telling.words());
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        table.service(),
        summary,
        evidence.first()?.clone(),
    );
    finding.evidence = evidence;
    finding.hint = Some(
        "see whether the servers that CoreDNS passes names on to answer from the nodes of its pods: `kubectl dnscheck upstream`".to_owned(),
    );
    finding.explains = vec!["dns-res-extname".to_owned()];
    Some(finding)
}

/// Whether no server was found that names outside are passed on to, though it was looked for: CoreDNS without one answers `SERVFAIL`.
fn passes_nothing_on(table: &Table<'_>) -> bool {
    let is_upstream = |server: &LookupServer| matches!(server, LookupServer::Upstream { .. });
    let mut lookups = table.rows.iter().map(|row| row.lookup);
    table.asks_for_everything()
        && table.lookups.upstreams_unread.is_empty()
        && !lookups.any(|lookup| is_upstream(&lookup.server))
}

/// Domains in which every name is found: whoever searches there finds a wrong address for each name that is not found before.
fn traps(table: &Table<'_>) -> Option<Finding> {
    let trapped: Vec<_> = table
        .rows
        .iter()
        .filter(|row| row.lookup.class == NameClass::Searched && !matches!(row.lookup.server, LookupServer::Upstream { .. }))
        .filter(|row| matches!(&row.state, State::Said(reply) if reply.rcode == 0 && !reply.addresses().is_empty()))
        .collect();
    let first = trapped.first()?;
    let domain = first.lookup.name().split_once('.').map_or("", |(_, rest)| rest);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        table.service(),
        format!(
            "nodes search in {domain}, where every name is found: a name that is not found before leads to a wrong address"
        ),
        seen(first),
    );
    finding
        .evidence
        .extend(trapped.iter().skip(1).take(2).map(|row| seen(row)));
    finding.hint = Some(
        "take the domain out of the nodes' search list, or the wildcard out of its zone; names with a final dot are not searched for"
            .to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::fixture::{Scene, dns, silence, unanswered};
    use crate::shown;

    #[test]
    fn a_failure_for_names_outside_is_an_error_beside_names_of_the_cluster_that_resolve() {
        let mut scene = Scene::new();
        scene.upstreams = vec![[192, 0, 2, 53]];
        for outcome in [dns(2, &[]), silence()] {
            let observation =
                scene.observe(|lookup| (lookup.class == NameClass::External).then(|| outcome.clone()));
            let findings = shown::finds(&CHECK, &observation);
            assert_eq!(findings[0].severity, Severity::Error);
            assert!(findings[0].summary.contains("names of the cluster resolve"));
        }
    }

    #[test]
    fn names_that_are_not_passed_on_may_be_meant_so() {
        // Without a server to pass names on to, CoreDNS says that it failed.
        for code in [2, 5] {
            let observation =
                Scene::new().observe(|lookup| (lookup.class == NameClass::External).then(|| dns(code, &[])));
            assert_eq!(shown::finds(&CHECK, &observation)[0].severity, Severity::Warning);
        }
    }

    #[test]
    fn a_domain_that_has_every_name_is_a_trap() {
        let mut scene = Scene::new();
        scene.search = vec!["corp.example".into()];
        let observation =
            scene.observe(|lookup| (lookup.class == NameClass::Searched).then(|| dns(0, &[[192, 0, 2, 1]])));
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings[0].summary.contains("corp.example."),
            "{}",
            findings[0].summary
        );
        shown::passes(&CHECK, &scene.observe(|_| None));
    }

    #[test]
    fn what_is_answered_passes_and_what_was_not_asked_is_a_gap() {
        shown::passes(&CHECK, &Scene::new().observe(|_| None));
        shown::cannot_tell(&CHECK, &unanswered());
        shown::cannot_tell(&CHECK, &Scene::new().observe(|_| Some(silence())));
    }
}
