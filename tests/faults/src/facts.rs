//! What is only known when the lab is up, for the placeholders of scripts.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Names such as `node1.podCIDR` and what they stand for at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts(BTreeMap<String, String>);

/// The namespace of the workloads.
pub(crate) const NAMESPACE: &str = "faults";

impl Facts {
    /// Reads them from `kubectl get nodes,pods,services --all-namespaces --output json`.
    ///
    /// # Errors
    /// When a node has no address or no range of pod addresses.
    pub(crate) fn of(listed: &Value) -> Result<Self> {
        let mut facts = Self::default();
        for item in listed["items"].as_array().context("no list of objects")? {
            let name = text(item, "/metadata/name").context("an object without a name")?;
            match item["kind"].as_str() {
                Some("Node") => facts.node(name, item).with_context(|| format!("node/{name}"))?,
                Some("Pod") => facts.pod(item),
                Some("Service") => facts.service(name, item),
                _ => {}
            }
        }
        Ok(facts)
    }

    fn node(&mut self, name: &str, node: &Value) -> Result<()> {
        let addresses = node["status"]["addresses"].as_array().context("no addresses")?;
        let address = addresses
            .iter()
            .find(|one| one["type"] == "InternalIP")
            .and_then(|one| one["address"].as_str())
            .context("no InternalIP")?;
        let cidr = text(node, "/spec/podCIDR").context("no podCIDR")?;
        let (network, bits) = cidr.split_once('/').context("a podCIDR without a length")?;
        let start = network.strip_suffix(".0").context("a podCIDR that is no /24")?;
        self.set(name, "name", name);
        self.set(name, "ip", address);
        self.set(name, "podCIDR", cidr);
        self.set(name, "podBits", bits);
        self.set(name, "tunnelIP", network);
        self.set(name, "gateway", &format!("{start}.1"));
        self.set(name, "podNet", start);
        // What flannel tells the other nodes about this one's end of the tunnel.
        let backend = node["metadata"]["annotations"]["flannel.alpha.coreos.com/backend-data"].as_str();
        if let Some(backend) = backend {
            let data: Value = serde_json::from_str(backend).context("read flannel's backend-data")?;
            self.set(name, "vtepMac", data["VtepMAC"].as_str().context("no VtepMAC")?);
        }
        Ok(())
    }

    /// Pods of the workloads by their label `app`, those of the cluster's DNS as `dns`; one of each per node.
    fn pod(&mut self, pod: &Value) {
        let app = if text(pod, "/metadata/namespace") == Some(NAMESPACE) {
            text(pod, "/metadata/labels/app")
        } else if text(pod, "/metadata/labels/k8s-app") == Some("kube-dns") {
            Some("dns")
        } else {
            None
        };
        let place = (text(pod, "/spec/nodeName"), text(pod, "/status/podIP"));
        if pod["metadata"]["deletionTimestamp"].is_null()
            && let (Some(app), (Some(node), Some(address))) = (app, place)
        {
            let of = format!("{app}.{node}");
            self.set(&of, "ip", address);
            self.set(&of, "name", text(pod, "/metadata/name").unwrap_or("?"));
        }
    }

    fn service(&mut self, name: &str, service: &Value) {
        let known = match text(service, "/metadata/namespace") {
            Some(NAMESPACE) => true,
            Some("kube-system") => name == "kube-dns",
            _ => false,
        };
        if known {
            let of = format!("service.{name}");
            if let Some(address) = text(service, "/spec/clusterIP") {
                self.set(&of, "ip", address);
            }
            if let Some(port) = service["spec"]["ports"][0]["nodePort"].as_u64() {
                self.set(&of, "nodePort", &port.to_string());
            }
        }
    }

    fn set(&mut self, of: &str, what: &str, value: &str) {
        self.0.insert(format!("{of}.{what}"), value.to_owned());
    }

