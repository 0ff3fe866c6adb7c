use std::net::IpAddr;

use observation::{LoadBalancerIngress, Observation};

use super::*;
use crate::firewall::fixture::Fixture;
use crate::rules::api::{api, on_nodes, service_of, with_endpoints};

/// What kube-proxy writes for an address from outside, with the policy `Cluster`.
fn outer(address: &str, words: &str) -> String {
    format!(
        "-A KUBE-SERVICES -d {address}/32 -p tcp -m comment --comment \"shop/web:http {words}\" -m tcp --dport 80 \
         -j KUBE-EXT-67NZLRHBNDSAWJRO"
    )
}

/// The rules of all nodes with what kube-proxy writes for an external address and a load balancer.
fn with_addresses() -> Fixture {
    ["node1", "node2", "node3"]
        .iter()
        .fold(Fixture::healthy(), |fixture, node| {
            fixture
                .rule(node, "nat", &outer("198.51.100.7", "external IP"))
                .rule(node, "nat", &outer("198.51.100.9", "loadbalancer IP"))
        })
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn balanced(proxy: bool) -> LoadBalancerIngress {
    LoadBalancerIngress {
        ip: Some(ip("198.51.100.9")),
        hostname: None,
        proxy,
    }
}

/// The API with both addresses.
fn asking(fixture: Fixture) -> Observation {
    let mut observation = api(fixture.observe());
    let service = service_of(&mut observation, "web");
    service.kind = "LoadBalancer".into();
    service.external_ips = vec![ip("198.51.100.7")];
    service.load_balancer = vec![balanced(false)];
    observation
}

/// Each difference as `node1: NodePort 30080 of Service port shop/web:http: Missing`, and each leftover by where it is.
fn found(observation: &Observation) -> Vec<String> {
    let view = View::new(observation);
    let mut found = Vec::new();
    let judgement = compared(&view, |all, _| {
        for node in all {
            let differences = node.differences.iter();
            found.extend(
                differences.map(|it| format!("{}: {}: {:?}", node.firewall.name(), it.what(), it.kind)),
            );
            let leftovers = node.leftovers.iter();
            found.extend(leftovers.map(|it| format!("{}: left {}", node.firewall.name(), it.at)));
        }
    });
    assert_eq!(judgement.gaps, []);
    found
}

#[test]
fn rules_for_every_place_of_a_service_are_as_the_api_says() {
    assert_eq!(found(&asking(with_addresses())), Vec::<String>::new());
    assert_eq!(found(&api(Fixture::healthy().observe())), Vec::<String>::new());
    assert_eq!(found(&api(Fixture::nftables().observe())), Vec::<String>::new());
}

#[test]
fn places_without_a_rule_on_one_node_are_missing_there() {
    let node_port = with_addresses().without("node2", "--dport 30080");
    assert_eq!(
        found(&asking(node_port)),
        ["node2: NodePort 30080 of Service port shop/web:http: Missing"]
    );
    let addresses = with_addresses()
        .without("node3", "external IP")
        .without("node3", "loadbalancer IP");
    assert_eq!(
        found(&asking(addresses)),
        [
            "node3: external address 198.51.100.7 of Service port shop/web:http: Missing",
            "node3: load balancer address 198.51.100.9 of Service port shop/web:http: Missing"
        ]
    );
}

#[test]
fn what_is_wrong_everywhere_is_said_of_the_cluster_ip_only() {
    let mut observation = asking(with_addresses());
    with_endpoints(&mut observation, "web", &["10.244.0.3", "10.244.1.2"]);
    let found = found(&observation);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found[0].starts_with("node1: Service port shop/web:http: Led"),
        "{found:#?}"
    );
}

#[test]
fn rules_for_places_that_the_service_does_not_have_are_left_over() {
    let observation = api(with_addresses().observe());
    let found = found(&observation);
    assert_eq!(
        found[..2],
        [
            "node1: left 198.51.100.7 port 80".to_owned(),
            "node1: left 198.51.100.9 port 80".to_owned()
        ]
    );
    let mut observation = api(Fixture::healthy().observe());
    service_of(&mut observation, "web").ports[0].node_port = None;
    assert!(self::found(&observation).contains(&"node2: left NodePort 30080".to_owned()));
}

#[test]
fn a_load_balancer_that_is_a_proxy_of_its_own_needs_no_rule_and_may_have_one() {
    for fixture in [
        with_addresses(),
        with_addresses().without("node1", "loadbalancer IP"),
    ] {
        let mut observation = asking(fixture);
        service_of(&mut observation, "web").load_balancer = vec![balanced(true)];
        assert_eq!(found(&observation), Vec::<String>::new());
    }
}

