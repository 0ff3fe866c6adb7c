//! Faults that are injected into nodes of the lab: found, placed, healed, and green again.
//!
//! Rules go into the mangle table: the NetworkPolicy controller of the lab writes the filter table as a whole whenever a
//! pod comes or goes, and rules of others that were added meanwhile are lost.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says what it saw"
)]

use e2e::{Bench, Run};
use serde_json::{Value, json};

/// Runs a shell command on a node and fails the test if it fails.
fn on(bench: &Bench, node: &str, script: &str) -> String {
    let output = bench
        .nodes()
        .node(node)
        .run(&["sh", "-c", script])
        .expect("the node runs commands");
    assert!(
        output.status.success(),
        "{node}: {script}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// As [`on`], for a command whose output does not matter.
fn sh(bench: &Bench, node: &str, script: &str) {
    on(bench, node, script);
}

/// Heals when it goes out of scope, so that a failing assertion does not leave the lab broken.
struct Healing<'a>(Option<Box<dyn FnOnce() + 'a>>);

impl Drop for Healing<'_> {
    fn drop(&mut self) {
        if let Some(heal) = self.0.take() {
            heal();
        }
    }
}

/// Injects, looks, heals whatever came of it, and waits for green. Returns what the run said as JSON.
fn look<'a>(bench: &'a Bench, inject: impl FnOnce(), heal: impl FnOnce() + 'a) -> (Run, Value) {
    bench.await_green();
    let healing = Healing(Some(Box::new(heal)));
    inject();
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle.json");
    let bundle = bundle.to_str().unwrap();
    let run = bench.netcheck(&["pod-to-pod", "-o", "json", "--save-bundle", bundle]);
    if std::path::Path::new(bundle).exists() {
        println!("{}", bench.netcheck(&["pod-to-pod", "--from-bundle", bundle]));
        keep(bundle);
    }
    drop(healing);
    let report = run.json();
    bench.await_green();
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    (run, report)
}

/// Keeps a recorded observation where `NETCHECK_RECORD` says, to become a case for the judges.
fn keep(bundle: &str) {
    let Some(dir) = std::env::var_os("NETCHECK_RECORD") else {
        return;
    };
    let name = std::thread::current()
        .name()
        .unwrap_or("fault")
        .replace("::", "-");
    let dir = std::path::PathBuf::from(dir).join(name.replace('_', "-"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::copy(bundle, dir.join("observation.json")).unwrap();
}

/// The one place that the report names.
fn place<'a>(run: &Run, report: &'a Value) -> &'a Value {
    assert_eq!(run.code, Some(1), "{run}");
    assert_eq!(report["verdict"], "fail", "{run}");
    let places = report["localisation"].as_array().expect("a list");
    assert_eq!(places.len(), 1, "one fault, one place: {run}");
    &places[0]
}

/// No finding above a note blames another node than these.
fn blames_only(report: &Value, nodes: &[&str]) {
    for finding in report["findings"].as_array().unwrap() {
        if finding["severity"] == "note" {
            continue;
        }
        let subject = finding["subject"].to_string();
        for other in ["node1", "node2", "node3"]
            .iter()
            .filter(|node| !nodes.contains(node))
        {
            assert!(!subject.contains(other), "{other} is healthy: {finding}");
        }
    }
}

fn pod_cidr(bench: &Bench, node: &str) -> String {
    bench.kubectl(&["get", "node", node, "-o", "jsonpath={.spec.podCIDR}"])
}

fn address(bench: &Bench, node: &str) -> String {
    let path = r#"jsonpath={.status.addresses[?(@.type=="InternalIP")].address}"#;
    let addresses = bench.kubectl(&["get", "node", node, "-o", path]);
    addresses
        .split_whitespace()
        .next()
        .expect("an address")
        .to_owned()
}

#[test]
fn the_overlay_s_port_dropped_on_one_node() {
    let Some(bench) = Bench::lab() else { return };
    let (run, report) = look(
        &bench,
        || {
            sh(
                &bench,
                "node2",
                "iptables -t mangle -I INPUT -p udp --dport 8472 -j DROP",
            );
        },
        || {
            sh(
                &bench,
                "node2",
                "iptables -t mangle -D INPUT -p udp --dport 8472 -j DROP",
            );
        },
    );
    assert_eq!(
        place(&run, &report)["scope"],
        json!({"type": "node", "node": "node2"}),
        "{run}"
    );
    blames_only(&report, &["node2"]);
}

#[test]
fn the_bridge_down_on_one_node() {
    let Some(bench) = Bench::lab() else { return };
    // Starting a pod runs the bridge plugin, which brings the bridge up again, so something that keeps taking it down
    // (as a network manager does) is what stays to be found.
    let (run, report) = look(
        &bench,
        || {
            on(
                &bench,
                "node2",
                "touch /run/keep-cni0-down; nohup sh -c 'while [ -e /run/keep-cni0-down ]; do \
                ip link set cni0 down; sleep 0.05; done' >/dev/null 2>&1 &",
            );
        },
        || {
            // The routes of a link go when it goes down and come back when flannel or the plugin writes them; the
            // connected route comes back with the link.
            on(
                &bench,
                "node2",
                "rm /run/keep-cni0-down; sleep 0.3; ip link set cni0 up",
            );
        },
    );
    let place = place(&run, &report);
    assert_eq!(
        place["scope"],
        json!({"type": "nodeAndItself", "node": "node2"}),
        "{run}"
    );
    blames_only(&report, &["node2"]);
}

