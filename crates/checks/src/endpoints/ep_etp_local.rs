use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lint::over;
use super::local::without_endpoint;
use super::scene::Part;
use super::words::{about, field, show_slices, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// `externalTrafficPolicy: Local`: nodes without an endpoint of their own drop what comes from outside. A load balancer asks each node for
/// that and leaves them out; who names nodes himself meets silence at some.
pub(crate) static CHECK: Check = Check {
    id: "ep-etp-local",
    claim: "nodes that outside traffic reaches have an endpoint of their own, where they must",
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
    let is_outer = matches!(service.kind.as_str(), "NodePort" | "LoadBalancer");
    if !service.external_local || !is_outer || case.used().is_empty() {
        return None;
    }
    let without = without_endpoint(view, case, false);
    if without.is_empty() {
        return None;
    }
    let is_balanced = service.kind == "LoadBalancer" && service.health_check_node_port.is_some();
    let severity = if is_balanced {
        Severity::Note
    } else {
        Severity::Warning
    };
    let summary = format!(
        "{} answers from outside on nodes with an endpoint only, and not on {}",
        service.subject(),
        some(&without)
    );
    let evidence = field(service, "spec.externalTrafficPolicy is Local");
    let mut finding = about(CHECK.id, severity, service, summary, evidence);
    finding.evidence.push(Evidence::command(
        format!("endpoints are on {}", some(case.nodes())),
        show_slices(service),
    ));
    finding.hint = Some(match service.health_check_node_port {
        Some(port) if is_balanced => {
            format!("its load balancer has to ask the nodes' port {port}, which says 503 there: then it is meant so")
        }
        _ => "clients have to name a node that has one; Cluster answers on every node, and hides the client's address".to_owned(),
    });
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_slices};
    use crate::shown;

    fn local(kind: &str) -> Fixture {
        Fixture::shop().web(|service| {
            service.kind = kind.into();
            service.external_local = true;
            service.health_check_node_port = (kind == "LoadBalancer").then_some(31_000);
        })
    }

    #[test]
    fn node_ports_of_nodes_without_an_endpoint_are_silent() {
        let fixture = local("NodePort").pods(|pods| drop(pods.pop()));
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop answers from outside on nodes with an endpoint only, and not on node3"
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn a_load_balancer_that_asks_the_nodes_is_meant_so() {
        let fixture = local("LoadBalancer").pods(|pods| drop(pods.pop()));
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn endpoints_on_every_node_and_the_other_policy_pass() {
        shown::passes(&CHECK, &local("NodePort").observe());
        let cluster = local("NodePort").pods(|pods| drop(pods.pop()));
        shown::passes(
            &CHECK,
            &cluster.web(|service| service.external_local = false).observe(),
        );
    }

    #[test]
    fn without_slices_it_is_not_known_where_endpoints_are() {
        shown::cannot_tell(&CHECK, &without_slices(local("NodePort")));
    }
}
