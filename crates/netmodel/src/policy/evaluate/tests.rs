use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::policy::{ContainerPort, Family, Outcome, Protocol, suggest};

fn pod(namespace: &str, name: &str, node: &str, address: &str) -> Pod {
    Pod {
        namespace: namespace.into(),
        name: name.into(),
        labels: Labels::from([("app".to_owned(), name.to_owned())]),
        node: Some(node.into()),
        addresses: vec![address.parse().unwrap()],
        host_network: false,
        ports: vec![ContainerPort {
            name: Some("http".into()),
            number: 8080,
            protocol: Protocol::Tcp,
        }],
    }
}

/// Three pods, one of them in another namespace, and an agent in a node's network.
fn world(policies: &[(&str, &str, Value)]) -> World {
    let policies = policies
        .iter()
        .map(|(namespace, name, spec)| Policy::read(namespace, name, spec).unwrap());
    let mut agent = pod("kube-system", "agent", "node2", "192.0.2.2");
    agent.host_network = true;
    let pods = vec![
        pod("shop", "web", "node1", "10.0.1.1"),
        pod("shop", "db", "node2", "10.0.2.1"),
        pod("ops", "prometheus", "node1", "10.0.1.9"),
        agent,
    ];
    let named = |name: &str| Labels::from([(NAMESPACE_NAME.to_owned(), name.to_owned())]);
    let namespaces = BTreeMap::from([
        ("shop".to_owned(), named("shop")),
        ("ops".to_owned(), named("ops")),
    ]);
    World::new(policies, pods, namespaces)
        .with_node("node1", ["192.0.2.1".parse().unwrap()])
        .with_node("node2", ["192.0.2.2".parse().unwrap()])
}

fn ask(world: &World, source: &str, destination: &str, port: u16) -> Verdict {
    ask_over(world, source, destination, Protocol::Tcp, port)
}

fn end<'a>(world: &'a World, text: &str) -> End<'a> {
    match text.split_once('/') {
        Some((namespace, name)) => End::Pod(world.pod(namespace, name).unwrap()),
        None => world.end(text.parse().unwrap()),
    }
}

fn ask_over(world: &World, source: &str, destination: &str, protocol: Protocol, port: u16) -> Verdict {
    let flow = Flow {
        source: end(world, source),
        destination: end(world, destination),
        protocol,
        port,
        family: Family::V4,
    };
    evaluate(&flow, world)
}

fn outcome(world: &World, source: &str, destination: &str, port: u16) -> Outcome {
    ask(world, source, destination, port).outcome()
}

#[test]
fn a_pod_that_no_policy_selects_is_not_isolated() {
    let world = world(&[(
        "shop",
        "web-only",
        json!({"podSelector": {"matchLabels": {"app": "web"}}}),
    )]);
    let verdict = ask(&world, "shop/web", "shop/db", 5432);
    assert_eq!(verdict.ingress, DirectionVerdict::NotIsolated);
    assert_eq!(
        verdict.egress,
        DirectionVerdict::NotIsolated,
        "the policy is for ingress only"
    );
}

#[test]
fn a_policy_without_rules_denies_and_names_itself() {
    let world = world(&[("shop", "deny", json!({"podSelector": {}}))]);
    let DirectionVerdict::Denied { isolating, misses } =
        ask(&world, "ops/prometheus", "shop/web", 8080).ingress
    else {
        panic!("not denied");
    };
    assert_eq!(isolating[0].to_string(), "networkpolicy/deny -n shop");
    assert_eq!(misses[0].why, MissReason::NoRules);
}

