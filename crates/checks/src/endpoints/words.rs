//! Commands that show what findings say, and repairs to paste.

use std::collections::BTreeMap;

use observation::{Service, ServicePort};
use report::{Evidence, Finding, Severity};
use serde_json::Value;

use crate::shell::word;

/// The command that shows a Service.
pub(super) fn show(service: &Service) -> String {
    format!(
        "kubectl get service {} -n {} -o yaml",
        word(&service.name),
        word(&service.namespace)
    )
}

/// The command that shows the EndpointSlices of a Service.
pub(crate) fn show_slices(service: &Service) -> String {
    format!(
        "kubectl get endpointslices -n {} -l {} -o yaml",
        word(&service.namespace),
        word(&format!("kubernetes.io/service-name={}", service.name))
    )
}

/// The command that shows the pods that a selector selects.
pub(super) fn show_pods(namespace: &str, selector: &BTreeMap<String, String>) -> String {
    format!(
        "kubectl get pods -n {} -l {} -o wide",
        word(namespace),
        word(&labels(selector))
    )
}

/// The command that shows an object of a namespace.
pub(super) fn get(kind: &str, namespace: &str, name: &str) -> String {
    format!("kubectl get {kind} {} -n {} -o yaml", word(name), word(namespace))
}

/// A merge of this into a Service. Lists of ports are merged by their ports, and everything else that is not named stays.
pub(super) fn patch(service: &Service, merged: &Value) -> String {
    format!(
        "kubectl patch service {} -n {} -p {}",
        word(&service.name),
        word(&service.namespace),
        word(&merged.to_string())
    )
}

/// Another value for a field of one of a Service's ports. Nothing is changed where that port has moved in the list meanwhile.
pub(super) fn patch_port(service: &Service, index: usize, field: &str, value: &Value) -> String {
    let port = service.ports.get(index).map_or(0, |port| port.port);
    let operations = serde_json::json!([
        {"op": "test", "path": format!("/spec/ports/{index}/port"), "value": port},
        {"op": "replace", "path": format!("/spec/ports/{index}/{field}"), "value": value},
    ]);
    format!(
        "kubectl patch service {} -n {} --type=json -p {}",
        word(&service.name),
        word(&service.namespace),
        word(&operations.to_string())
    )
}

/// As `http (80/TCP)`, or `80/TCP` where it has no name.
pub(super) fn port_name(port: &ServicePort) -> String {
    let number = format!("{}/{}", port.port, port.protocol);
    if port.name.is_empty() {
        number
    } else {
        format!("{} ({number})", port.name)
    }
}

/// As `app=web,tier=front`.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> String {
    let terms: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    terms.join(",")
}

/// A finding about a Service.
pub(super) fn about(
    id: &str,
    severity: Severity,
    service: &Service,
    summary: impl Into<String>,
    evidence: Evidence,
) -> Finding {
    Finding::new(id, severity, service.subject(), summary, evidence)
}

/// A field of a Service as evidence, with the command that shows it.
pub(super) fn field(service: &Service, fact: impl Into<String>) -> Evidence {
    Evidence::command(fact, show(service))
}

/// `1 pod`, `2 pods`, `3 addresses`.
pub(super) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

/// The first of some names, and how many more there are.
pub(super) fn some<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    crate::scene::some(names)
}

/// The nearest of some words to one that does not exist: at most a third of its letters differ. The same distance goes by the alphabet.
pub(super) fn nearest<'w>(wanted: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let most = (wanted.chars().count() / 3).clamp(1, 3);
    let far = |word: &str| strsim::osa_distance(&wanted.to_lowercase(), &word.to_lowercase());
    let is_part =
        |word: &str| word.len() > 2 && wanted.len() > 2 && (word.contains(wanted) || wanted.contains(word));
    words
        .into_iter()
        .filter(|word| *word != wanted)
        .map(|word| (far(word), word))
        .filter(|(distance, word)| *distance <= most || is_part(word))
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_is_one_word_to_the_shell() {
        let service = Service {
            name: "web".into(),
            namespace: "shop".into(),
            ..Service::default()
        };
        let merged = serde_json::json!({"spec": {"selector": {"app": "it's"}}});
        assert_eq!(
            patch(&service, &merged),
            r#"kubectl patch service web -n shop -p '{"spec":{"selector":{"app":"it'\''s"}}}'"#
        );
    }

    #[test]
    fn the_nearest_word_is_the_same_each_time() {
        assert_eq!(nearest("wbe", ["web", "db"]), Some("web"));
        assert_eq!(nearest("htpt", ["https", "http"]), Some("http"));
        assert_eq!(nearest("web", ["web-front", "cache"]), Some("web-front"));
        assert_eq!(nearest("HTTP", ["http"]), Some("http"));
        assert_eq!(nearest("web", ["db", "cache"]), None);
    }
}
