//! What Cilium's own programs print.

use std::collections::BTreeMap;

use observation::{CiliumDrops, CiliumState, CiliumStatus, DropReason, FailingController, UnreachableNode};
use serde_json::Value;

/// The parts of an agent: where they are in its status, and how they are called here.
const PARTS: [(&str, &str); 8] = [
    ("/cilium", "cilium"),
    ("/kubernetes", "kubernetes"),
    ("/kvstore", "kvstore"),
    ("/container-runtime", "container-runtime"),
    ("/cni-file", "cni-file"),
    ("/hubble", "hubble"),
    ("/proxy", "proxy"),
    ("/cluster/ciliumHealth", "cluster health"),
];
/// Lines of drops that are read; beyond them there are more.
const LINES: usize = 20_000;

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn number(value: &Value, pointer: &str) -> Option<u32> {
    u32::try_from(value.pointer(pointer)?.as_u64()?).ok()
}

/// Reads `cilium-dbg status -o json`. `None` where it is not that.
pub(super) fn status(printed: &str) -> Option<CiliumStatus> {
    let value: Value = serde_json::from_str(printed).ok()?;
    value.pointer("/cilium/state")?;
    let parts = PARTS.iter().filter_map(|(pointer, name)| {
        let part = value.pointer(pointer)?;
        let state = text(part, "/state");
        (!state.is_empty()).then(|| {
            let message = text(part, "/msg");
            ((*name).to_owned(), CiliumState { state, message })
        })
    });
    let controllers = value.pointer("/controllers").and_then(Value::as_array);
    let failing = controllers.into_iter().flatten().filter_map(|controller| {
        let failures = number(controller, "/status/consecutive-failure-count").filter(|count| *count > 0)?;
        Some(FailingController {
            name: text(controller, "/name"),
            failures,
            message: text(controller, "/status/last-failure-msg"),
        })
    });
    let count = |family: &str| {
        let all = value.pointer(family)?.as_array()?;
        u32::try_from(all.len()).ok()
    };
    let allocated = [count("/ipam/ipv4"), count("/ipam/ipv6")];
    let ipam = text(&value, "/ipam/status");
    Some(CiliumStatus {
        command: String::new(),
        parts: parts.collect(),
        failing: failing.collect(),
        ipam: (!ipam.is_empty()).then_some(ipam),
        allocated: allocated
            .iter()
            .any(Option::is_some)
            .then(|| allocated.iter().flatten().sum()),
        unreachable: None,
    })
}

/// Reads `cilium-health status -o json`. `None` where it is not that, and where nothing was probed yet.
pub(super) fn health(printed: &str) -> Option<Vec<UnreachableNode>> {
    let value: Value = serde_json::from_str(printed).ok()?;
    let nodes = value.pointer("/nodes")?.as_array()?;
    let mut all = Vec::new();
    for node in nodes {
        let name = text(node, "/name");
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        let endpoint = if node.get("health-endpoint").is_some() {
            "/health-endpoint"
        } else {
            "/endpoint"
        };
        for (target, pointer) in [
            ("host", "/host/primary-address".to_owned()),
            ("endpoint", endpoint_path(node, endpoint)),
        ] {
            let Some(path) = node.pointer(&pointer) else {
                continue;
            };
            // An empty status stands for an answer.
            let messages: Vec<String> = ["/icmp/status", "/http/status"]
                .iter()
                .map(|pointer| text(path, pointer))
                .collect();
            if messages.iter().all(|message| !message.is_empty()) {
                all.push(UnreachableNode {
                    node: name.clone(),
                    target: target.to_owned(),
                    message: messages[0].clone(),
                });
            }
        }
    }
    Some(all)
}

/// In newer releases the endpoint has several addresses as the host has.
fn endpoint_path(node: &Value, endpoint: &str) -> String {
    let nested = format!("{endpoint}/primary-address");
    if node.pointer(&nested).is_some() {
        nested
    } else {
        endpoint.to_owned()
    }
}

