//! Lookups as a report shows them.

use std::collections::{BTreeMap, BTreeSet};

use observation::{LookupServer, NameClass};
use report::{Table as Printed, Verdict};

use super::series::{Figures, SCALE, floor, histogram, series, time, together};
use super::table::{Row, State, Table, is_of_cluster, is_own, type_name};
use crate::view::View;

/// What was asked, and what came of it.
pub(crate) fn tables(view: &View<'_>) -> Vec<Printed> {
    let Some(table) = &view.lookups else {
        return Vec::new();
    };
    let mut all = vec![servers(table)];
    all.push(names(table));
    all.push(latency(table));
    all.push(latency_by_node(table));
    all.retain(|table| !table.rows.is_empty());
    all
}

fn protocol(tcp: bool) -> &'static str {
    if tcp { "TCP" } else { "UDP" }
}

fn is_other(class: NameClass) -> bool {
    matches!(
        class,
        NameClass::External | NameClass::ExternalName | NameClass::Searched | NameClass::Uncached
    )
}

/// Each server over each protocol.
fn servers(table: &Table<'_>) -> Printed {
    let mut printed = Printed::new(
        "DNS servers",
        &[
            "server",
            "address",
            "over",
            "from",
            "answered",
            "as expected",
            "median",
            "slowest",
        ],
    );
    let mut rows: BTreeMap<(&LookupServer, std::net::SocketAddr, bool), Vec<&Row<'_>>> = BTreeMap::new();
    for row in table.rows.iter().filter(|row| !row.lookup.measured) {
        let key = (&row.lookup.server, row.lookup.address, row.lookup.is_tcp());
        rows.entry(key).or_default().push(row);
    }
    for ((server, address, tcp), rows) in rows {
        let known: Vec<&&Row<'_>> = rows.iter().filter(|row| row.is_right().is_some()).collect();
        let answered = known.iter().filter(|row| matches!(row.state, State::Said(_)));
        let right = known.iter().filter(|row| row.is_right() == Some(true)).count();
        // How long a name outside takes says more of others than of the server.
        let mut times: Vec<u64> = rows
            .iter()
            .filter(|row| !(is_own(server) && is_other(row.lookup.class)))
            .flat_map(|row| &row.lookup.samples)
            .filter_map(|sample| sample.outcome.rtt_us())
            .collect();
        times.sort_unstable();
        let from: BTreeSet<String> = rows
            .iter()
            .map(|row| crate::tries::source_name(&row.lookup.source))
            .collect();
        let from = match from.len() {
            1..=3 => from.into_iter().collect::<Vec<_>>().join(", "),
            many => format!("{many} nodes"),
        };
        let of = |count: usize| (!known.is_empty()).then(|| format!("{count}/{}", known.len()));
        printed.rows.push(vec![
            Some(title(server)),
            Some(address.to_string()),
            Some(protocol(tcp).to_owned()),
            Some(from),
            of(answered.count()),
            of(right),
            times.get(times.len() / 2).copied().map(time),
            times.last().copied().map(time),
        ]);
    }
    printed
}

fn title(server: &LookupServer) -> String {
    match server {
        LookupServer::Service => "Service".to_owned(),
        LookupServer::Pod { name, .. } => format!("pod/{name}"),
        LookupServer::NodeLocal => "cache on the node".to_owned(),
        LookupServer::Upstream { zone, .. } if zone == "." => "upstream".to_owned(),
        LookupServer::Upstream { zone, .. } => format!("upstream of {zone}"),
        LookupServer::Given => "given".to_owned(),
    }
}

