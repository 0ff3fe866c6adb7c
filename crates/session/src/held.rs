//! Whether a bundle holds what a command is about. Without that a command would judge what happens to be in it, and be green about
//! something else.

use std::path::Path;

use observation::{Observation, Topic};
use plugin::{Failure, Program};

/// Refuses a bundle that holds nothing of what the command looks at. Those that judge all there is take every bundle.
///
/// # Errors
/// When the part is missing.
pub(crate) fn holds(
    observation: &Observation,
    program: &Program,
    command: &str,
    path: &Path,
) -> Result<(), Failure> {
    let Some(missing) = missing(observation, program.plugin, command) else {
        return Ok(());
    };
    let (plugin, path) = (program.plugin, path.display());
    Err(Failure::new(format!(
        "error: bundle {path} holds no {missing}: another command saved it, or one that was not allowed to look there"
    ))
    .with_hint(Some(format!(
        "save one with `kubectl {plugin} {command} --save-bundle FILE`; `kubectl netcheck diagnose --from-bundle {path}` judges all that is in this one"
    ))))
}

/// The part that a command fills and this bundle lacks.
fn missing(seen: &Observation, plugin: &str, command: &str) -> Option<&'static str> {
    let is_about = |topic| {
        seen.reach
            .as_ref()
            .is_some_and(|reach| reach.topics.contains(&topic))
    };
    let nodes_were_read = seen.node_reading.is_some() || !seen.node_evidence.is_empty();
    let (is_there, part) = match (plugin, command) {
        ("netcheck", "pod-to-pod") => (seen.mesh.is_some(), "probes between pods"),
        ("netcheck", "mtu") => (seen.measured.is_some(), "measured sizes of packets"),
        ("netcheck", "node") | ("cnicheck", "config" | "ipam" | "node") => {
            (nodes_were_read, "reading of nodes")
        }
        ("netcheck", "service") => (is_about(Topic::Service), "tries of Services"),
        ("netcheck", "egress") => (is_about(Topic::Egress), "tries of what lies outside"),
        ("netcheck", "external") => (
            is_about(Topic::External) || is_about(Topic::Path),
            "tries from outside",
        ),
        ("netcheck", "control-plane") => (is_about(Topic::ControlPlane), "tries of the control plane"),
        ("netcheck", "path") => (is_about(Topic::Path) || is_about(Topic::Egress), "path"),
        ("netcheck", "perf") => (is_about(Topic::Performance), "measured pairs"),
        ("epcheck", "scan" | "svc") => (seen.backends.is_some(), "Services"),
        ("epcheck", "rules") => (seen.backends.is_some() && nodes_were_read, "rules of nodes"),
        ("epcheck", "lb") => (seen.spread.is_some(), "counted connections"),
        ("epcheck", "conntrack") => (seen.tracked.is_some(), "tracked connections"),
        ("epcheck", "proxy") => (seen.kube_proxy.is_some(), "reading of kube-proxy"),
        ("dnscheck", "status" | "corefile" | "logs" | "metrics" | "scale" | "pod") => {
            (seen.dns.is_some(), "reading of the cluster's DNS")
        }
        ("dnscheck", "resolve" | "upstream" | "latency") => (seen.lookups.is_some(), "lookups"),
        ("cnicheck", _) => (seen.cni.is_some(), "reading of the CNI"),
        _ => (true, ""),
    };
    (!is_there).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_of_pairs_answers_for_pairs_and_for_nothing_else() {
        let bundle = include_str!("../../checks/cases/pair-silent/observation.json");
        let pairs = Observation::from_bundle(bundle).unwrap();
        for (plugin, command, expected) in [
            ("netcheck", "pod-to-pod", None),
            ("netcheck", "diagnose", None),
            ("netcheck", "egress", Some("tries of what lies outside")),
            ("epcheck", "svc", Some("Services")),
            ("dnscheck", "latency", Some("lookups")),
            ("cnicheck", "diagnose", Some("reading of the CNI")),
        ] {
            assert_eq!(missing(&pairs, plugin, command), expected, "{plugin} {command}");
        }
    }
}
