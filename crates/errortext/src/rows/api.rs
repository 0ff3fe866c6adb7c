//! What the API server and those who call it write.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "webhook",
        check: "net-webhook",
        rank: Rank::Frame,
        patterns: &["failed calling webhook \"{webhook}\"", "failed to call webhook"],
        means: "The API server could not ask an admission webhook, and so refused the request. The call goes from the control plane \
                to a Service, not from a pod to a pod.",
        excludes: &["the request itself: nobody judged it"],
        causes: &[
            cause("no endpoint is ready", "“no endpoints available”"),
            cause(
                "the control plane does not reach the pod network",
                "“context deadline exceeded” or a timeout",
            ),
            cause("a wrong port, or nothing listens", "“connection refused”"),
            cause("its certificate is not the one that was registered", "“x509”"),
        ],
        next: &[
            "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
            "kubectl get endpointslices -A",
        ],
    },
    Text {
        name: "no-endpoints",
        check: "ep-empty",
        rank: Rank::Cause,
        patterns: &[
            "no endpoints available for service \"{service}\"",
            "no endpoints available for service",
        ],
        means: "The Service has no ready endpoint.",
        excludes: &["the network: nobody was called"],
        causes: &[
            cause(
                "its selector matches no pod",
                "`kubectl get pods` with the selector's labels shows none",
            ),
            cause("its pods are not ready", "`kubectl get pods` shows 0/1"),
            cause("its workload is scaled to zero", "the workload's replicas"),
        ],
        next: &[
            "kubectl get endpointslices -n NAMESPACE -l kubernetes.io/service-name=SERVICE",
            "kubectl get pods -n NAMESPACE --show-labels",
        ],
    },
    Text {
        name: "kubelet-unreached",
        check: "net-kubelet",
        rank: Rank::Cause,
        patterns: &[
            "error dialing backend: dial tcp {kubelet}: *",
            "error dialing backend: *",
            "proxy error from * while dialing {kubelet}, code",
        ],
        means: "The API server does not reach the kubelet of that node; logs, exec and port-forward go this way.",
        excludes: &["the pod itself", "the pod network: this is node to node"],
        causes: &[
            cause(
                "port 10250 is closed between control plane and node",
                "it is every node of a subnet",
            ),
            cause(
                "the node or its kubelet is down",
                "`kubectl get nodes` says NotReady",
            ),
            cause(
                "the tunnel between control plane and nodes is down (konnectivity)",
                "every node, in a managed cluster",
            ),
        ],
        next: &["kubectl get nodes -o wide"],
    },
    Text {
        name: "api-service-unreached",
        check: "net-kubelet",
        rank: Rank::Cause,
        patterns: &[
            "get \"https://{service}:443/*: dial tcp {address}: i/o timeout",
            "get \"https://{service}:443/*: dial tcp {address}: connect: no route to host",
            "get \"https://{service}:443/*: dial tcp {address}: connect: network is unreachable",
            "error: get * dial tcp {address}:443: i/o timeout",
        ],
        means: "A pod does not reach the API server by its Service. Everything that watches the API on that node goes stale.",
        excludes: &["rights: nobody was asked yet"],
        causes: &[
            cause(
                "the rules of that node for Services are missing or old",
                "pods of other nodes reach it",
            ),
            cause(
                "a policy without a rule for the API server",
                "only pods of this namespace",
            ),
            cause(
                "the node does not reach the API server's own addresses",
                "the node is NotReady, or its kubelet's log says so",
            ),
        ],
        next: &[
            "kubectl get endpointslices -n default -l kubernetes.io/service-name=kubernetes",
            "kubectl get pods -n kube-system -l k8s-app=kube-proxy -o wide",
        ],
    },
    Text {
        name: "api-unreached",
        check: "net-kubelet",
        rank: Rank::Frame,
        patterns: &[
            "unable to connect to the server: *",
            "the connection to the server {server} was refused",
        ],
        means: "kubectl does not reach the API server from this computer. Nothing inside of the cluster was asked.",
        excludes: &["the pod network, Services and the cluster's DNS"],
        causes: &[
            cause(
                "another context than the one that was meant",
                "`kubectl config current-context`",
            ),
            cause(
                "a VPN, a firewall or the API server itself",
                "others do not reach it either",
            ),
        ],
        next: &["kubectl config view --minify"],
    },
    Text {
        name: "api-service-unavailable",
        check: "net-apisvc",
        rank: Rank::Cause,
        patterns: &[
            "failing or missing response from https://{address}",
            "faileddiscoverycheck",
            "the server is currently unable to handle the request",
            "unable to retrieve the complete list of server apis: {group}",
        ],
        means: "An API that is served by a pod (such as metrics.k8s.io) is not reached from the control plane.",
        excludes: &["the rest of the API"],
        causes: &[
            cause(
                "the pods behind it are not ready",
                "its Service has no ready endpoint",
            ),
            cause(
                "the control plane does not reach the pod network",
                "the pods are ready",
            ),
        ],
        next: &["kubectl get apiservices"],
    },
    Text {
        name: "node-port-range",
        check: "ep-np-range",
        rank: Rank::Cause,
        patterns: &["provided port is not in the valid range"],
        means: "The API server refused a nodePort outside of its range. Nothing was created; it cannot fail later.",
        excludes: &["the network"],
        causes: &[cause(
            "a number outside of --service-node-port-range",
            "the range in the text: choose one in it, or leave it out",
        )],
        next: &[],
    },
    Text {
        name: "load-balancer",
        check: "ep-lb-pending",
        rank: Rank::Cause,
        patterns: &[
            "syncloadbalancerfailed",
            "error syncing load balancer",
            "failed to allocate ip for",
            "no available ips",
        ],
        means: "The controller in charge of the load balancer could not make it, or has no address for it.",
        excludes: &["the pod network: the Service works on its ClusterIP"],
        causes: &[
            cause("its pool is used up", "“no available IPs”"),
            cause(
                "the provider refused: rights, quota, subnet tags",
                "the provider's words in the text",
            ),
        ],
        next: &["kubectl describe service SERVICE -n NAMESPACE"],
    },
];
