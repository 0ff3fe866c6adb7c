//! Whether Cilium knows the pods that there are.

use std::collections::{BTreeMap, BTreeSet};

use observation::{CiliumEndpoint, PodAddresses};
use report::{Evidence, Finding, Severity};

use super::Scene;
use super::cni_cilium::CHECK;
use crate::check::{Breaks, Judgement};
use crate::product::is_settled;
use crate::shell::word;

/// So many are told one by one.
const TOLD: usize = 20;

pub(super) fn judge(scene: &Scene<'_>, judgement: &mut Judgement) {
    // Where it keeps no object of each, nothing can be compared.
    if scene.setting("disable-endpoint-crd") == Some("true") {
        return;
    }
    let (Some(endpoints), Some(pods)) = (scene.cilium.endpoints.seen(), scene.cni.cluster_pods.seen()) else {
        return;
    };
    let known: BTreeMap<(&str, &str), &CiliumEndpoint> = endpoints
        .iter()
        .map(|it| ((it.namespace.as_str(), it.name.as_str()), it))
        .collect();
    // On a node whose agent does not work, or that is another plugin's, pods are not its own.
    let nodes: BTreeSet<&str> = scene
        .agents("cilium")
        .filter(|agent| agent.ready)
        .filter_map(|agent| agent.node.as_deref())
        .collect();
    let own = pods.iter().filter(|pod| {
        let is_on = pod.node.as_deref().is_some_and(|node| nodes.contains(node));
        is_on && is_settled(pod, &scene.cni.read_at)
    });
    let findings = own.filter_map(|pod| {
        let endpoint = known.get(&(pod.namespace.as_str(), pod.name.as_str()));
        of_pod(scene, pod, endpoint.copied())
    });
    for finding in findings.take(TOLD) {
        let pods = vec![finding.subject.clone()];
        judgement.cause(finding, Breaks::Pods { pods });
    }
}

fn of_pod(scene: &Scene<'_>, pod: &PodAddresses, endpoint: Option<&CiliumEndpoint>) -> Option<Finding> {
    let (subject, namespace, name) = (pod.subject(), word(&pod.namespace), word(&pod.name));
    let show = format!("kubectl -n {namespace} get ciliumendpoints.cilium.io {name} -o yaml");
    let (severity, what, fact) = match endpoint {
        // Pods of before Cilium was installed keep what they had.
        None if scene
            .setting("cni-chaining-mode")
            .is_none_or(|mode| mode == "none") =>
        {
            (
                Severity::Warning,
                format!(
                    "Cilium does not know {subject}: it was started without it, and no policy holds for it"
                ),
                "there is none".to_owned(),
            )
        }
        None => return None,
        Some(endpoint)
            if ["ready", "restoring", "regenerating", "waiting-to-regenerate", ""]
                .contains(&endpoint.state.as_str()) =>
        {
            let is_same = pod
                .addresses
                .iter()
                .all(|address| endpoint.addresses.contains(address));
            if is_same || endpoint.addresses.is_empty() {
                return None;
            }
            let addresses: Vec<String> = endpoint.addresses.iter().map(ToString::to_string).collect();
            (
                Severity::Warning,
                format!(
                    "{subject} has {}, and Cilium knows it by {}",
                    pod.addresses[0],
                    addresses.join(", ")
                ),
                format!("status.networking.addressing is {}", addresses.join(", ")),
            )
        }
        Some(endpoint) => (
            Severity::Error,
            format!(
                "Cilium has not set up {subject}: its endpoint is {}",
                endpoint.state
            ),
            format!("status.state is {}", endpoint.state),
        ),
    };
    let mut finding = Finding::new(CHECK.id, severity, subject, what, Evidence::command(fact, show));
    finding.hint = Some(format!(
        "make the pod anew, which has its controller start another: `kubectl -n {namespace} delete pod {name}`"
    ));
    Some(finding)
}
