//! The cluster's DNS as checks read it: its Corefiles parsed and looked at once.

use std::collections::BTreeSet;
use std::net::IpAddr;

use corefile::{Corefile, Facts, Lint, Role, Sources, Version};
use observation::{
    Dns, DnsController, DnsCorefile, DnsPod, DnsRole, EndpointSlice, Node, Observation, Service, selects,
};
use report::{Gap, Observed, Severity};

/// An upstream Service of NodeLocal DNSCache: it leads to the same pods by another address, for it alone.
const UPSTREAM_SERVICE: &str = "kube-dns-upstream";

/// What is known of the cluster's DNS.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) dns: &'a Dns,
    /// The nodes of the cluster; `None` where they were not seen.
    pub(crate) nodes: Option<&'a [Node]>,
    /// The Corefiles that could be read.
    pub(crate) linted: Vec<Linted<'a>>,
}

/// A Corefile, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct Linted<'a> {
    pub(crate) corefile: &'a DnsCorefile,
    /// Its text.
    pub(crate) text: &'a str,
    /// `None` where CoreDNS could not read it either.
    pub(crate) parsed: Option<Corefile>,
    pub(crate) lints: Vec<Lint>,
    /// The version that runs it, where its image says so.
    pub(crate) version: Option<Version>,
}

impl<'a> Scene<'a> {
    /// `None` where the cluster's DNS was not asked about.
    pub(crate) fn of(observation: &'a Observation) -> Option<Self> {
        let dns = observation.dns.as_deref()?;
        let mut scene = Self {
            dns,
            nodes: observation.nodes.seen().map(Vec::as_slice),
            linted: Vec::new(),
        };
        let corefiles = dns.corefiles.seen().into_iter().flatten();
        scene.linted = corefiles.filter_map(|corefile| scene.linted(corefile)).collect();
        Some(scene)
    }

    fn linted(&self, corefile: &'a DnsCorefile) -> Option<Linted<'a>> {
        let text = corefile.text.seen()?;
        let facts = self.facts(corefile);
        let version = facts.version;
        let (parsed, lints) = match corefile::parse(text, &sources(corefile)) {
            Ok(parsed) => {
                let lints = corefile::lint(&parsed, &facts);
                (Some(parsed), lints)
            }
            Err(refusal) => {
                let lint = Lint {
                    id: "dns-cf-parse",
                    severity: Severity::Error,
                    place: refusal.place,
                    why: refusal.what,
                    fix: refusal.next,
                    upstream: None,
                };
                (None, vec![lint])
            }
        };
        Some(Linted {
            corefile,
            text,
            parsed,
            lints,
            version,
        })
    }

    fn facts(&self, corefile: &DnsCorefile) -> Facts {
        let mut controllers = self.controllers();
        let controller = controllers.find(|it| it.subject() == corefile.controller);
        let image = controller.map_or("", |it| it.container.image.as_str());
        let port = |probe: Option<&observation::DnsProbe>| probe.map(|probe| probe.port);
        let is_cluster = corefile.role == DnsRole::Cluster;
        let is_in_host_network = controller.is_some_and(|it| it.host_network);
        let own_pods = self.pods().filter(|pod| {
            pod.role == corefile.role && is_cluster && !is_in_host_network && is_made_by(pod, controller)
        });
        Facts {
            version: Version::read(image).filter(|_| is_stock(image)),
            next_version: None,
            stock_image: is_stock(image),
            role: if is_cluster {
                Role::Cluster
            } else {
                Role::NodeLocal
            },
            cluster_domain: self.domain().map(str::to_owned),
            service_addresses: if is_cluster {
                self.addresses().into_iter().collect()
            } else {
                Vec::new()
            },
            pod_addresses: own_pods.flat_map(|pod| pod.addresses.iter().copied()).collect(),
            resolv_conf: None,
            liveness_port: port(controller.and_then(|it| it.container.liveness.as_ref())),
            readiness_port: port(controller.and_then(|it| it.container.readiness.as_ref())),
            sources: Sources {
                // Imports apart, plugins name files that no ConfigMap has: /etc/resolv.conf, certificates.
                files_are_complete: false,
                ..sources(corefile)
            },
        }
    }

    /// The domain that most kubelets give to pods.
    pub(crate) fn domain(&self) -> Option<&'a str> {
        let kubelets = self.dns.kubelets.values().filter_map(Observed::seen);
        super::most(kubelets.map(|kubelet| kubelet.domain.trim_end_matches('.')))
            .filter(|domain| !domain.is_empty())
    }

