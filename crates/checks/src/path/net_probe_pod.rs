use observation::{Node, Place};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A node without a probe pod is not a broken node; it is one that was not seen. What the API says of it is told.
pub(crate) static CHECK: Check = Check {
    id: "net-probe-pod",
    claim: "a probe pod runs on every node that was asked for",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(placement) = &view.observation.placement else {
        return super::not_wanted(view);
    };
    let mut gaps: Vec<_> = view.without_pod().into_values().cloned().collect();
    gaps.extend(view.observation.nodes.gap().cloned());
    let nodes = view.observation.nodes.seen().into_iter().flatten();
    let findings = nodes.filter_map(|node| match placement.nodes.get(&node.name) {
        Some(Place::LeftOut { .. }) if !tainted_by_kubernetes(node) => None,
        Some(Place::Ready(_) | Place::Failed(_) | Place::LeftOut { .. }) | None => not_ready(node),
    });
    Judgement {
        findings: findings.collect(),
        gaps,
        ..Judgement::default()
    }
}

/// Whether the node was tainted because of its condition, rather than by its owner. A node that was left out for that
/// was not left out on purpose.
fn tainted_by_kubernetes(node: &Node) -> bool {
    let conditions = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    node.taints
        .iter()
        .any(|taint| conditions.contains(&taint.key.as_str()))
}

fn not_ready(node: &Node) -> Option<Finding> {
    let command = format!("kubectl describe node {}", word(&node.name));
    let fact = match &node.ready {
        Some(condition) if condition.status == "True" => return None,
        Some(condition) => {
            let since = condition
                .since
                .as_ref()
                .map(|since| format!(" since {since}"))
                .unwrap_or_default();
            format!(
                "Ready={}{since}: {}: {}",
                condition.status, condition.reason, condition.message
            )
        }
        None => "it has no condition Ready".to_owned(),
    };
    let path = format!("node/{} .status.conditions[type=Ready]", node.name);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(&node.name),
        format!("{} is not Ready", node.name),
        Evidence::field(fact, path),
    );
    finding.hint = Some(format!("`{command}`"));
    Some(finding)
}
