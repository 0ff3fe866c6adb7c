//! NetworkPolicies, and what they are about.

mod objects;

use std::collections::BTreeSet;

use observation::{OtherPolicies, PolicyFacts, PolicyNamespace, PolicyQuestion};
use report::{Gap, GapReason, Observed};
use serde::de::DeserializeOwned;

use self::objects::{Item, PodItem, PolicyItem, ServiceItem, WorkloadItem};

use crate::cluster::Cluster;
use crate::list::ListQuery;

/// Kinds of policy that this program knows of and does not evaluate: group, version, resource. A kind that is served in two groups
/// stands with the one in which its objects are kept.
const OTHER_KINDS: [(&str, &str, &str); 13] = [
    ("crd.projectcalico.org", "v1", "networkpolicies"),
    ("crd.projectcalico.org", "v1", "globalnetworkpolicies"),
    ("crd.projectcalico.org", "v1", "hostendpoints"),
    ("cilium.io", "v2", "ciliumnetworkpolicies"),
    ("cilium.io", "v2", "ciliumclusterwidenetworkpolicies"),
    ("crd.antrea.io", "v1beta1", "networkpolicies"),
    ("crd.antrea.io", "v1beta1", "clusternetworkpolicies"),
    ("policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies"),
    (
        "policy.networking.k8s.io",
        "v1alpha1",
        "baselineadminnetworkpolicies",
    ),
    ("policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies"),
    ("k8s.ovn.org", "v1", "egressfirewalls"),
    ("kubeovn.io", "v1", "security-groups"),
    ("security.istio.io", "v1", "authorizationpolicies"),
];

impl Cluster {
    /// Everything that a verdict on policies depends on. What may not be listed in the whole cluster is listed in `namespaces`, and the
    /// rest is a gap of `partial`.
    pub async fn policy_facts(&self, question: PolicyQuestion, namespaces: &BTreeSet<String>) -> PolicyFacts {
        let networking = ListQuery::new("networking.k8s.io", "v1", "networkpolicies");
        let all = ListQuery::new("", "v1", "namespaces");
        let apps = |resource: &str| ListQuery::new("apps", "v1", resource);
        let (policies, pods, all_namespaces, services, deployments, stateful, daemons, cron, other_kinds) = tokio::join!(
            self.everywhere::<PolicyItem>("NetworkPolicies", networking, namespaces),
            self.everywhere::<PodItem>("pods", ListQuery::new("", "v1", "pods"), namespaces),
            self.list::<Item>("namespaces", &all),
            self.everywhere::<ServiceItem>("Services", ListQuery::new("", "v1", "services"), namespaces),
            self.everywhere::<WorkloadItem>("Deployments", apps("deployments"), namespaces),
            self.everywhere::<WorkloadItem>("StatefulSets", apps("statefulsets"), namespaces),
            self.everywhere::<WorkloadItem>("DaemonSets", apps("daemonsets"), namespaces),
            self.everywhere::<WorkloadItem>(
                "CronJobs",
                ListQuery::new("batch", "v1", "cronjobs"),
                namespaces
            ),
            self.other_policies(),
        );
        let mut partial: Vec<Gap> = Vec::new();
        let mut keep = |gap: Option<Gap>| partial.extend(gap);
        keep(policies.1);
        keep(pods.1);
        keep(services.1);
        let mut workloads = Observed::Seen(Vec::new());
        for (kind, (items, gap)) in [
            ("deployment", deployments),
            ("statefulset", stateful),
            ("daemonset", daemons),
            ("cronjob", cron),
        ] {
            keep(gap);
            workloads = match (workloads, items) {
                (Observed::Seen(mut all), Observed::Seen(items)) => {
                    all.extend(items.into_iter().map(|item| item.workload(kind)));
                    Observed::Seen(all)
                }
                (Observed::Unseen(gap), _) | (Observed::Seen(_), Observed::Unseen(gap)) => {
                    Observed::Unseen(gap)
                }
            };
        }
        PolicyFacts {
            question,
            policies: policies
                .0
                .map(|items| items.into_iter().map(PolicyItem::policy).collect()),
            added: Vec::new(),
            pods: pods
                .0
                .map(|items| items.into_iter().filter_map(PodItem::pod).collect()),
            namespaces: all_namespaces.map(|items| {
                let namespaces = items.into_iter().map(|item| PolicyNamespace {
                    name: item.metadata.name,
                    labels: item.metadata.labels,
                });
                namespaces.collect()
            }),
            services: services
                .0
                .map(|items| items.into_iter().map(ServiceItem::service).collect()),
            workloads,
            other_kinds,
            partial,
            enforcement: None,
        }
    }

    /// Lists in the whole cluster; where that is forbidden, in these namespaces, with the gap that remains.
    async fn everywhere<T: DeserializeOwned>(
        &self,
        what: &str,
        query: ListQuery,
        namespaces: &BTreeSet<String>,
    ) -> (Observed<Vec<T>>, Option<Gap>) {
        let gap = match self.list(what, &query).await {
            Observed::Unseen(gap)
                if matches!(gap.why, GapReason::Forbidden { .. }) && !namespaces.is_empty() =>
            {
                gap
            }
            listed => return (listed, None),
        };
        let mut all = Vec::new();
        for namespace in namespaces {
            let named = format!("{what} of namespace {namespace}");
            match self.list(&named, &query.clone().in_namespace(namespace)).await {
                Observed::Seen(items) => all.extend::<Vec<T>>(items),
                Observed::Unseen(gap) => return (Observed::Unseen(gap), None),
            }
        }
        let rest = Gap {
            what: format!("{what} of other namespaces"),
            ..gap
        };
        (Observed::Seen(all), Some(rest))
    }

    /// The kinds of [`OTHER_KINDS`] that the API server serves, with the names of their objects.
    async fn other_policies(&self) -> Observed<Vec<OtherPolicies>> {
        let groups = match self.client().list_api_groups().await {
            Ok(groups) => groups.groups,
            Err(error) => {
                return Observed::Unseen(self.gap("the APIs that are served", &error, "get", "/apis", None));
            }
        };
        let mut kinds = Vec::new();
        for (group, version, resource) in OTHER_KINDS {
            let served = groups.iter().any(|served| {
                served.name == group && served.versions.iter().any(|served| served.version == version)
            });
            if !served {
                continue;
            }
            let query = ListQuery::new(group, version, resource);
            let resource = format!("{resource}.{group}");
            let objects = self.list::<Item>(&resource, &query).await;
            // The group is served, and this kind is not installed.
            if objects.gap().is_some_and(|gap| gap.why == GapReason::NotServed) {
                continue;
            }
            let name = |item: Item| match item.metadata.namespace {
                Some(namespace) => format!("{namespace}/{}", item.metadata.name),
                None => item.metadata.name,
            };
            kinds.push(OtherPolicies {
                resource,
                objects: objects.map(|items| items.into_iter().map(name).collect()),
            });
        }
        Observed::Seen(kinds)
    }
}
