//! Policies to be put beside those that are there: as manifests, and the command that prints them.

use std::fmt::Write as _;

use netmodel::policy::{Direction, End, Family, Flow, Outcome, Pod, evaluate, suggest};
use observation::{Observation, PolicyEnd};
use serde_json::{Value, json};

use crate::scene::{Scene, dns_servers, judged_flows};
use crate::shell::word;

/// The least NetworkPolicies that would allow what was asked about: the flow, and that its source may ask for names; for a pod alone
/// only the latter. Empty where nothing is missing, and where it cannot be said without opening more.
pub fn suggested_policies(observation: &Observation) -> Vec<Value> {
    let Some(scene) = Scene::of(observation) else {
        return Vec::new();
    };
    let mut manifests: Vec<Value> = Vec::new();
    let asked = scene.asked(&scene.world);
    for (flow, verdict) in asked.iter().flat_map(|asked| judged_flows(asked, &scene.world)) {
        for (direction, side) in [
            (Direction::Egress, &verdict.egress),
            (Direction::Ingress, &verdict.ingress),
        ] {
            if side.outcome() == Outcome::Denied {
                let name = policy_name(&flow.flow, direction);
                manifests.extend(suggest(&name, &flow.flow, direction).map(|it| it.manifest));
            }
        }
    }
    let sources = match &asked {
        Some(asked) => asked
            .flows
            .first()
            .and_then(|flow| flow.flow.source.pod())
            .into_iter()
            .collect(),
        None => scene.named_pods(),
    };
    if let Some(source) = sources.first() {
        manifests.extend(names(&scene, source));
    }
    manifests
}

/// What the question names and the cluster does not have, in the API's words: `pods "x" not found in namespace "shop"`.
pub fn policy_question_missing(observation: &Observation) -> Option<String> {
    Scene::of(observation)?.missing()
}

/// The command that prints the manifests for the flow that was asked about.
pub(crate) fn command(scene: &Scene<'_>) -> String {
    let question = &scene.facts.question;
    let mut command = "kubectl netcheck policy".to_owned();
    for end in [&question.source, &question.destination].into_iter().flatten() {
        let text = match end {
            PolicyEnd::Address { address } => address.to_string(),
            PolicyEnd::Object {
                kind,
                namespace,
                name,
            } => format!("{namespace}/{kind}/{name}"),
        };
        let _ = write!(command, " {}", word(&text));
    }
    if let Some(port) = question.port {
        let _ = write!(command, " --port {port}");
        if let Some(protocol) = &question.protocol {
            let _ = write!(command, "/{}", word(&protocol.to_lowercase()));
        }
    }
    command + " --suggest"
}

/// A policy under which a pod may ask for names, where it may not.
fn names(scene: &Scene<'_>, pod: &Pod) -> Option<Value> {
    let servers = dns_servers(scene);
    let first = servers.first()?;
    let denied: Vec<_> = servers
        .iter()
        .filter(|server| server.pod.is(first.pod))
        .filter(|server| {
            let flow = flow_to(pod, server.pod, server.protocol, server.port);
            evaluate(&flow, &scene.world).egress.outcome() == Outcome::Denied
        })
        .collect();
    let server = denied.first()?;
    let flow = flow_to(pod, server.pod, server.protocol, server.port);
    let mut manifest = suggest(&format!("allow-names-{}", short(pod)), &flow, Direction::Egress)?.manifest;
    let ports: Vec<Value> = denied
        .iter()
        .map(|server| json!({"protocol": server.protocol.to_string(), "port": server.port}))
        .collect();
    manifest["spec"]["egress"][0]["ports"] = Value::from(ports);
    Some(manifest)
}

fn flow_to<'a>(
    source: &'a Pod,
    destination: &'a Pod,
    protocol: netmodel::policy::Protocol,
    port: u16,
) -> Flow<'a> {
    let (source, destination) = (End::Pod(source), End::Pod(destination));
    let both = |family: &Family| source.address(*family).is_some() && destination.address(*family).is_some();
    Flow {
        source,
        destination,
        protocol,
        port,
        family: [Family::V4, Family::V6]
            .into_iter()
            .find(both)
            .unwrap_or(Family::V4),
    }
}

/// As `allow-web-to-db-5432`: it says what it does, and collides with another one only when that does the same.
fn policy_name(flow: &Flow<'_>, direction: Direction) -> String {
    let end = |end: &End<'_>| match end {
        End::Pod(pod) => short(pod),
        End::Node { name, .. } => (*name).to_owned(),
        End::Outside(_) => "outside".to_owned(),
    };
    let name = format!(
        "allow-{direction}-{}-to-{}-{}",
        end(&flow.source),
        end(&flow.destination),
        flow.port
    );
    // Names of objects have at most 253 characters, of which each part of ours has 63 at the most.
    name.to_lowercase()
}

/// A short name of what a pod belongs to.
fn short(pod: &Pod) -> String {
    let labels = netmodel::policy::stable_labels(pod);
    let value = labels
        .values()
        .next()
        .filter(|value| !value.is_empty())
        .unwrap_or(&pod.name);
    let name: String = value
        .chars()
        .map(|it| {
            if it.is_ascii_alphanumeric() {
                it.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    name.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::fixture::{Fixture, deny_all};

    #[test]
    fn both_sides_and_names_are_suggested() {
        let fixture = Fixture::shop().with("shop", "deny", deny_all());
        let manifests =
            suggested_policies(&fixture.flow(("shop", "web-1"), ("shop", "db-1"), 5432).observe());
        let names: Vec<&str> = manifests
            .iter()
            .filter_map(|it| it["metadata"]["name"].as_str())
            .collect();
        assert_eq!(
            names,
            [
                "allow-egress-web-to-db-5432",
                "allow-ingress-web-to-db-5432",
                "allow-names-web"
            ]
        );
        assert_eq!(
            manifests[2]["spec"]["egress"][0]["ports"]
                .as_array()
                .map(Vec::len),
            Some(2)
        );
    }

    #[test]
    fn what_is_suggested_is_enough() {
        let fixture = || {
            let fixture = Fixture::shop().with("shop", "deny", deny_all());
            fixture.flow(("shop", "web-1"), ("shop", "db-1"), 5432)
        };
        let mut with = fixture();
        for manifest in suggested_policies(&fixture().observe()) {
            let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
            with = with.with("shop", &name, manifest["spec"].clone());
        }
        assert_eq!(suggested_policies(&with.observe()), Vec::<Value>::new());
    }

    #[test]
    fn a_pod_that_is_not_there_is_told_in_the_words_of_the_api() {
        let observation = Fixture::shop().about("shop", "nobody").observe();
        assert_eq!(
            policy_question_missing(&observation).as_deref(),
            Some("pods \"nobody\" not found in namespace \"shop\"")
        );
    }
}
