//! Terway's objects as the API writes them, and as they are kept.

use std::collections::BTreeMap;

use observation::{
    InterfaceCondition, PodEni, PodEnis, PodNetworking, TerwayConfig, TerwayInterface, TerwayNode,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::parts::Object;

pub(super) type Node = Object<NodeSpec, NodeStatus>;
pub(super) type Networking = Object<NetworkingSpec, NetworkingStatus>;
pub(super) type Eni = Object<IgnoredAny, EniStatus>;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct NodeSpec {
    node_metadata: Metadata,
    node_cap: Cap,
    eni: Option<EniSpec>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    #[serde(rename = "zoneID")]
    zone: Option<String>,
    instance_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cap {
    adapters: Option<u32>,
    #[serde(rename = "ipv4PerAdapter")]
    ipv4_per_adapter: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EniSpec {
    #[serde(rename = "vSwitchOptions")]
    vswitches: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct NodeStatus {
    network_interfaces: BTreeMap<String, Interface>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Interface {
    id: String,
    status: String,
    #[serde(rename = "vSwitchID")]
    vswitch: Option<String>,
    network_interface_type: Option<String>,
    ipv4: BTreeMap<String, Address>,
    conditions: BTreeMap<String, Observed>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    status: String,
    #[serde(rename = "podID")]
    pod: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Observed {
    observed_time: Option<String>,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NetworkingSpec {
    #[serde(rename = "vSwitchOptions")]
    vswitches: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NetworkingStatus {
    status: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EniStatus {
    phase: String,
    msg: String,
}

/// Only what is named here is read: beside it stand keys of accounts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Conf {
    vswitches: BTreeMap<String, Vec<String>>,
    vswitch_selection_policy: Option<String>,
    max_pool_size: Option<u32>,
    min_pool_size: Option<u32>,
    ipam_type: Option<String>,
    ip_stack: Option<String>,
}

pub(super) fn config(text: &str) -> TerwayConfig {
    match serde_json::from_str::<Conf>(text) {
        Ok(conf) => TerwayConfig {
            vswitches: conf.vswitches,
            selection: conf.vswitch_selection_policy,
            max_pool_size: conf.max_pool_size,
            min_pool_size: conf.min_pool_size,
            ipam_type: conf.ipam_type,
            ip_stack: conf.ip_stack,
            disable_network_policy: None,
            broken: None,
        },
        // Where it is wrong is said without what stands there, which may be a key of an account.
        Err(error) => TerwayConfig {
            broken: Some(format!("line {}, column {}", error.line(), error.column())),
            ..TerwayConfig::default()
        },
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

pub(super) fn nodes(all: Vec<Node>) -> Vec<TerwayNode> {
    let interface = |(key, it): (String, Interface)| {
        let valid = it.ipv4.values().filter(|address| address.status != "Deleting");
        let conditions = it.conditions.into_iter().map(|(kind, condition)| {
            let condition = InterfaceCondition {
                message: condition.message,
                at: condition.observed_time,
            };
            (kind, condition)
        });
        TerwayInterface {
            id: if it.id.is_empty() { key } else { it.id },
            status: it.status,
            vswitch: it.vswitch,
            kind: it.network_interface_type,
            addresses: count(valid.clone().count()),
            used: count(valid.filter(|address| !address.pod.is_empty()).count()),
            conditions: conditions.collect(),
        }
    };
    let one = |it: Node| {
        let spec = it.spec.unwrap_or_default();
        let status = it.status.unwrap_or_default();
        TerwayNode {
            name: it.metadata.name,
            zone: spec.node_metadata.zone,
            instance_type: spec.node_metadata.instance_type,
            adapters: spec.node_cap.adapters,
            ipv4_per_adapter: spec.node_cap.ipv4_per_adapter,
            vswitches: spec.eni.unwrap_or_default().vswitches,
            interfaces: status.network_interfaces.into_iter().map(interface).collect(),
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn networkings(all: Vec<Networking>) -> Vec<PodNetworking> {
    let one = |it: Networking| {
        let status = it.status.unwrap_or_default();
        PodNetworking {
            name: it.metadata.name,
            status: status.status,
            message: status.message,
            vswitches: it.spec.unwrap_or_default().vswitches,
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn enis(all: Vec<Eni>) -> PodEnis {
    let mut enis = PodEnis::default();
    for it in all {
        let status = it.status.unwrap_or_default();
        if status.phase == "Bind" {
            enis.bound += 1;
            continue;
        }
        enis.others.push(PodEni {
            namespace: it.metadata.namespace,
            name: it.metadata.name,
            phase: status.phase,
            message: status.msg,
            created: it.metadata.creation_timestamp,
        });
    }
    enis
}