#[test]
fn policies_add_up() {
    let allow = json!({"podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}]});
    let world = world(&[
        ("shop", "allow", allow),
        ("shop", "deny", json!({"podSelector": {}})),
    ]);
    let verdict = ask(&world, "shop/web", "shop/db", 5432);
    let DirectionVerdict::Allowed {
        policy,
        rule,
        peer,
        port,
    } = verdict.ingress
    else {
        panic!("{verdict:?}");
    };
    assert_eq!(
        (policy.name.as_str(), rule, peer, port),
        ("allow", 0, Some(0), Some(0))
    );
    assert_eq!(outcome(&world, "shop/web", "shop/db", 5433), Outcome::Denied);
    assert_eq!(
        outcome(&world, "ops/prometheus", "shop/db", 5432),
        Outcome::Denied
    );
}

#[test]
fn both_sides_must_allow() {
    let world = world(&[(
        "shop",
        "out",
        json!({"podSelector": {}, "policyTypes": ["Egress"]}),
    )]);
    let verdict = ask(&world, "shop/web", "shop/db", 1);
    assert_eq!(verdict.egress.outcome(), Outcome::Denied);
    assert_eq!(verdict.ingress, DirectionVerdict::NotIsolated);
    assert_eq!(verdict.outcome(), Outcome::Denied);
}

#[test]
fn a_wrong_port_is_the_closest_miss_and_says_which_ports_are_allowed() {
    let spec = json!({"podSelector": {}, "ingress": [
        {"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]},
        {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80}, {"port": "grpc"}]}]});
    let world = world(&[("shop", "in", spec)]);
    let DirectionVerdict::Denied { misses, .. } = ask(&world, "shop/web", "shop/db", 8080).ingress else {
        panic!("not denied");
    };
    assert_eq!(misses[0].rule, Some(1));
    assert_eq!(
        misses[0].why.to_string(),
        "the peer is allowed, but only to TCP 80, the TCP port named grpc; the pod declares no port named grpc"
    );
}

#[test]
fn two_items_are_either_and_one_item_is_both() {
    let namespace = json!({"matchLabels": {NAMESPACE_NAME: "ops"}});
    let pods = json!({"matchLabels": {"app": "web"}});
    let one = json!({"podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"namespaceSelector": namespace, "podSelector": pods}]}]});
    let two = json!({"podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"namespaceSelector": namespace}, {"podSelector": pods}]}]});
    let one = world(&[("shop", "in", one)]);
    let two = world(&[("shop", "in", two)]);
    assert_eq!(outcome(&one, "ops/prometheus", "shop/db", 1), Outcome::Denied);
    assert_eq!(outcome(&one, "shop/web", "shop/db", 1), Outcome::Denied);
    assert_eq!(outcome(&two, "ops/prometheus", "shop/db", 1), Outcome::Allowed);
    assert_eq!(outcome(&two, "shop/web", "shop/db", 1), Outcome::Allowed);
}

#[test]
fn a_pod_selector_alone_means_the_policys_own_namespace() {
    let spec = json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]});
    let world = world(&[("shop", "in", spec)]);
    assert_eq!(outcome(&world, "shop/web", "shop/db", 1), Outcome::Allowed);
    let DirectionVerdict::Denied { misses, .. } = ask(&world, "ops/prometheus", "shop/db", 1).ingress else {
        panic!("not denied");
    };
    assert!(
        matches!(&misses[0].why, MissReason::Peer { peers, port_matches: true } if *peers == [PeerMiss::OtherNamespace])
    );
}

#[test]
fn a_namespace_that_was_not_read_is_known_by_its_automatic_label_only() {
    let by = |selector: Value| {
        let spec = json!({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": selector}]}]});
        let policy = Policy::read("shop", "in", &spec).unwrap();
        let pods = vec![
            pod("shop", "web", "node1", "10.0.1.1"),
            pod("ops", "prometheus", "node1", "10.0.1.9"),
        ];
        outcome(
            &World::new([policy], pods, BTreeMap::new()),
            "ops/prometheus",
            "shop/web",
            1,
        )
    };
    assert_eq!(by(json!({})), Outcome::Allowed);
    assert_eq!(
        by(json!({"matchLabels": {NAMESPACE_NAME: "ops"}})),
        Outcome::Allowed
    );
    assert_eq!(
        by(json!({"matchLabels": {NAMESPACE_NAME: "shop"}})),
        Outcome::Denied
    );
    assert_eq!(by(json!({"matchLabels": {"team": "ops"}})), Outcome::Unknown);
    assert_eq!(
        by(json!({"matchLabels": {NAMESPACE_NAME: "shop", "team": "ops"}})),
        Outcome::Denied
    );
    assert_eq!(
        by(json!({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]})),
        Outcome::Unknown
    );
}

#[test]
fn ports_are_matched_by_number_range_name_and_protocol() {
    let on = |ports: Value, protocol, port| {
        let spec = json!({"podSelector": {}, "ingress": [{"ports": ports}]});
        ask_over(
            &world(&[("shop", "in", spec)]),
            "ops/prometheus",
            "shop/web",
            protocol,
            port,
        )
        .outcome()
    };
    let (allowed, denied) = (Outcome::Allowed, Outcome::Denied);
    assert_eq!(on(json!([{"port": 80}]), Protocol::Tcp, 80), allowed);
    assert_eq!(
        on(json!([{"port": 80}]), Protocol::Udp, 80),
        denied,
        "TCP where nothing is said"
    );
    assert_eq!(on(json!([{"protocol": "UDP"}]), Protocol::Udp, 53), allowed);
    assert_eq!(
        on(json!([{"port": 80, "endPort": 90}]), Protocol::Tcp, 90),
        allowed
    );
    assert_eq!(
        on(json!([{"port": 80, "endPort": 90}]), Protocol::Tcp, 91),
        denied
    );
    assert_eq!(on(json!([{"port": "http"}]), Protocol::Tcp, 8080), allowed);
    assert_eq!(
        on(json!([{"port": "http"}]), Protocol::Tcp, 80),
        denied,
        "the pod's http is 8080"
    );
    assert_eq!(
        on(json!([{"protocol": "UDP", "port": "http"}]), Protocol::Udp, 8080),
        denied
    );
    assert_eq!(on(json!([]), Protocol::Sctp, 1), allowed);
}

#[test]
fn a_named_port_of_an_egress_rule_is_the_destinations() {
    let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}, "egress": [{"ports": [{"port": "http"}]}],
        "policyTypes": ["Egress"]});
    let world = world(&[("shop", "out", spec)]);
    assert_eq!(outcome(&world, "shop/web", "shop/db", 8080), Outcome::Allowed);
    assert_eq!(
        outcome(&world, "shop/web", "198.51.100.7", 8080),
        Outcome::Denied,
        "no pod, no names"
    );
}

