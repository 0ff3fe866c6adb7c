//! Ways to DNS servers that carry nothing.

use report::{Evidence, Finding, Gap, GapReason, Severity, Subject};

use super::place::{Place, locate};
use super::table::{Table, Way, is_own};
use super::{counted, seen};
use crate::shell::word;

/// What cannot be told where DNS servers are not reached: every check of names.
pub(crate) const NAMES: &[&str] = &[
    "dns-res-int",
    "dns-res-svc",
    "dns-res-ext",
    "dns-res-headless",
    "dns-res-srv",
    "dns-res-podname",
    "dns-res-ptr",
    "dns-res-extname",
];

/// A protocol over which nothing comes back on ways on which the other one works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneProtocol {
    pub(crate) id: &'static str,
    pub(crate) tcp: bool,
    pub(crate) severity: Severity,
}

impl OneProtocol {
    pub(crate) fn findings(self, table: &Table<'_>) -> Vec<Finding> {
        let both: Vec<&Way<'_>> = table
            .own_ways(self.tcp)
            .filter(|way| table.twin(way).is_some_and(|twin| !twin.is_silent()))
            .collect();
        let Some(place) = locate(&both, Way::is_silent) else {
            return Vec::new();
        };
        let subjects = place.subjects(table);
        subjects
            .into_iter()
            .filter_map(|subject| self.finding(table, &both, &place, subject))
            .collect()
    }

    fn finding(
        self,
        table: &Table<'_>,
        both: &[&Way<'_>],
        place: &Place,
        subject: Subject,
    ) -> Option<Finding> {
        let (this, other) = if self.tcp { ("TCP", "UDP") } else { ("UDP", "TCP") };
        let here: Vec<&&Way<'_>> = both
            .iter()
            .filter(|way| way.is_silent() && place.has(&subject, way))
            .collect();
        let mut evidence: Vec<Evidence> = here.iter().take(3).map(|way| counted(way)).collect();
        evidence.extend(here.first().and_then(|way| table.twin(way)).map(counted));
        let summary = format!(
            "lookups over {this} are not answered {}; those over {other} are",
            place.words(&subject)
        );
        let mut finding = Finding::new(
            self.id,
            self.severity,
            subject,
            summary,
            evidence.first()?.clone(),
        );
        finding.evidence = evidence;
        finding.hint = Some(format!(
            "allow port 53 over {this} to the DNS pods, and the answers back: see which rule of a node or which policy stops it: \
             `kubectl netcheck diagnose --node-access`"
        ));
        if !self.tcp {
            finding.explains = NAMES.iter().map(|&id| id.to_owned()).collect();
        }
        Some(finding)
    }
}

/// Whether nothing at all is answered over UDP on any way to the cluster's own servers, though over TCP something is: then it says nothing
/// of other servers that UDP does not reach them either.
pub(crate) fn is_udp_lost_everywhere(table: &Table<'_>) -> bool {
    let mut udp = table.own_ways(false).peekable();
    udp.peek().is_some() && udp.all(Way::is_silent) && table.own_ways(true).any(|way| !way.is_silent())
}

/// That nothing can be told of what servers say where none says anything.
pub(crate) fn no_server(table: &Table<'_>) -> Vec<Gap> {
    let mut own = table.ways.iter().filter(|way| is_own(way.server)).peekable();
    let all_silent = own.peek().is_some() && own.all(Way::is_silent);
    let gap = || Gap {
        what: "what DNS servers say".to_owned(),
        why: GapReason::Failed,
        message: "none of them answers anything".to_owned(),
        hint: None,
    };
    all_silent.then(gap).into_iter().collect()
}

/// Ways that carry nothing, over whichever protocol.
pub(crate) fn dead(id: &'static str, table: &Table<'_>) -> Vec<Finding> {
    let is_dead = |way: &Way<'_>| way.is_silent() && table.twin(way).is_none_or(Way::is_silent);
    let all: Vec<&Way<'_>> = table.own_ways(false).collect();
    let Some(place) = locate(&all, is_dead) else {
        return Vec::new();
    };
    let findings = place.subjects(table).into_iter().filter_map(|subject| {
        let here: Vec<&&Way<'_>> = all
            .iter()
            .filter(|way| is_dead(way) && place.has(&subject, way))
            .collect();
        let mut evidence: Vec<Evidence> = here.iter().take(3).map(|way| counted(way)).collect();
        let share = matches!(place, Place::Pods(_)).then(|| failing(table)).flatten();
        evidence.extend(share.clone().map(|(_, evidence)| evidence));
        let well = table
            .rows
            .iter()
            .find(|row| row.is_right() == Some(true) && !table.is_on_silent_way(row.lookup));
        evidence.extend(well.map(seen));
        let told = share.map(|(told, _)| told).unwrap_or_default();
        let summary = match &place {
            Place::Pods(_) => format!(
                "{subject} answers nobody, neither over UDP nor over TCP, and the other DNS pods do{told}"
            ),
            Place::Everywhere => {
                "no DNS server of the cluster answers, neither over UDP nor over TCP".to_owned()
            }
            place => format!(
                "nothing is answered {}, neither over UDP nor over TCP",
                place.words(&subject)
            ),
        };
        let mut finding = Finding::new(
            id,
            Severity::Error,
            subject.clone(),
            summary,
            evidence.first()?.clone(),
        );
        finding.evidence = evidence;
        finding.hint = Some(hint(&place, &subject, &table.service()));
        if !matches!(place, Place::Pods(_)) {
            finding.explains = NAMES.iter().map(|&id| id.to_owned()).collect();
        }
        Some(finding)
    });
    findings.collect()
}

fn hint(place: &Place, subject: &Subject, service: &Subject) -> String {
    let (what, command) = match (place, subject) {
        (Place::Pods(_), Subject::Object { name, namespace, .. }) => (
            "see what it does, and whether packets reach it; a pod that was deleted comes back",
            format!(
                "kubectl logs {} -n {} --tail=50",
                word(name),
                word(namespace.as_deref().unwrap_or_default())
            ),
        ),
        (Place::Service(_), _) => (
            "the pods behind the Service answer, so it is what nodes make of the Service",
            look_at(service),
        ),
        _ => (
            "see whether pods reach other nodes at all, and what stops them",
            "kubectl netcheck diagnose --node-access".to_owned(),
        ),
    };
    format!("{what}: `{command}`")
}

/// The command that looks at the DNS Service from all sides.
fn look_at(service: &Subject) -> String {
    match service {
        Subject::Object {
            name,
            namespace: Some(namespace),
            ..
        } => format!(
            "kubectl epcheck svc {} -n {} --node-access",
            word(name),
            word(namespace)
        ),
        _ => "kubectl epcheck scan -A".to_owned(),
    }
}

/// Which share of the questions to the DNS Service fails, as words behind a sentence and as evidence.
fn failing(table: &Table<'_>) -> Option<(String, Evidence)> {
    let by_service = table
        .own_ways(false)
        .filter(|way| *way.server == observation::LookupServer::Service);
    let (mut asked, mut lost, mut address) = (0, 0, None);
    for way in by_service {
        asked += way.asked;
        lost += way.lost;
        address = Some(way.address);
    }
    let address = address?;
    if lost == 0 {
        return None;
    }
    let share = 100 * lost / asked.max(1);
    Some((
        format!(": {share}% of the lookups through the Service fail"),
        Evidence::probe(
            format!("{lost} of {asked} lookups through the Service have no answer at first"),
            format!("dns → {address}"),
        ),
    ))
}
