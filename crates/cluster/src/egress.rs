//! Egress gateways and outgoing translation, as the objects of CNIs say.

mod objects;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use observation::{EgressGateway, EgressPool, EgressSetup};
use report::{Gap, GapReason, Observed};
use serde::Deserialize;

use self::objects::{AwsNode, CiliumPolicy, EgressIp, IpPool, Item, LabelSelector};
use crate::cluster::Cluster;
use crate::list::ListQuery;

/// So many policies of one kind are looked into.
const POLICIES: usize = 50;

impl Cluster {
    /// What of the kinds that the cluster serves is set up.
    ///
    /// # Errors
    /// When it is not known which kinds are served.
    pub async fn egress_setup(&self) -> Observed<EgressSetup> {
        let groups = match self.client().list_api_groups().await {
            Ok(groups) => groups.groups,
            Err(error) => {
                return Observed::Unseen(self.gap("the APIs that are served", &error, "get", "/apis", None));
            }
        };
        let is_served = |name: &str| groups.iter().any(|group| group.name == name);
        let mut setup = EgressSetup::default();
        if is_served("cilium.io") {
            setup.gateways.extend(self.cilium_gateways().await);
        }
        if is_served("k8s.ovn.org") {
            setup.gateways.extend(self.ovn_addresses().await);
        }
        if is_served("crd.projectcalico.org") {
            setup.pools.extend(self.calico_pools().await);
        }
        setup.pools.extend(self.aws_pools().await);
        Observed::Seen(setup)
    }

    async fn cilium_gateways(&self) -> Option<Observed<Vec<EgressGateway>>> {
        let query = ListQuery::new("cilium.io", "v2", "ciliumegressgatewaypolicies");
        let policies = served(
            self.list::<CiliumPolicy>("CiliumEgressGatewayPolicies", &query)
                .await,
        )?;
        let policies = match policies {
            Observed::Seen(policies) => policies,
            Observed::Unseen(gap) => return Some(Observed::Unseen(gap)),
        };
        let enabled = if policies.is_empty() {
            None
        } else {
            self.cilium_counts_them().await
        };
        let mut gateways = Vec::new();
        for policy in policies.into_iter().take(POLICIES) {
            let mut pods = Observed::Seen(BTreeSet::new());
            for selector in &policy.spec.selectors {
                let found = self
                    .selected(&selector.pod_selector, selector.namespace_selector.as_ref())
                    .await;
                pods = both(pods, found);
            }
            let (mut nodes, mut texts, mut addresses) =
                (Observed::Seen(BTreeSet::new()), Vec::new(), Vec::new());
            for gateway in policy.gateways() {
                let text = gateway.node_selector.text();
                nodes = both(nodes, self.nodes_with(&text).await);
                texts.push(text);
                addresses.extend(gateway.egress_ip.clone());
            }
            gateways.push(EgressGateway {
                kind: "ciliumegressgatewaypolicy".to_owned(),
                name: policy.metadata.name,
                pods: pods.map(|pods| u64::try_from(pods.len()).unwrap_or(u64::MAX)),
                chosen_by: texts.join(" or "),
                nodes: nodes.map(|nodes| nodes.into_iter().collect()),
                addresses,
                assigned: None,
                enabled,
            });
        }
        Some(Observed::Seen(gateways))
    }

    /// Whether Cilium's configuration turns its egress gateway on; the name of the setting changed with 1.13 or so.
    async fn cilium_counts_them(&self) -> Option<bool> {
        let map = self.config_map("kube-system", "cilium-config").await;
        let map = map.seen()?.as_ref()?;
        let names = ["enable-egress-gateway", "enable-ipv4-egress-gateway"];
        let said: Vec<&String> = names.iter().filter_map(|name| map.get(*name)).collect();
        (!said.is_empty()).then(|| said.iter().any(|value| *value == "true"))
    }

    async fn ovn_addresses(&self) -> Option<Observed<Vec<EgressGateway>>> {
        let query = ListQuery::new("k8s.ovn.org", "v1", "egressips");
        let objects = served(self.list::<EgressIp>("EgressIPs", &query).await)?;
        let objects = match objects {
            Observed::Seen(objects) => objects,
            Observed::Unseen(gap) => return Some(Observed::Unseen(gap)),
        };
        let mut gateways = Vec::new();
        for object in objects.into_iter().take(POLICIES) {
            let found = self
                .selected(&object.spec.pod_selector, Some(&object.spec.namespace_selector))
                .await;
            let items = object.status.items;
            let nodes: BTreeSet<String> = items.iter().map(|item| item.node.clone()).collect();
            gateways.push(EgressGateway {
                kind: "egressip".to_owned(),
                name: object.metadata.name,
                pods: found.map(|pods| u64::try_from(pods.len()).unwrap_or(u64::MAX)),
                chosen_by: "k8s.ovn.org/egress-assignable".to_owned(),
                nodes: Observed::Seen(nodes.into_iter().collect()),
                addresses: object.spec.egress_ips,
                assigned: Some(u64::try_from(items.len()).unwrap_or(u64::MAX)),
                enabled: None,
            });
        }
        Some(Observed::Seen(gateways))
    }

