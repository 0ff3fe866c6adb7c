mod stages;

use netmodel::rules::{Action, Decider, Effect, Outcome, StopKind, View as Backend, Walk};
use report::{Evidence, Finding, Gap, GapReason, Severity, Table};

use self::stages::{Stage, stages};
use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, joined};
use crate::path::flow::{FlowEnd, PathFlow};
use crate::path::source_subject;
use crate::shell::on_node;
use crate::view::View;

/// One flow through every hook of the packet rules of the nodes that it passes, with the rule that decides at each.
pub(crate) static CHECK: Check = Check {
    id: "net-trace",
    claim: "what the packet rules do to the flow at each hook is shown",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let flow = match PathFlow::of(view.observation) {
        None => return Judgement::not_asked(),
        Some(Ok(flow)) => flow,
        Some(Err(message)) => return gap("the way of the flow", message),
    };
    if view.observation.node_reading.is_none() {
        return Judgement::skipped("the packet rules of nodes were not read: --node-access reads them");
    }
    if let Some(judgement) = crate::firewall::skipped(view) {
        return judgement;
    }
    let to = &flow.destinations;
    if to.iter().all(|end| end.port.is_none()) && flow.cluster_ip.is_none() {
        return Judgement::skipped("no port was named, and rules ask for one");
    }
    let mut judgement = Judgement::default();
    if to.is_empty() {
        judgement.findings.extend(followed(view, &flow, None));
    }
    for end in to {
        judgement.findings.extend(followed(view, &flow, Some(end)));
    }
    judgement.gaps = gaps(view, &flow);
    judgement
}

