use observation::{Attempt, Purpose, Source};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::shell::word;
use crate::underlay::{Own, Sign, gaps, within_nodes};
use crate::view::View;

/// A pod and its own node, and the next hop of the pod's default route. A node that is silent to its pods while they get
/// on to elsewhere filters what comes in; one that is silent like all else is behind a bridge or a cable that is broken.
pub(crate) static CHECK: Check = Check {
    id: "net-gw",
    claim: "pods reach their gateway and their own node, and the node reaches them",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(underlay) = &view.observation.underlay else {
        return Judgement::not_asked();
    };
    let nodes = within_nodes(underlay);
    let mut judgement = Judgement {
        gaps: view.without_pod().into_values().cloned().collect(),
        ..Judgement::default()
    };
    judgement.gaps.extend(gaps(underlay, is_within_node));
    if nodes.is_empty() && judgement.gaps.is_empty() {
        return Judgement::not_asked();
    }
    for (node, own) in &nodes {
        if let Some((finding, breaks)) = of_node(view, node, own) {
            judgement.cause(finding, breaks);
        }
    }
    judgement
}

fn is_within_node(attempt: &Attempt) -> bool {
    matches!(
        (&attempt.source, &attempt.purpose),
        (Source::Pod { .. }, _) | (Source::Host { .. }, Purpose::ProbePod { .. })
    )
}

fn of_node(view: &View<'_>, node: &str, own: &Own<'_>) -> Option<(Finding, Breaks)> {
    let is_cut_off = own.pod.sign() == Sign::Silent;
    match own.node.sign() {
        Sign::Silent => {}
        Sign::Seen | Sign::Unknown if is_cut_off => {
            let summary = format!("{node} does not reach its own pods");
            let hint = "the kubelet's probes of pods fail there: see its route to its own pods and what filters on it";
            let finding = finding(Severity::Error, node, summary, hint.to_owned(), own, None);
            return Some((finding, Breaks::Nothing));
        }
        Sign::Seen | Sign::Unknown => return None,
    }
    let beyond = beyond(view, node);
    let gateway_answers = own.gateway.sign() == Sign::Seen || own.gateway.has_echo();
    if !gateway_answers && beyond.is_none() {
        let summary = format!("pods of {node} reach neither their gateway nor {node} itself");
        let hint = format!(
            "the bridge or the pod's end of it: `kubectl netcheck node --node-access --node {}` reads both",
            word(node)
        );
        let breaks = Breaks::Node {
            node: node.to_owned(),
        };
        return Some((finding(Severity::Error, node, summary, hint, own, None), breaks));
    }
    // One port that is closed to pods, as that of the kubelet often is, is no filter against all.
    let severity = match (own.pod.sign(), own.node.ports()) {
        (Sign::Silent, _) => Severity::Error,
        (_, 0 | 1) => Severity::Note,
        _ => Severity::Warning,
    };
    let back = if is_cut_off {
        ", and does not reach them"
    } else {
        ""
    };
    let summary = format!("{node} does not answer its own pods{back}, though they get on from there");
    let hint = format!(
        "a rule for what comes in from pods' interfaces: accept it there; which one it is: `kubectl netcheck node \
         --node-access --node {}`",
        word(node)
    );
    Some((
        finding(severity, node, summary, hint, own, beyond),
        Breaks::Nothing,
    ))
}

/// Something that a pod of the node reaches on another node, which its gateway leads to.
fn beyond(view: &View<'_>, node: &str) -> Option<Evidence> {
    let (key, entry) = view
        .entries
        .iter()
        .find(|(key, entry)| key.source == node && key.target != node && entry.state.is_ok())?;
    let probe = format!(
        "{} {node} → {}, {}",
        key.protocol.short(),
        key.target,
        entry.cell.address
    );
    Some(Evidence::probe("answers", probe))
}

fn finding(
    severity: Severity,
    node: &str,
    summary: String,
    hint: String,
    own: &Own<'_>,
    beyond: Option<Evidence>,
) -> Finding {
    let mut seen: Vec<Evidence> = own.node.evidence().into_iter().take(2).collect();
    seen.extend(own.pod.evidence().into_iter().take(1));
    seen.extend(
        own.gateway
            .works()
            .or_else(|| own.gateway.evidence().into_iter().next()),
    );
    seen.extend(beyond);
    let first = seen
        .first()
        .cloned()
        .unwrap_or_else(|| Evidence::probe("no answer", node));
    let mut finding = Finding::new(CHECK.id, severity, Subject::node(node), summary, first);
    finding.evidence = seen;
    finding.hint = Some(hint);
    finding
}

#[cfg(test)]
mod tests;
