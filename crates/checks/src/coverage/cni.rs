//! What `kubectl cnicheck` is to decide.

use super::{Row, held, made, text, wanted};

const PLUGIN: &str = "needs cnicheck, which does not exist yet";
const CALICO: &str = "needs cnicheck, and Calico's objects";
const CILIUM: &str = "needs cnicheck, and commands run in Cilium's pods";
const FILES: &str = "needs cnicheck, and the CNI's files of nodes";
const LOGS: &str = "needs cnicheck, and logs and events read through the API server";
const ADDRESSES: &str = "needs cnicheck, and how addresses are handed out";
const LINKS: &str = "needs cnicheck, and the links, routes and neighbours of nodes judged as a CNI's";
const TRIAGE: &str = "needs cnicheck, whose triage is not written yet";

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    wanted("cni-detect", "which CNI the cluster runs, and that it is one", PLUGIN),
    wanted("cni-ds-ready", "the CNI's pods are ready on every node", PLUGIN),
    wanted("cni-pod-ip", "running pods have addresses, of their own node's range", PLUGIN),
    wanted("cni-node-cond", "nodes say that their network is ready", PLUGIN),
    wanted("cni-version", "the CNI's version is supported and the same everywhere", PLUGIN),
    made("cni-nopolicy", "somebody enforces the policies that there are"),
    wanted("cni-pol-dataplane", "policies have become rules on the nodes", LINKS),
    wanted("cni-calico", "Calico's parts are ready", CALICO),
    wanted("cni-calico-cfg", "Calico's configuration makes sense", CALICO),
    wanted("cni-calico-wep", "Calico's endpoints are the pods that there are", CALICO),
    wanted("cni-calico-np", "which policies of Calico's own there are", CALICO),
    wanted("cni-calico-pool", "Calico's pools fit the cluster", CALICO),
    wanted("cni-cilium", "Cilium's agents are healthy", CILIUM),
    wanted("cni-cilium-drop", "what Cilium drops, and why", CILIUM),
    wanted("cni-flannel", "flannel's pods, configuration and tunnel, told apart", PLUGIN),
    wanted("cni-flannel-net", "flannel's network is the cluster's", PLUGIN),
    held("cni-no-cli", "no fact needs a tool of the CNI's own", "everything is read from the API, from files of nodes, or from what images already have"),
    made("cni-conf", "nodes have a CNI configuration that can be read"),
    wanted("cni-conf-order", "one configuration only, or the right one first", FILES),
    made("cni-bin", "every plugin that a configuration names is installed"),
    wanted("cni-subnetenv", "flannel's own file of the node is there and right", FILES),
    wanted("cni-events", "no event says that a pod's network could not be made", LOGS),
    wanted("cni-log", "what the CNI's logs say", LOGS),
    wanted("cni-ipam-use", "nodes and pools have addresses left", ADDRESSES),
    wanted("cni-ipam-calico", "Calico has blocks and addresses left", CALICO),
    made("cni-ipam-leak", "no address is held for a pod that is gone"),
    wanted("cni-ipam-release", "which addresses can be released with proof", ADDRESSES),
    wanted("cni-ipam-extend", "a further pool that would fit", ADDRESSES),
    wanted("cni-podcidr", "every node has a range of its own", PLUGIN),
    wanted("cni-cidr-overlap", "the ranges of pods, Services and nodes do not overlap", PLUGIN),
    made("cni-dup-ip", "no address is used twice"),
    made("cni-dup-mac", "no hardware address is used twice"),
    text("cni-err-sandbox", "what “failed to create pod sandbox” says"),
    text("cni-err-noip", "what “no IP addresses available” says"),
    text("cni-err-notready", "what “network plugin is not ready” says"),
    text("cni-err-dup", "what “duplicate allocation” says"),
    text("cni-err-bridge", "what “already has an IP address different from” says"),
    text("cni-err-subnetenv", "what a missing subnet.env says"),
    text("cni-err-podcidr", "what errors about a node's pod range say"),
    text("cni-err-brnf", "what “Failed to check br_netfilter” says"),
    text("cni-err-flanneld", "what flannel's own errors say"),
    text("cni-err-plugin", "what errors about a CNI plugin's binary say"),
    text("cni-err-calico", "what Calico's errors say"),
    text("cni-err-cilium", "what Cilium's errors say"),
    text("cni-err-aws", "what the errors of the AWS VPC CNI say"),
    text("cni-err-azure", "what the errors of Azure CNI say"),
    text("cni-err-terway", "what Terway's errors say"),
    text("cni-err-weave", "what Weave's errors say"),
    wanted("cni-overlay", "the tunnel between two nodes is whole", LINKS),
    wanted("cni-links", "the CNI's devices exist and are up", LINKS),
    made("cni-vxlan-if", "the tunnel device is up and the same on all nodes"),
    made("cni-route", "nodes have a route to each other's pods"),
    made("cni-neigh", "nodes know each other's tunnel ends"),
    made("cni-fdb", "nodes know where each other's tunnel ends are"),
    made("cni-public-ip", "the address that a node tells others for its tunnel is its own"),
    made("cni-encap-port", "the tunnel's packets arrive"),
    made("cni-bridge", "the bridge holds the node's gateway address and is up"),
    wanted("cni-veth", "every pod's end on the node is attached and up", LINKS),
    wanted("cni-bgp", "BGP sessions are established", CALICO),
    wanted("cni-bgp-routes", "BGP has brought the routes to every node's pods", LINKS),
    wanted("cni-triage", "one page for the first minutes of an outage", TRIAGE),
    wanted("cni-triage-all", "what to restore first when no pod has a network", TRIAGE),
    wanted("cni-triage-dns", "what to restore first when no name resolves", TRIAGE),
    wanted("cni-triage-cross", "what to restore first when nodes are apart", TRIAGE),
    wanted("cni-triage-ip", "what to restore first when addresses have run out", TRIAGE),
    held("cni-drill", "recovery can be practised", "the corpus of faults of the test suite"),
];
