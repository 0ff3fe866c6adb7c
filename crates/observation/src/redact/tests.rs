use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

fn text(text: &str) -> String {
    Addresses::new(7).replace_in(text)
}

/// How many bits two addresses have in common from the left.
fn common(a: IpAddr, b: IpAddr) -> u32 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u32::from(a) ^ u32::from(b)).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (u128::from(a) ^ u128::from(b)).leading_zeros(),
        _ => 0,
    }
}

fn map(address: &str) -> IpAddr {
    Addresses::new(7).map(address.parse().expect("an address"))
}

#[test]
fn addresses_are_found_wherever_texts_have_them() {
    let new = map("10.244.1.7");
    let six = map("fd00:10:244::1");
    for (given, expected) in [
        ("10.244.1.7", format!("{new}")),
        ("10.244.1.7:53", format!("{new}:53")),
        ("[fd00:10:244::1]:53", format!("[{six}]:53")),
        ("src=10.244.1.7,dst", format!("src={new},dst")),
        ("fd00:10:244::1%eth0.", format!("{six}%eth0.")),
        ("ends with 10.244.1.7.", format!("ends with {new}.")),
        ("10.244.1.7-10.244.1.7", format!("{new}-{new}")),
        (
            "0AF40107:0035",
            format!(
                "{:08X}:0035",
                u32::from(match new {
                    IpAddr::V4(new) => new,
                    IpAddr::V6(_) => unreachable!(),
                })
            ),
        ),
    ] {
        assert_eq!(text(given), expected, "{given}");
    }
    let IpAddr::V4(new) = new else { unreachable!() };
    let [a, b, c, d] = new.octets();
    assert_eq!(
        text("7.1.244.10.in-addr.arpa."),
        format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
    );
}

#[test]
fn a_range_keeps_its_zeros_and_what_lies_in_it() {
    let range = text("10.244.0.0/16");
    let (start, length) = range.split_once('/').expect("a range");
    assert!(
        start.ends_with(".0.0") && length == "16" && start != "10.244.0.0",
        "{range}"
    );
    assert!(common(start.parse().expect("an address"), map("10.244.3.9")) >= 16);
    assert_ne!(
        text("10.244.0.1/24"),
        text("10.244.0.0/24"),
        "an address with a prefix is no range"
    );
}

#[test]
fn what_is_no_address_or_says_nothing_stays() {
    for kept in [
        "12:34:56",
        "v1.34.4",
        "1.2.3",
        "127.0.0.1",
        "0.0.0.0/0",
        "::",
        "::1",
        "255.255.255.0",
        "169.254.169.254",
        "224.0.0.1",
        "ff02::1",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "33:33:00:00:00:01",
        "netns",
        "2026-01-02T03:04:05Z",
        "192.168.0.0/16",
        "",
    ] {
        assert_eq!(text(kept), kept);
    }
    assert_ne!(text("d2:ad:90:c4:85:fd"), "d2:ad:90:c4:85:fd");
    assert_ne!(text("a fe80::d0ad:90ff:fec4:85fd"), "a fe80::d0ad:90ff:fec4:85fd");
}

#[test]
fn addresses_for_documentation_and_tests_stay_of_their_kind() {
    for kept in [
        "192.0.0.10",
        "192.0.2.53",
        "198.51.100.7",
        "203.0.113.0/24",
        "192.88.99.1",
        "2001:db8::/32",
    ] {
        assert_eq!(text(kept), kept);
    }
    let test = text("198.18.0.1");
    assert!(
        (test.starts_with("198.18.") || test.starts_with("198.19.")) && test != "198.18.0.1",
        "{test}"
    );
    let documented = text("2001:db8:1:2::3");
    assert!(
        documented.starts_with("2001:db8:") && documented.ends_with("::3") && documented != "2001:db8:1:2::3",
        "{documented}"
    );
    let IpAddr::V4(inner) = map("10.244.1.7") else {
        unreachable!()
    };
    let translated: std::net::Ipv6Addr = format!("64:ff9b::{inner}").parse().expect("an address");
    assert_eq!(map("64:ff9b::10.244.1.7"), IpAddr::V6(translated));
}

