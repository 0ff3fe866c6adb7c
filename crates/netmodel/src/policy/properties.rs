//! What holds for every set of policies, pods and flows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NAMESPACES: [&str; 3] = ["a", "b", "c"];
const VALUES: [&str; 3] = ["x", "y", "z"];

fn selector() -> impl Strategy<Value = Value> {
    let value = || prop::sample::select(VALUES.to_vec());
    let operator = prop::sample::select(vec!["In", "NotIn", "Exists", "DoesNotExist"]);
    prop_oneof![
        Just(json!({})),
        value().prop_map(|value| json!({"matchLabels": {"app": value}})),
        (operator, value()).prop_map(|(operator, value)| {
            let values = if operator.ends_with("In") {
                json!([value])
            } else {
                json!([])
            };
            json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]})
        }),
    ]
}

fn peer() -> impl Strategy<Value = Value> {
    let block = prop::sample::select(vec!["0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24", "::/0"]);
    prop_oneof![
        selector().prop_map(|pods| json!({"podSelector": pods})),
        selector().prop_map(|namespaces| json!({"namespaceSelector": namespaces})),
        (selector(), selector())
            .prop_map(|(namespaces, pods)| json!({"namespaceSelector": namespaces, "podSelector": pods})),
        block.prop_map(|block| json!({"ipBlock": {"cidr": block}})),
        Just(json!({"ofTheFuture": {}})),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    let protocol = prop::sample::select(vec!["TCP", "UDP"]);
    prop_oneof![
        protocol
            .clone()
            .prop_map(|protocol| json!({"protocol": protocol})),
        (protocol.clone(), 79_u16..83)
            .prop_map(|(protocol, port)| json!({"protocol": protocol, "port": port})),
        (protocol, 79_u16..83)
            .prop_map(|(protocol, port)| json!({"protocol": protocol, "port": port, "endPort": 82})),
        Just(json!({"port": "http"})),
    ]
}

fn rules(side: &'static str) -> impl Strategy<Value = Value> {
    let rule = (
        prop::collection::vec(peer(), 0..3),
        prop::collection::vec(port(), 0..3),
    )
        .prop_map(move |(peers, ports)| json!({side: peers, "ports": ports}));
    prop::collection::vec(rule, 0..3).prop_map(Value::from)
}

fn policy() -> impl Strategy<Value = (String, Value)> {
    let types = prop::sample::select(vec![
        json!(["Ingress"]),
        json!(["Egress"]),
        json!(["Ingress", "Egress"]),
        json!([]),
    ]);
    (
        prop::sample::select(NAMESPACES.to_vec()),
        selector(),
        types,
        rules("from"),
        rules("to"),
    )
        .prop_map(|(namespace, pods, types, ingress, egress)| {
            let spec =
                json!({"podSelector": pods, "policyTypes": types, "ingress": ingress, "egress": egress});
            (namespace.to_owned(), spec)
        })
}

fn read(policies: &[(String, Value)]) -> Vec<Policy> {
    let numbered = policies.iter().enumerate();
    numbered
        .map(|(index, (namespace, spec))| Policy::read(namespace, &format!("p{index}"), spec).unwrap())
        .collect()
}

/// A pod for each namespace and label, one of each in a node's network.
fn world(policies: Vec<Policy>) -> World {
    let mut pods = Vec::new();
    for (index, namespace) in (0_u8..).zip(NAMESPACES) {
        for (number, value) in (0_u8..).zip(VALUES) {
            pods.push(Pod {
                namespace: namespace.into(),
                name: value.into(),
                labels: Labels::from([("app".to_owned(), value.to_owned())]),
                node: Some(format!("node{}", number % 2)),
                addresses: vec![[10, 0, index, number].into()],
                host_network: (index, number) == (2, 2),
                ports: vec![ContainerPort {
                    name: Some("http".into()),
                    number: 80,
                    protocol: Protocol::Tcp,
                }],
            });
        }
    }
    let labels = |name: &str, value: &str| {
        Labels::from([
            ("kubernetes.io/metadata.name".to_owned(), name.to_owned()),
            ("app".to_owned(), value.to_owned()),
        ])
    };
    // The labels of the third could not be read.
    let namespaces = BTreeMap::from([
        ("a".to_owned(), labels("a", "x")),
        ("b".to_owned(), labels("b", "y")),
    ]);
    World::new(policies, pods, namespaces).with_node("node0", [[192, 0, 2, 1].into()])
}

fn flow(world: &World, from: usize, to: usize, port: u16, tcp: bool) -> Flow<'_> {
    let end = |index: usize| match world.pods().get(index) {
        Some(pod) => End::Pod(pod),
        None => world.end([[192, 0, 2, 1], [198, 51, 100, 1]][index % 2].into()),
    };
    Flow {
        source: end(from),
        destination: end(to),
        protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
        port,
        family: Family::V4,
    }
}

