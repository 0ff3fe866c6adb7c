use netmodel::policy::{Direction, Peer, Policy, Selector};
use report::{Finding, Severity};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, about, count, field, lint, rule_path};
use crate::view::View;

/// Two items of a list where one was probably meant: a namespaceSelector alone, and beside it a podSelector alone. Two items are
/// either; one item is both.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-dash",
    claim: "no peer is split into two by a stray dash",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    lint(view, &[Objects::Pods, Objects::Namespaces], find)
}

fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in scene.policies() {
        for direction in policy.directions() {
            for (index, rule) in policy.rules(direction).into_iter().flatten().enumerate() {
                for (number, pair) in rule.peers.windows(2).enumerate() {
                    if let Some((namespaces, pods)) = split(pair) {
                        findings.push(of_pair(
                            scene,
                            policy,
                            (direction, index, number),
                            namespaces,
                            pods,
                        ));
                    }
                }
            }
        }
    }
    findings
}

fn split(pair: &[Peer]) -> Option<(&Selector, &Selector)> {
    let alone = |one: &'_ Peer, other: &'_ Peer| match (one, other) {
        (
            Peer::Pods {
                namespaces: Some(_),
                pods: None,
            },
            Peer::Pods {
                namespaces: None,
                pods: Some(pods),
            },
        ) => !pods.is_empty(),
        _ => false,
    };
    let parts = match pair {
        [one, other] if alone(one, other) => (one, other),
        [one, other] if alone(other, one) => (other, one),
        _ => return None,
    };
    match parts {
        (
            Peer::Pods {
                namespaces: Some(namespaces),
                ..
            },
            Peer::Pods { pods: Some(pods), .. },
        ) => Some((namespaces, pods)),
        _ => None,
    }
}

fn of_pair(
    scene: &Scene<'_>,
    policy: &Policy,
    (direction, index, number): (Direction, usize, usize),
    namespaces: &Selector,
    pods: &Selector,
) -> Finding {
    let own = policy.name.namespace.as_str();
    let selected = |namespace: &str| {
        scene
            .world
            .namespace(namespace)
            .is_some_and(|labels| namespaces.matches(labels))
    };
    let all = scene.world.pods();
    let here = all
        .iter()
        .filter(|pod| pod.namespace == own && pods.matches(&pod.labels))
        .count();
    let there = all.iter().filter(|pod| selected(&pod.namespace));
    let both = there.clone().filter(|pod| pods.matches(&pod.labels)).count();
    let there = there.count();
    // Pods of the own namespace have these labels, and of those in the other namespaces none: either was meant, most
    // likely. Where the other namespaces have no pods at all, that says nothing.
    let severity = if here > 0 && there > 0 && both == 0 && !namespaces.is_empty() {
        Severity::Note
    } else {
        Severity::Warning
    };
    let side = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let path = format!("{}.{side}[{number}]", rule_path(direction, index));
    let summary = format!(
        "{} allows all pods of namespaces {namespaces} or pods {pods} of its own namespace; were both meant together?",
        policy.name
    );
    let fact = format!(
        "as two items it allows {} there and {} here; as one item it would allow {}",
        count(there, "pod"),
        count(here, "pod"),
        count(both, "pod")
    );
    let hint = "if pods with these labels in these namespaces are meant, write both selectors as one item: no dash before the second";
    let evidence = field(&policy.name, &path, fact);
    about(CHECK.id, severity, &policy.name, summary, evidence, hint)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;

    fn from(peers: &Value) -> observation::Observation {
        let spec = json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": peers}]});
        Fixture::shop().with("shop", "db", spec).observe()
    }

    fn ops() -> Value {
        json!({"matchLabels": {"kubernetes.io/metadata.name": "ops"}})
    }

    #[test]
    fn both_readings_are_shown() {
        let peers =
            json!([{"namespaceSelector": ops()}, {"podSelector": {"matchLabels": {"app": "prometheus"}}}]);
        let findings = shown::finds(&CHECK, &from(&peers));
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].evidence[0].fact,
            "as two items it allows 2 pods there and 0 pods here; as one item it would allow 1 pod"
        );
    }

    #[test]
    fn one_item_and_an_or_that_fits_both_namespaces_are_right() {
        let one =
            json!([{"namespaceSelector": ops(), "podSelector": {"matchLabels": {"app": "prometheus"}}}]);
        shown::passes(&CHECK, &from(&one));
        let or = json!([{"namespaceSelector": ops()}, {"podSelector": {"matchLabels": {"app": "web"}}}]);
        shown::passes(&CHECK, &from(&or));
    }

    #[test]
    fn where_the_other_namespaces_have_nobody_an_or_is_not_known_to_fit() {
        let gone = json!({"matchLabels": {"kubernetes.io/metadata.name": "nowhere"}});
        let or = json!([{"namespaceSelector": gone}, {"podSelector": {"matchLabels": {"app": "web"}}}]);
        assert_eq!(shown::finds(&CHECK, &from(&or))[0].severity, Severity::Warning);
    }

    #[test]
    fn beside_all_namespaces_a_pod_selector_adds_nothing() {
        let peers = json!([{"podSelector": {"matchLabels": {"app": "web"}}}, {"namespaceSelector": {}}]);
        shown::finds(&CHECK, &from(&peers));
    }

    #[test]
    fn without_pods_the_readings_cannot_be_told_apart() {
        let peers =
            json!([{"namespaceSelector": ops()}, {"podSelector": {"matchLabels": {"app": "prometheus"}}}]);
        shown::cannot_tell(&CHECK, &without_pods(from(&peers)));
    }
}
