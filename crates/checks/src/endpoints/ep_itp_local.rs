use report::{Evidence, Finding, Severity};
use serde_json::json;

use super::case::Case;
use super::lint::over;
use super::local::without_endpoint;
use super::scene::Part;
use super::words::{about, field, patch, show_slices, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// `internalTrafficPolicy: Local`: pods of nodes without an endpoint get no answer.
pub(crate) static CHECK: Check = Check {
    id: "ep-itp-local",
    claim: "nodes with clients have an endpoint of their own, where they must",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, &[Part::Slices, Part::Nodes], |scene| {
        let cases = scene.cases.iter();
        cases.filter_map(|case| finding(view, case)).collect()
    })
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    if !service.internal_local || service.headless || case.used().is_empty() {
        return None;
    }
    // Where ordinary pods do not come, there are no ordinary clients.
    let without = without_endpoint(view, case, true);
    if without.is_empty() {
        return None;
    }
    let summary = format!(
        "{} answers only pods of nodes with an endpoint, and none of {}",
        service.subject(),
        some(&without)
    );
    let evidence = field(service, "spec.internalTrafficPolicy is Local");
    let mut finding = about(CHECK.id, Severity::Warning, service, summary, evidence);
    finding.evidence.push(Evidence::command(
        format!("endpoints are on {}", some(case.nodes())),
        show_slices(service),
    ));
    finding.hint = Some(format!(
        "run its pods on every node as a DaemonSet does, or, unless only clients beside them are meant: `{}`",
        patch(service, &json!({"spec": {"internalTrafficPolicy": "Cluster"}}))
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_slices};
    use crate::shown;
    use observation::Taint;

    fn local() -> Fixture {
        Fixture::shop().web(|service| service.internal_local = true)
    }

    #[test]
    fn pods_of_nodes_without_an_endpoint_are_told() {
        let findings = shown::finds(&CHECK, &local().pods(|pods| drop(pods.pop())).observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop answers only pods of nodes with an endpoint, and none of node3"
        );
    }

    #[test]
    fn nodes_that_pods_are_kept_from_have_no_clients() {
        let tainted = local().pods(|pods| drop(pods.pop())).each_node(|node| {
            if node.name == "node3" {
                node.taints.push(Taint {
                    key: "node-role.kubernetes.io/control-plane".into(),
                    value: String::new(),
                    effect: "NoSchedule".into(),
                });
            }
        });
        shown::passes(&CHECK, &tainted.observe());
    }

    #[test]
    fn endpoints_on_every_node_pass() {
        shown::passes(&CHECK, &local().observe());
        shown::passes(&CHECK, &Fixture::shop().pods(|pods| drop(pods.pop())).observe());
    }

    #[test]
    fn without_slices_it_is_not_known_where_endpoints_are() {
        shown::cannot_tell(&CHECK, &without_slices(local()));
    }
}