    /// What the kubelet of a pod's node gives it.
    pub(crate) fn kubelet_of(&self, asker: &observation::DnsAsker) -> Option<&'a observation::KubeletDns> {
        self.dns.kubelets.get(asker.node.as_deref()?)?.seen()
    }

    /// Services that pods ask: all of the cluster's DNS but the one for node-local caches.
    pub(crate) fn services(&self) -> impl Iterator<Item = &'a Service> + use<'a> {
        let services = self.dns.services.seen().into_iter().flatten();
        services.filter(|service| service.name != UPSTREAM_SERVICE)
    }

    /// The addresses of the DNS Services.
    pub(crate) fn addresses(&self) -> BTreeSet<IpAddr> {
        let services = self.dns.services.seen().into_iter().flatten();
        services
            .flat_map(|service| service.cluster_ips.iter().copied())
            .collect()
    }

    /// The EndpointSlices of a Service.
    pub(crate) fn slices_of(&self, service: &Service) -> impl Iterator<Item = &'a EndpointSlice> + use<'a> {
        let (namespace, name) = (service.namespace.clone(), service.name.clone());
        let slices = self.dns.slices.seen().into_iter().flatten();
        slices.filter(move |slice| slice.namespace == namespace && slice.service.as_deref() == Some(&name))
    }

    pub(crate) fn controllers(&self) -> impl Iterator<Item = &'a DnsController> + use<'a> {
        self.dns.controllers.seen().into_iter().flatten()
    }

    /// All pods that are not being deleted.
    pub(crate) fn pods(&self) -> impl Iterator<Item = &'a DnsPod> + use<'a> {
        let pods = self.dns.pods.seen().into_iter().flatten();
        pods.filter(|pod| pod.deleted.is_none())
    }

    /// The pods that a controller made.
    pub(crate) fn pods_of(
        &self,
        controller: &'a DnsController,
    ) -> impl Iterator<Item = &'a DnsPod> + use<'a> {
        self.pods().filter(move |pod| is_made_by(pod, Some(controller)))
    }

    /// What of these parts was not seen.
    pub(crate) fn gaps<const N: usize>(parts: [Option<&Gap>; N]) -> Vec<Gap> {
        parts.into_iter().flatten().cloned().collect()
    }

    /// Seconds from a moment to the reading.
    pub(crate) fn ago(&self, moment: Option<&str>) -> Option<i64> {
        crate::endpoints::time::seconds(moment, &self.dns.read_at)
    }
}

/// What CoreDNS finds beside a Corefile, for what the file itself takes in.
pub(crate) fn sources(corefile: &DnsCorefile) -> Sources {
    Sources {
        name: corefile.path.clone(),
        variables: corefile.variables.clone(),
        files: corefile.files.clone(),
        files_are_complete: corefile.is_complete,
        interfaces: None,
    }
}

/// By labels: the ReplicaSet between a Deployment and its pods is not read.
fn is_made_by(pod: &DnsPod, controller: Option<&DnsController>) -> bool {
    controller.is_some_and(|it| it.namespace == pod.namespace && selects(&it.template_labels, &pod.labels))
}

/// Whether an image is CoreDNS' own, by its name: then it has the plugins of its version and no others.
pub(super) fn is_stock(image: &str) -> bool {
    let path = image.split('@').next().unwrap_or(image);
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split(':').next() == Some("coredns")
}