    /// The script with every `{{name}}` replaced.
    ///
    /// # Errors
    /// When there is no such fact.
    pub(crate) fn fill(&self, script: &str) -> Result<String> {
        let mut filled = script.to_owned();
        for name in placeholders(script)? {
            let Some(value) = self.0.get(name) else {
                let known: Vec<_> = self.0.keys().map(String::as_str).collect();
                bail!("there is no fact {name:?}; there are {}", known.join(", "));
            };
            filled = filled.replace(&format!("{{{{{name}}}}}"), value);
        }
        Ok(filled)
    }
}

/// The names between double braces.
///
/// # Errors
/// When braces are left open, or what is between them is no name.
pub(crate) fn placeholders(script: &str) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    let mut rest = script;
    while let Some((_, after)) = rest.split_once("{{") {
        let (name, further) = after
            .split_once("}}")
            .with_context(|| format!("{{{{ without }}}} before {after:?}"))?;
        ensure!(
            !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)),
            "{name:?} is no name of a fact"
        );
        names.push(name);
        rest = further;
    }
    Ok(names)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A cluster of three nodes with the workloads.
    pub(crate) fn cluster() -> Facts {
        let mut items = Vec::new();
        for number in 1..=3 {
            let node = format!("node{number}");
            items.push(json!({
                "kind": "Node",
                "metadata": {"name": node, "annotations": {
                    "flannel.alpha.coreos.com/backend-data": format!("{{\"VNI\":1,\"VtepMAC\":\"0a:00:00:00:00:0{number}\"}}"),
                }},
                "spec": {"podCIDR": format!("10.244.{number}.0/24")},
                "status": {"addresses": [
                    {"type": "Hostname", "address": node},
                    {"type": "InternalIP", "address": format!("172.30.0.1{number}")},
                ]},
            }));
            for app in ["web", "client", "pinned", "names"] {
                items.push(json!({
                    "kind": "Pod",
                    "metadata": {"name": format!("{app}-{number}"), "namespace": "faults", "labels": {"app": app}},
                    "spec": {"nodeName": node},
                    "status": {"podIP": format!("10.244.{number}.7")},
                }));
            }
        }
        for name in ["web", "empty", "pinned", "application", "names"] {
            items.push(json!({
                "kind": "Service",
                "metadata": {"name": name, "namespace": "faults"},
                "spec": {"clusterIP": "10.96.1.1", "ports": [{"port": 80, "nodePort": 30080}]},
            }));
        }
        items.push(json!({
            "kind": "Service",
            "metadata": {"name": "kube-dns", "namespace": "kube-system"},
            "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 53}]},
        }));
        Facts::of(&json!({"items": items})).unwrap()
    }

    #[test]
    fn placeholders_become_what_the_cluster_has_at_the_moment() {
        let script = "ip route del {{node2.podCIDR}} via {{node2.tunnelIP}}; bridge fdb del {{node2.vtepMac}} \
                      dst {{node2.ip}}; to {{web.node3.ip}} {{service.web.nodePort}} {{node1.gateway}}";
        assert_eq!(
            cluster().fill(script).unwrap(),
            "ip route del 10.244.2.0/24 via 10.244.2.0; bridge fdb del 0a:00:00:00:00:02 dst 172.30.0.12; \
             to 10.244.3.7 30080 10.244.1.1"
        );
    }

    #[test]
    fn an_unknown_fact_is_an_error_that_lists_the_known_ones() {
        let error = cluster().fill("ping {{node4.ip}}").unwrap_err().to_string();
        assert!(
            error.contains("node4.ip") && error.contains("node3.ip"),
            "{error}"
        );
    }

    #[test]
    fn open_braces_and_strange_names_are_errors() {
        assert!(placeholders("a {{b").is_err());
        assert!(placeholders("a {{ b }}").is_err());
        assert!(placeholders("a {{}}").is_err());
        assert_eq!(
            placeholders("a {{b.c}} ${d} {e} {{f-g}}").unwrap(),
            ["b.c", "f-g"]
        );
    }

    #[test]
    fn pods_that_are_going_are_no_facts() {
        let listed = json!({"items": [{
            "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "faults", "labels": {"app": "web"},
                         "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"nodeName": "node1"}, "status": {"podIP": "10.244.1.7"},
        }]});
        assert!(Facts::of(&listed).unwrap().fill("{{web.node1.ip}}").is_err());
    }
}
