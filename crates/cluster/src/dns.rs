//! The cluster's DNS, as the API shows it: from what kubelets give to pods to the Service, the pods behind it, what configures them and
//! what they may read. It is found by that chain; how distributions call things is only the way out where the chain is broken.

mod askers;
mod corefile;
mod kubelet;
mod objects;
#[cfg(test)]
mod on_fake;
mod pods;
mod rights;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use futures::stream::{self, StreamExt as _};
use observation::{BackendEvent, Dns, DnsController, DnsRole, EndpointSlice, Service, selects};
use report::Observed;

use self::objects::{BudgetItem, WorkloadItem};
use crate::backends::joined;
use crate::cluster::Cluster;
use crate::list::ListQuery;
use crate::services::ServiceScope;

/// How distributions call the Service, by namespace and name, where kubelets do not say its address.
const SERVICES: [(&str, &str); 5] = [
    ("kube-system", "kube-dns"),
    ("kube-system", "coredns"),
    ("kube-system", "rke2-coredns-rke2-coredns"),
    ("openshift-dns", "dns-default"),
    // NodeLocal DNSCache asks the cluster's DNS by this one.
    ("kube-system", "kube-dns-upstream"),
];
/// Labels of the pods behind it.
const LABELS: [(&str, &str); 2] = [
    ("k8s-app", "kube-dns"),
    ("dns.operator.openshift.io/daemonset-dns", "default"),
];
/// Labels of the pods of NodeLocal DNSCache, as its own manifest and as kubespray have them.
const NODE_LOCAL_LABELS: [(&str, &str); 2] = [("k8s-app", "node-local-dns"), ("k8s-app", "nodelocaldns")];
/// Of so many warnings about the resolv.conf of pods it is seen whether their pods are still there, so many at once: more are of the same kind.
const MOST_EVENTS: usize = 50;
const LOOKING: usize = 8;
/// Where nearly all have it.
const NAMESPACE: &str = "kube-system";

/// What the API shows of the cluster's DNS, and beside it all Services: the DNS Services were looked for among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRead {
    /// The cluster's DNS.
    pub dns: Dns,
    /// The Services of all namespaces.
    pub services: Observed<Vec<Service>>,
}

/// A workload, as the API has it, and what it is to DNS.
struct Found {
    item: WorkloadItem,
    kind: &'static str,
    role: DnsRole,
}

impl Found {
    fn controller(&self) -> DnsController {
        self.item.controller(self.kind, self.role)
    }
}

impl Cluster {
    /// Reads what the API shows of the cluster's DNS. `nodes` are the names of its Linux nodes, whose kubelets are asked. `read_at` is the
    /// time now, RFC 3339, UTC. `with_metrics` also asks the pods for their metrics, for which the API server needs a way to pods.
    pub async fn dns(&self, nodes: &[String], read_at: String, with_metrics: bool) -> DnsRead {
        let ((kubelets, left_out), services, askers, events) = tokio::join!(
            self.kubelets_dns(nodes),
            self.services(ServiceScope::All),
            self.odd_askers(),
            self.resolv_conf_events(),
        );
        let given: BTreeSet<IpAddr> = kubelets
            .values()
            .filter_map(Observed::seen)
            .flat_map(|kubelet| kubelet.addresses.iter().copied())
            .collect();
        let own = match &services {
            Observed::Seen(services) => Observed::Seen(dns_services(services, &given)),
            Observed::Unseen(gap) => Observed::Unseen(gap.clone()),
        };
        let found_services = own.seen().cloned().unwrap_or_default();
        let namespaces: BTreeSet<String> = found_services
            .iter()
            .map(|service| service.namespace.clone())
            .chain([NAMESPACE.to_owned()])
            .collect();
        let (slices, workloads) = tokio::join!(
            self.slices_of(&found_services),
            self.dns_workloads(&namespaces, &found_services),
        );
        let (found, autoscalers) = match workloads {
            Observed::Seen(workloads) => workloads,
            Observed::Unseen(gap) => {
                // The pods can still be there to see, by their labels.
                let pods = self.dns_pods(&namespaces, &found_services, &[], with_metrics);
                let dns = Dns {
                    kubelets,
                    kubelets_left_out: left_out,
                    services: own,
                    slices,
                    pods: pods.await,
                    askers,
                    events,
                    ..Dns::unseen(read_at, &gap)
                };
                return DnsRead { dns, services };
            }
        };
        let controllers: Vec<DnsController> = found.iter().map(Found::controller).collect();
        let (pods, corefiles, rights, budgets) = tokio::join!(
            self.dns_pods(&namespaces, &found_services, &controllers, with_metrics),
            self.corefiles(&found),
            self.dns_rights(&controllers),
            self.dns_budgets(&controllers),
        );
        let dns = Dns {
            read_at,
            kubelets,
            kubelets_left_out: left_out,
            services: own,
            slices,
            controllers: Observed::Seen(controllers),
            pods,
            corefiles: Observed::Seen(corefiles),
            rights,
            autoscalers: Observed::Seen(autoscalers),
            budgets,
            askers,
            pod: None,
            events,
        };
        DnsRead { dns, services }
    }

