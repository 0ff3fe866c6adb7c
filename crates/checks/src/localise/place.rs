//! A fault as a report tells it.

use std::collections::BTreeSet;

use report::{Evidence, FailureClass, Localisation, Protocol, Severity};

use super::Fault;
use super::direction::direction;
use super::look::look_next;
use super::sentence::sentence;
use super::works::still_works;
use crate::view::{Entry, Key, View};

/// The check whose claim the fault breaks first: the one about the layer at which it lies.
pub(crate) fn deciding_check(fault: &Fault) -> &'static str {
    let has = |protocol| fault.protocols.contains(&protocol);
    match (has(Protocol::Tcp), has(Protocol::Udp), has(Protocol::Bulk)) {
        (true, true, _) => "net-mesh",
        (true, false, _) => "net-p2p-tcp",
        (false, true, _) => "net-p2p-udp",
        (false, false, true) => "net-mtu",
        (false, false, false) => "net-p2p-icmp",
    }
}

/// The further checks whose claims do not hold because of the fault.
pub(crate) fn explained_checks(fault: &Fault) -> Vec<String> {
    let deciding = deciding_check(fault);
    let of = |protocol: &Protocol| match protocol {
        Protocol::Tcp => "net-p2p-tcp",
        Protocol::Udp => "net-p2p-udp",
        Protocol::Bulk => "net-mtu",
        Protocol::Icmp => "net-p2p-icmp",
    };
    fault
        .protocols
        .iter()
        .map(of)
        .filter(|id| *id != deciding)
        .map(str::to_owned)
        .collect()
}

/// The fault with its sentence, its evidence, what excludes other causes, and where to look.
pub(crate) fn place(view: &View<'_>, fault: &Fault) -> Localisation {
    Localisation {
        scope: fault.scope.clone(),
        severity: fault.severity,
        protocols: fault.protocols.iter().copied().collect(),
        families: fault.families.iter().copied().collect(),
        direction: direction(view, fault),
        check: deciding_check(fault).to_owned(),
        subject: fault.scope.subject(),
        sentence: sentence(view, fault),
        still_works: still_works(view, fault),
        look_next: if fault.severity == Severity::Note {
            Vec::new()
        } else {
            look_next(view, fault)
        },
        evidence: evidence(view, fault),
    }
}

/// How many cells of each protocol do not work and how, then an example of each way in which they do not.
fn evidence(view: &View<'_>, fault: &Fault) -> Vec<Evidence> {
    let mut counts: Vec<(Vec<Protocol>, String)> = Vec::new();
    let mut examples: Vec<(Vec<Protocol>, &Key<'_>, &Entry<'_>, String)> = Vec::new();
    for protocol in &fault.protocols {
        let cells: Vec<(&Key<'_>, &Entry<'_>)> = cells(view, fault, *protocol).collect();
        let failing = cells
            .iter()
            .filter_map(|(key, entry)| Some((*key, *entry, entry.state.failure()?)));
        let failing: Vec<_> = failing.collect();
        // The example is the failure that says most, not the first: silence says least.
        let Some((key, entry, failure)) = failing
            .iter()
            .copied()
            .min_by_key(|(_, _, failure)| failure.class == FailureClass::Timeout)
        else {
            continue;
        };
        let classes: BTreeSet<FailureClass> = failing.iter().map(|(_, _, failure)| failure.class).collect();
        let how: Vec<&str> = classes.iter().map(|class| class.short()).collect();
        let count = format!("{} of {} ({})", failing.len(), cells.len(), how.join(", "));
        match counts.iter_mut().find(|(_, same)| *same == count) {
            Some((protocols, _)) => protocols.push(*protocol),
            None => counts.push((vec![*protocol], count)),
        }
        let detail = format!("{}{}", share(&entry.state), failure.detail);
        let same = examples.iter_mut().find(|(_, other, _, same)| {
            (other.source, other.target, other.family) == (key.source, key.target, key.family)
                && *same == detail
        });
        match same {
            Some((protocols, ..)) => protocols.push(*protocol),
            None => examples.push((vec![*protocol], key, entry, detail)),
        }
    }
    let scope = match fault.pairs.len() {
        1 => "this pair".to_owned(),
        many => format!("{many} ordered pairs"),
    };
    let families: Vec<String> = fault.families.iter().map(ToString::to_string).collect();
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(protocols, count)| format!("{} fail {count}", list(&protocols)))
        .collect();
    let mut evidence = vec![Evidence::probe(
        counts.join("; "),
        format!("{scope}, {}", families.join(" and ")),
    )];
    evidence.extend(
        examples.into_iter().map(|(protocols, key, entry, detail)| {
            Evidence::probe(detail, probe(view, &protocols, key, entry))
        }),
    );
    evidence
}

fn list(protocols: &[Protocol]) -> String {
    let names: Vec<&str> = protocols.iter().map(|protocol| protocol.short()).collect();
    names.join(", ")
}

fn share(state: &report::CellState) -> String {
    match state {
        report::CellState::Flaky {
            answered, samples, ..
        } => format!("{answered} of {samples} answered, then "),
        report::CellState::Ok { .. }
        | report::CellState::Failed { .. }
        | report::CellState::Unknown { .. } => String::new(),
    }
}

/// The cells that the fault is about. For bulk data a pair is a direction, and whichever end began may show it.
fn cells<'v, 'a>(
    view: &'v View<'a>,
    fault: &'v Fault,
    protocol: Protocol,
) -> impl Iterator<Item = (&'v Key<'a>, &'v Entry<'a>)> {
    view.entries.iter().filter(move |(key, entry)| {
        let there = (key.source.to_owned(), key.target.to_owned());
        let back = (key.target.to_owned(), key.source.to_owned());
        key.protocol == protocol
            && fault.families.contains(&key.family)
            && (fault.pairs.contains(&there)
                || (protocol == Protocol::Bulk && entry.state.is_failed() && fault.pairs.contains(&back)))
    })
}

/// Probes as a reader finds them again: `tcp, udp node1 → node3, 10.244.1.4 → 10.244.3.7`.
fn probe(view: &View<'_>, protocols: &[Protocol], key: &Key<'_>, entry: &Entry<'_>) -> String {
    let target = entry.cell.address;
    let own = view.pods().get(key.source).and_then(|pod| {
        pod.addresses
            .iter()
            .find(|address| address.is_ipv4() == target.is_ipv4())
            .copied()
    });
    let own = own.map(|own| format!("{own} → ")).unwrap_or_default();
    format!(
        "{} {} → {}, {own}{target}",
        list(protocols),
        key.source,
        key.target
    )
}
