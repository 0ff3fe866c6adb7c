//! A fault as a report tells it.

use std::collections::BTreeMap;

use report::{Evidence, FailureClass, Localisation, Protocol, Scope, Severity};

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

/// How many cells of each protocol do not work and how, then an example of each.
fn evidence(view: &View<'_>, fault: &Fault) -> Vec<Evidence> {
    let mut counts = Vec::new();
    let mut examples = Vec::new();
    let families: Vec<String> = fault.families.iter().map(ToString::to_string).collect();
    for protocol in &fault.protocols {
        let cells: Vec<(&Key<'_>, &Entry<'_>)> = cells(view, fault, *protocol).collect();
        let failing = cells
            .iter()
            .filter_map(|(key, entry)| Some((key, entry, entry.state.failure()?)));
        let mut classes: BTreeMap<FailureClass, usize> = BTreeMap::new();
        let mut first = None;
        for (key, entry, failure) in failing {
            *classes.entry(failure.class).or_default() += 1;
            first.get_or_insert((key, entry, failure));
        }
        let failed: usize = classes.values().sum();
        let how: Vec<&str> = classes.keys().map(|class| class.short()).collect();
        if let Some((key, entry, failure)) = first {
            counts.push(format!(
                "{} {failed} of {} ({})",
                protocol.short(),
                cells.len(),
                how.join(", ")
            ));
            let share = share(&entry.state);
            examples.push(Evidence::probe(
                format!("{share}{}", failure.detail),
                probe(view, key, entry),
            ));
        }
    }
    let scope = match &fault.scope {
        Scope::SameNode { .. } | Scope::OneWay { .. } => "this pair".to_owned(),
        _ => format!("{} ordered pairs", fault.pairs.len()),
    };
    let mut evidence = vec![Evidence::probe(
        format!("probes that fail: {}", counts.join("; ")),
        format!("{scope}, {}", families.join(" and ")),
    )];
    evidence.extend(examples);
    evidence
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

/// A probe as a reader finds it again: `udp node1 → node3, 10.244.1.4 → 10.244.3.7:4242`.
fn probe(view: &View<'_>, key: &Key<'_>, entry: &Entry<'_>) -> String {
    let mesh = view.observation.mesh.as_ref();
    let port = mesh.and_then(|mesh| match key.protocol {
        Protocol::Tcp | Protocol::Bulk => Some(mesh.tcp_port),
        Protocol::Udp => Some(mesh.udp_port),
        Protocol::Icmp => None,
    });
    let target = match port {
        Some(port) => std::net::SocketAddr::new(entry.cell.address, port).to_string(),
        None => entry.cell.address.to_string(),
    };
    let own = view.pods().get(key.source).and_then(|pod| {
        pod.addresses
            .iter()
            .find(|address| address.is_ipv4() == entry.cell.address.is_ipv4())
            .copied()
    });
    let own = own.map(|own| format!("{own} → ")).unwrap_or_default();
    format!(
        "{} {} → {}, {own}{target}",
        key.protocol.short(),
        key.source,
        key.target
    )
}
