//! A scheduler that knows node names, selectors, required affinity and taints, and nothing of resources.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::config::NodeBehaviour;
use crate::kubelet::event;
use crate::podstatus;
use crate::shared::{Shared, now};
use crate::store::{Key, Object};

/// Binds a pod to the first node, by number of pods, that takes it.
pub(crate) async fn schedule(shared: Arc<Shared>, key: Key, pod: Object) {
    tokio::time::sleep(shared.config.kubelet_delay / 100).await;
    let (node, message) = choose(&shared, &pod);
    let uid = &pod["metadata"]["uid"];
    if let Some(node) = node {
        shared.update(&key, uid, |pod| {
            pod["spec"]["nodeName"] = json!(node);
            pod["status"]["conditions"] =
                json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": now()}]);
        });
    } else {
        shared.update(&key, uid, |pod| podstatus::unschedulable(pod, &message));
        event(&shared, &key, &pod, "FailedScheduling", &message);
    }
}

fn choose(shared: &Shared, pod: &Value) -> (Option<String>, String) {
    let Some(resource) = shared.resource_of_kind("Node") else {
        return (None, String::new());
    };
    let (nodes, pods): (Vec<Object>, Vec<Object>) = {
        let store = shared.store();
        let nodes = store
            .list(resource, None, None)
            .map(|(_, node)| Arc::clone(node))
            .collect();
        let pods = store
            .all()
            .filter(|(key, _)| key.is("pods"))
            .map(|(_, pod)| Arc::clone(pod))
            .collect();
        (nodes, pods)
    };
    let (mut unfit, mut full, mut tainted) = (0, 0, 0);
    let mut taint_text = String::new();
    let mut best: Option<(usize, &str)> = None;
    for node in &nodes {
        let name = node["metadata"]["name"].as_str().unwrap_or("");
        if !is_selected(pod, node) {
            unfit += 1;
        } else if let Some(taint) = untolerated(pod, node) {
            tainted += 1;
            taint_text = format!(
                "{{{}: {}}}",
                taint["key"].as_str().unwrap_or(""),
                taint["value"].as_str().unwrap_or("")
            );
        } else if shared.behaviour(name) == NodeBehaviour::Unschedulable {
            full += 1;
        } else {
            let load = pods.iter().filter(|pod| pod["spec"]["nodeName"] == name).count();
            if best.is_none_or(|(least, _)| load < least) {
                best = Some((load, name));
            }
        }
    }
    let mut reasons = Vec::new();
    if full > 0 {
        reasons.push(format!("{full} Insufficient cpu"));
    }
    if tainted > 0 {
        reasons.push(format!("{tainted} node(s) had untolerated taint {taint_text}"));
    }
    if unfit > 0 {
        reasons.push(format!(
            "{unfit} node(s) didn't match Pod's node affinity/selector"
        ));
    }
    let message = format!("0/{} nodes are available: {}.", nodes.len(), reasons.join(", "));
    (best.map(|(_, name)| name.to_owned()), message)
}

fn is_selected(pod: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let mut wanted = pod["spec"]["nodeSelector"].as_object().into_iter().flatten();
    if !wanted.all(|(key, value)| labels.get(key) == Some(value)) {
        return false;
    }
    let affinity = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let Some(terms) = affinity["nodeSelectorTerms"].as_array() else {
        return true;
    };
    terms.iter().any(|term| {
        let expressions = term["matchExpressions"].as_array().into_iter().flatten();
        let fields = term["matchFields"].as_array().into_iter().flatten();
        let by_label = |key: &str| labels.get(key).and_then(Value::as_str);
        let by_field = |key: &str| {
            if key == "metadata.name" {
                node["metadata"]["name"].as_str()
            } else {
                None
            }
        };
        expressions
            .into_iter()
            .all(|expression| matches(expression, by_label))
            && fields.into_iter().all(|field| matches(field, by_field))
    })
}

fn matches<'a>(expression: &Value, value: impl Fn(&str) -> Option<&'a str>) -> bool {
    let is = value(expression["key"].as_str().unwrap_or(""));
    let among = || {
        let values = expression["values"].as_array();
        values.is_some_and(|values| values.iter().any(|value| value.as_str() == is))
    };
    match expression["operator"].as_str() {
        Some("In") => is.is_some() && among(),
        Some("NotIn") => is.is_none() || !among(),
        Some("Exists") => is.is_some(),
        Some("DoesNotExist") => is.is_none(),
        _ => false,
    }
}

fn untolerated<'a>(pod: &Value, node: &'a Value) -> Option<&'a Value> {
    let mut taints = node["spec"]["taints"].as_array().into_iter().flatten();
    taints.find(|taint| {
        let mut tolerations = pod["spec"]["tolerations"].as_array().into_iter().flatten();
        let tolerated = tolerations.any(|toleration| {
            let any = |field: &str| toleration[field].as_str().is_none_or(str::is_empty);
            let exists = toleration["operator"] == "Exists";
            let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
            (any("effect") || toleration["effect"] == taint["effect"])
                && ((any("key") && exists) || toleration["key"] == taint["key"])
                && (exists || text(&toleration["value"]) == text(&taint["value"]))
        });
        taint["effect"] != "PreferNoSchedule" && !tolerated
    })
}
