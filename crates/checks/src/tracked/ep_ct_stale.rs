use std::collections::BTreeMap;
use std::net::SocketAddr;

use observation::{NodeEvidence, TrackedFlow, TrackedNode};
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity, Subject};

use super::scene::{Of, Scene, cut_off};
use crate::check::{Check, Judgement, Need};
use crate::endpoints::show_slices;
use crate::shell::on_node;
use crate::view::View;

/// An address is translated once, for the first packet of a connection. UDP has no end of a connection: as long as a client sends from one
/// socket its entry lives, and leads to the endpoint that was chosen then. kube-proxy removes such entries when it hears that the endpoint
/// is gone; where it did not, this client times out while every new socket works.
pub(crate) static CHECK: Check = Check {
    id: "ep-ct-stale",
    claim: "no UDP client is tied to an endpoint that is gone",
    needs: &[Need::NodeAccess, Need::Backends, Need::Tracked],
    judge,
};

/// An entry without a packet for longer is of a client that has given up.
const RECENT: u64 = 30;
/// What the kernel gives an entry without an answer, and one that went to and fro, where its settings were not read.
const TIMEOUTS: (u64, u64) = (30, 120);

fn judge(view: &View<'_>) -> Judgement {
    let scene = match Scene::of(view) {
        None => return Judgement::not_asked(),
        Some(Err(gap)) => return Judgement::unread(gap),
        Some(Ok(scene)) => scene,
    };
    let mut judgement = Judgement::default();
    for (node, seen) in &scene.tracked.nodes {
        match seen {
            Observed::Seen(seen) => of_node(view, &scene, node, seen, &mut judgement),
            Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
        }
    }
    if scene.tracked.nodes.is_empty() {
        return match &view.observation.node_reading {
            Some(Observed::Unseen(gap)) => Judgement::unread(gap),
            _ => Judgement::skipped("no Service has an address that is translated for UDP"),
        };
    }
    judgement
}

fn of_node(view: &View<'_>, scene: &Scene<'_>, node: &str, seen: &TrackedNode, judgement: &mut Judgement) {
    let Some(last) = &seen.second else {
        judgement.gaps.push(Gap {
            what: format!("tracked connections of {node}"),
            why: GapReason::Failed,
            message: "they were not listed a second time, and one look may have caught kube-proxy at work"
                .to_owned(),
            hint: None,
        });
        return;
    };
    let (before, after) = match (&seen.first.flows, &last.flows) {
        (Observed::Seen(before), Observed::Seen(after)) => (before, after),
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => {
            judgement.gaps.push(gap.clone());
            return;
        }
    };
    judgement.gaps.extend(cut_off(node, last));
    let evidence = view.observation.node_evidence.get(node).and_then(Observed::seen);
    let mut stuck: BTreeMap<(String, SocketAddr), Vec<Stuck<'_>>> = BTreeMap::new();
    for flow in after.iter().filter(|flow| flow.protocol == "udp") {
        let Some(of) = scene.meant(flow) else { continue };
        let endpoints = scene.endpoints(of);
        // Without any endpoint there is nobody that the client could get instead.
        if endpoints.is_empty() || endpoints.contains(&flow.reply_source) {
            continue;
        }
        let is_it = |other: &&TrackedFlow| is_same(other, flow);
        let quiet = quiet_for(flow, evidence);
        if before.iter().find(is_it).is_some() && quiet <= RECENT {
            stuck
                .entry((of.name(), flow.reply_source))
                .or_default()
                .push((of, flow, quiet));
        }
    }
    judgement
        .findings
        .extend(stuck.values().filter_map(|flows| finding(node, flows)));
}

/// An entry, what it is of, and for how many seconds no packet of it came.
type Stuck<'a> = (Of<'a>, &'a TrackedFlow, u64);

fn is_same(one: &TrackedFlow, other: &TrackedFlow) -> bool {
    one.protocol == other.protocol
        && one.source == other.source
        && one.destination == other.destination
        && one.reply_source == other.reply_source
}

