use std::collections::{BTreeMap, BTreeSet};

use observation::{Attempt, Purpose, Source};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::shell::word;
use crate::underlay::{Sign, Way, between_nodes, gaps, pods_reach};
use crate::view::View;

/// Nodes among each other, without any pod network: what nothing comes back on explains whatever fails above it. Where
/// pods of the two nodes do reach each other, nodes are only shielded from each other, and that is no fault.
pub(crate) static CHECK: Check = Check {
    id: "net-n2n",
    claim: "nodes reach each other without any pod network",
    needs: &[Need::NodeNetwork],
    judge,
};

/// The ways of which something is known, by their ends.
type Ways<'a> = BTreeMap<(&'a str, &'a str), Way<'a>>;

fn judge(view: &View<'_>) -> Judgement {
    let nodes = match &view.read_nodes {
        Ok(nodes) => nodes,
        Err(judgement) => return judgement.clone(),
    };
    let Some(underlay) = &view.observation.underlay else {
        return Judgement::not_asked();
    };
    if nodes.objects().count() == 1 {
        return Judgement::skipped("there is no other node");
    }
    let mut judgement = Judgement {
        gaps: nodes.gaps.clone(),
        ..Judgement::default()
    };
    judgement.gaps.extend(gaps(underlay, is_between_nodes));
    let mut ways = between_nodes(underlay);
    ways.retain(|_, way| way.sign() != Sign::Unknown);
    for (place, pairs) in places(view, &ways) {
        let (finding, breaks) = finding(view, &ways, &place, &pairs);
        judgement.cause(finding, breaks);
    }
    judgement
}

fn is_between_nodes(attempt: &Attempt) -> bool {
    matches!(
        (&attempt.source, &attempt.purpose),
        (Source::Host { .. }, Purpose::Node { .. })
    )
}

/// What silent ways have in common.
#[derive(Debug, PartialEq, Eq)]
enum Common<'a> {
    /// All that goes to a node.
    To(&'a str),
    /// All that comes from a node.
    From(&'a str),
    /// The two nodes, in both directions or in one.
    Pair(&'a str, &'a str, bool),
    /// Everything.
    All,
}

type Pairs<'a> = BTreeSet<(&'a str, &'a str)>;

/// The fewest places that account for the silence.
fn places<'a>(view: &View<'_>, ways: &Ways<'a>) -> Vec<(Common<'a>, Pairs<'a>)> {
    let silent = |way: &Way<'_>| way.sign() == Sign::Silent;
    let mut left: Pairs<'a> = ways
        .iter()
        .filter(|(_, way)| silent(way))
        .map(|(pair, _)| *pair)
        .collect();
    let ends: BTreeSet<&str> = ways.keys().flat_map(|(from, to)| [*from, *to]).collect();
    let mut found = Vec::new();
    // All ways that have this in common, if they are silent and more than one, or if the node is in doubt anyway.
    let whole = |left: &Pairs<'a>, node: &str, of: fn(&(&'a str, &'a str)) -> &'a str, few: bool| {
        let all: Pairs<'a> = ways.keys().copied().filter(|pair| of(pair) == node).collect();
        let enough = all.len() >= if few { 1 } else { 2 };
        (enough && all.is_subset(left)).then_some(all)
    };
    let mut take = |left: &mut Pairs<'a>, place: Common<'a>, pairs: Pairs<'a>| {
        left.retain(|pair| !pairs.contains(pair));
        found.push((place, pairs));
    };
    for node in ends.iter().copied().filter(|node| is_in_doubt(view, node)) {
        if let Some(pairs) = whole(&left, node, |(_, to)| to, true) {
            take(&mut left, Common::To(node), pairs);
        }
    }
    if left.len() > 2 && left.len() == ways.len() {
        let pairs = left.clone();
        take(&mut left, Common::All, pairs);
    }
    for node in &ends {
        if let Some(pairs) = whole(&left, node, |(_, to)| to, false) {
            // What comes from it and is silent too is the same.
            let back = left.iter().copied().filter(|(from, _)| from == node);
            let pairs = pairs.into_iter().chain(back).collect();
            take(&mut left, Common::To(node), pairs);
        }
    }
    for node in &ends {
        if let Some(pairs) = whole(&left, node, |(from, _)| from, false) {
            take(&mut left, Common::From(node), pairs);
        }
    }
    while let Some((from, to)) = left.first().copied() {
        let both = left.contains(&(to, from));
        let pairs = left
            .iter()
            .copied()
            .filter(|pair| *pair == (from, to) || *pair == (to, from))
            .collect();
        take(&mut left, Common::Pair(from, to, both), pairs);
    }
    found
}

