//! What is known before the first question: whom to ask, what, and from which nodes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use checks::{
    DnsPodAt, DnsServerAt, LookupOptions, LookupQuestion, dns_servers, lookup_questions, named_question,
    record,
};
use cluster::{DnsRead, ServiceScope};
use netmodel::resolv::{Libc, ResolvConf, candidates};
use observation::{Dns, DnsRole, EndpointSlice, LookupServer, NameClass, Node, Service};
use plugin::Failure;
use report::{Gap, Observed};
use session::{Look, Session};

use crate::asking::{Ask, AskArgs};

/// More nodes are not asked from, unless they are named: each further one says little more.
const MOST_NODES: usize = 10;

/// All that is known before the first question.
pub(crate) struct Facts {
    pub(crate) services: Vec<Service>,
    pub(crate) slices: Vec<EndpointSlice>,
    pub(crate) service: Option<Service>,
    pub(crate) servers: Vec<DnsServerAt>,
    pub(crate) options: LookupOptions,
    pub(crate) unread: Vec<Gap>,
    pub(crate) left_out: Vec<String>,
}

impl Facts {
    /// Reads the slices of Services, and finds out whom to ask.
    ///
    /// # Errors
    /// When the user stopped it.
    pub(crate) async fn read(
        session: &mut Session<'_>,
        look: &Look,
        wanted: &AskArgs,
        read: &DnsRead,
    ) -> Result<Self, Failure> {
        let DnsRead { dns, services } = read;
        let cluster = session.cluster.clone();
        let slices = session
            .observe(
                "reading EndpointSlices",
                cluster.endpoint_slices(ServiceScope::All),
            )
            .await?;
        let unread: Vec<Gap> = [services.gap(), slices.gap()]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        // What was read of the DNS Service alone is better than nothing.
        let services = services
            .seen()
            .or_else(|| dns.services.seen())
            .cloned()
            .unwrap_or_default();
        let slices = slices
            .seen()
            .or_else(|| dns.slices.seen())
            .cloned()
            .unwrap_or_default();
        let kubelets = || dns.kubelets.values().filter_map(Observed::seen);
        let given: BTreeSet<IpAddr> = kubelets().flat_map(|kubelet| kubelet.addresses.clone()).collect();
        let service = dns_service(dns, &services, &given);
        let domain = wanted
            .cluster_domain
            .clone()
            .or_else(|| {
                kubelets()
                    .map(|kubelet| kubelet.domain.clone())
                    .find(|it| !it.is_empty())
            })
            .unwrap_or_else(|| "cluster.local".to_owned());
        let options = LookupOptions {
            timeout_ms: look.timeout_ms(),
            domain: domain.trim_matches('.').to_owned(),
            outside: wanted.external_names.clone(),
            label: format!("no-such-name-{:x}", jiff::Timestamp::now().as_millisecond()),
            ..LookupOptions::default()
        };
        // A cache on the node has a link-local address; any other that kubelets give out is a Service's, or nobody's.
        let own_node: Vec<IpAddr> = given.into_iter().filter(is_link_local).collect();
        let pods = pods(dns);
        let (servers, left_out) = dns_servers(service.as_ref(), &slices, &pods, &own_node, &options);
        Ok(Self {
            services,
            slices,
            service,
            servers,
            options,
            unread,
            left_out,
        })
    }

    /// What is asked, as far as it does not depend on what nodes say.
    pub(crate) fn questions(&self, ask: &Ask, namespace: &str) -> Vec<LookupQuestion> {
        let all = || lookup_questions(&self.services, &self.slices, &self.options);
        let is_api = |question: &LookupQuestion| question.class == NameClass::Internal;
        match ask {
            Ask::Everything => all(),
            Ask::Outside => all()
                .into_iter()
                .filter(|question| is_api(question) || question.class == NameClass::External)
                .collect(),
            Ask::Names { names, libc } => {
                let mut questions: Vec<LookupQuestion> = all().into_iter().filter(is_api).collect();
                questions.extend(names.iter().flat_map(|name| self.named(name, *libc, namespace)));
                questions
            }
            Ask::Series(_) => {
                let mut kinds = BTreeSet::new();
                let mut questions: Vec<LookupQuestion> = all()
                    .into_iter()
                    .filter(|question| {
                        let is_measured = matches!(
                            question.class,
                            NameClass::Internal
                                | NameClass::Missing
                                | NameClass::External
                                | NameClass::Service
                        );
                        is_measured && question.qtype != record::AAAA && kinds.insert(question.class)
                    })
                    .collect();
                // What a name outside costs on its way through the search list.
                if let Some(outside) = questions
                    .iter()
                    .find(|question| question.class == NameClass::External)
                    && outside.name != "."
                {
                    let name = format!("{}default.svc.{}.", outside.name, self.options.domain);
                    let question = LookupQuestion {
                        class: NameClass::Searched,
                        name,
                        truth: observation::Truth::NoSuchName,
                        tcp: false,
                        ..outside.clone()
                    };
                    questions.push(question);
                }
                questions.extend(self.uncached(&questions));
                questions
            }
        }
    }

