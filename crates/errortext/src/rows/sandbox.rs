//! What kubelets and container runtimes write when the network of a pod cannot be made.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "sandbox",
        check: "cni-err-sandbox",
        rank: Rank::Frame,
        patterns: &[
            "plugin type=\"{plugin}\" * failed (add): *",
            "failed to create pod sandbox",
            "failedcreatepodsandbox",
            "failed to set up sandbox container",
            "failed to setup network for sandbox",
        ],
        means: "The CNI plugin of that node could not give the pod a network. The pod has not started; nothing is wrong with its image.",
        excludes: &[
            "Services, DNS and policies: the pod has no network yet",
            "the application",
        ],
        causes: &[
            cause(
                "what stands at the end of the text",
                "the part behind “failed (add)”",
            ),
            cause(
                "the CNI's pod of that node is not well",
                "other new pods of the node fail too",
            ),
        ],
        next: &[
            "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
            "kubectl get events -A --field-selector reason=FailedCreatePodSandBox",
        ],
    },
    Text {
        name: "no-addresses",
        check: "cni-err-noip",
        rank: Rank::Cause,
        patterns: &[
            "no ip addresses available in range set",
            "failed to allocate for range {range}: no ip addresses available",
        ],
        means: "All addresses of the node's range are taken: by pods, or by files of pods that are gone.",
        excludes: &["the network between nodes"],
        causes: &[
            cause(
                "as many pods as addresses",
                "the node runs about as many pods as its range has addresses",
            ),
            cause(
                "addresses that nobody gave back",
                "far fewer pods than files under /var/lib/cni/networks on the node",
            ),
        ],
        next: &[
            "kubectl get node NODE -o jsonpath='{.spec.podCIDR}{\"\\n\"}'",
            "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
        ],
    },
    Text {
        name: "cni-not-ready",
        check: "cni-err-notready",
        rank: Rank::Cause,
        patterns: &[
            "network plugin is not ready",
            "cni plugin not initialized",
            "cni config uninitialized",
            "networkpluginnotready",
            "no networks found in /etc/cni/net.d",
        ],
        means: "The container runtime of that node found no CNI configuration. New pods wait; pods that run go on.",
        excludes: &["the network between nodes", "DNS and Services"],
        causes: &[
            cause(
                "the CNI's pod has not run on that node, or could not write its file",
                "its DaemonSet has no ready pod there",
            ),
            cause(
                "its configuration was deleted, or cannot be read",
                "its pod is ready and /etc/cni/net.d is empty",
            ),
            cause("no CNI was installed at all", "every node says so"),
        ],
        next: &[
            "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
            "kubectl describe node NODE",
        ],
    },
    Text {
        name: "duplicate-allocation",
        check: "cni-err-dup",
        rank: Rank::Cause,
        patterns: &[
            "has been allocated to {owner}, duplicate allocation is not allowed",
            "duplicate allocation is not allowed",
        ],
        means: "The file that books addresses on the node already has one for this container: something was not undone.",
        excludes: &["a full range: that has its own text"],
        causes: &[cause(
            "a crash between making and booking, or a restored directory",
            "the file under /var/lib/cni/networks names a pod that is gone",
        )],
        next: &["kubectl get pods -A -o wide --field-selector spec.nodeName=NODE"],
    },
    Text {
        name: "bridge-address",
        check: "cni-err-bridge",
        rank: Rank::Cause,
        patterns: &[
            "{bridge} already has an ip address different from {expected}",
            "already has an ip address different from",
        ],
        means: "The bridge of that node holds an address that is not the gateway of the node's range. No new pod can start there.",
        excludes: &["other nodes", "a full range"],
        causes: &[
            cause(
                "the node was given another range, as after joining again",
                "the node's podCIDR is not that of its pods",
            ),
            cause("somebody added an address to the bridge", "the bridge has two"),
        ],
        next: &["kubectl get node NODE -o jsonpath='{.spec.podCIDR}{\"\\n\"}'"],
    },
    Text {
        name: "plugin-missing",
        check: "cni-err-plugin",
        rank: Rank::Cause,
        patterns: &["failed to find plugin \"{plugin}\" in path"],
        means: "The CNI configuration names a plugin that is not installed on that node.",
        excludes: &["the network"],
        causes: &[
            cause(
                "the package of the standard plugins is missing",
                "it is bridge, loopback, portmap, host-local or the like",
            ),
            cause(
                "the CNI's installer did not run on that node",
                "it is the CNI's own plugin",
            ),
        ],
        next: &["kubectl get pods -A -o wide --field-selector spec.nodeName=NODE"],
    },
    Text {
        name: "plugin-killed",
        check: "cni-err-plugin",
        rank: Rank::Cause,
        patterns: &[
            "netplugin failed with no error message: signal: killed",
            "netplugin failed with no error message",
        ],
        means: "The plugin was killed before it could say anything.",
        excludes: &["a wrong configuration: it would have said so"],
        causes: &[
            cause(
                "no memory left on the node",
                "the kernel's log has “Out of memory”",
            ),
            cause(
                "it took longer than the runtime waits, as when its own server does not answer",
                "it happens after minutes",
            ),
        ],
        next: &["kubectl describe node NODE"],
    },
    Text {
        name: "br-netfilter",
        check: "cni-err-brnf",
        rank: Rank::Cause,
        patterns: &[
            "failed to check br_netfilter",
            "stat /proc/sys/net/bridge/bridge-nf-call-iptables: no such file",
        ],
        means: "The kernel module br_netfilter is not loaded on that node; packets over a bridge would pass by the packet rules.",
        excludes: &["other nodes"],
        causes: &[cause(
            "nobody loads it at boot",
            "it came with a reboot: name it in /etc/modules-load.d",
        )],
        next: &["kubectl get pods -A -o wide --field-selector spec.nodeName=NODE"],
    },
];
