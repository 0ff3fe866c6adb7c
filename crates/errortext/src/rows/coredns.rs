//! What CoreDNS writes into its log.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "coredns-loop",
        check: "dns-cf-fwd-self",
        rank: Rank::Cause,
        patterns: &["plugin/loop: loop (*) detected", "loop * detected for zone"],
        means: "CoreDNS forwards to itself, found out, and ended. It will end again after every start.",
        excludes: &["the network, memory and CPU"],
        causes: &[
            cause(
                "it forwards to the node's resolv.conf, and that names a local stub (127.0.0.53)",
                "the Corefile says `forward . /etc/resolv.conf`: point the kubelet's resolvConf to the real file",
            ),
            cause(
                "it forwards to the address of the DNS Service",
                "the Corefile names it",
            ),
        ],
        next: &["kubectl get configmap coredns -n kube-system -o yaml"],
    },
    Text {
        name: "coredns-first-query",
        check: "dns-log",
        rank: Rank::Cause,
        patterns: &[
            "plugin/errors: * hinfo: read udp {upstream}: i/o timeout",
            "hinfo: * i/o timeout",
        ],
        means: "The question that CoreDNS asks itself at its start, to find loops, got no answer from upstream. It is no loop.",
        excludes: &["a forwarding loop"],
        causes: &[
            cause(
                "the upstream resolver is dead or not reached from that node",
                "further timeouts follow in the log",
            ),
            cause(
                "the node's network was not ready yet",
                "it stands there once, right after the start",
            ),
        ],
        next: &["kubectl logs -n kube-system -l k8s-app=kube-dns --tail=100 --prefix"],
    },
    Text {
        name: "coredns-upstream",
        check: "dns-up",
        rank: Rank::Cause,
        patterns: &[
            "plugin/errors: * read udp {flow}: i/o timeout",
            "plugin/errors: * read udp {flow}: read: connection refused",
            "plugin/errors: * no route to host",
            "plugin/errors: * operation not permitted",
            "plugin/errors: * network is unreachable",
            "plugin/errors: * i/o timeout",
        ],
        means: "CoreDNS asked an upstream resolver and got no answer. Names outside of the cluster fail; names of Services do not \
                depend on it, and the DNS pods stay ready.",
        excludes: &[
            "the way from pods to CoreDNS",
            "CoreDNS's own view of the cluster",
        ],
        causes: &[
            cause(
                "the upstream is dead or wrong",
                "it does not answer to another host either",
            ),
            cause(
                "that node's pods have no way out",
                "pods of that node do not reach other addresses outside either",
            ),
            cause(
                "something refuses (connection refused) or rejects (no route to host)",
                "the line says so",
            ),
        ],
        next: &[
            "kubectl get configmap coredns -n kube-system -o yaml",
            "kubectl get pods -n kube-system -l k8s-app=kube-dns -o wide",
        ],
    },
    Text {
        name: "coredns-rights",
        check: "dns-rbac",
        rank: Rank::Cause,
        patterns: &[
            "failed to watch * endpointslice* forbidden",
            "failed to list * endpointslices* forbidden",
            "cannot list resource \"endpointslices\"",
        ],
        means: "The reader of EndpointSlices may not read them. What runs keeps what it knew; what is restarted never knows.",
        excludes: &["the network: the API server was reached and answered"],
        causes: &[cause(
            "a ClusterRole from before EndpointSlices, as after an upgrade",
            "the ClusterRole lacks discovery.k8s.io endpointslices",
        )],
        next: &["kubectl get clusterrole system:coredns -o yaml"],
    },
    Text {
        name: "coredns-unsynced",
        check: "dns-log",
        rank: Rank::Cause,
        patterns: &[
            "plugin/ready: plugins not ready: \"kubernetes\"",
            "plugin/ready: still waiting on: \"kubernetes\"",
            "waiting for kubernetes api before starting server",
            "starting server with unsynced kubernetes api",
        ],
        means: "CoreDNS has not read the Services yet: it is not ready, or it answers from nothing.",
        excludes: &["upstream resolvers"],
        causes: &[
            cause(
                "the API server's Service is not reached from that node",
                "a line with the API's address and a timeout is near",
            ),
            cause("it may not read", "a line with “forbidden” is near"),
        ],
        next: &[
            "kubectl logs -n kube-system -l k8s-app=kube-dns --tail=100 --prefix",
            "kubectl netcheck pod-to-pod",
        ],
    },
    Text {
        name: "coredns-starved",
        check: "dns-resources",
        rank: Rank::Cause,
        patterns: &[
            "plugin/health: local health request *",
            "local health request to * took more than 1s",
        ],
        means: "CoreDNS could not even answer itself in a second: it is starved of CPU, or overloaded.",
        excludes: &["the network: this question never left the pod"],
        causes: &[
            cause("a CPU limit", "the pod is throttled"),
            cause(
                "too many questions, as search lists make them out of one",
                "the rate of questions is high, and most are NXDOMAIN",
            ),
        ],
        next: &["kubectl top pods -n kube-system -l k8s-app=kube-dns"],
    },
    Text {
        name: "corefile-error",
        check: "dns-cf-parse",
        rank: Rank::Cause,
        patterns: &[
            "error during parsing: {error}",
            "corefile:{line} - error during parsing",
            "unknown directive '{directive}'",
            "corefile changed but reload failed",
        ],
        means: "The Corefile is not understood. A CoreDNS that runs goes on with the old one; one that starts does not come up.",
        excludes: &["the network"],
        causes: &[cause(
            "the line that is named, or a property that this version does not have",
            "the line in the text",
        )],
        next: &["kubectl get configmap coredns -n kube-system -o yaml"],
    },
    Text {
        name: "corefile-cache",
        check: "dns-cf-cache-syntax",
        rank: Rank::Cause,
        patterns: &[
            "plugin/cache: time: unknown unit",
            "plugin/cache: time: invalid duration",
        ],
        means: "An argument of the cache stands where a duration is expected.",
        excludes: &["the network"],
        causes: &[cause(
            "a percentage without the duration before it",
            "the Corefile says `prefetch 10 10%` and not `prefetch 10 1m 10%`",
        )],
        next: &["kubectl get configmap coredns -n kube-system -o yaml"],
    },
    Text {
        name: "coredns-concurrency",
        check: "dns-cf-fwd-opts",
        rank: Rank::Cause,
        patterns: &["concurrent queries exceeded maximum"],
        means: "More questions wait for upstream at once than `max_concurrent` allows; the rest are refused.",
        excludes: &["the way from pods to CoreDNS"],
        causes: &[
            cause(
                "the upstream is slow or dead, so that questions pile up",
                "there are timeouts in the same log",
            ),
            cause(
                "the limit is too low for the load",
                "the upstream answers quickly",
            ),
        ],
        next: &["kubectl logs -n kube-system -l k8s-app=kube-dns --tail=100 --prefix"],
    },
    Text {
        name: "port-53-taken",
        check: "dns-crash",
        rank: Rank::Cause,
        patterns: &[
            "listen udp {address}:53: bind: address already in use",
            "listen tcp {address}:53: bind: address already in use",
            ":53: bind: address already in use",
        ],
        means: "Something else on that host holds port 53.",
        excludes: &["the network"],
        causes: &[
            cause(
                "a resolver of the node (systemd-resolved, dnsmasq)",
                "the pod uses the host's network",
            ),
            cause(
                "a second DNS pod of the host's network on the same node",
                "`kubectl get pods -o wide` shows two",
            ),
        ],
        next: &["kubectl get pods -A -o wide --field-selector spec.nodeName=NODE"],
    },
];
