use observation::{Condition, Node};
use report::{Evidence, Finding, Severity, Subject};

use super::{Cnis, gap, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// The runtime of a node says whether it has a network to give, and some CNIs and clouds say in a condition of their own whether routes to
/// it are made. A node that is not ready for another reason is not meant.
pub(crate) static CHECK: Check = Check {
    id: "cni-node-cond",
    claim: "every node says that its network is ready",
    needs: &[Need::Cni],
    judge,
};

/// What kubelets write where the runtime has no network.
const SIGNS: [&str; 4] = [
    "networkready=false",
    "cni plugin not initialized",
    "cni config uninitialized",
    "network plugin is not ready",
];

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        part(&scene.facts.nodes, judgement);
        for node in &scene.nodes {
            of_node(scene, node, judgement);
        }
    })
}

fn of_node(scene: &Cnis<'_>, node: &Node, judgement: &mut Judgement) {
    let name = node.name.as_str();
    let state = scene.state(name);
    let unavailable = state.and_then(|state| state.network_unavailable.as_ref());
    let (kind, condition) = match (&node.ready, unavailable) {
        (Some(ready), _) if ready.status == "False" && is_network(ready) => ("Ready", ready),
        (_, Some(unavailable)) if unavailable.status == "True" => ("NetworkUnavailable", unavailable),
        (Some(ready), _) if ready.status == "Unknown" => {
            judgement.gaps.push(gap(
                format!("whether the network of {name} is ready"),
                "its kubelet has stopped reporting",
            ));
            return;
        }
        _ => return,
    };
    if scene.joining(name).is_some() {
        judgement.gaps.push(gap(
            format!("whether the network of {name} is ready"),
            "the node joined only just now",
        ));
        return;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!("the network of {name} is not ready: {}", said(condition)),
        Evidence::field(
            format!(
                "{kind}={}: {}: {}",
                condition.status, condition.reason, condition.message
            ),
            format!("node/{name} .status.conditions[type={kind}]"),
        ),
    );
    finding.explains = vec!["net-probe-pod".to_owned(), "cni-events".to_owned()];
    finding.hint = Some(format!(
        "its CNI's pod writes what is missing when it starts: `kubectl get pods -A -o wide --field-selector spec.nodeName={}`; \
         `kubectl cnicheck config --node-access` shows what is on the node",
        word(name)
    ));
    judgement.cause(finding, Breaks::Nothing);
}

/// Whether a node is not ready because of its network.
pub(super) fn is_network(condition: &Condition) -> bool {
    let message = condition.message.to_ascii_lowercase();
    SIGNS.iter().any(|sign| message.contains(sign))
}

/// The end of what it says, which tells most.
fn said(condition: &Condition) -> &str {
    let message = condition.message.as_str();
    message.rsplit_once("message:").map_or(message, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no, seen};
    use super::*;
    use crate::shown;

    const MESSAGE: &str = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin \
        returns error: cni plugin not initialized";

    fn not_ready(status: &'static str, message: &'static str) -> Fixture {
        Fixture::healthy().node("node2", move |node| {
            let ready = node.ready.as_mut().unwrap();
            ready.status = status.into();
            ready.message = message.into();
        })
    }

    #[test]
    fn a_node_without_a_network_says_so() {
        let findings = shown::finds(&CHECK, &not_ready("False", MESSAGE).observe());
        assert_eq!(
            findings[0].summary,
            "the network of node2 is not ready: Network plugin returns error: cni plugin not initialized"
        );
    }

    #[test]
    fn routes_that_a_cloud_did_not_make_are_found() {
        let fixture = Fixture::healthy().change(|cni| {
            seen(&mut cni.nodes)[0].network_unavailable = Some(Condition {
                status: "True".into(),
                reason: "NoRouteCreated".into(),
                message: "RouteController failed to create a route".into(),
                since: None,
            });
        });
        assert!(
            shown::finds(&CHECK, &fixture.observe())[0]
                .summary
                .contains("RouteController")
        );
    }

    #[test]
    fn a_node_that_is_not_ready_for_another_reason_is_not_meant() {
        shown::passes(&CHECK, &not_ready("False", "PLEG is not healthy").observe());
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_node_that_joins_or_does_not_report_is_unknown() {
        let joining = not_ready("False", MESSAGE).change(|cni| {
            seen(&mut cni.nodes)[1].created = Some("2026-03-01T08:59:00Z".into());
        });
        shown::cannot_tell(&CHECK, &joining.observe());
        shown::cannot_tell(&CHECK, &not_ready("Unknown", "").observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().change(|cni| cni.nodes = no("nodes")).observe(),
        );
    }
}
