//! Where the cluster's names are asked for, as policies see it: pods and their own ports.

use netmodel::policy::{Pod, Protocol};
use observation::{PolicyService, selects};

use super::asked::target_port;
use super::{Scene, seen};

/// A pod that answers for the cluster's names, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DnsServer<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) protocol: Protocol,
    /// The pod's own port: 53 nearly always, 5353 in OpenShift.
    pub(crate) port: u16,
}

/// The pods behind the Service that resolves the cluster's names, for UDP and for TCP.
pub(crate) fn dns_servers<'s>(scene: &'s Scene<'_>) -> Vec<DnsServer<'s>> {
    let services = seen(&scene.facts.services)
        .iter()
        .filter(|service| is_dns(service));
    let mut servers = Vec::new();
    for service in services.filter(|service| !service.selector.is_empty()) {
        let carries = |pod: &&Pod| selects(&service.selector, &pod.labels);
        for pod in scene.world.pods_of(&service.namespace).filter(carries) {
            for port in service.ports.iter().filter(|port| port.port == 53) {
                let Some(protocol) = Protocol::named(&port.protocol) else {
                    continue;
                };
                servers.extend(target_port(&port.target, protocol, pod).map(|port| DnsServer {
                    pod,
                    protocol,
                    port,
                }));
            }
        }
    }
    servers
}

/// By the name and the label that every installer keeps, since kubelets and clients go by its address and not by either.
fn is_dns(service: &PolicyService) -> bool {
    let of = (service.namespace.as_str(), service.name.as_str());
    matches!(of, ("kube-system", "kube-dns") | ("openshift-dns", "dns-default"))
        || (service.namespace == "kube-system"
            && service.labels.get("k8s-app").is_some_and(|app| app == "kube-dns")
            && service.ports.iter().any(|port| port.port == 53))
}

impl Scene<'_> {
    /// Whether pods ask a cache on their own node, at a link-local address.
    pub(crate) fn has_node_local_dns(&self) -> bool {
        seen(&self.facts.workloads).iter().any(|workload| {
            workload.kind == "daemonset"
                && (workload.name.contains("node-local-dns") || workload.name.contains("nodelocaldns"))
        })
    }
}