    /// Names beside the one outside that nobody asked for before: without a name of the user's choice, of no domain at all.
    fn uncached(&self, questions: &[LookupQuestion]) -> Option<LookupQuestion> {
        let outside = questions
            .iter()
            .find(|question| question.class == NameClass::External)?;
        let below = outside.name.trim_start_matches('.');
        Some(LookupQuestion {
            name: format!("{}.{below}", self.options.label),
            qtype: record::A,
            class: NameClass::Uncached,
            truth: observation::Truth::Anything,
            tcp: false,
            ..outside.clone()
        })
    }

    /// A name as a pod's resolver completes it, one after the other, for addresses of both families.
    fn named(&self, name: &str, libc: Libc, namespace: &str) -> Vec<LookupQuestion> {
        let domain = &self.options.domain;
        let conf = ResolvConf::parse(&format!(
            "search {namespace}.svc.{domain} svc.{domain} {domain}\nnameserver 0.0.0.0\noptions ndots:5\n"
        ));
        let all = candidates(&conf, libc, name).into_iter();
        all.flat_map(|full| {
            [record::A, record::AAAA]
                .map(|qtype| named_question(&full, qtype, &self.services, &self.slices, &self.options))
        })
        .collect()
    }
}

/// The Service that kubelets give to pods; else the one that is known by its label.
fn dns_service(dns: &Dns, services: &[Service], given: &BTreeSet<IpAddr>) -> Option<Service> {
    let known = || dns.services.seen().into_iter().flatten().chain(services);
    let is_given = |service: &&Service| service.cluster_ips.iter().any(|address| given.contains(address));
    known()
        .find(is_given)
        .or_else(|| known().find(|service| service.is_dns && !service.cluster_ips.is_empty()))
        .cloned()
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The pods of the cluster's DNS that run.
fn pods(dns: &Dns) -> Vec<DnsPodAt> {
    let pods = dns.pods.seen().into_iter().flatten();
    let running =
        pods.filter(|pod| pod.role == DnsRole::Cluster && pod.phase == "Running" && pod.deleted.is_none());
    running
        .map(|pod| DnsPodAt {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            node: pod.node.clone(),
            addresses: pod.addresses.clone(),
        })
        .collect()
}

/// The nodes to ask from: all of a few; of many those with a DNS pod and some beside.
pub(crate) fn nodes_to_ask(nodes: &[Node], servers: &[DnsServerAt]) -> Vec<String> {
    let linux: Vec<&Node> = nodes
        .iter()
        .filter(|node| node.operating_system == "linux")
        .collect();
    if linux.len() <= MOST_NODES {
        return Vec::new();
    }
    // A node that refuses pods is not one to insist on.
    let is_free = |node: &&&Node| node.taints.iter().all(|taint| taint.effect == "PreferNoSchedule");
    let free: Vec<&&Node> = linux.iter().filter(is_free).collect();
    let has_pod = |node: &&&&Node| {
        servers.iter().any(
            |server| matches!(&server.server, LookupServer::Pod { node: Some(own), .. } if *own == node.name),
        )
    };
    let mut chosen: Vec<String> = free
        .iter()
        .filter(has_pod)
        .take(MOST_NODES / 2)
        .map(|node| node.name.clone())
        .collect();
    let step = free.len().div_ceil(MOST_NODES).max(1);
    for node in free.iter().step_by(step) {
        if chosen.len() < MOST_NODES && !chosen.contains(&node.name) {
            chosen.push(node.name.clone());
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_nodes_a_few_are_asked_from_and_those_with_dns_pods_are_among_them() {
        let node = |number: usize| {
            let text = serde_json::json!({
                "name": format!("node{number:02}"), "ready": null, "taints": [], "architecture": "amd64",
                "operatingSystem": "linux", "kubeletVersion": "", "containerRuntimeVersion": "", "kernelVersion": "",
                "internalIps": [], "podCidrs": [], "zone": null,
            });
            serde_json::from_value::<Node>(text).unwrap()
        };
        let nodes: Vec<Node> = (0..40).map(node).collect();
        let at = std::net::SocketAddr::from(([10, 244, 1, 5], 53));
        let server = DnsServerAt {
            server: LookupServer::Pod {
                namespace: "kube-system".into(),
                name: "coredns-1".into(),
                node: Some("node39".into()),
            },
            udp: at,
            tcp: at,
            from: None,
        };
        let chosen = nodes_to_ask(&nodes, &[server]);
        assert_eq!(chosen.len(), MOST_NODES);
        assert!(chosen.contains(&"node39".to_owned()));
        assert!(
            nodes_to_ask(&nodes[..MOST_NODES], &[]).is_empty(),
            "all are asked from"
        );
    }
}