/// Each name, and what it is answered by all servers of the cluster together.
fn names(table: &Table<'_>) -> Printed {
    let mut printed = Printed::new("names", &["name", "type", "kind", "as expected", "answer"]);
    let mut rows: Vec<((&str, u16), Vec<&Row<'_>>)> = Vec::new();
    for row in &table.rows {
        let lookup = row.lookup;
        if lookup.measured || matches!(lookup.server, LookupServer::Upstream { .. }) {
            continue;
        }
        let question = (lookup.name(), lookup.qtype());
        match rows.iter_mut().find(|(known, _)| *known == question) {
            Some((_, rows)) => rows.push(row),
            None => rows.push((question, vec![row])),
        }
    }
    for ((name, qtype), rows) in rows {
        let known = rows.iter().filter(|row| row.is_right().is_some()).count();
        let right = rows.iter().filter(|row| row.is_right() == Some(true)).count();
        let answers: BTreeSet<String> = rows
            .iter()
            .filter(|row| row.is_right().is_some())
            .map(|row| row.answer().unwrap_or_else(|| row.words()))
            .collect();
        let answers: Vec<String> = answers.into_iter().collect();
        let class = rows.first().map(|row| row.lookup.class.name().to_owned());
        printed.rows.push(vec![
            Some(name.to_owned()),
            Some(type_name(qtype)),
            class,
            (known > 0).then(|| format!("{right}/{known}")),
            (!answers.is_empty()).then(|| answers.join("; ")),
        ]);
    }
    printed
}

const FIGURES: [&str; 7] = ["lookups", "lost", "p50", "p95", "p99", "slowest", SCALE];

fn figures(figures: &Figures) -> impl Iterator<Item = Option<String>> {
    let at = |percent| figures.percentile(percent).map(time);
    [
        Some(figures.asked.to_string()),
        Some(figures.lost().to_string()),
        at(50),
        at(95),
        at(99),
        at(100),
        Some(histogram(&figures.times)),
    ]
    .into_iter()
}

/// What was measured, by kind of name.
fn latency(table: &Table<'_>) -> Printed {
    let columns: Vec<&str> = ["server", "over", "names"].into_iter().chain(FIGURES).collect();
    let mut printed = Printed::new("latency", &columns);
    let all = together(&series(table), |of| Some((of.server, of.tcp, of.class)));
    for ((server, tcp, class), of) in &all {
        let head = [title(server), protocol(*tcp).to_owned(), class.name().to_owned()];
        printed
            .rows
            .push(head.into_iter().map(Some).chain(figures(of)).collect());
    }
    if let Some(of) = floor(table) {
        let head = ["the prober itself", protocol(false), "-"].map(str::to_owned);
        printed
            .rows
            .push(head.into_iter().map(Some).chain(figures(&of)).collect());
    }
    printed
}

/// What was measured of names of the cluster over UDP, by who asked.
fn latency_by_node(table: &Table<'_>) -> Printed {
    let columns: Vec<&str> = ["server", "from"].into_iter().chain(FIGURES).collect();
    let mut printed = Printed::new("latency of names of the cluster, by node", &columns);
    let all = together(&series(table), |of| {
        (!of.tcp && is_of_cluster(of.class)).then_some((of.server, of.source))
    });
    for ((server, source), of) in &all {
        let head = [title(server), crate::tries::source_name(source)];
        printed
            .rows
            .push(head.into_iter().map(Some).chain(figures(of)).collect());
    }
    printed
}

/// The answer where lookups were all that was asked for; `None` where findings say it.
pub(crate) fn answer(view: &View<'_>, verdict: Verdict, warnings: &str) -> Option<String> {
    let table = view.lookups.as_ref()?;
    match verdict {
        Verdict::Fail => None,
        Verdict::Warn => Some(format!("{}, but {warnings}", healthy(table))),
        Verdict::Pass => Some(healthy(table)),
        Verdict::Unknown if table.rows.iter().all(|row| matches!(row.state, State::Unasked)) => {
            Some("no DNS server could be asked".to_owned())
        }
        Verdict::Unknown => Some(format!("{}, but not all could be seen", healthy(table))),
        Verdict::Skipped => Some("nothing was asked".to_owned()),
    }
}

fn healthy(table: &Table<'_>) -> String {
    if table.lookups.pace.is_some() {
        return measured(table);
    }
    let names: BTreeSet<&str> = table.rows.iter().map(|row| row.lookup.name()).collect();
    let nodes: BTreeSet<String> = table
        .rows
        .iter()
        .map(|row| crate::tries::source_name(&row.lookup.source))
        .collect();
    let is_pod = |row: &&Row<'_>| matches!(row.lookup.server, LookupServer::Pod { .. });
    let pods: BTreeSet<&LookupServer> = table
        .rows
        .iter()
        .filter(is_pod)
        .map(|row| &row.lookup.server)
        .collect();
    let known: Vec<&Row<'_>> = table.rows.iter().filter(|row| row.is_right().is_some()).collect();
    let right = known.iter().filter(|row| row.is_right() == Some(true)).count();
    let servers = match pods.len() {
        0 => String::new(),
        1 => ", at 1 DNS pod".to_owned(),
        many => format!(", at {many} DNS pods"),
    };
    let from = match nodes.len() {
        1 => nodes.into_iter().collect::<String>(),
        many => format!("{many} nodes"),
    };
    format!(
        "{right} of {} lookups of {} names came out as expected, from {from}{servers}",
        known.len(),
        names.len()
    )
}

fn measured(table: &Table<'_>) -> String {
    let series = series(table);
    let total = |is: &dyn Fn(bool) -> bool| {
        let kind = together(&series, |of| is(is_of_cluster(of.class)).then_some(()));
        kind.into_values().next().unwrap_or_default()
    };
    let (all, inside) = (total(&|_| true), total(&|is_inside| is_inside));
    let at = |percent| inside.percentile(percent).map_or("?".to_owned(), time);
    let own = floor(table).and_then(|floor| Some((floor.percentile(50)?, floor.percentile(99)?)));
    let own = own.map_or(String::new(), |(half, most)| {
        format!(
            " (of which the prober's own are up to {} and {})",
            time(half),
            time(most)
        )
    });
    format!(
        "{} lookups, {} lost; of those for names of the cluster half were answered within {}, 99% within {}{own}",
        all.asked,
        all.lost(),
        at(50),
        at(99)
    )
}
