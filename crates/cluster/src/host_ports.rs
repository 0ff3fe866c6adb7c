//! Ports of nodes that pods ask for, as the API writes them.

use std::net::IpAddr;

use observation::HostPort;
use report::Observed;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::condition::ConditionObject;
use crate::list::ListQuery;
use crate::pods::{Metadata, PodIp};

impl Cluster {
    /// The host ports of pods that run, are not being deleted and have a network of their own, by node and port.
    pub async fn host_ports(&self) -> Observed<Vec<HostPort>> {
        let query = ListQuery::new("", "v1", "pods").with_fields("status.phase=Running");
        let listed = self.list::<PodObject>("pods with host ports", &query).await;
        listed.map(|objects| {
            let mut ports: Vec<HostPort> = objects.into_iter().flat_map(PodObject::into_ports).collect();
            ports.sort_by(|one, other| {
                let key =
                    |it: &HostPort| (it.node.clone(), it.host_port, it.protocol.clone(), it.pod.clone());
                key(one).cmp(&key(other))
            });
            ports
        })
    }
}

#[derive(Deserialize)]
struct PodObject {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
    host_network: bool,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    ports: Vec<PortObject>,
    restart_policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortObject {
    container_port: u16,
    #[serde(default)]
    host_port: u16,
    #[serde(default, rename = "hostIP")]
    host_ip: String,
    #[serde(default = "tcp")]
    protocol: String,
}

fn tcp() -> String {
    "TCP".to_owned()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
    conditions: Vec<ConditionObject>,
}

impl PodObject {
    fn into_ports(self) -> Vec<HostPort> {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        // In the network of the node a host port is what the container itself listens on.
        if spec.host_network || metadata.deletion_timestamp.is_some() || spec.node_name.is_empty() {
            return Vec::new();
        }
        let is_ready = |it: &ConditionObject| it.kind == "Ready" && it.holds();
        let ready = status.conditions.iter().any(is_ready);
        let addresses: Vec<IpAddr> = status.pod_ips.iter().map(|it| it.ip).collect();
        let controller = metadata.controller();
        // Those that start before the others are gone by now, except for sidecars.
        let sidecars = spec.init_containers.into_iter();
        let sidecars = sidecars.filter(|it| it.restart_policy.as_deref() == Some("Always"));
        let ports = spec
            .containers
            .into_iter()
            .chain(sidecars)
            .flat_map(|container| container.ports);
        let of = |port: PortObject| HostPort {
            namespace: metadata.namespace.clone(),
            pod: metadata.name.clone(),
            node: spec.node_name.clone(),
            addresses: addresses.clone(),
            host_ip: port
                .host_ip
                .parse()
                .ok()
                .filter(|ip: &IpAddr| !ip.is_unspecified()),
            host_port: port.host_port,
            container_port: port.container_port,
            protocol: port.protocol,
            controller: controller.clone(),
            ready,
        };
        ports.filter(|port| port.host_port > 0).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Vec<HostPort> {
        serde_json::from_str::<PodObject>(text).unwrap().into_ports()
    }

    #[test]
    fn ports_of_containers_and_sidecars_are_read_with_the_defaults_of_the_api() {
        let all = ports(
            r#"{"metadata": {"name": "edge-1", "namespace": "shop", "uid": "u"},
            "spec": {"nodeName": "node1", "containers": [{"ports": [{"containerPort": 8080, "hostPort": 80}, {"containerPort": 9000}]}],
              "initContainers": [{"ports": [{"containerPort": 1, "hostPort": 1}]},
                {"restartPolicy": "Always", "ports": [{"containerPort": 53, "hostPort": 53, "protocol": "UDP", "hostIP": "172.30.0.11"}]}]},
            "status": {"podIPs": [{"ip": "10.244.1.5"}], "conditions": [{"type": "Ready", "status": "True"}]}}"#,
        );
        let told: Vec<(u16, u16, &str, bool)> = all
            .iter()
            .map(|it| {
                (
                    it.host_port,
                    it.container_port,
                    it.protocol.as_str(),
                    it.host_ip.is_some(),
                )
            })
            .collect();
        assert_eq!(told, [(80, 8080, "TCP", false), (53, 53, "UDP", true)]);
        assert!(all.iter().all(|it| it.ready && it.node == "node1"));
    }

    #[test]
    fn any_address_of_the_node_is_none_in_particular() {
        for ip in ["0.0.0.0", "::", ""] {
            let all = ports(&format!(
                r#"{{"metadata": {{"name": "a", "uid": "u"}}, "spec": {{"nodeName": "n", "containers": [{{"ports": [{{"containerPort": 1, "hostPort": 2, "hostIP": "{ip}"}}]}}]}}}}"#
            ));
            assert_eq!(all[0].host_ip, None, "{ip}");
        }
    }

    #[test]
    fn pods_of_the_nodes_network_those_that_go_and_those_without_a_node_ask_for_nothing() {
        let container = r#""containers": [{"ports": [{"containerPort": 80, "hostPort": 80}]}]"#;
        for text in [
            format!(
                r#"{{"metadata": {{"name": "a", "uid": "u"}}, "spec": {{"hostNetwork": true, "nodeName": "n", {container}}}}}"#
            ),
            format!(r#"{{"metadata": {{"name": "a", "uid": "u"}}, "spec": {{{container}}}}}"#),
            format!(
                r#"{{"metadata": {{"name": "a", "uid": "u", "deletionTimestamp": "2026-03-01T09:00:00Z"}}, "spec": {{"nodeName": "n", {container}}}}}"#
            ),
        ] {
            assert_eq!(ports(&text), [], "{text}");
        }
    }
}
