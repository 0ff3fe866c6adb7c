//! To whom DNS pods pass questions on, and from which nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use corefile::{Corefile, Upstream, UpstreamAddress, parse};
use netmodel::resolv::ResolvConf;
use observation::{Dns, DnsCorefile, DnsRole, LookupServer, Place};
use report::{Gap, GapReason, Observed, Subject};

use super::servers::{DNS_PORT, DnsServerAt};
use crate::dns::sources;

/// The file that a container has of its node, where its pod has `dnsPolicy: Default`.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The servers to which the DNS pods of the cluster pass questions on, each asked from the nodes of these pods. Those that are reached by
/// other means than plain DNS are not among them, nor those that belong to the cluster. `resolv_conf` has what probe pods found, by node.
pub fn upstreams(dns: &Dns, resolv_conf: &BTreeMap<String, Observed<String>>) -> Vec<DnsServerAt> {
    let mut all = Vec::new();
    for corefile in corefiles(dns) {
        all.extend(of_corefile(dns, corefile, resolv_conf));
    }
    let services = dns.services.seen().into_iter().flatten();
    let own: BTreeSet<_> = services.flat_map(|service| service.cluster_ips.clone()).collect();
    all.retain(|server: &DnsServerAt| !own.contains(&server.udp.ip()) && !server.udp.ip().is_loopback());
    all
}

/// What keeps the servers of a node's DNS pods from being asked as those pods ask them: a node where no probe pod is wanted, as one with a
/// taint that DNS pods tolerate, and a resolv.conf that was not read. Nodes that were not chosen are not in `places`; that a probe pod
/// did not start is said of the run.
pub fn upstreams_unread(
    dns: &Dns,
    resolv_conf: &BTreeMap<String, Observed<String>>,
    places: &BTreeMap<String, Place>,
) -> Vec<Gap> {
    let upstreams: Vec<Upstream> = corefiles(dns)
        .filter_map(parsed)
        .flat_map(|parsed| parsed.upstreams())
        .collect();
    let is_file =
        |upstream: &Upstream| matches!(&upstream.to, UpstreamAddress::File(path) if path == RESOLV_CONF);
    let follows_nodes = upstreams.iter().any(is_file);
    let is_asked =
        |upstream: &Upstream| matches!(upstream.to, UpstreamAddress::Plain(_)) || is_file(upstream);
    if !upstreams.iter().any(is_asked) {
        return Vec::new();
    }
    let of_node = |node: String| match places.get(&node)? {
        Place::LeftOut { reason, hint } => Some(Gap {
            what: format!("upstreams of the DNS pods on {node}"),
            why: GapReason::NotStarted,
            message: format!("no probe pod runs there to ask from: {reason}"),
            hint: hint.clone(),
        }),
        Place::Ready(_) if follows_nodes => resolv_conf.get(&node)?.gap().cloned(),
        Place::Ready(_) | Place::Failed(_) => None,
    };
    nodes(dns).into_iter().filter_map(of_node).collect()
}

fn corefiles(dns: &Dns) -> impl Iterator<Item = &DnsCorefile> {
    let corefiles = dns.corefiles.seen().into_iter().flatten();
    corefiles.filter(|corefile| corefile.role == DnsRole::Cluster)
}

fn parsed(corefile: &DnsCorefile) -> Option<Corefile> {
    parse(corefile.text.seen()?, &sources(corefile)).ok()
}

fn of_corefile(
    dns: &Dns,
    corefile: &DnsCorefile,
    resolv_conf: &BTreeMap<String, Observed<String>>,
) -> Vec<DnsServerAt> {
    let nodes = nodes(dns);
    let written = corefile
        .source
        .as_ref()
        .map_or(corefile.controller.clone(), observation::CorefileSource::subject);
    let mut all: BTreeMap<(SocketAddr, String), (Subject, BTreeSet<String>)> = BTreeMap::new();
    for upstream in parsed(corefile).iter().flat_map(Corefile::upstreams) {
        match upstream.to {
            UpstreamAddress::Plain(address) => {
                all.insert((address, upstream.zone), (written.clone(), nodes.clone()));
            }
            UpstreamAddress::File(path) if path == RESOLV_CONF => {
                for node in &nodes {
                    let text = resolv_conf.get(node).and_then(Observed::seen);
                    for address in text
                        .map(|text| ResolvConf::parse(text).nameservers)
                        .unwrap_or_default()
                    {
                        let at = (SocketAddr::new(address, DNS_PORT), upstream.zone.clone());
                        let (_, from) = all
                            .entry(at)
                            .or_insert_with(|| (Subject::node(node), BTreeSet::new()));
                        from.insert(node.clone());
                    }
                }
            }
            UpstreamAddress::File(_) | UpstreamAddress::Other(_) => {}
        }
    }
    let servers = all
        .into_iter()
        .map(|((address, zone), (written, from))| DnsServerAt {
            server: LookupServer::Upstream { zone, written },
            udp: address,
            tcp: address,
            from: Some(from),
        });
    servers.collect()
}