/// Whether a node is known to be in trouble by something else than these probes: it is not ready, or no probe could be
/// had on it.
fn is_in_doubt(view: &View<'_>, node: &str) -> bool {
    let objects = view.nodes();
    let ready = objects.get(node).and_then(|node| node.ready.as_ref());
    let unread = view.observation.node_evidence.get(node);
    ready.is_some_and(|ready| ready.status != "True")
        || unread.is_some_and(|evidence| evidence.seen().is_none())
}

fn finding(view: &View<'_>, ways: &Ways<'_>, place: &Common<'_>, pairs: &Pairs<'_>) -> (Finding, Breaks) {
    let unordered: BTreeSet<(&str, &str)> = pairs.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
    let reached: BTreeSet<Option<bool>> = unordered
        .iter()
        .map(|(one, other)| pods_reach(view, one, other))
        .collect();
    let has_echo = pairs.iter().any(|pair| ways.get(pair).is_some_and(Way::has_echo));
    let severity = if reached.contains(&Some(true)) {
        Severity::Note
    } else if (has_echo || *place == Common::All) && !reached.contains(&Some(false)) {
        Severity::Warning
    } else {
        Severity::Error
    };
    let answers = if has_echo {
        "gets no answer but to a ping"
    } else {
        "gets no answer"
    };
    let (subject, summary, breaks) = match place {
        Common::To(node) if has_echo => (
            Subject::node(*node),
            format!("{node} answers other nodes' pings, and nothing else that they send"),
            Breaks::CrossNode {
                node: (*node).to_owned(),
            },
        ),
        Common::To(node) => (
            Subject::node(*node),
            format!("no other node reaches {node}, even without the pod network"),
            Breaks::CrossNode {
                node: (*node).to_owned(),
            },
        ),
        Common::From(node) => (
            Subject::node(*node),
            format!("{node} {answers} from any other node, even without the pod network"),
            Breaks::CrossNode {
                node: (*node).to_owned(),
            },
        ),
        Common::Pair(from, to, both) => (
            Subject::NodePair {
                from: (*from).to_owned(),
                to: (*to).to_owned(),
                both: *both,
            },
            if *both {
                format!("{from} and {to} do not reach each other, even without the pod network")
            } else {
                format!("{from} {answers} from {to}, even without the pod network")
            },
            Breaks::Pairs {
                pairs: vec![((*from).to_owned(), (*to).to_owned())],
            },
        ),
        Common::All => (
            Subject::Cluster,
            "no node reaches another, even without the pod network".to_owned(),
            Breaks::Pairs {
                pairs: unordered
                    .iter()
                    .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                    .collect(),
            },
        ),
    };
    let mut seen: Vec<Evidence> = pairs
        .iter()
        .filter_map(|pair| ways.get(pair)?.evidence().into_iter().next())
        .take(3)
        .collect();
    seen.extend(works(ways, pairs));
    seen.extend(condition(view, place));
    let first = seen
        .first()
        .cloned()
        .unwrap_or_else(|| Evidence::probe("no answer", "nodes"));
    let mut finding = Finding::new(CHECK.id, severity, subject, summary, first);
    finding.evidence = seen;
    finding.hint = Some(hint(place, severity));
    if severity == Severity::Error {
        finding.explains = vec!["net-probe-pod".to_owned()];
    }
    (finding, breaks)
}

/// An example of two nodes that do reach each other, best from where the other is not reached.
fn works(ways: &Ways<'_>, pairs: &Pairs<'_>) -> Option<Evidence> {
    let seen = || ways.iter().filter(|(_, way)| way.sign() == Sign::Seen);
    let same_source = seen().find(|((from, _), _)| pairs.iter().any(|(source, _)| source == from));
    same_source.or_else(|| seen().next())?.1.works()
}

/// What the API says of the node.
fn condition(view: &View<'_>, place: &Common<'_>) -> Option<Evidence> {
    let (Common::To(node) | Common::From(node)) = place else {
        return None;
    };
    let objects = view.nodes();
    let ready = objects.get(node)?.ready.as_ref()?;
    (ready.status != "True").then(|| {
        let fact = format!("Ready is {}: {}", ready.status, ready.message);
        Evidence::command(fact, format!("kubectl describe node {}", word(node)))
    })
}

fn hint(place: &Common<'_>, severity: Severity) -> String {
    if severity == Severity::Note {
        return "pods reach each other over these nodes, so that there is a way: something lets through between nodes only \
                what the cluster needs"
            .to_owned();
    }
    match place {
        Common::To(node) | Common::From(node) => format!(
            "see whether {node} runs and its uplink is up, then what filters between nodes (security groups, its own firewall); \
             nodes need all ports of each other: `kubectl describe node {}`",
            word(node)
        ),
        Common::Pair(..) | Common::All => {
            "see what filters and routes between the nodes' addresses (security groups, subnets, firewalls); nodes need all \
             ports of each other: `kubectl get nodes -o wide`"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
