//! What kubelets and the scheduler write about pods, where it is often taken for the network.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "probe-status",
        check: "ep-ready",
        rank: Rank::Cause,
        patterns: &["probe failed: http probe failed with statuscode: {status}"],
        means: "The kubelet reached the application, and the application answered with an error.",
        excludes: &["the network between the node and the pod"],
        causes: &[
            cause("the probe asks for a path that is not there", "404"),
            cause(
                "the application is not well, or waits for something else",
                "500 or 503",
            ),
        ],
        next: &[
            "kubectl describe pod POD -n NAMESPACE",
            "kubectl logs POD -n NAMESPACE --tail=50",
        ],
    },
    Text {
        name: "probe-refused",
        check: "ep-ready",
        rank: Rank::Cause,
        patterns: &["probe failed: * connection refused"],
        means: "The kubelet reached the pod, and nothing listens on the port of the probe.",
        excludes: &[
            "the network between the node and the pod",
            "policies: a node may always reach its own pods",
        ],
        causes: &[
            cause(
                "the application has not started yet, or has crashed",
                "restarts, and its log",
            ),
            cause(
                "the probe names a wrong port, or the application listens on 127.0.0.1 only",
                "it never succeeds",
            ),
        ],
        next: &[
            "kubectl describe pod POD -n NAMESPACE",
            "kubectl logs POD -n NAMESPACE --tail=50",
        ],
    },
    Text {
        name: "probe-timeout",
        check: "ep-ready",
        rank: Rank::Cause,
        patterns: &[
            "probe failed: * context deadline exceeded",
            "probe failed: * i/o timeout",
            "probe failed: command * timed out",
            "probe failed: * timeout",
        ],
        means: "The kubelet asked and got no answer in the probe's time.",
        excludes: &["other nodes: the kubelet asks its own pods"],
        causes: &[
            cause(
                "the application is slow or starved",
                "it is this workload, on several nodes",
            ),
            cause(
                "the node's own firewall drops what it sends to its pods",
                "all pods of exactly one node fail at once",
            ),
        ],
        next: &[
            "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
            "kubectl describe pod POD -n NAMESPACE",
        ],
    },
    Text {
        name: "unschedulable",
        check: "net-preflight-pod",
        rank: Rank::Cause,
        patterns: &["nodes are available: *", "failedscheduling"],
        means: "The pod has no node yet. It has no network because it does not run.",
        excludes: &["the network"],
        causes: &[cause(
            "what the text counts: taints, resources, selectors, volumes",
            "the numbers in the text",
        )],
        next: &["kubectl describe pod POD -n NAMESPACE"],
    },
    Text {
        name: "crash-loop",
        check: "net-preflight-pod",
        rank: Rank::Cause,
        patterns: &[
            "back-off * restarting failed container",
            "back-off restarting failed container",
            "crashloopbackoff",
        ],
        means: "The container starts and ends again and again. The pod has a network; its application does not stay.",
        excludes: &["the CNI: the pod was started"],
        causes: &[cause(
            "the application's own error",
            "the log of the container before this one",
        )],
        next: &["kubectl logs POD -n NAMESPACE --previous --tail=50"],
    },
    Text {
        name: "image-pull",
        check: "net-preflight-pod",
        rank: Rank::Frame,
        patterns: &[
            "failed to pull image",
            "errimagepull",
            "imagepullbackoff",
            "failed to pull and unpack image",
        ],
        means: "The node could not fetch the image. It does that with its own network and its own DNS, not with those of pods.",
        excludes: &["the pod network, Services and the cluster's DNS"],
        causes: &[
            cause(
                "the name, the tag or the credentials are wrong",
                "“not found”, “unauthorized” or “denied”",
            ),
            cause(
                "the node does not reach the registry",
                "a timeout or a failed lookup at the end of the text",
            ),
        ],
        next: &["kubectl describe pod POD -n NAMESPACE"],
    },
];