/// What could not be read of the nodes that the flow passes.
fn gaps(view: &View<'_>, flow: &PathFlow<'_>) -> Vec<Gap> {
    let ends = std::iter::once(&flow.source).chain(&flow.destinations);
    let mut names: Vec<&str> = ends.filter_map(|end| Some(end.node?.name.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    let unread = |name: &&str| !view.firewalls.iter().any(|firewall| firewall.name() == *name);
    let of_node = |name: &str| match view.observation.node_evidence.get(name).and_then(|it| it.gap()) {
        Some(gap) => gap.clone(),
        None => Gap {
            what: format!("the packet rules of {name}"),
            why: GapReason::NotStarted,
            message: "the flow passes that node, which was not read".to_owned(),
            hint: Some("leave --only out, which keeps to the node where the path begins".to_owned()),
        },
    };
    let mut all: Vec<Gap> = names.iter().copied().filter(unread).map(of_node).collect();
    let partly = view.firewalls.iter().filter(|it| names.contains(&it.name()));
    all.extend(partly.flat_map(|firewall| firewall.gaps.iter().cloned()));
    all
}

fn gap(what: &str, message: String) -> Judgement {
    Judgement {
        gaps: vec![Gap {
            what: what.to_owned(),
            why: GapReason::Failed,
            message,
            hint: None,
        }],
        ..Judgement::default()
    }
}

/// What is done to the packet at a hook, or what decides over it.
struct Line {
    node: String,
    hook: String,
    packet: &'static str,
    verdict: String,
    /// Shows the rule again, on its node.
    command: String,
}

/// The flow to one end, hook by hook, no further than to where a rule ends it; and how it ends, in a clause.
fn lines(view: &View<'_>, flow: &PathFlow<'_>, end: Option<&FlowEnd<'_>>) -> (Vec<Line>, String) {
    let (mut lines, mut nodes): (Vec<Line>, Vec<&str>) = (Vec::new(), Vec::new());
    let all = stages(&view.firewalls, flow, end);
    for stage in &all {
        let walk = stage.firewall.rules.walk(stage.hook, &stage.packet);
        lines.extend(told(stage, &walk));
        if !nodes.contains(&stage.firewall.name()) {
            nodes.push(stage.firewall.name());
        }
        if let Outcome::Stopped(stop) = walk.outcome() {
            let (node, point) = (stage.firewall.name(), stage.point());
            let ended = format!("is {} on {node} at {point} by {}", how(stop.kind), stop.by);
            return (lines, ended);
        }
    }
    let passed = format!(
        "passes {} hooks on {}, and no rule there stops all of it",
        all.len(),
        joined(&nodes)
    );
    (lines, passed)
}

/// What the flow is called that goes to one end.
fn named(flow: &PathFlow<'_>, end: Option<&FlowEnd<'_>>) -> Option<String> {
    let protocol = if flow.is_udp { "UDP" } else { "TCP" };
    let to = match (flow.cluster_ip, end) {
        (Some(service), Some(end)) => format!("{service} and on to {} ({})", end.name, address(end)),
        (Some(service), None) => service.to_string(),
        (None, Some(end)) => format!("{} ({})", end.name, address(end)),
        (None, None) => return None,
    };
    Some(format!("{protocol} from {} to {to}", flow.source.name))
}

fn followed(view: &View<'_>, flow: &PathFlow<'_>, end: Option<&FlowEnd<'_>>) -> Option<Finding> {
    let (lines, outcome) = lines(view, flow, end);
    let summary = format!("{} {outcome}", named(flow, end)?);
    let mut evidence = lines.into_iter().map(|line| {
        let fact = format!("{} {}, {}: {}", line.node, line.hook, line.packet, line.verdict);
        Evidence::command(fact, line.command)
    });
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        source_subject(view),
        summary,
        evidence.next()?,
    );
    finding.evidence.extend(evidence);
    let all = stages(&view.firewalls, flow, end);
    finding.hint = Some(format!(
        "to see real packets, start this and try again within 20 seconds; it takes its own rule away: `{}`",
        live(all.first()?)
    ));
    Some(finding)
}

/// Every hook of every flow that is followed.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let Some(Ok(flow)) = PathFlow::of(view.observation) else {
        return Vec::new();
    };
    let of = |end: &FlowEnd<'_>| {
        let (lines, _) = lines(view, &flow, Some(end));
        let mut table = Table::new(named(&flow, Some(end))?, &["node", "hook", "packet", "verdict"]);
        let cells = |line: Line| {
            [line.node, line.hook, line.packet.to_owned(), line.verdict]
                .map(Some)
                .to_vec()
        };
        table.rows = lines.into_iter().map(cells).collect();
        (!table.rows.is_empty()).then_some(table)
    };
    flow.destinations.iter().filter_map(of).collect()
}

fn address(end: &FlowEnd<'_>) -> String {
    match end.port {
        Some(port) => std::net::SocketAddr::new(end.address, port).to_string(),
        None => end.address.to_string(),
    }
}

fn how(kind: StopKind<'_>) -> String {
    match kind {
        StopKind::Dropped => "dropped".to_owned(),
        StopKind::Rejected(with) => format!("turned away with {with}"),
        StopKind::Unknown(why) => format!("left to what cannot be read ({why})"),
    }
}

fn told(stage: &Stage<'_, '_>, walk: &Walk<'_>) -> Vec<Line> {
    let node = stage.firewall.name();
    let line = |verdict: String, command: &str| Line {
        node: node.to_owned(),
        hook: stage.point(),
        packet: stage.what,
        verdict,
        command: on_node(node, &[command]),
    };
    let say = |verdict: String, by: &Decider<'_>| line(verdict, &by.command());
    let mut all: Vec<Line> = walk
        .effects
        .iter()
        .filter_map(|effect| Some(say(done(stage, effect)?, &effect.by)))
        .collect();
    match walk.outcome() {
        Outcome::Stopped(stop) => all.push(say(format!("{} by {}", how(stop.kind), stop.by), &stop.by)),
        Outcome::Perhaps(stop) => all.push(say(
            format!(
                "may be {} by {}: what its text does not say decides (an address set, a limit, a share, a mark)",
                how(stop.kind),
                stop.by
            ),
            &stop.by,
        )),
        Outcome::Unknown => {
            let why = walk.broken_off.as_deref().unwrap_or("its rules lead nowhere");
            all.push(line(format!("not known: {why}"), "iptables-save"));
        }
        // What is translated goes on by that.
        Outcome::Passes if !all.is_empty() => {}
        Outcome::Passes => {
            let by_rule = walk.accepted.iter().rev().find(|by| by.rule.is_some());
            all.push(match by_rule.or(walk.accepted.last()) {
                Some(by) => say(format!("accepted by {by}"), by),
                None => line("no chain hangs there".to_owned(), "nft list ruleset"),
            });
        }
    }
    all
}

