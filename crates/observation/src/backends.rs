//! What stands behind Services: selectors, EndpointSlices, the pods that should be in them, what makes those pods, and what else
//! says why a Service has nobody behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use report::{Observed, Subject};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{AskedCaller, EndpointSlice, PolicyPort, ReferenceGrant, Service, ServiceCaller};

/// What was seen of Services and of what stands behind them.
///
/// The lists are of the namespaces that were asked about. Where one Service was asked about, they hold all Services of its namespace,
/// and pods of other namespaces only where its selector selects them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backends {
    /// What was asked.
    pub question: BackendsQuestion,
    /// When the lists were read, RFC 3339, UTC: what is older or younger than so many seconds is counted from here.
    pub read_at: String,
    /// Services, by namespace and name.
    pub services: Observed<Vec<Service>>,
    /// Namespaces that have a Service of the name that was asked for; `None` where that was found or none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Observed<Vec<String>>>,
    /// EndpointSlices, by namespace and name.
    pub slices: Observed<Vec<EndpointSlice>>,
    /// Pods in every phase, by namespace and name.
    pub pods: Observed<Vec<BackendPod>>,
    /// Deployments, StatefulSets and DaemonSets.
    pub workloads: Observed<Vec<BackendWorkload>>,
    /// Warnings of events about Services and pods: of each object and reason the last.
    pub events: Observed<Vec<BackendEvent>>,
    /// Who leads the controller managers, by `lease/kube-controller-manager -n kube-system`; nothing where there is no such Lease.
    pub controller_manager: Observed<Option<ControllerLease>>,
    /// What refers to Services: Ingresses and routes of the Gateway API, where that is served.
    pub callers: Observed<Vec<ServiceCaller>>,
    /// Ingresses and routes by whose names Services were asked about, and what they send to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked_callers: Vec<AskedCaller>,
    /// What allows routes to send to Services of other namespaces, of the namespaces of those; `None` where no route does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Observed<Vec<ReferenceGrant>>>,
    /// Endpoints objects of Services without a selector that have no EndpointSlice; `None` where there is no such Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Observed<Vec<EndpointsObject>>>,
    /// Workloads of the cluster that bring load balancers, as `daemonset/speaker -n metallb-system`; `None` where no Service wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancers: Option<Observed<Vec<String>>>,
    /// The same again, later, of Services whose EndpointSlices differed from their pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_look: Option<SecondLook>,
}

/// Which Services are asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendsQuestion {
    /// Of this namespace; `None` for all.
    pub namespace: Option<String>,
    /// Of this name; `None` for all. A name needs a namespace.
    pub name: Option<String>,
    /// With labels that this selector selects; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// These and no others, possibly of several namespaces; empty where the rest says which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
}

/// The name of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceName {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ServiceName {
    /// Whether it is the name of this Service.
    pub fn is_of(&self, service: &Service) -> bool {
        self.name == service.name && self.namespace == service.namespace
    }
}

impl BackendsQuestion {
    /// Whether a Service of those that were read is one that was asked about: with a name in the question, others of its namespace are
    /// read to compare with.
    pub fn is_about(&self, service: &Service) -> bool {
        let is = |asked: &Option<String>, own: &str| asked.as_ref().is_none_or(|asked| asked == own);
        let is_named = self.services.is_empty() || self.services.iter().any(|name| name.is_of(service));
        is_named && is(&self.name, &service.name) && is(&self.namespace, &service.namespace)
    }

    /// The Service, by namespace and name, where just one was asked about by its name.
    pub fn single(&self) -> Option<(&str, &str)> {
        match (self.services.as_slice(), &self.namespace, &self.name) {
            ([one], _, None) => Some((&one.namespace, &one.name)),
            ([], Some(namespace), Some(name)) => Some((namespace, name)),
            _ => None,
        }
    }