#[test]
fn addresses_are_found_beside_words_that_are_joined_to_them() {
    let (a, b) = (map("10.0.0.1"), map("10.0.0.9"));
    let six = map("fd00:10:244::7");
    for (given, expected) in [
        ("10.0.0.1:domain", format!("{a}:domain")),
        ("10.0.0.1:80:10.0.0.9:8080", format!("{a}:80:{b}:8080")),
        ("10.0.0.1..10.0.0.9", format!("{a}..{b}")),
        ("bad:10.0.0.1", format!("bad:{a}")),
        (r"at\n10.0.0.1\t10.0.0.9", format!(r"at\n{a}\t{b}")),
        ("tcp/http__10.0.0.1/8080", format!("tcp/http__{a}/8080")),
        (
            "tcp/http__fd00.10.244..7/8080",
            format!("tcp/http__{}/8080", six.to_string().replace(':', ".")),
        ),
        ("my_add::fee", "my_add::fee".to_owned()),
        ("n10.0.0.1", "n10.0.0.1".to_owned()),
    ] {
        assert_eq!(text(given), expected);
    }
    let IpAddr::V6(six) = six else { unreachable!() };
    let reversed = |address: std::net::Ipv6Addr| {
        let digits = format!("{:032x}", u128::from(address));
        let digits = digits.chars().rev().flat_map(|digit| [digit, '.']);
        format!("{}ip6.arpa.", digits.collect::<String>())
    };
    let given = "fd00:10:244::7".parse().expect("an address");
    assert_eq!(text(&reversed(given)), reversed(six));
}

fn rewritten(mut document: serde_json::Value) -> serde_json::Value {
    let redactor = Redactor {
        names: Names::of(&document),
        addresses: Addresses::new(7),
    };
    redactor.rewrite("", false, &mut document);
    document
}

#[test]
fn names_that_are_common_words_are_replaced_where_names_stand() {
    let given = serde_json::json!({
        "nodes": {"seen": [{"name": "master", "zone": "a"}, {"name": "db", "zone": "b"}]},
        "nodeEvidence": {"master": {"seen": {"links": [{"name": "master"}]}}, "db": null},
        "mesh": {"sources": {"master": null}, "cells": [{"source": "master", "target": "db"}]},
        "policy": {"namespaces": {"seen": [{"name": "dev", "labels": {}}]}, "policies": {"seen": [{"namespace": "dev", "name": "x"}]}},
        "slices": [{"forZones": ["a"], "namespace": "ingress", "name": "web"}],
        "reading": "the master of the db",
    });
    let expected = serde_json::json!({
        "nodes": {"seen": [{"name": "node-2", "zone": "zone-1"}, {"name": "node-1", "zone": "zone-2"}]},
        "nodeEvidence": {"node-2": {"seen": {"links": [{"name": "master"}]}}, "node-1": null},
        "mesh": {"sources": {"node-2": null}, "cells": [{"source": "node-2", "target": "node-1"}]},
        "policy": {"namespaces": {"seen": [{"name": "ns-1", "labels": {}}]}, "policies": {"seen": [{"namespace": "ns-1", "name": "name-2"}]}},
        "slices": [{"forZones": ["zone-1"], "namespace": "ns-2", "name": "name-1"}],
        "reading": "the master of the db",
    });
    assert_eq!(rewritten(given), expected);
}

#[test]
fn keys_and_values_of_labels_are_replaced_in_conditions_taints_and_selectors() {
    let given = serde_json::json!({
        "podSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["db", "pool"]}]},
        "question": {"selector": "app=pool,team!=db"},
        "peerSelector": "team == 'db' && !has(team) && all()",
        "rules": [{"selector": "from all fwmark 0x1", "action": "lookup 254"}],
        "taints": [{"key": "rack", "value": "db", "effect": "NoSchedule"}],
        "webhooks": {"seen": [{"configuration": "acme-guard"}]},
    });
    let expected = serde_json::json!({
        "podSelector": {"matchExpressions": [{"key": "label-2", "operator": "In", "values": ["name-2", "name-3"]}]},
        "question": {"selector": "app=name-3,label-2!=name-2"},
        "peerSelector": "label-2 == 'name-2' && !has(label-2) && all()",
        "rules": [{"selector": "from all fwmark 0x1", "action": "lookup 254"}],
        "taints": [{"key": "label-1", "value": "name-2", "effect": "NoSchedule"}],
        "webhooks": {"seen": [{"configuration": "name-1"}]},
    });
    assert_eq!(rewritten(given), expected);
}