/// For how many seconds no packet of it came: each one winds its time up again.
fn quiet_for(flow: &TrackedFlow, evidence: Option<&NodeEvidence>) -> u64 {
    let setting = |name: &str| {
        let text = evidence?.before.sysctls.seen()?.get(name)?;
        text.trim().parse::<u64>().ok()
    };
    let whole = if flow.assured {
        setting("net.netfilter.nf_conntrack_udp_timeout_stream").unwrap_or(TIMEOUTS.1)
    } else {
        setting("net.netfilter.nf_conntrack_udp_timeout").unwrap_or(TIMEOUTS.0)
    };
    whole.saturating_sub(flow.left_s)
}

fn finding(node: &str, flows: &[Stuck<'_>]) -> Option<Finding> {
    let (of, first, quiet) = flows.iter().min_by_key(|(_, _, quiet)| *quiet)?;
    let (name, service) = (of.name(), of.service);
    let meant = first.destination.ip();
    let clients = match flows.len() {
        1 => format!("a UDP client on {node}, {},", first.source),
        count => format!("{count} UDP clients on {node}, {} among them,", first.source),
    };
    let verb = if flows.len() == 1 { "is" } else { "are" };
    let to = if first.reply_source == first.destination {
        format!("{clients} {verb} tied to an entry from before {name} was translated: packets lead nowhere")
    } else {
        format!(
            "{clients} {verb} tied to {}, which is no endpoint of {name} any more",
            first.reply_source
        )
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        to,
        Evidence::command(
            format!(
                "{} to {} is answered by {}, by its entry, whose last packet came {quiet} s ago",
                first.source, first.destination, first.reply_source
            ),
            on_node(node, &[&format!("conntrack -L -p udp --orig-dst {meant}")]),
        ),
    );
    finding.evidence.push(Evidence::command(
        format!("no EndpointSlice of it has {}", first.reply_source),
        show_slices(service),
    ));
    finding.hint = Some(format!(
        "forget the entries, so that the next packet chooses anew; see too why kube-proxy of {node} did not: `{}`",
        on_node(node, &[&format!("conntrack -D -p udp --orig-dst {meant}")])
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn a_client_that_still_sends_to_who_is_gone_is_found_with_the_command_that_frees_it() {
        let stuck = Fixture::healthy().udp("node1", "10.244.1.5:4000", "10.244.9.9:53", 118);
        let findings = shown::finds(&CHECK, &stuck.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "a UDP client on node1, 10.244.1.5:4000, is tied to 10.244.9.9:53, which is no endpoint of \
             kube-system/kube-dns:dns any more"
        );
        let hint = findings[0].hint.clone().unwrap();
        assert!(
            hint.ends_with("conntrack -D -p udp --orig-dst 10.96.0.10`"),
            "{hint}"
        );
    }

    #[test]
    fn an_entry_from_before_the_address_was_translated_leads_nowhere() {
        let stuck = Fixture::healthy().udp("node1", "10.244.1.5:4000", "10.96.0.10:53", 120);
        assert!(
            shown::finds(&CHECK, &stuck.observe())[0]
                .summary
                .ends_with("packets lead nowhere")
        );
    }

    #[test]
    fn an_entry_that_only_ages_and_one_of_a_moment_are_left_alone() {
        let ageing = Fixture::healthy().udp("node1", "10.244.1.5:4000", "10.244.9.9:53", 60);
        shown::passes(&CHECK, &ageing.observe());
        let passing = Fixture::healthy().udp_later("node1", "10.244.1.5:4000", "10.244.9.9:53", 118);
        shown::passes(&CHECK, &passing.observe());
    }

    #[test]
    fn entries_to_endpoints_that_there_are_pass_in_every_protocol() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        let ending = Fixture::healthy()
            .udp("node1", "10.244.1.5:4000", "10.244.9.9:53", 118)
            .serving("10.244.9.9");
        shown::passes(&CHECK, &ending.observe());
    }

    #[test]
    fn what_was_not_listed_whole_or_twice_is_unknown() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().cut_off("node1").observe());
        shown::cannot_tell(&CHECK, &Fixture::healthy().once("node1").observe());
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
