use observation::{Link, Node, NodeReads, Observation};
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity};

use super::flow::{FlowEnd, PathFlow};
use crate::check::{Check, Judgement, Need};
use crate::shell::{on_node, word};
use crate::view::View;

/// Commands that capture a flow at both of its ends: where a pod's packets come to its node, and where they leave it. Both the pod's
/// addresses and that of the Service are asked for, because which of them is on the wire depends on who translates and where.
pub(crate) static CHECK: Check = Check {
    id: "net-capture",
    claim: "commands are given that capture the flow at both of its ends",
    needs: &[Need::Mesh],
    judge,
};

/// So many packets are captured: a command that is pasted has to come to an end.
const PACKETS: u32 = 200;

fn judge(view: &View<'_>) -> Judgement {
    let flow = match PathFlow::of(view.observation) {
        None => return Judgement::not_asked(),
        Some(Ok(flow)) => flow,
        Some(Err(message)) => return unknown(message),
    };
    let evidence = commands(view.observation, &flow);
    let mut evidence = evidence.into_iter();
    let Some(first) = evidence.next() else {
        return unknown(format!("the node of {} is not known", flow.source.name));
    };
    let to = match (&flow.destinations[..], flow.cluster_ip) {
        (_, Some(address)) => format!("{address} and what stands behind it"),
        ([end, ..], None) => end.name.clone(),
        ([], None) => "nowhere".to_owned(),
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        super::source_subject(view),
        format!(
            "these capture what {} sends to {to}, at each end",
            flow.source.name
        ),
        first,
    );
    finding.evidence.extend(evidence);
    finding.hint = Some(
        "run both at once and try again: a packet that leaves one end and does not come to the other was lost between them; each \
         leaves a pod behind, to be deleted. Where a node has no tcpdump, name an image that has it and leave out chroot /host"
            .to_owned(),
    );
    Judgement {
        findings: vec![finding],
        ..Judgement::default()
    }
}

fn unknown(message: String) -> Judgement {
    Judgement {
        gaps: vec![Gap {
            what: "where the flow can be captured".to_owned(),
            why: GapReason::Failed,
            message,
            hint: None,
        }],
        ..Judgement::default()
    }
}

/// One command for each place where the flow can be seen.
fn commands(observation: &Observation, flow: &PathFlow<'_>) -> Vec<Evidence> {
    let mut all: Vec<Evidence> = at_end(observation, &flow.source, &filter(flow, None))
        .into_iter()
        .collect();
    for destination in &flow.destinations {
        let (Some(node), Some(source)) = (destination.node, flow.source.node) else {
            continue;
        };
        if node.name != source.name {
            all.extend(between(observation, source, node));
            all.extend(between(observation, node, source));
        }
        all.extend(at_end(observation, destination, &filter(flow, Some(destination))));
    }
    // Where it leaves the cluster its source is another.
    if let (Some(end), Some(node)) = (flow.destinations.first(), flow.source.node)
        && end.node.is_none()
    {
        let device = reads(observation, node).and_then(|reads| uplink(reads, end.address.is_ipv4()));
        let filter = format!("host {}", end.address);
        all.push(capture(
            node,
            device.unwrap_or("any"),
            &filter,
            "where it leaves the node",
        ));
    }
    let mut seen = Vec::new();
    all.retain(|evidence| {
        let is_new = !seen.contains(evidence);
        seen.push(evidence.clone());
        is_new
    });
    all
}

/// Without parentheses, which a shell would take for its own: `and` and `or` bind alike, from the left.
fn filter(flow: &PathFlow<'_>, to: Option<&FlowEnd<'_>>) -> String {
    let source = flow.source.address;
    match (to, flow.cluster_ip) {
        // What arrives is translated; its source may be that of the node by then.
        (Some(end), _) => match end.port {
            Some(port) => format!("host {} and port {port}", end.address),
            None => format!("host {}", end.address),
        },
        (None, Some(service)) => {
            let hosts = flow
                .destinations
                .iter()
                .map(|end| format!("host {} or ", end.address));
            let hosts: String = hosts.collect();
            format!("{hosts}host {} and host {source}", service.ip())
        }
        (None, None) => match flow.destinations.first() {
            Some(end) => format!("host {source} and host {}", end.address),
            None => format!("host {source}"),
        },
    }
}

fn at_end(observation: &Observation, end: &FlowEnd<'_>, filter: &str) -> Option<Evidence> {
    let node = end.node?;
    let device = peer_of_pod(observation, end);
    let place = match (device, end.is_host) {
        (Some(_), _) => format!("at the node's end of {}", end.name),
        (None, true) => format!("at {}", end.name),
        (None, false) => format!("at any interface of the node of {}", end.name),
    };
    Some(capture(node, device.unwrap_or("any"), filter, &place))
}

/// What goes from node to node, where a tunnel that was read carries it. Without one the capture at the ends shows it.
fn between(observation: &Observation, node: &Node, peer: &Node) -> Option<Evidence> {
    let reads = reads(observation, node)?;
    let links = reads.links.seen()?;
    let vxlan = links.iter().find_map(|link| link.vxlan.as_ref())?;
    let own_family = |address: &&std::net::IpAddr| {
        vxlan
            .local
            .is_none_or(|local| local.is_ipv4() == address.is_ipv4())
    };
    let address = peer.internal_ips.iter().find(own_family)?;
    let device = vxlan
        .device
        .as_deref()
        .or_else(|| uplink(reads, address.is_ipv4()));
    let filter = format!("udp port {} and host {address}", vxlan.port);
    let place = format!("in the tunnel to {}, at the node's uplink", peer.name);
    Some(capture(node, device.unwrap_or("any"), &filter, &place))
}

fn capture(node: &Node, device: &str, filter: &str, place: &str) -> Evidence {
    let command = format!("tcpdump -nni {} -c {PACKETS} {filter}", word(device));
    let name = &node.name;
    Evidence::command(format!("{place}, on {name}"), on_node(name, &[&command]))
}

fn reads<'a>(observation: &'a Observation, node: &Node) -> Option<&'a NodeReads> {
    let evidence = observation.node_evidence.get(&node.name)?.seen()?;
    Some(&evidence.before)
}

fn uplink(reads: &NodeReads, v4: bool) -> Option<&str> {
    let wanted = if v4 { "0.0.0.0/0" } else { "::/0" };
    let routes = reads.routes.seen()?.iter();
    let defaults = routes.filter(|route| route.table == crate::nodes::MAIN && route.destination == wanted);
    defaults.min_by_key(|route| route.metric)?.device.as_deref()
}

/// The node's end of the pair of devices of which the pod has the other.
fn peer_of_pod<'a>(observation: &'a Observation, end: &FlowEnd<'_>) -> Option<&'a str> {
    let (node, pod) = (end.node?, end.pod?);
    let evidence = observation.node_evidence.get(&node.name)?.seen()?;
    let networks = evidence.pods.as_ref().and_then(Observed::seen)?;
    let network = networks.pods.iter().find(|network| network.uid == pod.uid)?;
    let holds = |link: &&Link| link.addresses.iter().any(|held| held.address == end.address);
    let own = network.links.seen()?.iter().find(holds)?;
    let links = evidence.before.links.seen()?;
    let peer = links.iter().find(|link| Some(link.index) == own.lower)?;
    Some(&peer.name)
}

#[cfg(test)]
mod tests;
