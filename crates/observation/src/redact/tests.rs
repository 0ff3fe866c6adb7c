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

proptest! {
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
