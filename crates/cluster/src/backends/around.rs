//! What else says why a Service has nobody behind it: events, the controller manager, who brings load balancers, old Endpoints.

use std::collections::BTreeMap;

use observation::{BackendEvent, ControllerLease, EndpointsObject};
use report::{GapReason, Observed};
use serde::Deserialize;

use super::workload::WorkloadItem;
use super::{joined, within};
use crate::cluster::Cluster;
use crate::list::ListQuery;

/// Kinds of objects whose warnings are kept.
const KINDS: [&str; 4] = ["Service", "Pod", "EndpointSlice", "Endpoints"];

/// Parts of the names of images that bring load balancers: MetalLB, kube-vip, the load balancer of k3s, OpenELB, PureLB, LoxiLB, that of
/// AWS, and the cloud controller managers of providers, which are called so by convention.
const MAKERS: [&str; 8] = [
    "metallb/",
    "kube-vip",
    "klipper-lb",
    "openelb",
    "purelb",
    "loxilb",
    "aws-load-balancer-controller",
    "cloud-controller-manager",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventItem {
    involved_object: Involved,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    series: Option<Series>,
}

#[derive(Deserialize)]
struct Involved {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    last_observed_time: Option<String>,
}

#[derive(Deserialize)]
struct LeaseItem {
    #[serde(default)]
    spec: LeaseSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeaseSpec {
    holder_identity: Option<String>,
    renew_time: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    metadata: NamedMetadata,
}

#[derive(Deserialize)]
struct NamedMetadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
pub(super) struct EndpointsItem {
    metadata: EndpointsMetadata,
    #[serde(default)]
    subsets: Vec<Subset>,
}

#[derive(Deserialize)]
struct EndpointsMetadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Subset {
    addresses: Vec<serde::de::IgnoredAny>,
    not_ready_addresses: Vec<serde::de::IgnoredAny>,
}

impl From<EndpointsItem> for EndpointsObject {
    fn from(item: EndpointsItem) -> Self {
        let subsets = item.subsets.iter();
        let addresses: usize = subsets
            .map(|it| it.addresses.len() + it.not_ready_addresses.len())
            .sum();
        let metadata = item.metadata;
        let skip = metadata.labels.get("endpointslice.kubernetes.io/skip-mirror");
        Self {
            addresses: u32::try_from(addresses).unwrap_or(u32::MAX),
            skips_mirror: skip.is_some_and(|value| value == "true"),
            elects_leader: metadata
                .annotations
                .contains_key("control-plane.alpha.kubernetes.io/leader"),
            namespace: metadata.namespace,
            name: metadata.name,
        }
    }
}

impl Cluster {
    /// Warnings about Services and pods: of each object and reason the last.
    pub(super) async fn backend_events(&self, namespace: Option<&str>) -> Observed<Vec<BackendEvent>> {
        let query = within(ListQuery::new("", "v1", "events"), namespace).with_fields("type=Warning");
        let listed = self.list::<EventItem>("events", &query).await;
        listed.map(last_of_each)
    }

    /// Events of one reason about pods: of each pod the last.
    pub(crate) async fn pod_events_of(&self, reason: &str) -> Observed<Vec<BackendEvent>> {
        let query = ListQuery::new("", "v1", "events").with_fields(format!("reason={reason}"));
        let listed = self.list::<EventItem>(&format!("events {reason}"), &query).await;
        listed.map(last_of_each)
    }

    pub(super) async fn controller_lease(&self) -> Observed<Option<ControllerLease>> {
        let query = ListQuery::new("coordination.k8s.io", "v1", "leases")
            .in_namespace("kube-system")
            .with_fields("metadata.name=kube-controller-manager");
        let what = "lease/kube-controller-manager -n kube-system";
        let listed = self.list::<LeaseItem>(what, &query).await;
        listed.map(|items| {
            items.into_iter().next().map(|item| ControllerLease {
                holder: item.spec.holder_identity,
                renewed: item.spec.renew_time,
            })
        })
    }

    /// Namespaces that have a Service of this name.
    pub(super) async fn namespaces_of_service(&self, name: &str) -> Observed<Vec<String>> {
        let query = ListQuery::new("", "v1", "services").with_fields(format!("metadata.name={name}"));
        let what = format!("Services named {name} of other namespaces");
        let listed = self.list::<Named>(&what, &query).await;
        listed.map(|items| items.into_iter().map(|item| item.metadata.namespace).collect())
    }

    /// Workloads of the cluster whose images are known to bring load balancers, and pools of Cilium.
    pub(super) async fn load_balancer_makers(&self) -> Observed<Vec<String>> {
        let mut all = Observed::Seen(Vec::new());
        for (kind, resource) in [("deployment", "deployments"), ("daemonset", "daemonsets")] {
            let query = ListQuery::new("apps", "v1", resource);
            let listed = self
                .list::<WorkloadItem>("workloads that bring load balancers", &query)
                .await;
            let makers = listed.map(|items| {
                let is_maker = |item: &&WorkloadItem| {
                    let mut images = item.images();
                    images.any(|image| MAKERS.iter().any(|maker| image.contains(maker)))
                };
                items
                    .iter()
                    .filter(is_maker)
                    .map(|item| item.named(kind))
                    .collect()
            });
            all = joined(all, makers);
        }
        let pools = ListQuery::new("cilium.io", "v2alpha1", "ciliumloadbalancerippools");
        let pools = self
            .list::<Named>("pools of load balancer addresses", &pools)
            .await;
        if pools.gap().is_some_and(|gap| gap.why == GapReason::NotServed) {
            return all;
        }
        let named = pools.map(|items| {
            let names = items.into_iter().map(|item| item.metadata.name);
            names
                .map(|name| format!("ciliumloadbalancerippool/{name}"))
                .collect()
        });
        joined(all, named)
    }
}

fn last_of_each(items: Vec<EventItem>) -> Vec<BackendEvent> {
    let wanted = items
        .into_iter()
        .filter(|item| KINDS.contains(&item.involved_object.kind.as_str()));
    let mut events: Vec<BackendEvent> = wanted
        .map(|item| BackendEvent {
            kind: item.involved_object.kind.to_lowercase(),
            namespace: item.involved_object.namespace,
            name: item.involved_object.name,
            reason: item.reason,
            message: item.message,
            last: item
                .series
                .and_then(|series| series.last_observed_time)
                .or(item.last_timestamp)
                .or(item.event_time),
        })
        .collect();
    events.sort_by(|one, other| of(one).cmp(&of(other)).then_with(|| other.last.cmp(&one.last)));
    events.dedup_by(|one, other| of(one) == of(other));
    events
}

/// What an event is about.
fn of(event: &BackendEvent) -> [&str; 4] {
    [&event.kind, &event.namespace, &event.name, &event.reason]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_several_events_of_one_reason_the_last_is_kept() {
        let event = |name: &str, message: &str, at: &str| {
            json!({"involvedObject": {"kind": "Pod", "namespace": "shop", "name": name}, "reason": "Unhealthy",
                "message": message, "lastTimestamp": at})
        };
        let items = json!([
            event("web-1", "new", "2026-03-01T09:00:05Z"),
            event("web-1", "old", "2026-03-01T09:00:01Z"),
            {"involvedObject": {"kind": "Node", "name": "node1"}, "reason": "Rebooted", "message": "x"},
        ]);
        let events = last_of_each(serde_json::from_value(items).unwrap());
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].kind.as_str(), events[0].message.as_str()),
            ("pod", "new")
        );
    }

    #[test]
    fn an_endpoints_object_says_why_it_is_not_copied() {
        let item: EndpointsItem = serde_json::from_value(json!({
            "metadata": {"name": "db", "namespace": "shop", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
            "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "notReadyAddresses": [{"ip": "192.0.2.2"}]}]
        }))
        .unwrap();
        let object = EndpointsObject::from(item);
        assert_eq!(
            (object.addresses, object.skips_mirror, object.elects_leader),
            (2, true, false)
        );
    }
}