/// The nodes on which DNS pods are.
fn nodes(dns: &Dns) -> BTreeSet<String> {
    let pods = dns.pods.seen().into_iter().flatten();
    let own = pods.filter(|pod| pod.role == DnsRole::Cluster && pod.deleted.is_none());
    own.filter_map(|pod| pod.node.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(forward: &str) -> Dns {
        let pod = |name: &str, node: &str| {
            serde_json::json!({
                "role": "cluster", "namespace": "kube-system", "name": name, "labels": {}, "node": node, "addresses": [],
                "phase": "Running", "ready": true, "container": "coredns", "image": "x", "restarts": 0,
                "log": {"seen": {"lines": [], "more": false}},
            })
        };
        let corefile = serde_json::json!({
            "role": "cluster", "controller": {"type": "cluster"}, "path": "/etc/coredns/Corefile",
            "source": {"namespace": "kube-system", "name": "coredns", "key": "Corefile"},
            "text": {"seen": format!(".:53 {{\n forward . {forward}\n}}\n")},
            "files": {}, "isComplete": true, "variables": {},
        });
        let seen = |value: serde_json::Value| serde_json::json!({"seen": value});
        let empty = || seen(serde_json::json!([]));
        serde_json::from_value(serde_json::json!({
            "readAt": "", "kubelets": {}, "services": empty(), "slices": empty(), "controllers": empty(),
            "pods": seen(serde_json::json!([pod("a", "node1"), pod("b", "node2")])),
            "corefiles": seen(serde_json::json!([corefile])), "rights": empty(), "autoscalers": empty(), "budgets": empty(),
            "askers": empty(), "events": empty(),
        }))
        .unwrap()
    }

    #[test]
    fn an_address_is_asked_from_every_node_with_a_dns_pod_and_a_file_says_what_its_own_node_asks() {
        let files = BTreeMap::from([
            (
                "node1".to_owned(),
                Observed::Seen("nameserver 192.0.2.1\n".to_owned()),
            ),
            (
                "node2".to_owned(),
                Observed::Seen("nameserver 127.0.0.53\n".to_owned()),
            ),
        ]);
        let all = upstreams(&dns("/etc/resolv.conf 192.0.2.9:5353 tls://9.9.9.9"), &files);
        let told: Vec<(String, String, usize)> = all
            .iter()
            .map(|server| {
                let LookupServer::Upstream { written, .. } = &server.server else {
                    panic!("no upstream")
                };
                let from = server.from.as_ref().map(BTreeSet::len).unwrap_or_default();
                (server.udp.to_string(), written.to_string(), from)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("192.0.2.1:53".to_owned(), "node/node1".to_owned(), 1),
                (
                    "192.0.2.9:5353".to_owned(),
                    "configmap/coredns -n kube-system".to_owned(),
                    2
                ),
            ]
        );
    }

    #[test]
    fn a_node_of_dns_pods_that_nobody_looks_from_is_a_gap_and_one_that_was_not_chosen_is_none() {
        let pod = serde_json::json!({
            "name": "p", "addresses": [], "image": "x", "readyAfterMs": 1,
        });
        let ready: Place = Place::Ready(serde_json::from_value(pod).unwrap());
        let left_out = Place::LeftOut {
            reason: "tainted a=b:NoSchedule".to_owned(),
            hint: Some("--tolerate a=b:NoSchedule".to_owned()),
        };
        let unread = |forward: &str, files: &[(&str, Observed<String>)], places: &[(&str, &Place)]| {
            let files = files
                .iter()
                .map(|(node, text)| ((*node).to_owned(), text.clone()));
            let places = places
                .iter()
                .map(|(node, place)| ((*node).to_owned(), (*place).clone()));
            let gaps = upstreams_unread(&dns(forward), &files.collect(), &places.collect());
            gaps.into_iter().map(|gap| gap.what).collect::<Vec<_>>()
        };
        let text = || Observed::Seen("nameserver 192.0.2.1\n".to_owned());
        let lost = Observed::Unseen(Gap {
            what: "/etc/resolv.conf of node2".to_owned(),
            why: GapReason::Failed,
            message: "it was cut off".to_owned(),
            hint: None,
        });
        let both = [("node1", &ready), ("node2", &ready)];
        assert_eq!(
            unread("/etc/resolv.conf", &[("node1", text()), ("node2", text())], &both),
            [""; 0]
        );
        assert_eq!(
            unread(
                "/etc/resolv.conf",
                &[("node1", text()), ("node2", lost.clone())],
                &both
            ),
            ["/etc/resolv.conf of node2"]
        );
        assert_eq!(
            unread("192.0.2.9", &[("node1", text()), ("node2", lost)], &both),
            [""; 0]
        );
        let tainted = [("node1", &ready), ("node2", &left_out)];
        assert_eq!(
            unread("192.0.2.9", &[("node1", text())], &tainted),
            ["upstreams of the DNS pods on node2"]
        );
        assert_eq!(
            unread("192.0.2.9", &[("node1", text())], &[("node1", &ready)]),
            [""; 0]
        );
        assert_eq!(unread("tls://192.0.2.9", &[("node1", text())], &tainted), [""; 0]);
    }
}