#[test]
fn forwarding_dropped_on_one_node() {
    let Some(bench) = Bench::lab() else { return };
    let (run, report) = look(
        &bench,
        || sh(&bench, "node2", "iptables -t mangle -I FORWARD -j DROP"),
        || sh(&bench, "node2", "iptables -t mangle -D FORWARD -j DROP"),
    );
    // Bridged packets pass FORWARD too (bridge-nf-call-iptables=1), so the node's pair with itself fails as well.
    assert_eq!(
        place(&run, &report)["scope"],
        json!({"type": "nodeAndItself", "node": "node2"}),
        "{run}"
    );
    blames_only(&report, &["node2"]);
}

#[test]
fn one_forwarding_entry_of_the_tunnel_deleted() {
    let Some(bench) = Bench::lab() else { return };
    let peer = address(&bench, "node2");
    let entry = on(
        &bench,
        "node1",
        &format!("bridge fdb show dev flannel.1 | grep 'dst {peer} '"),
    );
    let mac = entry.split_whitespace().next().expect("a MAC").to_owned();
    let (run, report) = look(
        &bench,
        || {
            sh(
                &bench,
                "node1",
                &format!("bridge fdb del {mac} dev flannel.1 dst {peer}"),
            );
        },
        || {
            sh(
                &bench,
                "node1",
                &format!("bridge fdb add {mac} dev flannel.1 dst {peer} self permanent"),
            );
        },
    );
    assert_eq!(
        place(&run, &report)["scope"],
        json!({"type": "pair", "a": "node1", "b": "node2"}),
        "{run}"
    );
    blames_only(&report, &["node1", "node2"]);
}

#[test]
fn the_return_route_of_one_node_removed() {
    let Some(bench) = Bench::lab() else { return };
    let cidr = pod_cidr(&bench, "node1");
    let route = on(&bench, "node2", &format!("ip route show {cidr}"));
    let (run, report) = look(
        &bench,
        || sh(&bench, "node2", &format!("ip route del {cidr}")),
        || sh(&bench, "node2", &format!("ip route replace {route}")),
    );
    assert_eq!(
        place(&run, &report)["scope"],
        json!({"type": "pair", "a": "node1", "b": "node2"}),
        "{run}"
    );
    blames_only(&report, &["node1", "node2"]);
}

/// What a network does that drops fragments: a tunnel packet that was split, and is whole again where it arrives, is lost,
/// and nobody hears the complaint. (Otherwise the pieces pass, or the kernel tells the pod, and nothing is lost.) Sizes are
/// judged at the receiver: what a node sends may still be many segments in one.
const NARROW_WIRE: [&str; 2] = [
    "INPUT -p udp --dport 8472 -m length --length 1501: -j DROP",
    "OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP",
];

#[test]
fn a_tunnel_wider_than_the_wire_loses_only_large_packets() {
    let Some(bench) = Bench::lab() else { return };
    // At both ends: TCP keeps to the smaller of the two segment sizes.
    let ends = ["node2", "node3"];
    let set = |from: u32, to: u32, rule: &str| {
        for node in ends {
            let rules = NARROW_WIRE
                .map(|wire| format!("iptables -t mangle {rule} {wire}"))
                .join("; ");
            on(
                &bench,
                node,
                &format!(
                    "sed -i 's/^FLANNEL_MTU={from}$/FLANNEL_MTU={to}/' /run/flannel/subnet.env; \
                 grep -q '^FLANNEL_MTU={to}$' /run/flannel/subnet.env || exit 1; \
                 ip link set flannel.1 mtu {to}; ip link set cni0 mtu {to}; {rules}"
                ),
            );
        }
    };
    let (run, report) = look(&bench, || set(1450, 1500, "-I"), || set(1500, 1450, "-D"));
    let place = place(&run, &report);
    assert_eq!(place["check"], "net-mtu", "{run}");
    assert_eq!(
        place["scope"],
        json!({"type": "pair", "a": "node2", "b": "node3"}),
        "{run}"
    );
    assert_eq!(place["protocols"], json!(["bulk"]), "{run}");
    blames_only(&report, &["node2", "node3"]);
}

#[test]
fn large_packets_dropped_on_their_way_into_one_node() {
    let Some(bench) = Bench::lab() else { return };
    let rule = "INPUT -p udp --dport 8472 -m length --length 1401: -j DROP";
    let (run, report) = look(
        &bench,
        || sh(&bench, "node2", &format!("iptables -t mangle -I {rule}")),
        || sh(&bench, "node2", &format!("iptables -t mangle -D {rule}")),
    );
    let place = place(&run, &report);
    assert_eq!(place["check"], "net-mtu", "{run}");
    assert_eq!(
        place["scope"],
        json!({"type": "incoming", "node": "node2"}),
        "{run}"
    );
    assert_eq!(
        place["direction"]["to"], "node2",
        "the other direction is sound: {run}"
    );
    blames_only(&report, &["node2"]);
}

#[test]
fn a_stopped_kubelet_is_unknown_and_the_others_are_judged() {
    let Some(bench) = Bench::lab() else { return };
    let lab = bench.nodes();
    let (run, report) = look(
        &bench,
        || lab.kubelet_stop("node3").expect("stopped"),
        || lab.kubelet_start("node3").expect("started"),
    );
    assert_eq!(run.code, Some(3), "{run}");
    assert_eq!(report["verdict"], "unknown", "{run}");
    assert_eq!(
        report["localisation"],
        json!([]),
        "a node that could not be asked is not a failing node: {run}"
    );
    assert!(
        run.stdout.contains("kubelet") && run.stdout.contains("node3"),
        "{run}"
    );
}
