//! Who enforces policies.

use observation::{Observation, PolicyWorkload};

use super::{Scene, seen};

/// Who enforces policies, as far as it can be told from what runs in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine<'a> {
    /// This does.
    Known {
        name: &'a str,
        workload: Option<&'a PolicyWorkload>,
    },
    /// This CNI does not, and nothing else is known to.
    Nobody { cni: &'a PolicyWorkload },
    /// Nothing was recognised.
    Unrecognised,
}

/// Parts of the images of those that enforce NetworkPolicies, and their names.
const ENGINES: [(&str, &str); 18] = [
    ("calico/node", "Calico"),
    ("calico-node", "Calico"),
    ("cilium/cilium", "Cilium"),
    ("kube-router", "kube-router"),
    ("kube-network-policies", "kube-network-policies"),
    ("antrea", "Antrea"),
    ("weave-npc", "Weave Net"),
    ("ovn-kube", "OVN-Kubernetes"),
    ("ovnkube", "OVN-Kubernetes"),
    ("kube-ovn", "Kube-OVN"),
    (
        "aws-network-policy-agent",
        "the network policy agent of the AWS VPC CNI",
    ),
    ("azure-npm", "Azure NPM"),
    ("romana/agent", "Romana"),
    ("terway", "Terway"),
    ("nsx-ncp", "NSX"),
    ("nsx-node-agent", "NSX"),
    ("contrail", "Contrail"),
    ("kindnetd", "kindnet"),
];

/// Words by which an engine that is not in the list is still told from a CNI: in the name or an image of a DaemonSet.
const WORDS: [&str; 4] = ["netpol", "network-polic", "networkpolic", "policy-agent"];

/// Parts of the images of CNIs that leave NetworkPolicies to others.
const WITHOUT: [&str; 3] = ["flannel/flannel", "flannel-io/flannel", "kube-flannel"];

/// Who enforces policies here.
pub(crate) fn engine<'a>(scene: &Scene<'a>, observation: &Observation) -> Engine<'a> {
    let workloads: &'a [PolicyWorkload] = seen(&scene.facts.workloads);
    let daemons = || workloads.iter().filter(|workload| workload.kind == "daemonset");
    let runs =
        |workload: &&PolicyWorkload, part: &str| workload.images.iter().any(|image| image.contains(part));
    for (part, name) in ENGINES {
        if let Some(workload) = daemons().find(|workload| runs(workload, part) || workload.name == part) {
            return Engine::Known {
                name,
                workload: Some(workload),
            };
        }
    }
    let is_said = |text: &str| WORDS.iter().any(|word| text.contains(word));
    let named = |workload: &&PolicyWorkload| {
        is_said(&workload.name) || workload.images.iter().any(|image| is_said(image))
    };
    if let Some(workload) = daemons().find(named) {
        return Engine::Known {
            name: &workload.name,
            workload: Some(workload),
        };
    }
    // These run their network and its policies inside of one program, which no object of the API shows.
    let embedded = |mark: &str| {
        let nodes = observation.nodes.seen().into_iter().flatten();
        nodes.into_iter().any(|node| node.kubelet_version.contains(mark))
    };
    if embedded("+k3s") {
        return Engine::Known {
            name: "k3s",
            workload: None,
        };
    }
    let flannel = daemons().find(|workload| {
        WITHOUT
            .iter()
            .any(|part| runs(workload, part) || workload.name.contains(part))
    });
    match flannel {
        Some(cni) => Engine::Nobody { cni },
        None => Engine::Unrecognised,
    }
}
