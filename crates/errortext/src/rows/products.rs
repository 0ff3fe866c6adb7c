//! What other CNIs write.

use super::cause;
use crate::{Rank, Text};

const OF_NODE: &str = "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE";

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "calico-bgp",
        check: "cni-err-calico",
        rank: Rank::Cause,
        patterns: &[
            "bird is not ready: bgp not established with {peers}",
            "bird is not ready",
            "bgp not established with {peers}",
        ],
        means: "Calico's BGP sessions of this node are not up: routes to the pods of the peers named are missing or will go.",
        excludes: &["Calico's packet rules: those are felix's"],
        causes: &[
            cause(
                "TCP port 179 is closed between the nodes",
                "a firewall or a security group",
            ),
            cause(
                "the node picked a wrong address for itself",
                "the address is not the one other nodes reach it by",
            ),
            cause("the AS numbers do not fit", "the peer's log says so"),
        ],
        next: &["kubectl get nodes -o wide", OF_NODE],
    },
    Text {
        name: "calico-felix",
        check: "cni-err-calico",
        rank: Rank::Cause,
        patterns: &["felix is not ready", "felix is not live"],
        means: "The part of Calico that writes routes and packet rules on this node is not working.",
        excludes: &["BGP: that is bird's"],
        causes: &[
            cause("it does not reach the API server or Typha", "its log says so"),
            cause("it cannot write the rules", "its log names iptables or nft"),
        ],
        next: &[OF_NODE],
    },
    Text {
        name: "calico-addresses",
        check: "cni-err-calico",
        rank: Rank::Cause,
        patterns: &[
            "no more free affine blocks",
            "no configured calico pools",
            "cannot find a qualified ippool",
            "per host block limit",
            "no ips available in pools",
        ],
        means: "Calico has no address to give on this node.",
        excludes: &["the network between nodes"],
        causes: &[
            cause("the pools are used up", "all blocks are taken"),
            cause(
                "no pool fits this node or namespace",
                "node selectors, disabled pools or annotations",
            ),
            cause(
                "the node may take no further block",
                "a limit for each host is set",
            ),
        ],
        next: &["kubectl get ippools.crd.projectcalico.org -o yaml"],
    },
    Text {
        name: "calico-never-started",
        check: "cni-err-calico",
        rank: Rank::Cause,
        patterns: &["stat /var/lib/calico/nodename: no such file"],
        means: "calico-node has not started on this node: the file with the node's name is not there.",
        excludes: &["addresses and routes"],
        causes: &[cause(
            "its pod is missing or crashes there",
            "its state on that node",
        )],
        next: &[OF_NODE],
    },
    Text {
        name: "cilium-addresses",
        check: "cni-err-cilium",
        rank: Rank::Cause,
        patterns: &["no more ips", "cilium* range is full"],
        means: "Cilium has no address to give on this node.",
        excludes: &["the network between nodes"],
        causes: &[cause(
            "the node's range is used up",
            "the CiliumNode object lists all as used",
        )],
        next: &["kubectl get ciliumnodes NODE -o yaml"],
    },
    Text {
        name: "cilium-agent",
        check: "cni-err-cilium",
        rank: Rank::Cause,
        patterns: &[
            "cilium api client timeout exceeded",
            "unable to connect to cilium daemon",
        ],
        means: "The plugin does not reach Cilium's agent on its own node.",
        excludes: &["the network between nodes: this is a local socket"],
        causes: &[
            cause("the agent's pod is not ready there", "its state on that node"),
            cause(
                "the agent is overloaded, as after many pods at once",
                "it recovers",
            ),
        ],
        next: &["kubectl get pods -n kube-system -l k8s-app=cilium -o wide"],
    },
    Text {
        name: "aws-addresses",
        check: "cni-err-aws",
        rank: Rank::Cause,
        patterns: &[
            "failed to assign an ip address to container",
            "insufficientfreeaddressesinsubnet",
            "insufficientcidrblocks",
        ],
        means: "The AWS VPC CNI has no address: the instance has no free one, or its subnet has none.",
        excludes: &["the network between nodes"],
        causes: &[
            cause(
                "the subnet is used up",
                "“InsufficientFreeAddressesInSubnet”; the provider's console shows it, the cluster does not",
            ),
            cause(
                "the instance type has no further interface or address",
                "the node runs about as many pods as its type allows",
            ),
        ],
        next: &["kubectl get pods -n kube-system -l k8s-app=aws-node -o wide"],
    },
    Text {
        name: "aws-daemon",
        check: "cni-err-aws",
        rank: Rank::Cause,
        patterns: &[
            "failed to connect to backend server",
            "add cmd: error received from addnetwork grpc call",
        ],
        means: "The plugin does not reach the AWS VPC CNI's daemon on its own node.",
        excludes: &["addresses: nobody was asked for one yet"],
        causes: &[cause(
            "its pod is not ready there",
            "the state of aws-node on that node",
        )],
        next: &["kubectl get pods -n kube-system -l k8s-app=aws-node -o wide"],
    },
    Text {
        name: "azure-addresses",
        check: "cni-err-azure",
        rank: Rank::Cause,
        patterns: &[
            "not enough ips available*waiting on azure cns",
            "failed to allocate pool",
            "failed to allocate address",
        ],
        means: "Azure's CNI has no address for this node: the subnet is used up, or its controller has not delivered.",
        excludes: &["the network between nodes"],
        causes: &[
            cause(
                "the subnet is used up",
                "the provider shows it, the cluster does not",
            ),
            cause(
                "the node's configuration object asks for more than was given",
                "its requested and assigned counts differ",
            ),
        ],
        next: &["kubectl get nodenetworkconfigs.acn.azure.com -A -o yaml"],
    },
    Text {
        name: "terway",
        check: "cni-err-terway",
        rank: Rank::Cause,
        patterns: &[
            "allocipfailed",
            "error alloc ip",
            "invalidvswitchid.ipnotenough",
            "quotaexceeded.privateipaddress",
            "dial unix *eni.socket",
        ],
        means: "Terway could not get an address for the pod.",
        excludes: &["the network between nodes"],
        causes: &[
            cause("the vSwitch is used up", "“IpNotEnough”"),
            cause("a quota of the account", "“QuotaExceeded”"),
            cause(
                "its daemon is not running on that node",
                "the text names a socket",
            ),
        ],
        next: &["kubectl get pods -n kube-system -l app=terway-eniip -o wide"],
    },
    Text {
        name: "weave",
        check: "cni-err-weave",
        rank: Rank::Cause,
        patterns: &["http://127.0.0.1:6784/* connection refused"],
        means: "Weave's daemon is not running on that node.",
        excludes: &["the network between nodes: this is a local address"],
        causes: &[cause(
            "its pod crashes or is missing there",
            "its state on that node",
        )],
        next: &["kubectl get pods -n kube-system -l name=weave-net -o wide"],
    },
];