#[test]
fn services_that_kube_proxy_leaves_alone_need_no_rules() {
    let without = || {
        let node = |fixture: Fixture, node: &&str| {
            fixture
                .without(node, "shop/web:http cluster IP")
                .without(node, "--dport 30080")
        };
        ["node1", "node2", "node3"].iter().fold(Fixture::healthy(), node)
    };
    let mut by_label = api(without().observe());
    service_of(&mut by_label, "web").settings.proxy_name = Some("other".into());
    assert_eq!(found(&by_label), Vec::<String>::new());
    let mut headless = api(without().observe());
    let service = service_of(&mut headless, "web");
    (service.headless, service.cluster_ips) = (true, Vec::new());
    assert_eq!(found(&headless), Vec::<String>::new());
}

/// The policy `Local` as kube-proxy writes it on node1, which has an endpoint of its own, and on node2, which has none.
fn local() -> Observation {
    let masquerade = "-A KUBE-EXT-67NZLRHBNDSAWJRO -m comment --comment \"masquerade traffic for shop/web:http external destinations\" \
                      -j KUBE-MARK-MASQ";
    let to_any = "-A KUBE-EXT-67NZLRHBNDSAWJRO -j KUBE-SVC-67NZLRHBNDSAWJRO";
    let from_here = "-A KUBE-EXT-67NZLRHBNDSAWJRO -s 10.244.0.0/16 -m comment --comment \"pod traffic for shop/web:http external \
                     destinations\" -j KUBE-SVC-67NZLRHBNDSAWJRO\n-A KUBE-EXT-67NZLRHBNDSAWJRO -m comment --comment \"masquerade \
                     LOCAL traffic for shop/web:http external destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n\
                     -A KUBE-EXT-67NZLRHBNDSAWJRO -m comment --comment \"route LOCAL traffic for shop/web:http external \
                     destinations\" -m addrtype --src-type LOCAL -j KUBE-SVC-67NZLRHBNDSAWJRO";
    let to_own = "-A KUBE-EXT-67NZLRHBNDSAWJRO -j KUBE-SVL-67NZLRHBNDSAWJRO\n\
                  -A KUBE-SVL-67NZLRHBNDSAWJRO -m comment --comment \"shop/web:http -> 10.244.0.3:8080\" \
                  -j KUBE-SEP-NIKZ6PCBEJFQLK7F";
    let drop = "-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment \"shop/web:http has no local endpoints\" -m addrtype \
                --dst-type LOCAL -m tcp --dport 30080 -j DROP";
    let mut fixture = Fixture::healthy();
    for node in ["node1", "node2", "node3"] {
        fixture = fixture.exchange(node, masquerade, from_here);
        fixture = if node == "node1" {
            fixture.exchange(node, to_any, to_own)
        } else {
            fixture.without(node, to_any).rule(node, "filter", drop)
        };
    }
    let mut observation = api(fixture.observe());
    service_of(&mut observation, "web").external_local = true;
    on_nodes(&mut observation, "web", &["node1", "node1", "node1"]);
    // The other two of the recorded endpoints are on a node that the cluster no longer has.
    on_nodes(&mut observation, "web", &["node1", "node9", "node9"]);
    observation
}

#[test]
fn the_external_policy_local_drops_where_there_is_no_endpoint() {
    assert_eq!(found(&local()), Vec::<String>::new());
}

#[test]
fn with_the_external_policy_local_an_own_endpoint_must_be_come_to_from_outside() {
    let mut observation = local();
    on_nodes(&mut observation, "web", &["node1", "node2", "node9"]);
    assert_eq!(
        found(&observation),
        [
            "node2: NodePort 30080 of Service port shop/web:http: Refused { rule: \"-A KUBE-EXTERNAL-SERVICES -p tcp -m comment \
             --comment \\\"shop/web:http has no local endpoints\\\" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j DROP\", \
             is_led: true, is_moot: false }"
        ]
    );
}

#[test]
fn one_service_by_its_name_is_judged_alone() {
    let mut observation = api(with_addresses()
        .without("node1", "shop/web:http cluster IP")
        .observe());
    let backends = observation.backends.as_mut().expect("the API's side");
    backends.question.namespace = Some("shop".into());
    backends.question.name = Some("empty".into());
    let found = found(&observation);
    assert!(found.iter().all(|it| it.contains("left ")), "{found:#?}");
}