    /// The namespaces whose objects are read for it; `None` for all of the cluster.
    pub fn namespaces(&self) -> Option<BTreeSet<&str>> {
        if let Some(namespace) = &self.namespace {
            return Some(BTreeSet::from([namespace.as_str()]));
        }
        let of = self.services.iter().map(|name| name.namespace.as_str());
        (!self.services.is_empty()).then(|| of.collect())
    }

    /// Whether all Services of this namespace are read for it.
    pub fn reads_all_of(&self, namespace: &str) -> bool {
        let reads = self.namespaces().is_none_or(|all| all.contains(namespace));
        reads && self.selector.is_none()
    }
}

/// EndpointSlices and pods, once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecondLook {
    /// When, RFC 3339, UTC.
    pub read_at: String,
    /// EndpointSlices of the Services that were looked at again.
    pub slices: Observed<Vec<EndpointSlice>>,
    /// Pods of their namespaces.
    pub pods: Observed<Vec<BackendPod>>,
}

/// What Services need to know of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendPod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// What made it, as `replicaset/web-5d4f`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// `metadata.creationTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `metadata.deletionTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// `status.phase`, as `Running`.
    pub phase: String,
    /// `status.podIPs`.
    #[serde(deserialize_with = "exact")]
    pub addresses: Vec<IpAddr>,
    /// `spec.nodeName`; `None` while it is not scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `spec.hostNetwork`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub host_network: bool,
    /// Whether the condition `Ready` is `True`.
    pub ready: bool,
    /// When the condition `Ready` last changed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<String>,
    /// Those of `spec.readinessGates` whose condition is not `True`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_gates: Vec<String>,
    /// Its containers and sidecars.
    #[serde(deserialize_with = "exact")]
    pub containers: Vec<BackendContainer>,
}

impl BackendPod {
    /// As kubectl prints it: `pod/web-1 -n shop`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "pod".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }

    /// Whether it has ended, and will not run again.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// A container, or an init container that keeps running.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendContainer {
    /// `name`.
    pub name: String,
    /// `image`.
    pub image: String,
    /// `ports`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "exact")]
    pub ports: Vec<PolicyPort>,
    /// Whether it has a `readinessProbe`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_readiness_probe: bool,
    /// Why it waits, as `CrashLoopBackOff`; `None` where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// `restartCount`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u32,
}

/// What makes pods: a Deployment, StatefulSet or DaemonSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendWorkload {
    /// In lower case and singular: `deployment`.
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// How many pods it wants: `spec.replicas`, or of a DaemonSet `status.desiredNumberScheduled`.
    pub wanted: u32,
    /// The labels of the pods that it makes.
    pub template_labels: BTreeMap<String, String>,
    /// `spec.serviceName` of a StatefulSet; empty strings are `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
}

impl BackendWorkload {
    /// As kubectl prints it: `deployment/web -n shop`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: self.kind.clone(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }
}

/// A warning about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendEvent {
    /// Of the object, in lower case: `pod`.
    pub kind: String,
    /// Of the object.
    pub namespace: String,
    /// Of the object.
    pub name: String,
    /// As `Unhealthy`.
    pub reason: String,
    /// As it was written.
    pub message: String,
    /// When it was last seen, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// A Lease by which the members of a control plane agree on who works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ControllerLease {
    /// `spec.holderIdentity`.
    pub holder: Option<String>,
    /// `spec.renewTime`, RFC 3339.
    pub renewed: Option<String>,
}

/// What is needed of an Endpoints object: by the API's own word deprecated, it matters only where slices are copied from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointsObject {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// How many addresses its subsets have, ready or not.
    pub addresses: u32,
    /// Whether the label `endpointslice.kubernetes.io/skip-mirror` is `true`.
    pub skips_mirror: bool,
    /// Whether it has the annotation of a leader election.
    pub elects_leader: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
pub(crate) fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// A list without room for more: there are hundreds of thousands of short ones in a large cluster, and a list that grows while it is
/// read has room for four.
pub(crate) fn exact<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let mut items = Vec::deserialize(deserializer)?;
    items.shrink_to_fit();
    Ok(items)
}
