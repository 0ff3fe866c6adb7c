//! Kubelets: pods that were bound to a node start there, and end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::NodeBehaviour;
use crate::create::prepare;
use crate::podstatus;
use crate::shared::{Shared, now};
use crate::store::{Key, Object};

/// Starts a pod as its node behaves.
pub(crate) async fn start(shared: Arc<Shared>, key: Key, pod: Object) {
    let name = pod["spec"]["nodeName"].as_str().unwrap_or("").to_owned();
    let Some(node) = shared.store().get(&Key::core("nodes", "", &name)) else {
        // Nobody watches for pods of a node that does not exist.
        return;
    };
    let host = address_of(&node);
    let uid = &pod["metadata"]["uid"];
    let update = |change: &dyn Fn(&mut Value)| shared.update(&key, uid, change);
    let behaviour = shared.behaviour(&name);
    match &behaviour {
        NodeBehaviour::DeadKubelet { .. } => return,
        NodeBehaviour::OutOfCpu => {
            tokio::time::sleep(shared.config.kubelet_delay / 10).await;
            let message = "Pod was rejected: Node didn't have enough resource: cpu, requested: 10, used: 4000, \
                           capacity: 4000";
            update(&|pod| podstatus::failed(pod, "OutOfcpu", message));
            return;
        }
        _ => {}
    }
    tokio::time::sleep(shared.config.kubelet_delay / 10).await;
    update(&|pod| podstatus::waiting(pod, &host, "ContainerCreating", ""));
    let delay = match behaviour {
        NodeBehaviour::Slow(delay) => delay,
        _ => shared.config.kubelet_delay,
    };
    tokio::time::sleep(delay.saturating_sub(shared.config.kubelet_delay / 10)).await;
    let addresses = if pod["spec"]["hostNetwork"] == true {
        vec![host.clone()]
    } else {
        shared.pod_addresses(&node)
    };
    match &behaviour {
        NodeBehaviour::Healthy | NodeBehaviour::Slow(_) | NodeBehaviour::Unschedulable => {
            update(&|pod| podstatus::running(pod, &host, &addresses, true));
        }
        NodeBehaviour::NeverReady => {
            update(&|pod| podstatus::running(pod, &host, &addresses, false));
        }
        NodeBehaviour::Waiting { reason, message } => {
            update(&|pod| podstatus::waiting(pod, &host, reason, message));
            event(&shared, &key, &pod, "Failed", &format!("Error: {reason}"));
        }
        NodeBehaviour::NoSandbox { message } => {
            let message = format!("Failed to create pod sandbox: {message}");
            event(&shared, &key, &pod, "FailedCreatePodSandBox", &message);
        }
        NodeBehaviour::CrashLoop {
            code,
            reason,
            message,
        } => {
            update(&|pod| podstatus::crashing(pod, &host, *code, reason, message));
            event(
                &shared,
                &key,
                &pod,
                "BackOff",
                "Back-off restarting failed container",
            );
        }
        NodeBehaviour::DeadKubelet { .. } | NodeBehaviour::OutOfCpu => {}
    }
    if let Some(seconds) = pod["spec"]["activeDeadlineSeconds"].as_u64() {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let message = "Pod was active on the node longer than the specified deadline";
        update(&|pod| podstatus::failed(pod, "DeadlineExceeded", message));
    }
}

/// Ends a pod whose deletion has begun; a dead kubelet never does.
pub(crate) async fn stop(shared: Arc<Shared>, key: Key, pod: Object) {
    let node = pod["spec"]["nodeName"].as_str().unwrap_or("");
    if matches!(shared.behaviour(node), NodeBehaviour::DeadKubelet { .. }) {
        return;
    }
    let grace = pod["metadata"]["deletionGracePeriodSeconds"]
        .as_u64()
        .unwrap_or(30);
    tokio::time::sleep(shared.config.stop_delay.min(Duration::from_secs(grace))).await;
    loop {
        {
            let mut store = shared.store();
            let Some(present) = store
                .get(&key)
                .filter(|is| is["metadata"]["uid"] == pod["metadata"]["uid"])
            else {
                return;
            };
            if present["metadata"]["finalizers"]
                .as_array()
                .is_none_or(Vec::is_empty)
            {
                store.remove(&key);
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn address_of(node: &Value) -> String {
    let mut addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    let internal = addresses.find(|address| address["type"] == "InternalIP");
    internal
        .and_then(|address| address["address"].as_str())
        .unwrap_or("")
        .to_owned()
}

/// Writes a warning about a pod, as the kubelet or the scheduler does.
pub(crate) fn event(shared: &Shared, key: &Key, pod: &Value, reason: &str, message: &str) {
    let Some(resource) = shared.resource_of_kind("Event") else {
        return;
    };
    let mut store = shared.store();
    if store.get(&Key::core("namespaces", "", &key.namespace)).is_none() {
        return;
    }
    let name = format!("{}.{:016x}", key.name, store.serial());
    let event = json!({
        "metadata": {"name": name},
        "involvedObject": {
            "kind": "Pod", "apiVersion": "v1", "namespace": key.namespace, "name": key.name,
            "uid": pod["metadata"]["uid"],
        },
        "reason": reason, "message": message, "type": "Warning", "count": 1,
        "firstTimestamp": now(), "lastTimestamp": now(),
        "source": {"component": "kubelet", "host": pod["spec"]["nodeName"]},
    });
    let event = prepare(&mut store, resource, &key.namespace, event);
    store.put(&Key::core("events", &key.namespace, &name), event);
}