    /// Warnings about the resolv.conf of pods that are still there: an event outlives what it is about.
    async fn resolv_conf_events(&self) -> Observed<Vec<BackendEvent>> {
        let events = match self.pod_events_of("DNSConfigForming").await {
            Observed::Seen(events) => events,
            Observed::Unseen(gap) => return Observed::Unseen(gap),
        };
        let looked = stream::iter(events.into_iter().take(MOST_EVENTS)).map(|event| async move {
            let (name, namespace) = (event.name.as_str(), event.namespace.as_str());
            let what = format!("pod/{name} -n {namespace}");
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
            let pod = self
                .found::<serde::de::IgnoredAny>(&what, &path, "pods", Some(namespace))
                .await;
            (!matches!(pod, Observed::Seen(None))).then_some(event)
        });
        let kept: Vec<Option<BackendEvent>> = looked.buffered(LOOKING).collect().await;
        Observed::Seen(kept.into_iter().flatten().collect())
    }

    async fn slices_of(&self, services: &[Service]) -> Observed<Vec<EndpointSlice>> {
        let mut all = Observed::Seen(Vec::new());
        for service in services {
            let scope = ServiceScope::One {
                namespace: &service.namespace,
                name: &service.name,
            };
            all = joined(all, self.endpoint_slices(scope).await);
        }
        all
    }

    /// Workloads of these namespaces that start DNS servers, and those that choose how many there are, by name.
    async fn dns_workloads(
        &self,
        namespaces: &BTreeSet<String>,
        services: &[Service],
    ) -> Observed<(Vec<Found>, Vec<String>)> {
        let mut found = Vec::new();
        let mut autoscalers = Vec::new();
        for namespace in namespaces {
            for (kind, resource, what) in [
                ("deployment", "deployments", "Deployments"),
                ("daemonset", "daemonsets", "DaemonSets"),
            ] {
                let query = ListQuery::new("apps", "v1", resource).in_namespace(namespace);
                let what = format!("{what} of namespace {namespace}");
                let items = match self.list::<WorkloadItem>(&what, &query).await {
                    Observed::Seen(items) => items,
                    Observed::Unseen(gap) => return Observed::Unseen(gap),
                };
                for item in items {
                    if let Some(role) = role(&item, services) {
                        found.push(Found { item, kind, role });
                    } else if is_autoscaler(&item) {
                        autoscalers.push(format!("{kind}/{} -n {namespace}", item.metadata.name));
                    }
                }
            }
        }
        Observed::Seen((found, autoscalers))
    }

    async fn dns_budgets(&self, controllers: &[DnsController]) -> Observed<Vec<String>> {
        let namespaces: BTreeSet<&str> = controllers.iter().map(|it| it.namespace.as_str()).collect();
        let mut all = Observed::Seen(Vec::new());
        for namespace in namespaces {
            let query = ListQuery::new("policy", "v1", "poddisruptionbudgets").in_namespace(namespace);
            let what = format!("PodDisruptionBudgets of namespace {namespace}");
            let listed = self.list::<BudgetItem>(&what, &query).await;
            let own = listed.map(|items| {
                let selects = |item: &&BudgetItem| {
                    let mut of = controllers.iter().filter(|it| it.namespace == namespace);
                    of.any(|controller| item.selects(&controller.template_labels))
                };
                let names = items.iter().filter(selects);
                names.map(|item| item.metadata.name.clone()).collect()
            });
            all = joined(all, own);
        }
        all
    }
}

/// Those with an address that kubelets give out, and those that are known by label or name.
fn dns_services(services: &[Service], given: &BTreeSet<IpAddr>) -> Vec<Service> {
    let is_dns = |service: &Service| {
        let name = (service.namespace.as_str(), service.name.as_str());
        service.cluster_ips.iter().any(|address| given.contains(address))
            || SERVICES.contains(&name)
            || (service.is_dns && !service.headless)
    };
    services
        .iter()
        .filter(|service| is_dns(service))
        .cloned()
        .collect()
}

fn has(labels: &BTreeMap<String, String>, wanted: &[(&str, &str)]) -> bool {
    wanted
        .iter()
        .any(|(key, value)| labels.get(*key).is_some_and(|it| it == value))
}

/// What a workload's pods are to DNS; `None` for all others. Services may have lost their pods by a slip, so that labels count too.
fn role(item: &WorkloadItem, services: &[Service]) -> Option<DnsRole> {
    let labels = &item.spec.template.metadata.labels;
    if has(labels, &NODE_LOCAL_LABELS) {
        return Some(DnsRole::NodeLocal);
    }
    let is_behind = |service: &Service| {
        service.namespace == item.metadata.namespace && selects(&service.selector, labels)
    };
    (services.iter().any(is_behind) || has(labels, &LABELS)).then_some(DnsRole::Cluster)
}

fn is_autoscaler(item: &WorkloadItem) -> bool {
    let mut images = item
        .spec
        .template
        .spec
        .containers
        .iter()
        .map(|it| it.image.as_str());
    let name = &item.metadata.name;
    images.any(|image| image.contains("proportional-autoscaler"))
        && (name.contains("dns") || item.metadata.namespace == NAMESPACE)
}