/// Reads lines of `cilium-dbg monitor --type drop`, as
/// `xx drop (Policy denied) flow 0x0 to endpoint 12, …, identity 1->2: 10.0.0.1:40000 -> 10.0.1.2:80 tcp SYN`.
pub(super) fn drops(printed: &str, seconds: u32) -> CiliumDrops {
    let mut reasons: BTreeMap<String, DropReason> = BTreeMap::new();
    let mut lines = printed.lines();
    for line in lines.by_ref().take(LINES) {
        let Some((reason, rest)) = line
            .split_once("drop (")
            .and_then(|(_, rest)| rest.split_once(") "))
        else {
            continue;
        };
        // A reason may say more behind a comma, which differs from packet to packet.
        let name = reason.split(',').next().unwrap_or(reason).trim();
        let entry = reasons.entry(name.to_owned()).or_default();
        entry.count += 1;
        if entry.example.is_empty() {
            rest.trim().clone_into(&mut entry.example);
        }
    }
    CiliumDrops {
        seconds,
        reasons,
        more: lines.next().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_with_its_parts_and_what_fails() {
        let read = status(
            r#"{"cilium": {"state": "Warning", "msg": "1 controller fails"}, "kubernetes": {"state": "Ok"},
                "kvstore": {"state": "Disabled"}, "cluster": {"ciliumHealth": {"state": "Ok"}},
                "controllers": [
                    {"name": "a", "status": {"success-count": 4}},
                    {"name": "b", "status": {"consecutive-failure-count": 5, "last-failure-msg": "no route"}}],
                "ipam": {"ipv4": ["10.0.0.2", "10.0.0.3"], "status": "IPv4: 2/254 allocated from 10.0.0.0/24"}}"#,
        )
        .unwrap();
        assert_eq!(read.parts["cilium"].state, "Warning");
        assert_eq!(read.failing.len(), 1);
        assert_eq!(
            (read.failing[0].failures, read.failing[0].message.as_str()),
            (5, "no route")
        );
        assert_eq!(read.allocated, Some(2));
        assert_eq!(
            status("Get \"http:///var/run/cilium/cilium.sock/v1/healthz\": dial unix"),
            None
        );
        assert_eq!(status("{}"), None);
    }

    #[test]
    fn nodes_that_answer_in_no_way_are_unreachable() {
        let read = health(
            r#"{"nodes": [
                {"name": "kind/node1", "host": {"primary-address": {"icmp": {"status": "", "latency": 3}, "http": {"status": ""}}}},
                {"name": "node2",
                 "host": {"primary-address": {"icmp": {"status": "Connection timed out"}, "http": {"status": ""}}},
                 "health-endpoint": {"primary-address": {"icmp": {"status": "Connection timed out"}, "http": {"status": "context deadline exceeded"}}}}]}"#,
        )
        .unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(
            (read[0].node.as_str(), read[0].target.as_str()),
            ("node2", "endpoint")
        );
        assert_eq!(health("{}"), None);
    }

    #[test]
    fn drops_are_counted_by_their_reasons() {
        let read = drops(
            "Press Ctrl-C to quit\n\
             xx drop (Policy denied) flow 0x1 to endpoint 12, ifindex 5, identity 1->2: 10.0.0.1:4 -> 10.0.1.2:80 tcp SYN\n\
             xx drop (Policy denied) flow 0x2 to endpoint 12, identity 1->2: 10.0.0.1:5 -> 10.0.1.2:80 tcp SYN\n\
             xx drop (Unsupported L3 protocol, 34525) flow 0x0 to endpoint 0: fe80::1 -> ff02::2 RouterSolicitation\n",
            10,
        );
        assert_eq!(read.reasons["Policy denied"].count, 2);
        assert!(read.reasons["Policy denied"].example.starts_with("flow 0x1"));
        assert!(read.reasons.contains_key("Unsupported L3 protocol"));
    }

    proptest::proptest! {
        #[test]
        fn anything_that_is_printed_is_read(printed in "\\PC*") {
            status(&printed);
            health(&printed);
            drops(&printed, 1);
            drops(&format!("xx drop ({printed}"), 1);
        }
    }
}
