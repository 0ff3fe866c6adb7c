use netmodel::policy::{Direction, Peer, Pod, Policy, PortMatch, Protocol, Rule};
use report::{Finding, Severity};

use super::net_pol_eval;
use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, about, field, judged_flows, lint, rule_path};
use crate::view::View;

/// A rule means the peer and misses the port; or it names a port that none of its pods declares.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-port",
    claim: "the ports of rules are ports of the pods that they are about",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = lint(view, &[Objects::Pods], find);
    judgement.findings.extend(of_flow(view, CHECK.id));
    judgement
}

/// What this check decides of the flow that was asked about.
pub(super) fn of_flow(view: &View<'_>, id: &str) -> Vec<Finding> {
    let Some(scene) = &view.scene else {
        return Vec::new();
    };
    let Some(asked) = scene.asked(&scene.world) else {
        return Vec::new();
    };
    let judged = judged_flows(&asked, &scene.world);
    let findings = judged
        .iter()
        .filter_map(|(flow, verdict)| net_pol_eval::finding(scene, flow, verdict));
    findings.filter(|finding| finding.id == id).collect()
}

fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in scene.policies() {
        for direction in policy.directions() {
            for (index, rule) in policy.rules(direction).into_iter().flatten().enumerate() {
                for (number, port) in rule.ports.iter().enumerate() {
                    if let PortMatch::Named(name) = &port.port {
                        let place = (direction, index, number);
                        findings.extend(undeclared(scene, policy, rule, place, (name, port.protocol)));
                    }
                }
            }
        }
    }
    findings
}

/// A port's name that no destination declares, where there are destinations at all.
fn undeclared(
    scene: &Scene<'_>,
    policy: &Policy,
    rule: &Rule,
    (direction, index, number): (Direction, usize, usize),
    (name, protocol): (&str, Protocol),
) -> Option<Finding> {
    let destinations = destinations(scene, policy, rule, direction)?;
    let declares = |pod: &&Pod| pod.named_port(name, protocol).is_some();
    if destinations.is_empty() || destinations.iter().any(declares) {
        return None;
    }
    let whose = match direction {
        Direction::Ingress => "it selects",
        Direction::Egress => "the rule allows",
    };
    let names: Vec<String> = destinations
        .iter()
        .flat_map(|pod| &pod.ports)
        .filter_map(|port| {
            Some(format!(
                "{} ({} {})",
                port.name.as_deref()?,
                port.protocol,
                port.number
            ))
        })
        .collect();
    let path = format!("{}.ports[{number}]", rule_path(direction, index));
    let mut fact = format!("port {name:?} for {protocol}, and the pods that {whose} declare no such port");
    if let Some(one) = names.first() {
        fact = format!("{fact}; they declare {one}");
    }
    let summary = format!(
        "{} allows a port named {name}, which none of the pods that {whose} declares",
        policy.name
    );
    Some(about(
        CHECK.id,
        Severity::Warning,
        &policy.name,
        summary,
        field(&policy.name, &path, fact),
        "write the name as the containers declare it, or the number",
    ))
}

/// The pods whose ports a rule is about; `None` where not all are known, or where addresses are meant.
pub(super) fn destinations<'s>(
    scene: &'s Scene<'_>,
    policy: &'s Policy,
    rule: &Rule,
    direction: Direction,
) -> Option<Vec<&'s Pod>> {
    if direction == Direction::Ingress {
        return scene.knows_pods_of(&policy.name.namespace).then(|| {
            scene
                .world
                .selected(policy)
                .filter(|pod| !pod.host_network)
                .collect()
        });
    }
    if rule.peers.is_empty() || !scene.knows_all_pods() {
        return None;
    }
    let mut all = Vec::new();
    for peer in &rule.peers {
        let Peer::Pods { namespaces, pods } = peer else {
            return None;
        };
        let in_namespace = |pod: &&Pod| match namespaces {
            None => pod.namespace == policy.name.namespace,
            Some(selector) => scene
                .world
                .namespace(&pod.namespace)
                .is_some_and(|labels| selector.matches(labels)),
        };
        let selected = |pod: &&Pod| pods.as_ref().is_none_or(|selector| selector.matches(&pod.labels));
        let meant = scene.world.pods().iter().filter(in_namespace).filter(selected);
        all.extend(meant.filter(|pod| !pod.host_network));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;

    #[test]
    fn a_flow_on_a_port_that_the_rule_does_not_name_is_told_here() {
        let spec = json!({"podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5433}]}]});
        let fixture = Fixture::shop().with("shop", "db", spec);
        let observation = fixture.flow(("shop", "web-1"), ("shop", "db-1"), 5432).observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].evidence[0].fact,
            "does not allow it: the peer is allowed, but only to TCP 5433"
        );
    }

    #[test]
    fn a_name_that_no_pod_declares_is_a_warning() {
        let spec = |name: &str| json!({"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": name}]}]});
        let findings = shown::finds(
            &CHECK,
            &Fixture::shop().with("shop", "web", spec("htpp")).observe(),
        );
        assert!(
            findings[0].evidence[0]
                .fact
                .ends_with("they declare http (TCP 8080)"),
            "{findings:?}"
        );
        let observation = Fixture::shop().with("shop", "web", spec("http")).observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn without_pods_no_name_can_be_looked_up() {
        shown::cannot_tell(&CHECK, &without_pods(Fixture::shop().observe()));
    }
}
