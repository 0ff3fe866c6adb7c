//! How connections end: the errors of sockets, in the words of the C library, of Go, of curl and of ping.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "refused",
        check: "net-err-refused",
        rank: Rank::Ending,
        patterns: &[
            "connection refused",
            "econnrefused",
            "err_connection_refused",
            "port unreachable",
        ],
        means: "Packets arrived somewhere, and something there said no at once: a reset from the target, or an ICMP message \
                that the port cannot be reached.",
        excludes: &[
            "a policy or a firewall that drops: that is silence, and ends in a timeout",
            "a missing route, a dead node or a full connection table on the way",
        ],
        causes: &[
            cause(
                "nothing listens on that port of the pod, or only on 127.0.0.1",
                "the pod's own address refuses too, and other ports of the pod answer",
            ),
            cause(
                "the Service has no ready endpoint, and the node of the client answers for it",
                "the address is a ClusterIP or a NodePort, and the pod's own address answers or there is no pod",
            ),
            cause(
                "the Service has no such port (with kube-proxy in nftables mode)",
                "`kubectl get service` lists other ports",
            ),
            cause(
                "a policy or a firewall rule that rejects instead of dropping",
                "the ICMP message comes from the target's side, and not from the client's own node",
            ),
        ],
        next: &[
            "kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE",
            "kubectl get pods -n NAMESPACE -o wide",
        ],
    },
    Text {
        name: "no-route-to-host",
        check: "net-err-other",
        rank: Rank::Ending,
        patterns: &[
            "no route to host",
            "ehostunreach",
            "host is unreachable",
            "destination host unreachable",
        ],
        means: "Somebody on the way, or the sender's own kernel, said that the host cannot be reached. How long it took tells \
                who: at once it is a rule, after about three seconds a neighbour that did not answer.",
        excludes: &[
            "a missing route in the sender's own table: that is “network is unreachable”",
            "a rule that drops: that is silence",
        ],
        causes: &[
            cause(
                "a firewall rule that rejects (host-prohibited)",
                "the error came in less than half a second",
            ),
            cause(
                "the tunnel's end or the pod is not found by its hardware address on the sender's node",
                "it took about three seconds, and the sender's own gateway says so",
            ),
            cause(
                "the pod is gone and its address is still in use by a Service",
                "it took about three seconds, and the target's node says so",
            ),
        ],
        next: &["kubectl get pods -A -o wide", "kubectl netcheck pod-to-pod"],
    },
    Text {
        name: "network-unreachable",
        check: "net-err-other",
        rank: Rank::Ending,
        patterns: &[
            "network is unreachable",
            "enetunreach",
            "destination net unreachable",
        ],
        means: "There is no route: in the sender's own table, or at a router that says so.",
        excludes: &[
            "the application at the other end",
            "a policy: those drop in silence or reject the port",
        ],
        causes: &[
            cause(
                "the pod has lost its interface or its default route",
                "everything outside of the pod's own subnet fails at once, and other pods of the node are well",
            ),
            cause(
                "a Service's address left the node untranslated, and a router had no way for it",
                "it is a ClusterIP, and an address of a router sent the error: kube-proxy's rules are missing on the node",
            ),
            cause(
                "the node has no route to the other node's pods, or no default route",
                "pods of one node only see it",
            ),
            cause(
                "the address is IPv6, and the pod or the node has none",
                "the same name works over IPv4",
            ),
        ],
        next: &["kubectl netcheck pod-to-pod", "kubectl get nodes -o wide"],
    },
    Text {
        name: "timeout",
        check: "net-err-other",
        rank: Rank::Ending,
        patterns: &[
            "i/o timeout",
            "connection timed out",
            "operation timed out",
            "etimedout",
            "connect timeout",
            "connect timed out",
            "request timed out",
            "100% packet loss",
        ],
        means: "Nothing came back. From here a packet that was dropped on its way, one that was never answered and an answer that \
                was lost look the same.",
        excludes: &[
            "a port on which nothing listens, on a host that lives: that is refused at once",
            "a Service without endpoints: with kube-proxy that is refused at once",
        ],
        causes: &[
            cause(
                "a NetworkPolicy",
                "another pod of the same node reaches the target, or the target answers to pods of its own node",
            ),
            cause(
                "a firewall or a security group",
                "nodes cannot talk to each other on that port either",
            ),
            cause(
                "the pod network between two nodes is broken",
                "pods of one node reach each other, and across nodes none does",
            ),
            cause("the target's node is down", "`kubectl get nodes` says NotReady"),
            cause(
                "a full connection table",
                "connections that were there before go on, and new ones do not start",
            ),
            cause(
                "`externalTrafficPolicy: Local`, and no endpoint on that node",
                "it is a NodePort, and other nodes answer",
            ),
        ],
        next: &["kubectl netcheck pod-to-pod", "kubectl get networkpolicies -A"],
    },
    Text {
        name: "deadline",
        check: "net-err-other",
        rank: Rank::Ending,
        patterns: &[
            "context deadline exceeded",
            "client.timeout exceeded while awaiting headers",
            "client.timeout or context cancellation while reading body",
        ],
        means: "The caller's own patience ended. It says nothing yet of the network: a slow application ends like this too.",
        excludes: &["a refusal: that would have come at once"],
        causes: &[
            cause(
                "the application takes longer than the caller waits",
                "a connection is made, and only the answer is late",
            ),
            cause("packets are lost on the way", "not even a connection is made"),
            cause(
                "large packets are lost",
                "a connection is made and small requests work: `kubectl netcheck pod-to-pod` says “large only”",
            ),
        ],
        next: &["kubectl netcheck pod-to-pod"],
    },
    Text {
        name: "not-permitted",
        check: "net-err-other",
        rank: Rank::Ending,
        patterns: &[
            "dial tcp * operation not permitted",
            "dial udp * operation not permitted",
            "connect: operation not permitted",
            "connect() failed (1: operation not permitted",
            "sendto: operation not permitted",
            "sendmsg: operation not permitted",
            "ping: sendto: operation not permitted",
            "write udp * operation not permitted",
            "read udp * operation not permitted",
        ],
        means: "The sender's own kernel refused to send: a rule for outgoing packets on that very host dropped it. Nothing left.",
        excludes: &["everything beyond the sender: the packet was never on its way"],
        causes: &[
            cause(
                "a firewall rule for outgoing packets of the node",
                "only processes of the host network see it",
            ),
            cause(
                "kube-proxy in nftables mode, and an address of the Service range that belongs to no Service",
                "it is a node that sends, to a ClusterIP",
            ),
            cause(
                "the program may not open such a socket (ping without its capability)",
                "it is about ICMP or a raw socket",
            ),
        ],
        next: &["kubectl get services -A -o wide"],
    },
    Text {
        name: "invalid-argument",
        check: "net-err-other",
        rank: Rank::Ending,
        patterns: &[
            "dial tcp * invalid argument",
            "dial udp * invalid argument",
            "connect: invalid argument",
            "sendto: invalid argument",
        ],
        means: "The sender's own route for this address is one that discards (a blackhole).",
        excludes: &["everything beyond the sender's host"],
        causes: &[
            cause(
                "a blackhole route for another node's pods",
                "`ip route get` of the address on that node says so",
            ),
            cause(
                "a blackhole route over the Service range",
                "the address is a ClusterIP",
            ),
        ],
        next: &["kubectl netcheck pod-to-pod"],
    },
    Text {
        name: "prohibited-route",
        check: "net-err-other",
        rank: Rank::Ending,
        patterns: &[
            "connect: permission denied",
            "dial tcp * permission denied",
            "dial udp * permission denied",
            "sendto: permission denied",
        ],
        means: "The sender's own route for this address is one that prohibits, or a security module forbids the connection.",
        excludes: &["everything beyond the sender's host"],
        causes: &[
            cause(
                "a prohibit route",
                "`ip route get` of the address on that node says so",
            ),
            cause(
                "SELinux, AppArmor or a broadcast address without permission for it",
                "the kernel's log on that node says so",
            ),
        ],
        next: &["kubectl get nodes -o wide"],
    },
    Text {
        name: "prohibited-by-rule",
        check: "net-fw-reject",
        rank: Rank::Cause,
        patterns: &[
            "destination host prohibited",
            "destination net prohibited",
            "packet filtered",
            "admin prohibited",
            "communication administratively prohibited",
        ],
        means: "A firewall rule rejects the packet, and the host that has the rule says so in an ICMP message.",
        excludes: &[
            "routing and tunnels up to the host that sent the message",
            "the application",
        ],
        causes: &[
            cause(
                "a firewall service on a node (firewalld rejects in this way)",
                "the message comes from a node of the cluster",
            ),
            cause("a firewall outside", "the message comes from another address"),
        ],
        next: &["kubectl get nodes -o wide"],
    },
    Text {
        name: "message-too-long",
        check: "net-mtu",
        rank: Rank::Ending,
        patterns: &["message too long", "emsgsize", "frag needed and df set"],
        means: "The packet is larger than a link that is known of, and may not be cut. The sender was told: this is how path MTU \
                discovery works, and by itself no fault.",
        excludes: &["a black hole for large packets: in one, nobody says anything"],
        causes: &[
            cause(
                "somebody probed with a size above the link's",
                "the size is more than the MTU less 28 bytes (IPv6: 48)",
            ),
            cause(
                "the pods' MTU is above what the tunnel carries",
                "bulk data stalls between the same pods",
            ),
        ],
        next: &["kubectl netcheck pod-to-pod"],
    },
    Text {
        name: "reset",
        check: "net-p2p-tcp",
        rank: Rank::Ending,
        patterns: &["connection reset by peer", "econnreset", "connection was reset"],
        means: "A connection was made and then torn down: by the application, by a proxy on the way, or by a host that knows \
                nothing of the connection.",
        excludes: &["routes, tunnels and policies in the direction to the target: packets arrived there"],
        causes: &[
            cause(
                "the application or its proxy closed it",
                "it happens at the same point of every request",
            ),
            cause(
                "a sidecar refuses what is not encrypted as it expects",
                "one end is in a service mesh and the other is not",
            ),
            cause(
                "answers took another way, and connection tracking dropped them as invalid",
                "it happens at random, more often under load",
            ),
            cause(
                "the endpoint was stopped while it was in use",
                "a rollout or an eviction happened at that time",
            ),
        ],
        next: &["kubectl get events -A --field-selector reason=Killing"],
    },
];
