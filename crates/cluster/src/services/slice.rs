//! An EndpointSlice as the API writes it.

use observation::{Endpoint, EndpointSlice, SlicePort};
use serde::Deserialize;

use super::{Metadata, addresses, tcp};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SliceObject {
    metadata: Metadata,
    address_type: String,
    // Both may be null.
    #[serde(default)]
    ports: Option<Vec<SlicePortObject>>,
    #[serde(default)]
    endpoints: Option<Vec<EndpointObject>>,
}

#[derive(Deserialize)]
struct SlicePortObject {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointObject {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: EndpointConditions,
    node_name: Option<String>,
    target_ref: Option<TargetReference>,
    zone: Option<String>,
    hostname: Option<String>,
    #[serde(default)]
    hints: Hints,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Hints {
    for_zones: Vec<Hint>,
    for_nodes: Vec<Hint>,
}

#[derive(Deserialize)]
struct Hint {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EndpointConditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Deserialize)]
struct TargetReference {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
    uid: Option<String>,
}

impl From<SliceObject> for EndpointSlice {
    fn from(mut object: SliceObject) -> Self {
        let ports = object.ports.into_iter().flatten().map(|port| SlicePort {
            name: port.name.into_iter().collect(),
            protocol: port.protocol.unwrap_or_else(tcp),
            port: port.port,
        });
        let endpoints = object.endpoints.into_iter().flatten().map(|endpoint| {
            // An absent condition means that the endpoint is ready (discovery/v1, EndpointConditions).
            let ready = endpoint.conditions.ready != Some(false);
            let pod = endpoint.target_ref.filter(|target| target.kind == "Pod");
            let names = |hints: Vec<Hint>| hints.into_iter().map(|hint| hint.name).collect();
            let (pod, pod_uid) = pod.map_or((None, None), |target| (Some(target.name), target.uid));
            Endpoint {
                addresses: addresses(&endpoint.addresses),
                ready,
                serving: endpoint.conditions.serving.unwrap_or(ready),
                terminating: endpoint.conditions.terminating == Some(true),
                node: endpoint.node_name,
                pod,
                pod_uid,
                zone: endpoint.zone,
                for_zones: names(endpoint.hints.for_zones),
                for_nodes: names(endpoint.hints.for_nodes),
                hostname: endpoint.hostname,
            }
        });
        Self {
            service: object.metadata.labels.remove("kubernetes.io/service-name"),
            managed_by: object
                .metadata
                .labels
                .remove("endpointslice.kubernetes.io/managed-by"),
            triggered: object
                .metadata
                .annotations
                .remove("endpoints.kubernetes.io/last-change-trigger-time"),
            name: object.metadata.name,
            namespace: object.metadata.namespace,
            address_type: object.address_type,
            ports: ports.collect(),
            endpoints: endpoints.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_without_conditions_is_ready() {
        let object: SliceObject = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
            "addressType": "IPv4", "ports": [{"name": "", "protocol": "TCP", "port": 8080}],
            "endpoints": [
                {"addresses": ["10.244.1.3"], "nodeName": "node1", "targetRef": {"kind": "Pod", "name": "web-1", "uid": "u"}, "hostname": "web-1",
                    "zone": "b", "hints": {"forZones": [{"name": "b"}]}},
                {"addresses": ["10.244.1.4"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            ],
        }))
        .unwrap();
        let slice = EndpointSlice::from(object);
        assert_eq!(slice.service.as_deref(), Some("web"));
        assert!(slice.endpoints[0].ready && slice.endpoints[0].serving);
        assert_eq!(slice.endpoints[0].pod.as_deref(), Some("web-1"));
        assert_eq!(slice.endpoints[0].hostname.as_deref(), Some("web-1"));
        assert_eq!(
            slice.managed_by.as_deref(),
            Some("endpointslice-controller.k8s.io")
        );
        assert_eq!(slice.endpoints[0].for_zones, ["b"]);
        assert!(!slice.endpoints[1].ready && slice.endpoints[1].serving && slice.endpoints[1].terminating);
    }

    #[test]
    fn null_lists_of_a_slice_are_empty() {
        let text =
            r#"{"metadata":{"name":"a","namespace":"b"},"addressType":"IPv4","ports":null,"endpoints":null}"#;
        let slice = EndpointSlice::from(serde_json::from_str::<SliceObject>(text).unwrap());
        assert!(slice.ports.is_empty() && slice.endpoints.is_empty() && slice.service.is_none());
    }
}
