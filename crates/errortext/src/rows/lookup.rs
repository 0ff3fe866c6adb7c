//! How lookups of names end, in the words of Go, of the C libraries and of the tools.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "no-such-name",
        check: "dns-err-lookup",
        rank: Rank::Cause,
        patterns: &[
            "lookup {name} on {server}: no such host",
            "lookup {name}: no such host",
            "server can't find {name}: nxdomain",
            "nxdomain",
            "name or service not known",
            "name does not resolve",
            "getaddrinfo enotfound {name}",
            "could not resolve host: {name}",
            "bad address '{name}'",
            "nodename nor servname provided",
        ],
        means: "A DNS server was reached and answered that there is no such name (NXDOMAIN). The network to the server works. The \
                server's address tells which resolv.conf was used.",
        excludes: &["the way to the DNS server, and the server's health"],
        causes: &[
            cause(
                "the name is wrong, or lacks its namespace",
                "`kubectl get service -A` has it elsewhere",
            ),
            cause(
                "a headless Service has no ready pod: it has no name then",
                "the Service's clusterIP is None",
            ),
            cause(
                "the pod asks a server that is not the cluster's",
                "the server is not the address of the DNS Service",
            ),
            cause(
                "the cluster's domain is another one",
                "the name with the right domain and a dot at its end resolves",
            ),
        ],
        next: &[
            "kubectl get services -A",
            "kubectl exec POD -n NAMESPACE -- cat /etc/resolv.conf",
        ],
    },
    Text {
        name: "lookup-timeout",
        check: "dns-err-lookup",
        rank: Rank::Cause,
        patterns: &[
            "lookup {name} on {server}: i/o timeout",
            "lookup {name} on {server}: * i/o timeout",
            "lookup {name}: i/o timeout",
            "no servers could be reached",
            "communications error to {server}: timed out",
        ],
        means: "The DNS server did not answer: it was not reached, or its answer did not come back, or it waited in vain for \
                another server.",
        excludes: &["a DNS Service without endpoints: with kube-proxy that is refused at once"],
        causes: &[
            cause(
                "a policy forbids the pod to ask",
                "pods of other namespaces resolve: allow UDP and TCP port 53 to the DNS pods",
            ),
            cause(
                "the pod network to the DNS pods' nodes is broken",
                "pods on the DNS pods' own nodes resolve",
            ),
            cause(
                "the rules of this node for the DNS Service are old or gone",
                "a DNS pod's own address answers from the same pod",
            ),
            cause(
                "the resolvers that the cluster's DNS forwards to are dead",
                "only names outside of the cluster fail",
            ),
            cause(
                "single datagrams are lost",
                "it comes and goes, and a lookup takes exactly 5 s",
            ),
        ],
        next: &[
            "kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide",
            "kubectl get networkpolicies -n NAMESPACE",
            "kubectl netcheck pod-to-pod",
        ],
    },
    Text {
        name: "lookup-refused",
        check: "dns-err-lookup",
        rank: Rank::Cause,
        patterns: &[
            "lookup {name} on {server}: connection refused",
            "lookup {name} on {server}: * connection refused",
            "communications error to {server}: connection refused",
        ],
        means: "The question was refused at once: the DNS Service has no ready endpoint, or nothing listens on port 53 there.",
        excludes: &[
            "a policy or a firewall that drops",
            "a dead upstream: it does not empty the DNS Service",
        ],
        causes: &[
            cause(
                "no DNS pod is ready",
                "the EndpointSlices of the DNS Service list none as ready",
            ),
            cause(
                "the DNS Service lacks this protocol or port",
                "UDP works and TCP does not, or the other way round",
            ),
            cause(
                "the node-local cache of this node is down",
                "the server is 169.254.20.10, and other nodes resolve",
            ),
        ],
        next: &[
            "kubectl get endpointslices -n kube-system -l kubernetes.io/service-name=kube-dns",
            "kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide",
        ],
    },
    Text {
        name: "lookup-servfail",
        check: "dns-err-lookup",
        rank: Rank::Cause,
        patterns: &[
            "lookup {name} on {server}: server misbehaving",
            "lookup {name}: server misbehaving",
            "server can't find {name}: servfail",
            "servfail",
        ],
        means: "The DNS server was reached and could not answer (SERVFAIL): the network to it works.",
        excludes: &[
            "the way to the DNS server",
            "the name being wrong: that is NXDOMAIN",
        ],
        causes: &[
            cause(
                "its upstream resolvers do not answer it",
                "only names outside of the cluster fail",
            ),
            cause(
                "it has not been able to read from the API server",
                "names of Services fail; its log says “not synced” or “forbidden”",
            ),
            cause(
                "the name leads in a circle (ExternalName, CNAME)",
                "one name only",
            ),
        ],
        next: &["kubectl logs -n kube-system -l k8s-app=kube-dns --tail=100 --prefix"],
    },
    Text {
        name: "lookup-rcode-refused",
        check: "dns-err-lookup",
        rank: Rank::Cause,
        patterns: &["server can't find {name}: refused", "status: refused", "REFUSED"],
        means: "The DNS server was reached and declined to answer (rcode REFUSED).",
        excludes: &["the way to the DNS server"],
        causes: &[
            cause(
                "a limit on questions at once (max_concurrent)",
                "it comes with load",
            ),
            cause(
                "an acl in its configuration, or no server block for this name",
                "it is always this name or this client",
            ),
        ],
        next: &["kubectl get configmap coredns -n kube-system -o yaml"],
    },
    Text {
        name: "lookup-try-again",
        check: "dns-err-lookup",
        rank: Rank::Ending,
        patterns: &[
            "temporary failure in name resolution",
            "eai_again",
            "getaddrinfo eai_again {name}",
            "lookup {name}: try again",
        ],
        means: "The C library got no useful answer: either none at all, or SERVFAIL. It does not tell which; a tool that prints the \
                answer does.",
        excludes: &["the name being wrong: that is “not known”"],
        causes: &[
            cause(
                "no answer: see a lookup that times out",
                "`nslookup` says that no server could be reached",
            ),
            cause(
                "SERVFAIL: the server's upstream is dead",
                "`nslookup` says SERVFAIL, and names of Services resolve",
            ),
        ],
        next: &["kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide"],
    },
    Text {
        name: "resolv-conf-limits",
        check: "dns-pod-limits",
        rank: Rank::Cause,
        patterns: &[
            "dnsconfigforming",
            "search line limits were exceeded",
            "nameserver limits were exceeded",
        ],
        means: "The node's resolv.conf has more nameservers or search domains than the kubelet hands on; the rest was left out.",
        excludes: &["the network"],
        causes: &[
            cause(
                "the node's own resolv.conf has grown (DHCP, VPN)",
                "the event names the line that was applied",
            ),
            cause(
                "a pod's dnsConfig adds more",
                "the event is about one workload's pods only",
            ),
        ],
        next: &["kubectl get events -A --field-selector reason=DNSConfigForming"],
    },
];
