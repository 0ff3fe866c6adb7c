//! What kubelets write into the status of pods.

use serde_json::{Value, json};

use crate::shared::now;

/// One container status for each container, in this state.
fn containers(pod: &Value, state: &Value, ready: bool) -> Value {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let statuses = containers.map(|container| {
        let runs = state["running"].is_object();
        let image = container["image"].as_str().unwrap_or("");
        let digest = format!(
            "{}@sha256:{:064x}",
            image.rsplit_once(':').map_or(image, |(name, _)| name),
            7
        );
        json!({
            "name": container["name"], "image": image, "imageID": if runs { digest } else { String::new() },
            "containerID": if runs { "containerd://7e57" } else { "" },
            "ready": ready, "started": runs, "restartCount": 0, "lastState": {}, "state": state,
        })
    });
    statuses.collect()
}

fn conditions(ready: bool, why: &str) -> Value {
    let now = now();
    let condition = |kind: &str, is: bool| {
        let mut condition = json!({
            "type": kind, "status": if is { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": now,
        });
        if !is {
            condition["reason"] = json!(why);
            condition["message"] = json!("containers with unready status");
        }
        condition
    };
    json!([
        condition("Initialized", true),
        condition("Ready", ready),
        condition("ContainersReady", ready),
        condition("PodScheduled", true),
    ])
}

/// The containers wait.
pub(crate) fn waiting(pod: &mut Value, host: &str, reason: &str, message: &str) {
    let mut state = json!({"waiting": {"reason": reason}});
    if !message.is_empty() {
        state["waiting"]["message"] = json!(message);
    }
    let statuses = containers(pod, &state, false);
    let status = &mut pod["status"];
    status["phase"] = json!("Pending");
    status["hostIP"] = json!(host);
    status["startTime"] = json!(now());
    status["conditions"] = conditions(false, "ContainersNotReady");
    status["containerStatuses"] = statuses;
}

/// The containers run.
pub(crate) fn running(pod: &mut Value, host: &str, addresses: &[String], ready: bool) {
    let statuses = containers(pod, &json!({"running": {"startedAt": now()}}), ready);
    let status = &mut pod["status"];
    status["phase"] = json!("Running");
    status["hostIP"] = json!(host);
    status["hostIPs"] = json!([{"ip": host}]);
    status["podIP"] = json!(addresses.first());
    status["podIPs"] = addresses.iter().map(|address| json!({"ip": address})).collect();
    status["conditions"] = conditions(ready, "ContainersNotReady");
    status["containerStatuses"] = statuses;
}

/// The containers end as soon as they start.
pub(crate) fn crashing(pod: &mut Value, host: &str, code: i32, reason: &str, message: &str) {
    waiting(
        pod,
        host,
        "CrashLoopBackOff",
        "back-off 10s restarting failed container in pod",
    );
    pod["status"]["phase"] = json!("Running");
    let ended = json!({"terminated": {
        "exitCode": code, "reason": reason, "message": message, "startedAt": now(), "finishedAt": now(),
    }});
    for status in pod["status"]["containerStatuses"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        status["lastState"] = ended.clone();
        status["restartCount"] = json!(1);
    }
}

/// The pod is over: rejected by the kubelet, or past its deadline.
pub(crate) fn failed(pod: &mut Value, reason: &str, message: &str) {
    let status = &mut pod["status"];
    status["phase"] = json!("Failed");
    status["reason"] = json!(reason);
    status["message"] = json!(message);
    let stop = json!({"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": now()}});
    for container in status["containerStatuses"].as_array_mut().into_iter().flatten() {
        container["ready"] = json!(false);
        container["state"] = stop.clone();
    }
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
            condition["status"] = json!("False");
            condition["reason"] = json!("PodFailed");
        }
    }
}

/// The scheduler found no node.
pub(crate) fn unschedulable(pod: &mut Value, message: &str) {
    pod["status"]["conditions"] = json!([{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
        "lastProbeTime": null, "lastTransitionTime": now(),
    }]);
}
