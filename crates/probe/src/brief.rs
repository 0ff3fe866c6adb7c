//! What a node tells where nobody can connect with it.
//!
//! An exec goes from the API server to the kubelet, over a connection that is made for it. A node that takes no new
//! connections, for whatever reason, still has those that it made itself: its kubelet hears of new pods and reports their
//! status. So a pod is started that reads what fits in a status, leaves it there as its last words, and ends.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use netprobe::{ReadAnswer, ReadPlan};
use observation::Place;
use tokio::time::Instant;

use crate::answers::Answers;
use crate::names::{self, Role};
use crate::pod::AGENT;
use crate::removal::at_once;
use crate::run::ProbeRun;
use crate::trouble::{Trouble, within};

/// Where kubelets look for the last words of a container that says nothing else.
const FILE: &str = "/dev/termination-log";
/// How long such a pod may take: to be seen by the kubelet, started, and seen to have ended.
const PATIENCE: Duration = Duration::from_secs(15);
const REQUEST: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_millis(300);

impl ProbeRun {
    /// Reads what the plan says, without an exec: by a copy of the node's probe pod that does nothing else. `None` where
    /// that is not possible either. The plan's answers have to fit in 4 KiB; what does not is left out.
    pub(crate) async fn brief(&self, node: &str, plan: &ReadPlan) -> Option<Vec<ReadAnswer>> {
        let Some(Place::Ready(probe)) = self.placement().nodes.get(node) else {
            return None;
        };
        let api = self.pods();
        let pod = within(REQUEST, api.get(&probe.name)).await.ok()?;
        let name = names::pod_name(self.tool(), &plan.run, node, Role::Brief, self.next_brief());
        let copy = copy(&pod, &name, node, plan)?;
        within(REQUEST, api.create(&PostParams::default(), &copy))
            .await
            .ok()?;
        let words = last_words(&api, &name).await;
        // If this fails, the end of the run removes it.
        let _ = within(REQUEST, api.delete(&name, &at_once())).await;
        let mut answers = Answers::default();
        answers.push(words?.as_bytes());
        (!answers.reads.is_empty()).then_some(answers.reads)
    }
}

/// A pod like this one, which reads and ends. `None` when the plan cannot be written, which it always can.
fn copy(pod: &Pod, name: &str, node: &str, plan: &ReadPlan) -> Option<Pod> {
    let mut spec = pod.spec.clone()?;
    let container = spec.containers.first_mut()?;
    let plan_text = serde_json::to_string(plan).ok()?;
    let command = [
        AGENT, "tell", "--name", node, "--run", &plan.run, "--plan", &plan_text, "--file", FILE,
    ];
    container.command = Some(command.iter().map(|&word| word.to_owned()).collect());
    container.termination_message_path = Some(FILE.to_owned());
    let mut metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: pod.metadata.namespace.clone(),
        labels: pod.metadata.labels.clone(),
        annotations: pod.metadata.annotations.clone(),
        owner_references: pod.metadata.owner_references.clone(),
        ..ObjectMeta::default()
    };
    metadata
        .labels
        .get_or_insert_default()
        .insert(names::ROLE.to_owned(), Role::Brief.as_str().to_owned());
    Some(Pod {
        metadata,
        spec: Some(spec),
        status: None,
    })
}

/// Waits until the pod has ended.
async fn last_words(api: &Api<Pod>, name: &str) -> Option<String> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        tokio::time::sleep(TICK).await;
        match within(REQUEST, api.get(name)).await {
            Ok(pod) => {
                if let Some(words) = said(&pod) {
                    return Some(words);
                }
            }
            Err(trouble @ Trouble::Refused(_)) if !trouble.is_passing() => return None,
            Err(_) => {}
        }
    }
    None
}

fn said(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let ended = statuses.first()?.state.as_ref()?.terminated.as_ref()?;
    Some(ended.message.clone().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use netprobe::{Read, WIRE_VERSION};
    use serde_json::json;

    use super::*;

    fn pod(value: serde_json::Value) -> Pod {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_copy_has_the_place_and_the_owner_of_the_first_and_another_command() {
        let first = pod(json!({
            "metadata": {
                "name": "a", "namespace": "n", "uid": "1", "resourceVersion": "2",
                "labels": {"netcheck.dev/role": "probe", "netcheck.dev/run": "r"},
                "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "3"}],
            },
            "spec": {"nodeName": "node1", "containers": [{"name": "netprobe", "command": ["serve"]}]},
            "status": {"phase": "Running"},
        }));
        let plan = ReadPlan {
            version: WIRE_VERSION,
            run: "r".to_owned(),
            deadline_ms: 1,
            reads: [(1, Read::Tracking)].into(),
        };
        let copy = copy(&first, "b", "node1", &plan).unwrap();
        assert_eq!(copy.metadata.name.as_deref(), Some("b"));
        assert_eq!(copy.metadata.owner_references, first.metadata.owner_references);
        assert_eq!((copy.metadata.uid, copy.metadata.resource_version), (None, None));
        let labels = copy.metadata.labels.unwrap();
        assert_eq!(labels["netcheck.dev/run"], "r");
        assert_eq!(labels["netcheck.dev/role"], "brief");
        let spec = copy.spec.unwrap();
        assert_eq!(spec.node_name.as_deref(), Some("node1"));
        let command = spec.containers[0].command.as_ref().unwrap();
        assert!(command.contains(&"tell".to_owned()) && command.contains(&FILE.to_owned()));
    }

    #[test]
    fn only_a_container_that_has_ended_has_said_its_last_words() {
        let with = |state: serde_json::Value| {
            said(&pod(json!({
                "metadata": {},
                "status": {"containerStatuses": [{
                    "name": "netprobe", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
                }]},
            })))
        };
        assert_eq!(with(json!({"running": {}})), None);
        assert_eq!(with(json!({"waiting": {}})), None);
        assert_eq!(
            with(json!({"terminated": {"exitCode": 0, "message": "words"}})).as_deref(),
            Some("words")
        );
        assert_eq!(said(&pod(json!({"metadata": {}}))), None);
    }
}
