//! What kernels of nodes write into their log.

use super::cause;
use crate::{Rank, Text};

pub(super) const TEXTS: &[Text] = &[
    Text {
        name: "conntrack-full",
        check: "net-ct-full",
        rank: Rank::Cause,
        patterns: &["nf_conntrack: *table full*dropping packet"],
        means: "The connection table of that node is full. New connections of everything on it are dropped; old ones live on.",
        excludes: &["policies, DNS and applications: they only look broken"],
        causes: &[
            cause(
                "more connections than the table holds",
                "the count is at its maximum: raise conntrack.maxPerCore in kube-proxy's configuration",
            ),
            cause(
                "connections that do not end",
                "most entries are of one kind or one client",
            ),
        ],
        next: &["kubectl get configmap kube-proxy -n kube-system -o yaml"],
    },
    Text {
        name: "neighbour-table",
        check: "net-sysctl",
        rank: Rank::Cause,
        patterns: &["neighbour table overflow", "neighbor table overflow"],
        means: "The node has more neighbours than its kernel keeps; some are forgotten while in use, and packets to them fail at random.",
        excludes: &["one pod or one Service: it hits whoever is next"],
        causes: &[cause(
            "thresholds too small for the cluster",
            "net.ipv4.neigh.default.gc_thresh3 is below the number of pods and nodes",
        )],
        next: &["kubectl get nodes -o wide"],
    },
    Text {
        name: "martian-source",
        check: "net-rpf",
        rank: Rank::Cause,
        patterns: &[
            "martian source {destination} from {source}, on dev {device}",
            "martian source",
        ],
        means: "A packet came in by a device by which the node would not answer its sender. With a strict rp_filter it is dropped.",
        excludes: &["the sender: its packet arrived"],
        causes: &[
            cause(
                "two ways between the same hosts",
                "the route back to the source leaves by another device",
            ),
            cause(
                "addresses of one range on two links",
                "the source belongs to a link of this node",
            ),
        ],
        next: &["kubectl get nodes -o wide"],
    },
    Text {
        name: "udp-checksum",
        check: "net-vxlan-csum",
        rank: Rank::Cause,
        patterns: &[
            "udp: bad checksum. from {source} to {destination} ulen {length}",
            "udp: bad checksum",
        ],
        means: "Tunnel packets arrive with a wrong checksum and are dropped. An old kernel or a driver computes it wrongly.",
        excludes: &["policies, routes and the tunnel's neighbours: the packet arrived"],
        causes: &[cause(
            "checksum offload of the sender's tunnel device, on kernels before 5.8 without the fix",
            "the sender's kernel version; nodes' own calls to Services stall while pods' do not",
        )],
        next: &["kubectl get nodes -o wide"],
    },
];
