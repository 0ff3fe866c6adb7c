//! What does the work of kube-proxy where that does not run.

use observation::Replacement;
use report::Observed;
use serde::Deserialize;
use serde_json::Value;

use super::objects::{Container, DaemonSetItem};
use crate::cluster::Cluster;

#[derive(Deserialize)]
struct Custom {
    #[serde(default)]
    spec: Value,
}

impl Cluster {
    /// Looks for what is known to replace kube-proxy, by the DaemonSets of the cluster. Unseen where one of them is there and its
    /// configuration cannot be read, unless another one is known to do the work.
    pub(super) async fn replacements(&self, sets: &[DaemonSetItem]) -> Observed<Vec<Replacement>> {
        let mut found: Vec<Replacement> = sets.iter().filter_map(by_daemon_set).collect();
        let mut unseen = None;
        for set in sets {
            let read = match set.name() {
                "cilium" => self.cilium(set.namespace()).await,
                "calico-node" => self.calico().await,
                "antrea-agent" => self.antrea(set.namespace()).await,
                _ => continue,
            };
            match read {
                Observed::Seen(replacement) => found.extend(replacement),
                Observed::Unseen(gap) => unseen = Some(gap),
            }
        }
        found.sort();
        found.dedup();
        match unseen {
            Some(gap) if found.iter().all(|it| !it.is_whole) => Observed::Unseen(gap),
            _ => Observed::Seen(found),
        }
    }

    async fn cilium(&self, namespace: &str) -> Observed<Option<Replacement>> {
        let map = self.config_map(namespace, "cilium-config").await;
        map.map(|map| {
            let value = map?.get("kube-proxy-replacement")?.clone();
            let (is_any, is_whole) = match value.as_str() {
                "true" | "strict" => (true, true),
                "partial" | "probe" => (true, false),
                _ => (false, false),
            };
            is_any.then(|| Replacement {
                name: "Cilium".to_owned(),
                sign: format!("configmap/cilium-config -n {namespace} has kube-proxy-replacement: {value:?}"),
                command: format!("kubectl -n {namespace} get configmap cilium-config -o yaml"),
                is_whole,
            })
        })
    }

    /// Calico's eBPF data plane, which its operator or an administrator turns on.
    async fn calico(&self) -> Observed<Option<Replacement>> {
        let asked = [
            (
                "/apis/crd.projectcalico.org/v1/felixconfigurations/default",
                "felixconfigurations.crd.projectcalico.org",
                "/bpfEnabled",
            ),
            (
                "/apis/operator.tigera.io/v1/installations/default",
                "installations.operator.tigera.io",
                "/calicoNetwork/linuxDataplane",
            ),
        ];
        let mut unseen = None;
        for (path, resource, pointer) in asked {
            let kind = resource
                .split('.')
                .next()
                .unwrap_or(resource)
                .trim_end_matches('s');
            match self
                .found::<Custom>(&format!("{kind}/default"), path, resource, None)
                .await
            {
                Observed::Seen(object) => {
                    let value = object.and_then(|object| object.spec.pointer(pointer).cloned());
                    let is_on = value == Some(Value::Bool(true)) || value == Some(Value::from("BPF"));
                    if is_on {
                        return Observed::Seen(Some(Replacement {
                            name: "Calico's eBPF data plane".to_owned(),
                            sign: format!(
                                "{kind}/default has {}: {}",
                                pointer.trim_start_matches('/').replace('/', "."),
                                value.unwrap_or_default()
                            ),
                            command: format!("kubectl get {resource} default -o yaml"),
                            is_whole: true,
                        }));
                    }
                }
                Observed::Unseen(gap) => unseen = Some(gap),
            }
        }
        unseen.map_or(Observed::Seen(None), Observed::Unseen)
    }

    async fn antrea(&self, namespace: &str) -> Observed<Option<Replacement>> {
        let map = self.config_map(namespace, "antrea-config").await;
        map.map(|map| {
            let text = map?.remove("antrea-agent.conf")?;
            let value: Value = serde_saphyr::from_str(&text).ok()?;
            let is_on = value.pointer("/antreaProxy/proxyAll") == Some(&Value::Bool(true));
            is_on.then(|| Replacement {
                name: "Antrea".to_owned(),
                sign: format!("configmap/antrea-config -n {namespace} has antreaProxy.proxyAll: true"),
                command: format!("kubectl -n {namespace} get configmap antrea-config -o yaml"),
                is_whole: true,
            })
        })
    }
}

/// What replaces kube-proxy wherever it runs.
fn by_daemon_set(set: &DaemonSetItem) -> Option<Replacement> {
    let (name, namespace) = (set.name(), set.namespace());
    let (who, sign) = if name == "anetd" {
        ("GKE Dataplane V2", format!("daemonset/{name} -n {namespace}"))
    } else if name.starts_with("ovnkube-node") {
        ("OVN-Kubernetes", format!("daemonset/{name} -n {namespace}"))
    } else {
        let is_router = |container: &Container| {
            let words = container.command.iter().chain(&container.args);
            let is_off = words.clone().any(|word| word == "--run-service-proxy=false");
            let image = container.image.rsplit('/').next().unwrap_or_default();
            let is_own = image.split([':', '@']).next() == Some("kube-router");
            // It serves Services unless it is told not to.
            is_own && !is_off
        };
        set.containers().iter().any(is_router).then_some(())?;
        (
            "kube-router",
            format!("daemonset/{name} -n {namespace} runs it without --run-service-proxy=false"),
        )
    };
    Some(Replacement {
        name: who.to_owned(),
        sign,
        command: format!("kubectl -n {namespace} get daemonset {name} -o yaml"),
        is_whole: true,
    })
}