/// An effect that changes where the packet goes or from where it seems to come; none of others.
fn done(stage: &Stage<'_, '_>, effect: &Effect<'_>) -> Option<String> {
    let what = match effect.action {
        Action::Dnat(to) => {
            // Of all the endpoints of a Service only the one that is followed.
            let is_followed = |to: &String| stage.leads_to.as_ref().is_none_or(|wanted| wanted == to);
            if !to.iter().any(is_followed) {
                return None;
            }
            format!("its destination becomes {}", to.join(" or "))
        }
        Action::Redirect => "its destination becomes the node".to_owned(),
        Action::Masquerade => "its source becomes the node's address".to_owned(),
        Action::Snat(to) => format!("its source becomes {to}"),
        Action::NoTrack => "it is not tracked".to_owned(),
        _ => return None,
    };
    let perhaps = if effect.is_certain() { "" } else { "perhaps " };
    Some(format!("{perhaps}{what} by {}", effect.by))
}

/// The command that shows for a while which rules packets of the flow meet, and then takes its own rule away.
fn live(stage: &Stage<'_, '_>) -> String {
    let packet = &stage.packet;
    let (from, to) = (packet.source.first, packet.destination.first);
    let protocol = if packet.protocol == netmodel::rules::protocol::UDP {
        "udp"
    } else {
        "tcp"
    };
    let port = packet.destination_port;
    let node = stage.firewall.name();
    let family = if packet.is_ipv4() { "ip" } else { "ip6" };
    let is_legacy = stage.firewall.rules.is_home(Backend::IptablesLegacy);
    if is_legacy {
        let tables = if packet.is_ipv4() {
            "iptables-legacy"
        } else {
            "ip6tables-legacy"
        };
        let port = port.map_or_else(String::new, |port| format!(" --dport {port}"));
        let hook = stage.first_chain().to_uppercase();
        let rule = format!("{hook} -s {from} -d {to} -p {protocol}{port} -j TRACE");
        return on_node(
            node,
            &[
                &format!("{tables} -t raw -I {rule}"),
                "sleep 20",
                &format!("{tables} -t raw -D {rule}"),
                "dmesg | grep TRACE: | tail -n 100",
            ],
        );
    }
    let port = port.map_or_else(String::new, |port| format!(" {protocol} dport {port}"));
    let hook = stage.first_chain();
    on_node(
        node,
        &[
            "nft add table inet netcheck-trace",
            &format!("nft 'add chain inet netcheck-trace c {{ type filter hook {hook} priority -350; }}'"),
            &format!(
                "nft add rule inet netcheck-trace c {family} saddr {from} {family} daddr {to}{port} meta nftrace set 1"
            ),
            "timeout 20 nft monitor trace",
            "nft delete table inet netcheck-trace",
        ],
    )
}

/// The firewall of a node among those that were read.
fn firewall_of<'f, 'a>(firewalls: &'f [Firewall<'a>], end: &FlowEnd<'_>) -> Option<&'f Firewall<'a>> {
    let node = end.node?;
    firewalls.iter().find(|firewall| firewall.name() == node.name)
}

#[cfg(test)]
mod tests;
