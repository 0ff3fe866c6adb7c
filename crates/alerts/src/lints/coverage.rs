use report::{Evidence, Finding, Severity, Subject};

use crate::lint::{Lint, Outcome, readable};
use crate::promql::Selector;
use crate::rules::Input;

pub(crate) const LINT: Lint = Lint {
    id: "alert-coverage",
    claim: "each kind of failure of the network, DNS and Services has a rule",
    judge,
};

/// A kind of failure, and what a rule on it asks for.
type Class = (&'static str, fn(&Selector) -> bool);

const CLASSES: [Class; 9] = [
    ("cluster DNS is down", |selector| {
        let job = |value: &str| value.contains("dns");
        let matches = |label: &str| {
            selector
                .matchers
                .iter()
                .any(|matcher| matcher.label == label && job(&matcher.value))
        };
        (named(selector, "up") && matches("job"))
            || (begins(selector, "kube_deployment_status_replicas") && matches("deployment"))
    }),
    ("DNS answers with errors", |selector| {
        begins(selector, "coredns_dns_responses_total")
    }),
    ("DNS is slow", |selector| {
        begins(selector, "coredns_dns_request_duration_seconds")
    }),
    ("a Service has no endpoints", |selector| {
        begins(selector, "kube_endpoint")
    }),
    ("a load balancer gets no address", |selector| {
        begins(selector, "kube_service_status_load_balancer_ingress")
    }),
    ("kube-proxy does not keep up", |selector| {
        begins(selector, "kubeproxy_sync_proxy_rules")
    }),
    ("the CNI is not ready on a node", |selector| {
        begins(selector, "kube_daemonset_status_number")
    }),
    ("a connection table fills", |selector| {
        begins(selector, "node_nf_conntrack_entries")
    }),
    ("pod addresses run out", |selector| {
        begins(selector, "awscni_") || begins(selector, "ipam_") || begins(selector, "cilium_ipam")
    }),
];

fn named(selector: &Selector, name: &str) -> bool {
    selector.metric.as_deref() == Some(name)
}

fn begins(selector: &Selector, name: &str) -> bool {
    selector
        .metric
        .as_deref()
        .is_some_and(|metric| metric.starts_with(name))
}

fn judge(input: &Input, outcome: &mut Outcome) {
    let selectors: Vec<&Selector> = readable(input)
        .filter(|(rule, _)| rule.is_alert)
        .flat_map(|(_, expr)| expr.selectors())
        .collect();
    let missing: Vec<&str> = CLASSES
        .iter()
        .filter(|(_, asks)| !selectors.iter().any(|selector| asks(selector)))
        .map(|(class, _)| *class)
        .collect();
    if missing.is_empty() {
        return;
    }
    let mut finding = Finding::new(
        LINT.id,
        Severity::Note,
        Subject::Cluster,
        format!("no rule notices that {}", missing.join(", that ")),
        Evidence::field(
            format!(
                "{} alerts were read",
                input.rules.iter().filter(|rule| rule.is_alert).count()
            ),
            "all rules",
        ),
    );
    finding.hint = Some("rules to begin with: `kubectl netcheck alerts emit`".to_owned());
    outcome.findings.push(finding);
}