#[test]
fn an_ip_block_is_for_addresses_outside() {
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"],
        "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["198.51.100.0/24"]}}]}]});
    let world = world(&[("shop", "out", spec)]);
    assert_eq!(outcome(&world, "shop/web", "203.0.113.1", 443), Outcome::Allowed);
    assert_eq!(outcome(&world, "shop/web", "198.51.100.7", 443), Outcome::Denied);
    let DirectionVerdict::Unknown { why, .. } = ask(&world, "shop/web", "shop/db", 443).egress else {
        panic!("decided");
    };
    assert!(
        why[0].starts_with("networkpolicy/out -n shop .spec.egress[0]: 0.0.0.0/0 holds the pod's address")
    );
}

#[test]
fn families_are_judged_by_themselves() {
    let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "::/0"}}]}]});
    let world = world(&[("shop", "out", spec)]);
    assert_eq!(outcome(&world, "shop/web", "203.0.113.1", 443), Outcome::Denied);
    let flow = Flow {
        source: end(&world, "shop/web"),
        destination: End::Outside("2001:db8::1".parse().unwrap()),
        protocol: Protocol::Tcp,
        port: 443,
        family: Family::V6,
    };
    assert_eq!(evaluate(&flow, &world).outcome(), Outcome::Allowed);
}

