//! What the server, the kubelets and the controllers share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::agent::Target;
use crate::bulk::Template;
use crate::config::{Config, Connectivity, NodeBehaviour};
use crate::fake::Recorded;
use crate::fault::{Admission, Denial, Effect, ExecEffect, ExecFault, Fault};
use crate::resource::Resource;
use crate::store::{Key, Object, Store};

/// What tests may change while the server runs.
pub(crate) struct Rules {
    pub(crate) faults: Vec<Fault>,
    pub(crate) denials: Vec<Denial>,
    pub(crate) admissions: Vec<Admission>,
    pub(crate) exec_faults: Vec<ExecFault>,
    pub(crate) behaviours: BTreeMap<String, NodeBehaviour>,
    pub(crate) connectivity: Connectivity,
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) resources: Vec<Resource>,
    pub(crate) template: Template,
    /// Changes when all watches are to end with 410.
    pub(crate) expire: watch::Sender<u64>,
    store: Mutex<Store>,
    rules: Mutex<Rules>,
    recorded: Mutex<Vec<Recorded>>,
    /// The number of the last pod address, by node.
    addresses: Mutex<BTreeMap<String, u128>>,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let rules = Rules {
            faults: Vec::new(),
            denials: Vec::new(),
            admissions: Vec::new(),
            exec_faults: Vec::new(),
            behaviours: config.behaviours.clone(),
            connectivity: Arc::clone(&config.connectivity),
        };
        Self {
            resources: config.resources(),
            template: Template::new(),
            expire: watch::Sender::new(0),
            store: Mutex::new(Store::new()),
            rules: Mutex::new(rules),
            recorded: Mutex::new(Vec::new()),
            addresses: Mutex::new(BTreeMap::new()),
            config,
        }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn recorded(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn resource_of_kind(&self, kind: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.kind == kind || resource.plural == kind)
    }

    /// The resource of an object by what it says of itself. Several groups may have a kind of one name.
    pub(crate) fn resource_of(&self, object: &Value) -> Option<&Resource> {
        let kind = object["kind"].as_str().unwrap_or("");
        let mut all = self.resources.iter();
        all.find(|resource| resource.kind == kind && object["apiVersion"] == resource.api_version())
            .or_else(|| self.resource_of_kind(kind))
    }

    /// Changes an object if it is still the one with this uid; gives its new state.
    pub(crate) fn update(&self, key: &Key, uid: &Value, change: impl FnOnce(&mut Value)) -> Option<Object> {
        let mut store = self.store();
        let last = store.get(key).filter(|last| last["metadata"]["uid"] == *uid)?;
        let mut value = (*last).clone();
        change(&mut value);
        Some(store.put(key, value))
    }

    pub(crate) fn effect(&self, verb: &str, path: &str) -> Option<Effect> {
        self.rules()
            .faults
            .iter_mut()
            .find_map(|fault| fault.apply(verb, path))
    }

    pub(crate) fn exec_effect(&self, node: &str) -> Option<ExecEffect> {
        self.rules()
            .exec_faults
            .iter_mut()
            .find_map(|fault| fault.apply(node))
    }

    pub(crate) fn is_denied(&self, verb: &str, resource: &str, namespace: Option<&str>) -> bool {
        let rules = self.rules();
        rules
            .denials
            .iter()
            .any(|denial| denial.covers(verb, resource, namespace))
    }

    pub(crate) fn behaviour(&self, node: &str) -> NodeBehaviour {
        let rules = self.rules();
        rules
            .behaviours
            .get(node)
            .cloned()
            .unwrap_or(NodeBehaviour::Healthy)
    }

    /// Free addresses for a pod on this node, one of each of the node's pod CIDRs.
    pub(crate) fn pod_addresses(&self, node: &Value) -> Vec<String> {
        let name = node["metadata"]["name"].as_str().unwrap_or("").to_owned();
        let used: BTreeSet<String> = {
            let store = self.store();
            let pods = store.all().filter(|(key, _)| key.is("pods"));
            let of_node = pods.filter(|(_, pod)| pod["spec"]["nodeName"] == name);
            of_node
                .filter_map(|(_, pod)| pod["status"]["podIP"].as_str().map(str::to_owned))
                .collect()
        };
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let last = addresses.entry(name).or_insert(1);
        let cidrs = node["spec"]["podCIDRs"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![json!("10.250.0.0/24")]);
        for _ in 0..253 {
            // .0 is the network, .1 the bridge, .255 the broadcast address.
            *last = if *last >= 254 { 2 } else { *last + 1 };
            let found: Vec<String> = cidrs
                .iter()
                .filter_map(|cidr| nth_address(cidr.as_str()?, *last))
                .collect();
            if found.first().is_some_and(|first| !used.contains(first)) {
                return found;
            }
        }
        Vec::new()
    }

    /// The pod that has an address: one of the pod network before one of the host's.
    pub(crate) fn pod_at(&self, address: IpAddr) -> Option<Target> {
        let text = address.to_string();
        let store = self.store();
        let pods = store.all().filter(|(key, pod)| {
            let mut addresses = pod["status"]["podIPs"].as_array().into_iter().flatten();
            key.is("pods")
                && addresses.any(|entry| entry["ip"] == text)
                && pod["status"]["phase"] == "Running"
        });
        let (key, pod) = pods.min_by_key(|(_, pod)| pod["spec"]["hostNetwork"] == true)?;
        Some(Target {
            node: pod["spec"]["nodeName"].as_str()?.to_owned(),
            pod: key.name.clone(),
            name: agent_name(pod),
        })
    }
}

/// What the agent in a pod calls itself: the value after `--name` on its command line, else the name of its node.
pub(crate) fn agent_name(pod: &Value) -> String {
    let container = &pod["spec"]["containers"][0];
    let words: Vec<&str> = [&container["command"], &container["args"]]
        .iter()
        .filter_map(|list| list.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let after = words
        .iter()
        .position(|word| *word == "--name")
        .and_then(|at| words.get(at + 1).copied());
    let joined = words.iter().find_map(|word| word.strip_prefix("--name="));
    let node = pod["spec"]["nodeName"].as_str().unwrap_or("");
    after.or(joined).unwrap_or(node).to_owned()
}

fn nth_address(cidr: &str, number: u128) -> Option<String> {
    let base: IpAddr = cidr.split('/').next()?.parse().ok()?;
    Some(match base {
        IpAddr::V4(base) => {
            let address = u32::from(base) + u32::try_from(number).ok()?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        IpAddr::V6(base) => std::net::Ipv6Addr::from(u128::from(base) + number).to_string(),
    })
}

/// The present time as the API writes it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// One object as JSON, with `kind` and `apiVersion`.
pub(crate) fn typed(resource: &Resource, object: &Value) -> Vec<u8> {
    let mut text = format!(
        "{{\"kind\":\"{}\",\"apiVersion\":\"{}\",",
        resource.kind,
        resource.api_version()
    );
    text.push_str(object.to_string().strip_prefix('{').unwrap_or("}"));
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_from_the_start_of_the_range() {
        assert_eq!(nth_address("10.128.3.0/24", 2).as_deref(), Some("10.128.3.2"));
        assert_eq!(nth_address("fd00:1::/64", 16).as_deref(), Some("fd00:1::10"));
    }
}
