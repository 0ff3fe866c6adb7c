//! A small cluster with policies, for the tests of the checks.

use std::collections::BTreeMap;

use observation::{
    Observation, OtherPolicies, PolicyEnd, PolicyFacts, PolicyNamespace, PolicyObject, PolicyPod, PolicyPort,
    PolicyQuestion, PolicyService, PolicyServicePort, PolicyWorkload,
};
use report::{Gap, GapReason, Observed};
use serde_json::{Value, json};

/// Selects all pods of its namespace, and allows nothing.
pub(crate) fn deny_all() -> Value {
    json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
}

/// The same, with pods that could not be read.
pub(crate) fn without_pods(mut observation: Observation) -> Observation {
    if let Some(facts) = &mut observation.policy {
        facts.pods = Observed::Unseen(gap("pods"));
    }
    observation
}

fn gap(what: &str) -> Gap {
    Gap {
        what: what.into(),
        why: GapReason::Failed,
        message: "could not be read".into(),
        hint: None,
    }
}

fn labels(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// What is put together before it is observed.
pub(crate) struct Fixture {
    facts: PolicyFacts,
}

impl Fixture {
    /// The namespaces shop (web, twice, behind a Service that sends 80 to 8080; db), ops (prometheus, grafana) and kube-system
    /// (coredns; kube-proxy in its node's network). Without policies.
    pub(crate) fn shop() -> Self {
        let port = |name: &str, number, protocol: &str| PolicyPort {
            name: Some(name.into()),
            number,
            protocol: protocol.into(),
        };
        let http = || vec![port("http", 8080, "TCP")];
        let dns = vec![port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP")];
        let service = |name: &str, protocol: &str, number, target: &str| PolicyServicePort {
            name: Some(name.into()),
            protocol: protocol.into(),
            port: number,
            target: target.into(),
        };
        let mut proxy = pod(
            "kube-system",
            "kube-proxy-1",
            "k8s-app=kube-proxy",
            [192, 0, 2, 1],
            Vec::new(),
        );
        proxy.host_network = true;
        let namespace = |name: &str, more: &str| {
            let mut all = labels(more);
            all.insert("kubernetes.io/metadata.name".into(), name.into());
            PolicyNamespace {
                name: name.into(),
                labels: all,
            }
        };
        Self {
            facts: PolicyFacts {
                question: PolicyQuestion {
                    namespace: Some("shop".into()),
                    ..PolicyQuestion::default()
                },
                policies: Observed::Seen(Vec::new()),
                added: Vec::new(),
                pods: Observed::Seen(vec![
                    pod("shop", "web-1", "app=web", [10, 0, 1, 1], http()),
                    pod("shop", "web-2", "app=web", [10, 0, 2, 1], http()),
                    pod(
                        "shop",
                        "db-1",
                        "app=db",
                        [10, 0, 1, 2],
                        vec![port("sql", 5432, "TCP")],
                    ),
                    pod("ops", "prometheus-1", "app=prometheus", [10, 0, 1, 3], Vec::new()),
                    pod("ops", "grafana-1", "app=grafana", [10, 0, 2, 3], Vec::new()),
                    pod("kube-system", "coredns-1", "k8s-app=kube-dns", [10, 0, 1, 4], dns),
                    proxy,
                ]),
                namespaces: Observed::Seen(vec![
                    namespace("shop", ""),
                    namespace("ops", "team=operations"),
                    namespace("kube-system", ""),
                ]),
                services: Observed::Seen(vec![
                    PolicyService {
                        namespace: "shop".into(),
                        name: "web".into(),
                        labels: BTreeMap::new(),
                        selector: labels("app=web"),
                        ports: vec![service("http", "TCP", 80, "http")],
                    },
                    PolicyService {
                        namespace: "kube-system".into(),
                        name: "kube-dns".into(),
                        labels: labels("k8s-app=kube-dns"),
                        selector: labels("k8s-app=kube-dns"),
                        ports: vec![
                            service("dns", "UDP", 53, "dns"),
                            service("dns-tcp", "TCP", 53, "53"),
                        ],
                    },
                ]),
                workloads: Observed::Seen(Vec::new()),
                other_kinds: Observed::Seen(Vec::new()),
                partial: Vec::new(),
                enforcement: None,
            },
        }
    }

    /// Asks about all namespaces.
    pub(crate) fn everywhere(mut self) -> Self {
        self.facts.question.namespace = None;
        self
    }

    /// Adds a policy to the cluster.
    pub(crate) fn with(mut self, namespace: &str, name: &str, spec: Value) -> Self {
        if let Observed::Seen(policies) = &mut self.facts.policies {
            policies.push(policy(namespace, name, spec));
        }
        // A question about policies of another namespace than shop is one about all.
        if namespace == "kube-system" {
            self.facts.question.namespace = None;
        }
        self
    }

    /// Gives a policy that is not in the cluster.
    pub(crate) fn added(mut self, namespace: &str, name: &str, spec: Value) -> Self {
        self.facts.added.push(policy(namespace, name, spec));
        self
    }

    /// Asks about a pod.
    pub(crate) fn about(mut self, namespace: &str, name: &str) -> Self {
        self.facts.question.source = Some(end((namespace, name)));
        self
    }

    /// Asks about a flow from a pod to another, over TCP.
    pub(crate) fn flow(mut self, source: (&str, &str), destination: (&str, &str), port: u16) -> Self {
        self.facts.question.source = Some(end(source));
        self.facts.question.destination = Some(end(destination));
        self.facts.question.port = Some(port);
        self
    }

    /// Adds a Deployment with these labels of its own and of its pods.
    pub(crate) fn workload(self, namespace: &str, name: &str, own: &str, template: &str) -> Self {
        self.makes("deployment", (namespace, name), (own, template), Vec::new())
    }

    /// Adds a DaemonSet that runs this image.
    pub(crate) fn daemon(self, namespace: &str, name: &str, image: &str) -> Self {
        self.makes("daemonset", (namespace, name), ("", ""), vec![image.to_owned()])
    }

    fn makes(
        mut self,
        kind: &str,
        (namespace, name): (&str, &str),
        (own, template): (&str, &str),
        images: Vec<String>,
    ) -> Self {
        if let Observed::Seen(workloads) = &mut self.facts.workloads {
            workloads.push(PolicyWorkload {
                kind: kind.into(),
                namespace: namespace.into(),
                name: name.into(),
                labels: labels(own),
                template_labels: labels(template),
                images,
                ready: Some(2),
            });
        }
        self
    }

    /// Adds a kind of policy of another API, with these objects.
    pub(crate) fn other(mut self, resource: &str, objects: &[&str]) -> Self {
        if let Observed::Seen(kinds) = &mut self.facts.other_kinds {
            kinds.push(OtherPolicies {
                resource: resource.into(),
                objects: Observed::Seen(objects.iter().map(|name| (*name).to_owned()).collect()),
            });
        }
        self
    }

    /// The observation of it.
    pub(crate) fn observe(&self) -> Observation {
        let (server, nodes) = (Observed::Unseen(gap("version")), Observed::Unseen(gap("nodes")));
        let mut observation = Observation::new("test", "2026-01-01T00:00:00Z", server, nodes);
        observation.policy = Some(self.facts.clone());
        observation
    }
}

fn end((namespace, name): (&str, &str)) -> PolicyEnd {
    PolicyEnd::Object {
        kind: "pod".into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

fn policy(namespace: &str, name: &str, spec: Value) -> PolicyObject {
    PolicyObject {
        namespace: namespace.into(),
        name: name.into(),
        created: Some("2026-01-01T00:00:00Z".into()),
        spec,
    }
}

fn pod(namespace: &str, name: &str, text: &str, address: [u8; 4], ports: Vec<PolicyPort>) -> PolicyPod {
    PolicyPod {
        namespace: namespace.into(),
        name: name.into(),
        labels: labels(text),
        created: Some("2025-12-01T00:00:00Z".into()),
        node: Some(format!("node{}", address[2])),
        host_network: false,
        dns_policy: Some("ClusterFirst".into()),
        addresses: vec![address.into()],
        ports,
        mesh_proxies: Vec::new(),
        proxy_settings: BTreeMap::new(),
        controller: None,
    }
}
