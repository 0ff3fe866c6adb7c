//! What flannel writes.

use super::cause;
use crate::{Rank, Text};

const LOGS: &str = "kubectl logs -n kube-flannel -l app=flannel --tail=50 --prefix";
const PODS: &str = "kubectl get pods -n kube-flannel -o wide";

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "subnet-env",
        check: "cni-err-subnetenv",
        rank: Rank::Cause,
        patterns: &[
            "open /run/flannel/subnet.env: no such file",
            "/run/flannel/subnet.env: no such file",
        ],
        means: "flannel has not run on that node since it booted: the file that its plugin reads is not there.",
        excludes: &["the network between nodes", "a full range"],
        causes: &[
            cause("its pod does not run or crashes there", "its log says why"),
            cause(
                "it waits for the API server",
                "its log says “timeout contacting kube-api”",
            ),
        ],
        next: &[PODS, LOGS],
    },
    Text {
        name: "pod-cidr-missing",
        check: "cni-err-podcidr",
        rank: Rank::Cause,
        patterns: &["pod cidr not assigned", "node \"{node}\" pod cidr not assigned"],
        means: "The node was given no range for its pods.",
        excludes: &["the network between nodes"],
        causes: &[
            cause(
                "the controller manager does not hand out ranges (--allocate-node-cidrs)",
                "no node has one",
            ),
            cause("the cluster's range is used up", "older nodes have one"),
        ],
        next: &["kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR"],
    },
    Text {
        name: "pod-cidr-outside",
        check: "cni-err-podcidr",
        rank: Rank::Cause,
        patterns: &[
            "doesn't contain * podcidr of the * node",
            "does not contain * podcidr",
        ],
        means: "The network in flannel's configuration does not contain the range of this node.",
        excludes: &["the network between nodes"],
        causes: &[cause(
            "flannel's `Network` is not the cluster's range",
            "its ConfigMap and the controller manager's --cluster-cidr differ",
        )],
        next: &[
            "kubectl get configmap kube-flannel-cfg -n kube-flannel -o yaml",
            "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR",
        ],
    },
    Text {
        name: "flannel-configuration",
        check: "cni-err-flanneld",
        rank: Rank::Cause,
        patterns: &["failed to read net conf", "error parsing subnet config"],
        means: "flannel cannot read its configuration: it is missing, or no JSON of the kind that it expects.",
        excludes: &["the network"],
        causes: &[cause(
            "an edit of the ConfigMap",
            "net-conf.json in it does not parse",
        )],
        next: &[
            "kubectl get configmap kube-flannel-cfg -n kube-flannel -o yaml",
            PODS,
        ],
    },
    Text {
        name: "flannel-interface",
        check: "cni-err-flanneld",
        rank: Rank::Cause,
        patterns: &[
            "failed to find any valid interface to use",
            "could not find valid interface",
            "unable to find default route",
        ],
        means: "flannel found no interface of the node to put its tunnel on.",
        excludes: &["the configuration of the network"],
        causes: &[
            cause(
                "the node has no default route",
                "it reaches nothing outside either",
            ),
            cause(
                "--iface names one that the node does not have",
                "other nodes have it",
            ),
        ],
        next: &[
            "kubectl get daemonset -n kube-flannel kube-flannel-ds -o yaml",
            LOGS,
        ],
    },
    Text {
        name: "flannel-api",
        check: "cni-err-flanneld",
        rank: Rank::Cause,
        patterns: &[
            "timeout contacting kube-api",
            "failed to acquire lease",
            "failed to create subnetmanager",
        ],
        means: "flannel cannot get what it needs from the API server.",
        excludes: &["the tunnel itself: it has not been made yet"],
        causes: &[
            cause(
                "the API server's Service is not reached from that node's own network",
                "kube-proxy is not well there, or the node has no default route",
            ),
            cause("it may not read nodes", "its log says “forbidden”"),
        ],
        next: &[
            LOGS,
            "kubectl get pods -n kube-system -l k8s-app=kube-proxy -o wide",
        ],
    },
];
