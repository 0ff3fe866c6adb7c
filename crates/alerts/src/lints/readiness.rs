use report::Severity;

use crate::lint::{Lint, Outcome, readable};
use crate::rules::{Input, Rule};

pub(crate) const LINT: Lint = Lint {
    id: "alert-readiness-as-network",
    claim: "readiness is not taken for the network, and finished pods are left out",
    judge,
};

fn judge(input: &Input, outcome: &mut Outcome) {
    for (rule, expr) in readable(input).filter(|(rule, _)| rule.is_alert) {
        let metrics: Vec<&str> = expr
            .selectors()
            .into_iter()
            .filter_map(|selector| selector.metric.as_deref())
            .collect();
        if !metrics.contains(&"kube_pod_status_ready") {
            continue;
        }
        if let Some(word) = speaks_of_the_network(rule) {
            let summary = format!("a pod that is not ready is called a fault of the {word}");
            let hint = "call it what it is; measure the network with probes".to_owned();
            outcome.found(rule, Severity::Warning, &summary, hint);
        }
        if !metrics.contains(&"kube_pod_status_phase") {
            let summary = "a pod that has finished is not ready for ever, and is not left out";
            let hint =
                "add: unless on (namespace, pod) kube_pod_status_phase{phase=~\"Succeeded|Failed\"} == 1"
                    .to_owned();
            outcome.found(rule, Severity::Warning, summary, hint);
        }
    }
}

fn speaks_of_the_network(rule: &Rule) -> Option<&'static str> {
    let mut texts: Vec<String> = rule.labels.values().map(|text| text.to_lowercase()).collect();
    texts.push(rule.name.to_lowercase());
    ["network", "connectivity", "reachab", "cni"]
        .into_iter()
        .find(|word| texts.iter().any(|text| text.contains(word)))
        .map(|word| match word {
            "reachab" => "reachability",
            "cni" => "CNI",
            word => word,
        })
}