#[test]
fn the_networks_of_nodes_are_nobodys_pods() {
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"namespaceSelector": {}}]}]});
    let world = world(&[("shop", "all-pods", spec.clone()), ("kube-system", "all", spec)]);
    let from = |source: &str, to: &str| ask(&world, source, to, 1).ingress;
    assert_eq!(
        from("192.0.2.1", "shop/web"),
        DirectionVerdict::Exempt(Exemption::OwnNode)
    );
    assert_eq!(
        from("kube-system/agent", "shop/db"),
        DirectionVerdict::Exempt(Exemption::OwnNode)
    );
    assert_eq!(
        from("192.0.2.2", "shop/web").outcome(),
        Outcome::Denied,
        "another node"
    );
    assert_eq!(
        from("kube-system/agent", "shop/web").outcome(),
        Outcome::Denied,
        "a pod on another node's network"
    );
    assert_eq!(
        from("shop/web", "kube-system/agent"),
        DirectionVerdict::Exempt(Exemption::HostNetwork)
    );
    let verdict = ask(&world, "kube-system/agent", "ops/prometheus", 1);
    assert_eq!(verdict.egress, DirectionVerdict::Exempt(Exemption::HostNetwork));
}

#[test]
fn a_node_is_let_in_by_its_address() {
    let spec = json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.2/32"}}]}]});
    let world = world(&[("shop", "nodes", spec)]);
    assert_eq!(outcome(&world, "192.0.2.2", "shop/web", 1), Outcome::Allowed);
    assert_eq!(
        outcome(&world, "kube-system/agent", "shop/web", 1),
        Outcome::Allowed
    );
}

#[test]
fn a_pod_always_reaches_itself() {
    let world = world(&[(
        "shop",
        "none",
        json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
    )]);
    let verdict = ask(&world, "shop/web", "shop/web", 1);
    assert_eq!(verdict.ingress, DirectionVerdict::Exempt(Exemption::SamePod));
    assert_eq!(verdict.egress, DirectionVerdict::Exempt(Exemption::SamePod));
}

#[test]
fn a_peer_of_an_unknown_kind_makes_unknown_and_not_denied() {
    let spec =
        json!({"podSelector": {}, "ingress": [{"from": [{"somethingNew": {}}], "ports": [{"port": 80}]}]});
    let world = world(&[("shop", "in", spec)]);
    assert_eq!(outcome(&world, "shop/db", "shop/web", 80), Outcome::Unknown);
    assert_eq!(
        outcome(&world, "shop/db", "shop/web", 81),
        Outcome::Denied,
        "the port decides it"
    );
}

#[test]
fn what_is_suggested_allows_the_flow_and_nothing_else() {
    let none = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let mut world = world(&[("shop", "none", none.clone()), ("ops", "none", none)]);
    let flow_of = |world: &World| -> Vec<Policy> {
        let flow = Flow {
            source: end(world, "ops/prometheus"),
            destination: end(world, "shop/web"),
            protocol: Protocol::Tcp,
            port: 8080,
            family: Family::V4,
        };
        let sides = [Direction::Egress, Direction::Ingress];
        let suggested = sides.map(|direction| suggest("allow", &flow, direction).unwrap());
        suggested
            .iter()
            .map(|it| {
                let namespace = it.manifest["metadata"]["namespace"].as_str().unwrap();
                Policy::read(namespace, "allow", &it.manifest["spec"]).unwrap()
            })
            .collect()
    };
    for policy in flow_of(&world) {
        world.add(policy);
    }
    assert_eq!(
        outcome(&world, "ops/prometheus", "shop/web", 8080),
        Outcome::Allowed
    );
    assert_eq!(
        outcome(&world, "ops/prometheus", "shop/web", 8081),
        Outcome::Denied
    );
    assert_eq!(
        outcome(&world, "ops/prometheus", "shop/db", 8080),
        Outcome::Denied
    );
    assert_eq!(outcome(&world, "shop/db", "shop/web", 8080), Outcome::Denied);
}
