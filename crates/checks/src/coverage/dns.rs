//! What `kubectl dnscheck` is to decide.

use super::{Row, held, made, text, wanted};

/// What each id needs that is not decided yet.
const PLUGIN: &str = "dnscheck does not look at it yet";
const COREFILE: &str = "needs lookups of upstreams beside the Corefile";
const METRICS: &str = "needs metrics read through the API server";
const LOGS: &str = "needs logs read through the API server";
const PODS: &str = "needs what pods find in their resolv.conf";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    wanted("dns-class", "how widely names fail decides how urgent it is", PLUGIN),
    wanted("dns-locate", "the chain from a pod's resolv.conf to the DNS pods' configuration is whole", PLUGIN),
    wanted("dns-deploy", "the DNS pods run and are ready", PLUGIN),
    wanted("dns-svc", "the DNS Service has UDP and TCP, and the address that kubelets hand out", PLUGIN),
    wanted("dns-ep", "the DNS Service has ready endpoints", PLUGIN),
    wanted("dns-crash", "no DNS pod crashes again and again, and why if one does", LOGS),
    wanted("dns-resources", "DNS pods are not starved of CPU or memory", METRICS),
    wanted("dns-probes", "the plugins that the DNS pods' probes ask are in the Corefile", COREFILE),
    wanted("dns-nodelocal", "every node has its node-local cache, where there is one", PLUGIN),
    wanted("dns-rbac", "CoreDNS may read what it serves", PLUGIN),
    wanted("dns-cf-read", "the Corefile and all that it imports can be read", COREFILE),
    held("dns-cf-golden", "the Corefile that installers write has no finding", "a test of crate corefile lints it, and every check of Corefiles passes on it"),
    wanted("dns-cf-parse", "the Corefile is understood by the version that runs", COREFILE),
    wanted("dns-cf-prop", "every property exists in the version that runs", COREFILE),
    wanted("dns-cf-cache-syntax", "the cache's arguments are well formed", COREFILE),
    wanted("dns-cf-cache", "there is a cache, with times that make sense", COREFILE),
    wanted("dns-cf-zone", "the zone of the Corefile is the cluster's domain", COREFILE),
    wanted("dns-cf-rev", "addresses are resolved back to names", COREFILE),
    wanted("dns-cf-steal", "no other server block takes the cluster's own names", COREFILE),
    wanted("dns-cf-fwd", "names outside are forwarded somewhere", COREFILE),
    wanted("dns-cf-fwd-reserved", "no upstream is an address that can never answer", COREFILE),
    wanted("dns-cf-fwd-typo", "no upstream is one digit away from a well-known resolver and silent", COREFILE),
    wanted("dns-cf-fwd-self", "DNS does not forward to itself", COREFILE),
    wanted("dns-cf-fwd-opts", "forwarding is set up to outlive one upstream", COREFILE),
    wanted("dns-cf-ready", "health and readiness can be asked", COREFILE),
    wanted("dns-cf-misc", "what a Corefile should not be without", COREFILE),
    wanted("dns-cf-pods", "the modes of pod names fit together", COREFILE),
    made("dns-res-int", "the API server's own name resolves"),
    made("dns-res-svc", "a Service's name resolves to its address"),
    made("dns-res-ext", "names outside of the cluster resolve"),
    made("dns-res-headless", "a headless Service's name resolves to its ready pods"),
    made("dns-res-srv", "named ports have SRV records"),
    made("dns-res-podname", "pods have names of their own where they ask for them"),
    made("dns-res-ptr", "addresses resolve back to their Service"),
    made("dns-res-extname", "an ExternalName's target resolves"),
    made("dns-res-server", "all servers give the same answers"),
    made("dns-port-udp", "DNS answers over UDP"),
    made("dns-port-tcp", "DNS answers over TCP"),
    made("dns-replica-diff", "all DNS pods give the same answers"),
    made("dns-up", "upstream resolvers answer to the DNS pods' nodes"),
    wanted("dns-pod-resolv", "a pod's resolv.conf is what its settings ask for", PODS),
    wanted("dns-pod-ns", "a pod asks the cluster's own DNS", PODS),
    wanted("dns-pod-policy", "pods of the host's network that need Services' names can resolve them", PLUGIN),
    wanted("dns-pod-config", "a pod's own dnsConfig makes sense", PLUGIN),
    wanted("dns-pod-ndots", "how many lookups one name outside costs", PODS),
    wanted("dns-pod-musl", "images with musl get a resolv.conf that musl can work with", PODS),
    wanted("dns-pod-limits", "resolv.conf keeps within what resolvers read", PODS),
    wanted("dns-kubelet", "kubelets hand out the right server and domain", "needs the kubelets' configuration"),
    made("dns-lat", "lookups are quick"),
    made("dns-5s", "no lookup waits for a lost datagram"),
    made("dns-cache-effect", "the second lookup is quicker than the first"),
    wanted("dns-metrics", "what the DNS pods' own metrics say", METRICS),
    wanted("dns-servfail", "few answers are failures", METRICS),
    wanted("dns-log", "what the DNS pods' logs say", LOGS),
    wanted("dns-scale", "there are enough DNS pods, apart from each other", PLUGIN),
    held("dns-watch", "what changes while one looks", "`kubectl dnscheck watch`: lookups and the endpoints of the DNS Service, again and again, a line for each change"),
    text("dns-err-lookup", "what the errors of lookups say"),
];