#[test]
fn a_slip_in_a_selector_is_like_what_was_meant_after_it_too() {
    let given = serde_json::json!({"services": [
        {"selector": {"app": "wbe"}}, {"selector": {"app": "web"}}, {"selector": {"app": "queue"}},
    ], "pods": [{"labels": {"app": "web"}}, {"labels": {"app": "cache"}}]});
    let expected = serde_json::json!({"services": [
        {"selector": {"app": "name-4x"}}, {"selector": {"app": "name-4"}}, {"selector": {"app": "name-2"}},
    ], "pods": [{"labels": {"app": "name-4"}}, {"labels": {"app": "name-1"}}]});
    // In the order of the names: cache, queue, wbe, web.
    assert_eq!(rewritten(given), expected);
}

#[test]
fn chains_of_kube_proxy_and_dashed_addresses_of_ipv6_are_rewritten() {
    let names = Names::of(&serde_json::json!({"services": [{"namespace": "db", "name": "web"}]}));
    let redactor = Redactor {
        names,
        addresses: Addresses::new(7),
    };
    assert_eq!(
        redactor.text("endpoint-TF6S6XX7-db/web/tcp/http__10.244.1.7/8080"),
        format!(
            "endpoint-TF6S6XX7-ns-1/svc-1/tcp/http__{}/8080",
            map("10.244.1.7")
        )
    );
    let six = map("fd00:10:244::7").to_string().replace(':', "-");
    assert_eq!(redactor.text("fd00-10-244--7.x"), format!("{six}.x"));
}

#[test]
fn hosts_that_stand_in_messages_only_are_replaced() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use simple_dns::rdata::{CNAME, RData};
    use simple_dns::{CLASS, Name, Packet, ResourceRecord};
    let mut packet = Packet::new_reply(1);
    let name = |text: &'static str| Name::new(text).expect("a name");
    packet.answers.push(ResourceRecord::new(
        name("files.acme.corp"),
        CLASS::IN,
        5,
        RData::CNAME(CNAME(name("nas7.acme.corp"))),
    ));
    let message = STANDARD.encode(packet.build_bytes_vec().expect("a packet"));
    let reply = rewritten(serde_json::json!({"rcode": 0, "message": message}));
    let names = dns::names(reply["message"].as_str().unwrap_or_default());
    assert_eq!(names, ["host-1.invalid", "host-2.invalid"]);
}

#[test]
fn labels_of_nodes_are_rewritten_once() {
    let labels = |value: &str| serde_json::json!({"rack": value});
    let mut document = serde_json::json!({
        "nodeLabels": {"seen": {"master": labels("node-0"), "node-0": labels("node-1"), "node-1": labels("node-2")}},
        "nodeEvidence": {"master": null, "node-0": null, "node-1": null, "node-2": null},
    });
    let redactor = Redactor {
        names: Names::of(&document),
        addresses: Addresses::new(7),
    };
    redactor.rewrite("", false, &mut document);
    let relabelled = |value: &str| serde_json::json!({"label-1": value});
    assert_eq!(
        document["nodeLabels"]["seen"],
        serde_json::json!({"node-1": relabelled("node-2"), "node-2": relabelled("node-3"), "node-3": relabelled("node-4")})
    );
}

#[test]
fn what_enforces_policies_is_still_told_from_what_does_not() {
    let names = Names::of(&serde_json::json!({"workloads": [
        {"name": "own-netpol", "namespace": "shop"}, {"name": "weave-npc", "namespace": "shop"}, {"name": "web", "namespace": "shop"},
    ]}));
    let redactor = Redactor {
        names,
        addresses: Addresses::new(7),
    };
    assert_eq!(
        redactor.text("own-netpol weave-npc web"),
        "name-1-netpol weave-npc name-2"
    );
}