    async fn calico_pools(&self) -> Option<Observed<Vec<EgressPool>>> {
        let query = ListQuery::new("crd.projectcalico.org", "v1", "ippools");
        let pools = served(self.list::<IpPool>("Calico's IPPools", &query).await)?;
        Some(pools.map(|pools| {
            let used = pools.into_iter().filter(|pool| !pool.spec.disabled);
            let of = |pool: IpPool| EgressPool {
                name: format!("ippool/{}", pool.metadata.name),
                range: Some(pool.spec.cidr),
                translated: pool.spec.nat_outgoing,
                field: ".spec.natOutgoing".to_owned(),
            };
            used.map(of).collect()
        }))
    }

    /// The CNI of Amazon's VPC, where it runs.
    async fn aws_pools(&self) -> Option<Observed<Vec<EgressPool>>> {
        let path = "/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node";
        let found = self
            .found::<AwsNode>(
                "daemonset/aws-node -n kube-system",
                path,
                "daemonsets.apps",
                Some("kube-system"),
            )
            .await;
        match found {
            Observed::Seen(None) => None,
            Observed::Seen(Some(set)) => Some(Observed::Seen(vec![EgressPool {
                name: "daemonset/aws-node -n kube-system".to_owned(),
                range: None,
                translated: !set.leaves_translation_to_others(),
                field: ".spec.template.spec.containers[].env[AWS_VPC_K8S_CNI_EXTERNALSNAT]".to_owned(),
            }])),
            // Who may not read DaemonSets mostly has no such one; the kinds of CNIs tell more.
            Observed::Unseen(gap) if matches!(gap.why, GapReason::Forbidden { .. }) => None,
            Observed::Unseen(gap) => Some(Observed::Unseen(gap)),
        }
    }

    /// The pods that both selectors select, by namespace and name. The API server does the matching.
    async fn selected(
        &self,
        pods: &LabelSelector,
        namespaces: Option<&LabelSelector>,
    ) -> Observed<BTreeSet<(String, String)>> {
        let (pods, fixed) = pods.without_namespace();
        let query = labelled(ListQuery::new("", "v1", "pods"), &pods.text());
        let found = match self
            .list::<Item>("pods that an egress gateway is for", &query)
            .await
        {
            Observed::Seen(found) => found,
            Observed::Unseen(gap) => return Observed::Unseen(gap),
        };
        let wanted = match namespaces
            .map(LabelSelector::text)
            .filter(|text| !text.is_empty())
        {
            Some(text) => {
                let query = labelled(ListQuery::new("", "v1", "namespaces"), &text);
                match self
                    .list::<Item>("namespaces that an egress gateway is for", &query)
                    .await
                {
                    Observed::Seen(found) => Some(
                        found
                            .into_iter()
                            .map(|it| it.metadata.name)
                            .collect::<BTreeSet<_>>(),
                    ),
                    Observed::Unseen(gap) => return Observed::Unseen(gap),
                }
            }
            None => None,
        };
        let is_meant = |namespace: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted.contains(namespace))
                && fixed.as_ref().is_none_or(|fixed| fixed == namespace)
        };
        let pods = found
            .into_iter()
            .map(|it| (it.metadata.namespace, it.metadata.name));
        Observed::Seen(pods.filter(|(namespace, _)| is_meant(namespace)).collect())
    }

    async fn nodes_with(&self, selector: &str) -> Observed<BTreeSet<String>> {
        let query = labelled(ListQuery::new("", "v1", "nodes"), selector);
        let found = self
            .list::<Item>("nodes that an egress gateway names", &query)
            .await;
        found.map(|found| found.into_iter().map(|it| it.metadata.name).collect())
    }
}

fn labelled(query: ListQuery, selector: &str) -> ListQuery {
    if selector.is_empty() {
        query
    } else {
        query.with_labels(selector)
    }
}

/// `None` where the group is served and this kind is not.
fn served<T>(listed: Observed<Vec<T>>) -> Option<Observed<Vec<T>>> {
    let is_absent = listed
        .gap()
        .is_some_and(|gap: &Gap| gap.why == GapReason::NotServed);
    (!is_absent).then_some(listed)
}

fn both<T: Ord>(one: Observed<BTreeSet<T>>, other: Observed<BTreeSet<T>>) -> Observed<BTreeSet<T>> {
    match (one, other) {
        (Observed::Seen(mut one), Observed::Seen(other)) => {
            one.extend(other);
            Observed::Seen(one)
        }
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Observed::Unseen(gap),
    }
}

// Custom resources may hold anything that their schema lets through: what is absent is empty.

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
}

type Labels = BTreeMap<String, String>;
