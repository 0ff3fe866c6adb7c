use report::{Evidence, Finding, Observed, Severity, Subject};

use super::place::{Place, locate, pod_of, sources};
use super::silence::NAMES;
use super::table::{Table, Way};
use super::{counted, judged, silence};
use crate::check::{Check, Judgement, Need};
use crate::node::rise::tracked;
use crate::view::View;

/// Lookups over UDP of which the question or the answer is lost: a resolver asks again after 5 s (glibc) or 2.5 s (musl), and until then
/// its program waits.
pub(crate) static CHECK: Check = Check {
    id: "dns-5s",
    claim: "no lookup over UDP is lost, which makes programs wait for seconds",
    needs: &[Need::Lookups],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| Judgement {
        findings: findings(view, table),
        gaps: silence::no_server(table),
        ..Judgement::default()
    })
}

fn findings(view: &View<'_>, table: &Table<'_>) -> Vec<Finding> {
    let is_pod = |way: &&Way<'_>| pod_of(way.server).is_some();
    // Where a pod answers nobody, what the Service leads to it is lost, and that is said of the pod.
    let has_dead_pod = table.own_ways(false).any(|way| is_pod(&way) && way.is_silent());
    let all: Vec<&Way<'_>> = table
        .own_ways(false)
        .filter(|way| !way.is_silent() && (!has_dead_pod || is_pod(way)))
        .collect();
    let Some(place) = locate(&all, Way::is_lossy) else {
        return Vec::new();
    };
    let subjects = place.subjects(table).into_iter();
    subjects
        .filter_map(|subject| finding(view, table, &all, &place, subject))
        .collect()
}

fn finding(
    view: &View<'_>,
    table: &Table<'_>,
    all: &[&Way<'_>],
    place: &Place,
    subject: Subject,
) -> Option<Finding> {
    let here: Vec<&Way<'_>> = all
        .iter()
        .filter(|way| way.is_lossy() && place.has(&subject, way))
        .copied()
        .collect();
    let (asked, lost) = here
        .iter()
        .fold((0, 0), |(asked, lost), way| (asked + way.asked, lost + way.lost));
    let mut evidence: Vec<Evidence> = here.iter().take(4).map(|way| counted(way)).collect();
    let clean = all.iter().find(|way| way.lost == 0);
    evidence.extend(clean.map(|way| counted(way)));
    let over_tcp = here
        .iter()
        .filter_map(|way| table.twin(way))
        .find(|way| way.lost == 0);
    evidence.extend(over_tcp.map(counted));
    let races = races(view);
    evidence.extend(races.iter().map(|(_, evidence)| evidence.clone()));
    let why = if races.is_empty() {
        ""
    } else {
        "; nodes count connections that could not be tracked meanwhile, which loses one of two questions that a resolver sends at once"
    };
    let place = match place {
        Place::Everywhere => format!("from {} nodes", sources(&here).len()),
        place => place.words(&subject),
    };
    let summary = format!(
        "{lost} of {asked} lookups over UDP are lost {place}: for each a program waits 5 s (glibc) or 2.5 s (musl){why}"
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        summary,
        evidence.first()?.clone(),
    );
    finding.evidence = evidence;
    finding.hint = Some(
        "find what drops them: a rule of a node, a full queue, the way between two nodes; a cache on each node takes lookups off that way: \
         `kubectl netcheck diagnose --node-access`"
            .to_owned(),
    );
    // What is lost now and then makes single names fail too.
    finding.explains = NAMES
        .iter()
        .map(|&id| id.to_owned())
        .chain(["dns-lat".to_owned()])
        .collect();
    Some(finding)
}

/// Nodes whose count of connections that could not be inserted rose while lookups were made.
fn races(view: &View<'_>) -> Vec<(String, Evidence)> {
    let nodes = view.observation.node_evidence.iter();
    nodes
        .filter_map(|(node, evidence)| {
            let Observed::Seen(evidence) = evidence else {
                return None;
            };
            let rise = *tracked(node, evidence, "insert_failed").seen()?;
            let fact =
                format!("{rise} connections could not be tracked (insert_failed) while lookups were made");
            let command = crate::shell::on_node(node, &["cat /proc/net/stat/nf_conntrack"]);
            (rise > 0).then(|| (node.clone(), Evidence::command(fact, command)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::lookups::fixture::{Scene, is_pod, silence, unanswered};
    use crate::shown;

    #[test]
    fn answers_that_are_lost_on_the_way_to_a_node_are_that_nodes_matter() {
        let turn = Cell::new(0);
        let observation = Scene::new().observe(|lookup| {
            if lookup.is_tcp() || lookup.source.node() != Some("node1") {
                return None;
            }
            turn.set(turn.get() + 1);
            (turn.get() % 2 == 0).then(silence)
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].subject, Subject::node("node1"));
    }

    #[test]
    fn what_is_lost_because_one_pod_is_dead_is_no_loss() {
        let turn = Cell::new(0);
        let observation = Scene::new().observe(|lookup| {
            turn.set(turn.get() + 1);
            let to_dead = lookup.server == observation::LookupServer::Service && turn.get() % 2 == 0;
            (is_pod(lookup, "coredns-2") || (to_dead && !lookup.is_tcp())).then(silence)
        });
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn a_single_lost_datagram_is_no_finding() {
        let turn = Cell::new(0);
        let observation = Scene::new().observe(|lookup| {
            turn.set(turn.get() + 1);
            (turn.get() == 3 && !lookup.is_tcp()).then(silence)
        });
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn where_nothing_is_answered_nothing_is_known_of_loss() {
        shown::cannot_tell(&CHECK, &unanswered());
        shown::cannot_tell(&CHECK, &Scene::new().observe(|_| Some(silence())));
    }
}