fn observation(document: serde_json::Value) -> Observation {
    let mut whole = serde_json::json!({
        "apiVersion": crate::BUNDLE_VERSION, "tool": "test", "takenAt": "2026-01-02T03:04:05Z",
        "server": {"seen": {"gitVersion": "v1.34.4", "platform": "linux/amd64"}},
        "nodes": {"unseen": {"what": "nodes", "why": {"type": "notServed"}, "message": "", "hint": null}},
        "placement": null, "mesh": null, "stats": {"apiCalls": null, "bytesReceived": null, "bytesSent": null, "phases": []},
    });
    if let (Some(whole), serde_json::Value::Object(parts)) = (whole.as_object_mut(), document) {
        whole.extend(parts);
    }
    serde_json::from_value(whole).expect("an observation")
}

fn pods(names: [(&str, &str, &str); 2]) -> Observation {
    let pods = names.map(|(name, namespace, node)| {
        serde_json::json!({"name": name, "namespace": namespace, "uid": "u", "node": node, "addresses": ["10.244.1.7"], "controller": null, "created": null})
    });
    observation(serde_json::json!({"nodePods": {"seen": pods}}))
}

#[test]
fn one_name_has_one_alias_everywhere_and_parts_of_every_cluster_keep_theirs() {
    let redacted = pods([
        ("billing-7d9f-x2x4q", "shop", "ip-10-0-1-2.corp"),
        ("coredns-5d5c66d598-tlmgb", "kube-system", "ip-10-0-1-2.corp"),
    ])
    .redacted(7)
    .expect("it can be redacted");
    let Some(report::Observed::Seen(pods)) = &redacted.node_pods else {
        panic!("{redacted:?}")
    };
    assert_eq!(
        (pods[0].namespace.as_str(), pods[1].namespace.as_str()),
        ("ns-1", "kube-system")
    );
    assert_eq!(
        (pods[0].node.as_str(), pods[1].node.as_str()),
        ("node-1", "node-1")
    );
    assert_eq!(
        (pods[0].name.as_str(), pods[1].name.as_str()),
        ("pod-1", "coredns-5d5c66d598-tlmgb")
    );
}

#[test]
fn names_within_texts_are_replaced_and_words_are_not() {
    let names = Names::of(&serde_json::json!({"pods": [
        {"name": "billing", "namespace": "shop", "node": "node1"},
        {"name": "tcp", "namespace": "node", "node": "node10", "labels": {"team": "very_own", "kubernetes.io/os": "linux"}},
    ]}));
    let redactor = Redactor {
        names,
        addresses: Addresses::new(7),
    };
    let dashed = redactor.text("10-244-1-7.shop.pod");
    assert!(
        !dashed.contains("10-244-1-7") && dashed.ends_with(".ns-2.pod"),
        "{dashed}"
    );
    for (given, expected) in [
        (
            "billing.shop.svc.cluster.local:80",
            "pod-1.ns-2.svc.cluster.local:80",
        ),
        ("pod/billing -n shop on node1", "pod/pod-1 -n ns-2 on node-1"),
        ("shop/billing:http", "ns-2/pod-1:http"),
        ("kube-apiserver-node10", "kube-apiserver-node-2"),
        ("netcheck-5f3a-node1-twin", "netcheck-5f3a-node-1-twin"),
        ("node1's tcp to this node", "node-1's tcp to this node"),
        ("workshop billings", "workshop billings"),
        ("team=very_own,", "team=name-2,"),
        ("BILLING", "pod-1"),
        ("", ""),
    ] {
        assert_eq!(redactor.text(given), expected);
    }
}

#[test]
fn a_name_that_the_format_uses_fails_instead_of_being_written_in_part() {
    let pods = pods([("a", "shop", "takenAt"), ("b", "shop", "node1")]);
    assert!(pods.redacted(7).is_err());
}

