//! To whom connections to Services went, side by side.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use observation::{EndpointSlice, Spread, SpreadPort};
use report::{Observed, Table};

use super::words::count;
use crate::view::View;

/// More nodes than this are shown together only.
const NODES: usize = 6;
/// So many endpoints are shown at most: those with the most connections, and those with the fewest.
const ROWS: usize = 24;

/// A table for each port of each Service that was connected to.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let Some(Spread { ports, .. }) = &view.observation.spread else {
        return Vec::new();
    };
    let backends = view.observation.backends.as_deref();
    let slices = backends.and_then(|backends| backends.slices.seen());
    let slices = slices.map_or(&[][..], Vec::as_slice);
    ports.iter().map(|port| table(port, slices)).collect()
}

fn table(port: &SpreadPort, slices: &[EndpointSlice]) -> Table {
    let name = if port.port.is_empty() {
        port.address.to_string()
    } else {
        format!("{} ({})", port.address, port.port)
    };
    let nodes: Vec<&String> = port.from.keys().collect();
    let shown: &[&String] = if nodes.len() <= NODES { &nodes } else { &[] };
    let mut columns = vec!["endpoint"];
    columns.extend(shown.iter().map(|node| node.as_str()));
    columns.extend(["all", "share"]);
    let title = format!(
        "connections to service/{} -n {}, {name}",
        port.service, port.namespace
    );
    let mut table = Table::new(title, &columns);

    let mut of: BTreeMap<SocketAddr, BTreeMap<&str, u32>> = BTreeMap::new();
    for address in endpoints(port, slices) {
        of.entry(address).or_default();
    }
    for (node, from) in &port.from {
        for to in from.seen().into_iter().flat_map(|from| &from.to) {
            *of.entry(to.endpoint).or_default().entry(node).or_default() += to.connections;
        }
    }
    let sum = |counts: &BTreeMap<&str, u32>| counts.values().sum::<u32>();
    let all: u32 = of.values().map(sum).sum();
    let mut rows: Vec<(SocketAddr, BTreeMap<&str, u32>)> = of.into_iter().collect();
    rows.sort_by_key(|(address, counts)| (std::cmp::Reverse(sum(counts)), *address));
    let left_out = rows.len().saturating_sub(ROWS);
    if left_out > 0 {
        rows.drain(ROWS / 2..ROWS / 2 + left_out);
    }
    for (address, counts) in rows {
        let mut row = vec![Some(shown_as(address, port, slices))];
        row.extend(shown.iter().map(|node| match port.from[*node] {
            Observed::Seen(_) => Some(counts.get(node.as_str()).copied().unwrap_or_default().to_string()),
            Observed::Unseen(_) => None,
        }));
        let own = sum(&counts);
        row.push(Some(own.to_string()));
        row.push((all > 0).then(|| format!("{} %", (own * 100 + all / 2) / all)));
        table.rows.push(row);
    }
    if left_out > 0 {
        let mut row = vec![Some(format!("{} between", count(left_out, "endpoint")))];
        row.extend(std::iter::repeat_n(Some("-".to_owned()), table.columns.len() - 1));
        table.rows.push(row);
    }
    table
}

/// The ready endpoints that slices have for the port: one that nobody came to has a row too.
fn endpoints(port: &SpreadPort, slices: &[EndpointSlice]) -> Vec<SocketAddr> {
    let mut all = Vec::new();
    for slice in of_service(port, slices) {
        let number = slice
            .ports
            .iter()
            .find(|it| it.name == port.port)
            .and_then(|it| it.port);
        let ready = slice.endpoints.iter().filter(|endpoint| endpoint.ready);
        let addresses =
            ready.filter_map(|endpoint| Some(SocketAddr::new(*endpoint.addresses.first()?, number?)));
        all.extend(addresses.filter(|address| address.is_ipv4() == port.address.is_ipv4()));
    }
    all
}

fn of_service<'a>(port: &SpreadPort, slices: &'a [EndpointSlice]) -> impl Iterator<Item = &'a EndpointSlice> {
    let (namespace, service) = (port.namespace.clone(), port.service.clone());
    slices
        .iter()
        .filter(move |it| it.namespace == namespace && it.service.as_deref() == Some(&service))
}

/// `pod/web-1 on node2`, else the address.
fn shown_as(address: SocketAddr, port: &SpreadPort, slices: &[EndpointSlice]) -> String {
    let mut endpoints = of_service(port, slices).flat_map(|slice| &slice.endpoints);
    let endpoint = endpoints.find(|endpoint| endpoint.addresses.first() == Some(&address.ip()));
    match endpoint.and_then(|endpoint| Some((endpoint.pod.as_ref()?, endpoint.node.as_ref()?))) {
        Some((pod, node)) => format!("pod/{pod} on {node}"),
        None => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use observation::{Endpoint, SlicePort, SpreadFrom, SpreadTo};
    use report::{Gap, GapReason};

    use super::*;

    fn slices() -> Vec<EndpointSlice> {
        let endpoint = |number: u8| Endpoint {
            addresses: vec![[10, 244, number, 1].into()],
            ready: true,
            node: Some(format!("node{number}")),
            pod: Some(format!("web-{number}")),
            ..Endpoint::default()
        };
        vec![EndpointSlice {
            name: "web-1".into(),
            namespace: "shop".into(),
            service: Some("web".into()),
            ports: vec![SlicePort {
                name: "http".into(),
                protocol: "TCP".into(),
                port: Some(8080),
            }],
            endpoints: (1..=2).map(endpoint).collect(),
            ..EndpointSlice::default()
        }]
    }

    #[test]
    fn who_got_nothing_has_a_row_and_what_was_not_seen_no_number() {
        let seen = Observed::Seen(SpreadFrom {
            made: 10,
            to: vec![SpreadTo {
                endpoint: ([10, 244, 1, 1], 8080).into(),
                connections: 10,
            }],
        });
        let unseen = Observed::Unseen(Gap {
            what: "connections".into(),
            why: GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        let port = SpreadPort {
            namespace: "shop".into(),
            service: "web".into(),
            port: "http".into(),
            address: ([10, 96, 0, 7], 80).into(),
            from: BTreeMap::from([("node1".into(), seen), ("node2".into(), unseen)]),
        };
        let table = table(&port, &slices());
        assert_eq!(
            table.title,
            "connections to service/web -n shop, 10.96.0.7:80 (http)"
        );
        assert_eq!(table.columns, ["endpoint", "node1", "node2", "all", "share"]);
        let text = |cells: [Option<&str>; 5]| cells.map(|cell| cell.map(str::to_owned)).to_vec();
        assert_eq!(
            table.rows,
            [
                text([
                    Some("pod/web-1 on node1"),
                    Some("10"),
                    None,
                    Some("10"),
                    Some("100 %")
                ]),
                text([
                    Some("pod/web-2 on node2"),
                    Some("0"),
                    None,
                    Some("0"),
                    Some("0 %")
                ]),
            ]
        );
    }
}
