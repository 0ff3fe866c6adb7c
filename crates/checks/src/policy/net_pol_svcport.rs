use netmodel::policy::{Direction, Pod, Policy, Port, PortMatch, Protocol, Rule};
use observation::selects;
use report::{Finding, Severity};

use super::net_pol_port::{destinations, of_flow};
use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, about, field, lint, pod_name, rule_path, target_port};
use crate::view::View;

/// A rule names the port of a Service, where the pod behind it listens on another: policies see packets after the Service's address
/// was replaced, so they go by the pod's own port.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-svcport",
    claim: "rules name the ports of pods, not those of Services in front of them",
    needs: &[Need::Policies],
    judge,
};

/// What a Service makes of a port, for one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translation {
    pub(super) service: String,
    pub(super) protocol: Protocol,
    pub(super) service_port: u16,
    pub(super) target: u16,
}

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = lint(view, &[Objects::Pods, Objects::Services], find);
    judgement.findings.extend(of_flow(view, CHECK.id));
    judgement
}

/// The ports of a pod behind Services.
pub(super) fn translations(scene: &Scene<'_>, pod: &Pod) -> Vec<Translation> {
    let services = scene.services_of(&pod.namespace).iter();
    let services = services.filter(|service| selects(&service.selector, &pod.labels));
    let mut all = Vec::new();
    for service in services {
        for port in &service.ports {
            let protocol = Protocol::named(&port.protocol);
            let Some((protocol, target)) =
                protocol.and_then(|it| Some((it, target_port(&port.target, it, pod)?)))
            else {
                continue;
            };
            all.push(Translation {
                service: format!("service/{} -n {}", service.name, service.namespace),
                protocol,
                service_port: port.port,
                target,
            });
        }
    }
    all
}

fn find(scene: &Scene<'_>) -> Vec<Finding> {
    // Who asks about one flow is told about that flow.
    if !scene.is_lint() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for policy in scene.policies() {
        for direction in policy.directions() {
            let rules = policy.rules(direction).unwrap_or(&[]);
            for (index, rule) in rules.iter().enumerate() {
                findings.extend(of_rule(scene, policy, rules, rule, (direction, index)));
            }
        }
    }
    findings
}

fn of_rule(
    scene: &Scene<'_>,
    policy: &Policy,
    rules: &[Rule],
    rule: &Rule,
    (direction, index): (Direction, usize),
) -> Option<Finding> {
    let pods = destinations(scene, policy, rule, direction)?;
    for (number, port) in rule.ports.iter().enumerate() {
        let PortMatch::Number(wanted) = port.port else {
            continue;
        };
        // Where any of the pods has that port by itself, it may be the one that is meant.
        if pods.iter().any(|pod| has(scene, pod, port.protocol, wanted)) {
            continue;
        }
        let missed = pods.iter().find_map(|pod| {
            let mut translations = translations(scene, pod).into_iter();
            let missed = translations.find(|it| {
                it.protocol == port.protocol
                    && it.service_port == wanted
                    && !is_allowed(rules, it.protocol, it.target, pod)
            });
            Some((*pod, missed?))
        });
        let Some((pod, missed)) = missed else {
            continue;
        };
        let path = format!("{}.ports[{number}]", rule_path(direction, index));
        let summary = format!(
            "{} allows {port}, which is the port of {}: the pods behind it listen on {}",
            policy.name, missed.service, missed.target
        );
        let fact = format!(
            "port {wanted}; {} sends port {wanted} to port {} of {}, and policies see that port",
            missed.service,
            missed.target,
            pod_name(pod)
        );
        let hint = format!(
            "write port {} (or the name of the pod's port) in the rule",
            missed.target
        );
        let evidence = field(&policy.name, &path, fact);
        return Some(about(
            CHECK.id,
            Severity::Warning,
            &policy.name,
            summary,
            evidence,
            &hint,
        ));
    }
    None
}

/// Whether the pod itself listens there: it declares the port, or a Service sends something to it.
fn has(scene: &Scene<'_>, pod: &Pod, protocol: Protocol, number: u16) -> bool {
    let declared = pod
        .ports
        .iter()
        .any(|port| port.protocol == protocol && port.number == number);
    let mut translations = translations(scene, pod).into_iter();
    declared || translations.any(|it| it.protocol == protocol && it.target == number)
}

fn is_allowed(rules: &[Rule], protocol: Protocol, number: u16, pod: &Pod) -> bool {
    let covers = |port: &Port| match &port.port {
        PortMatch::Named(name) => port.protocol == protocol && pod.named_port(name, protocol) == Some(number),
        PortMatch::Any | PortMatch::Number(_) | PortMatch::Range(..) => port.covers(protocol, number),
    };
    rules
        .iter()
        .any(|rule| rule.ports.is_empty() || rule.ports.iter().any(covers))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;

    /// The Service web sends 80 to the pods' 8080.
    fn allowing(ports: &Value) -> Fixture {
        let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": ports}]});
        Fixture::shop().with("shop", "web", spec)
    }

    #[test]
    fn the_port_of_a_service_is_not_the_pods() {
        let findings = shown::finds(&CHECK, &allowing(&json!([{"port": 80}])).observe());
        assert_eq!(
            findings[0].summary,
            "networkpolicy/web -n shop allows TCP 80, which is the port of service/web -n shop: the pods behind it listen on 8080"
        );
    }

    #[test]
    fn the_same_slip_in_an_egress_rule_is_found() {
        let to = json!([{"podSelector": {"matchLabels": {"app": "web"}}}]);
        let spec = json!({"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"],
            "egress": [{"to": to, "ports": [{"port": 80}]}]});
        shown::finds(&CHECK, &Fixture::shop().with("shop", "db", spec).observe());
    }

    #[test]
    fn the_pods_port_and_both_together_are_right() {
        shown::passes(&CHECK, &allowing(&json!([{"port": 8080}])).observe());
        shown::passes(&CHECK, &allowing(&json!([{"port": "http"}])).observe());
        let observation = allowing(&json!([{"port": 80}, {"port": 8080}])).observe();
        shown::passes(&CHECK, &observation);
        shown::passes(&CHECK, &allowing(&json!([])).observe());
    }

    #[test]
    fn a_flow_to_the_service_says_which_port_is_missing() {
        let fixture = allowing(&json!([{"port": 80}])).flow(("ops", "prometheus-1"), ("shop", "web-1"), 8080);
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert!(findings[0].explains.contains(&"net-pol-eval".to_owned()));
    }

    #[test]
    fn without_pods_it_is_not_known_where_they_listen() {
        shown::cannot_tell(&CHECK, &without_pods(allowing(&json!([{"port": 80}])).observe()));
    }
}