proptest! {
    #[test]
    fn a_rule_more_never_takes_a_flow_away(
        policies in prop::collection::vec(policy(), 1..4), which in 0_usize..3, peers in prop::collection::vec(peer(), 0..2),
        from in 0_usize..11, to in 0_usize..11, port in 79_u16..83, tcp: bool,
    ) {
        let before = world(read(&policies));
        let mut more = policies.clone();
        let index = which % more.len();
        let spec = &mut more[index].1;
        let types = spec["policyTypes"].clone();
        // Without policyTypes a first egress rule would make the policy isolate for egress.
        for (list, side, kind) in [("ingress", "from", "Ingress"), ("egress", "to", "Egress")] {
            if types.as_array().is_some_and(|types| types.contains(&json!(kind))) {
                spec[list].as_array_mut().unwrap().push(json!({side: peers}));
            }
        }
        let after = world(read(&more));
        let was = evaluate(&flow(&before, from, to, port, tcp), &before).outcome();
        let is = evaluate(&flow(&after, from, to, port, tcp), &after).outcome();
        if was == Outcome::Allowed {
            prop_assert_eq!(is, Outcome::Allowed);
        }
        if was == Outcome::Unknown {
            prop_assert_ne!(is, Outcome::Denied);
        }
    }

    #[test]
    fn a_policy_more_never_opens_what_was_not_isolated_and_never_closes_what_a_policy_allowed(
        policies in prop::collection::vec(policy(), 0..4), one_more in policy(),
        from in 0_usize..11, to in 0_usize..11, port in 79_u16..83, tcp: bool,
    ) {
        let before = world(read(&policies));
        let mut more = policies.clone();
        more.push(one_more);
        let after = world(read(&more));
        let was = evaluate(&flow(&before, from, to, port, tcp), &before);
        let is = evaluate(&flow(&after, from, to, port, tcp), &after);
        for (was, is) in [(was.ingress, is.ingress), (was.egress, is.egress)] {
            match was {
                DirectionVerdict::Exempt(_) | DirectionVerdict::Allowed { .. } => {
                    prop_assert_eq!(is.outcome(), Outcome::Allowed);
                }
                DirectionVerdict::Denied { .. } | DirectionVerdict::Unknown { .. } => {
                    prop_assert!(!matches!(is, DirectionVerdict::NotIsolated));
                }
                DirectionVerdict::NotIsolated => {}
            }
        }
    }

    #[test]
    fn an_unselected_pod_is_never_isolated(
        policies in prop::collection::vec(policy(), 0..5), from in 0_usize..11, to in 0_usize..9, port in 79_u16..83,
    ) {
        let world = world(read(&policies));
        let flow = flow(&world, from, to, port, true);
        let pod = flow.destination.pod().unwrap();
        let selected = world.policies().any(|policy| policy.selects(pod));
        let verdict = evaluate(&flow, &world);
        if !selected {
            prop_assert_eq!(verdict.ingress.outcome(), Outcome::Allowed);
        }
        if matches!(verdict.ingress, DirectionVerdict::Denied { .. } | DirectionVerdict::Unknown { .. }) {
            prop_assert!(world.isolating(pod, Direction::Ingress).next().is_some());
        }
    }

    #[test]
    fn what_allows_is_a_rule_that_is_there(
        policies in prop::collection::vec(policy(), 1..5), from in 0_usize..11, to in 0_usize..9, port in 79_u16..83,
    ) {
        let world = world(read(&policies));
        let verdict = evaluate(&flow(&world, from, to, port, true), &world).ingress;
        if let DirectionVerdict::Allowed { policy, rule, peer, port } = verdict {
            let named = world.policies().find(|it| it.name == policy).unwrap();
            let rule = &named.ingress.as_ref().unwrap()[rule];
            prop_assert_eq!(peer.is_none(), rule.peers.is_empty());
            prop_assert_eq!(port.is_none(), rule.ports.is_empty());
            prop_assert!(peer.is_none_or(|peer| peer < rule.peers.len()));
            prop_assert!(port.is_none_or(|port| port < rule.ports.len()));
        }
    }

    #[test]
    fn any_json_is_read_or_refused(text in "\\PC{0,60}", depth in 0_usize..6) {
        let mut value = Value::from(text);
        for (index, key) in ["cidr", "ipBlock", "from", "ingress", "podSelector", "matchLabels"].iter().enumerate().take(depth) {
            value = if index % 2 == 0 { json!({*key: value}) } else { json!({*key: [value]}) };
        }
        let _ = Policy::read("a", "b", &value);
    }
}