#[test]
fn the_answer_of_a_server_is_rewritten_within_its_message() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use simple_dns::rdata::{A, RData};
    use simple_dns::{CLASS, Name, Packet, ResourceRecord};
    let mut packet = Packet::new_reply(1);
    let name = Name::new("web.shop.svc.cluster.local").expect("a name");
    packet.answers.push(ResourceRecord::new(
        name,
        CLASS::IN,
        5,
        RData::A(A {
            address: u32::from_be_bytes([10, 96, 0, 7]),
        }),
    ));
    let message = STANDARD.encode(packet.build_bytes_vec().expect("a packet"));
    let names = Names::of(&serde_json::json!({"service": "web", "namespace": "shop"}));
    let redactor = Redactor {
        names,
        addresses: Addresses::new(7),
    };
    let rewritten = STANDARD
        .decode(dns::message(&redactor, &message))
        .expect("base64");
    let rewritten = Packet::parse(&rewritten).expect("a packet");
    assert_eq!(
        rewritten.answers[0].name.to_string(),
        "svc-1.ns-1.svc.cluster.local"
    );
    let RData::A(a) = &rewritten.answers[0].rdata else {
        panic!("an address")
    };
    assert_eq!(
        IpAddr::from(std::net::Ipv4Addr::from(a.address)),
        map("10.96.0.7")
    );
    assert_eq!(dns::message(&redactor, "no message"), "");
}

fn is_nobodys(address: std::net::Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_documentation()
        || matches!((a, b, c), (192, 0, 0) | (192, 88, 99))
        || (a == 198 && b & 0xfe == 18)
}

proptest! {
    #[test]
    fn nothing_gets_into_a_block_that_is_nobodys_or_out_of_it(
        first in prop::sample::select(vec![[192, 0], [192, 88], [198, 51], [198, 18], [198, 19], [198, 20], [203, 0]]),
        a: [u8; 2], b: [u8; 2], seed: u64,
    ) {
        let addresses = Addresses::new(seed);
        let at = |rest: [u8; 2]| std::net::Ipv4Addr::new(first[0], first[1], rest[0], rest[1]);
        let (a, b) = (at(a), at(b));
        let [IpAddr::V4(c), IpAddr::V4(d)] = [a, b].map(|it| addresses.map(it.into())) else { unreachable!() };
        prop_assert_eq!(is_nobodys(a), is_nobodys(c));
        prop_assert_eq!(common(a.into(), b.into()), common(c.into(), d.into()));
    }

    #[test]
    fn what_two_addresses_share_they_go_on_sharing(a: u32, b: u32, keep in 0_u32..33, seed: u64) {
        let b = if keep == 0 { b } else { (a & (u32::MAX.checked_shl(32 - keep).unwrap_or(0))) | (b & (u32::MAX.checked_shr(keep).unwrap_or(0))) };
        let addresses = Addresses::new(seed);
        let (a, b) = (IpAddr::V4(a.into()), IpAddr::V4(b.into()));
        let (c, d) = (addresses.map(a), addresses.map(b));
        // Kinds of addresses lie side by side; within a kind everything is kept.
        let kept = [a, b].iter().all(|it| matches!(it, IpAddr::V4(it) if it.octets()[0] == 10)) || a == b;
        if kept { prop_assert_eq!(common(a, b), common(c, d)); }
        prop_assert_eq!(c.is_ipv4(), a.is_ipv4());
        let (IpAddr::V4(a), IpAddr::V4(c)) = (a, c) else { unreachable!() };
        prop_assert_eq!((a.is_private(), a.is_loopback(), a.is_link_local(), a.is_multicast()), (c.is_private(), c.is_loopback(), c.is_link_local(), c.is_multicast()));
    }

    #[test]
    fn six_is_as_four(a: u64, b: u64, host: u64, seed: u64) {
        let at = |upper: u64| IpAddr::V6(((0xfd_u128 << 120) | (u128::from(upper >> 8) << 64) | u128::from(host)).into());
        let addresses = Addresses::new(seed);
        prop_assert_eq!(common(at(a), at(b)), common(addresses.map(at(a)), addresses.map(at(b))));
        prop_assert_ne!(at(a), addresses.map(at(a)));
    }

    #[test]
    fn any_text_is_replaced_without_a_panic(text in ".{0,60}|[0-9a-f.:/ä-]{0,40}") {
        let redactor = Redactor { names: Names::of(&serde_json::json!({"node": "node1"})), addresses: Addresses::new(7) };
        let _ = redactor.text(&text);
    }
}
