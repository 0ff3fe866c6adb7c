use super::*;
use crate::rules::iptables::parse_iptables_save;
use crate::rules::nft::parse_nft_json;

const IPTABLES: &str = include_str!("../fixtures/flannel-iptables.save");
const NFTABLES: &str = include_str!("../fixtures/flannel-nftables.save");
const NFTABLES_NFT: &str = include_str!("../fixtures/flannel-nftables.nft.json");

fn saved(text: &str) -> RuleSet {
    parse_iptables_save(text, View::IptablesNft, Family::Ip)
}

fn without(wanted: &str) -> String {
    let kept = IPTABLES.lines().filter(|line| !line.contains(wanted));
    kept.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_mode_is_told_by_what_is_there() {
    let nft = parse_nft_json(NFTABLES_NFT).expect("a ruleset");
    assert_eq!(
        proxy_modes(&[saved(IPTABLES)]),
        [ProxyMode::Iptables(View::IptablesNft)]
    );
    // The kubelet's canaries are no mode.
    assert_eq!(
        proxy_modes(&[saved(NFTABLES), nft.clone()]),
        [ProxyMode::Nftables]
    );
    assert_eq!(
        proxy_modes(&[saved(IPTABLES), nft]),
        [ProxyMode::Iptables(View::IptablesNft), ProxyMode::Nftables]
    );
    assert_eq!(proxy_modes(&[]), []);
}

#[test]
fn a_missing_jump_is_named() {
    assert_eq!(missing_hooks(&saved(IPTABLES), Family::Ip), []);
    let text = without("-A PREROUTING -m comment --comment \"kubernetes service portals\"");
    assert_eq!(missing_hooks(&saved(&text), Family::Ip), [NAT_HOOKS[0]]);
    let text = without("-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\"");
    assert_eq!(missing_hooks(&saved(&text), Family::Ip), [NAT_HOOKS[2]]);
    // Without Services there is nothing that a jump would be missing for.
    assert_eq!(missing_hooks(&saved(NFTABLES), Family::Ip), []);
}

#[test]
fn the_hooks_of_nftables_are_its_base_chains() {
    let nft = parse_nft_json(NFTABLES_NFT).expect("a ruleset");
    assert_eq!(missing_nft_hooks(&nft, Family::Ip), []);
    let mut broken = nft;
    for table in &mut broken.tables {
        table.chains.remove("nat-output");
    }
    assert_eq!(missing_nft_hooks(&broken, Family::Ip), [Hook::Output]);
}

#[test]
fn an_emptied_or_missing_chain_is_a_dead_end() {
    assert_eq!(dead_ends(&saved(IPTABLES)), []);
    let emptied = saved(&without("-A KUBE-SVC-67NZLRHBNDSAWJRO "));
    let found: Vec<(Option<String>, String, bool)> = dead_ends(&emptied)
        .into_iter()
        .map(|end| (end.service, end.chain, end.exists))
        .collect();
    assert_eq!(
        found,
        [(
            Some("shop/web:http".into()),
            "KUBE-SVC-67NZLRHBNDSAWJRO".into(),
            true
        )]
    );
    let gone = saved(&without("KUBE-SEP-XTJTEC7KOHLCQM25 ").replace(
        "-A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment \"shop/web:http -> 10.244.2.3:8080\"",
        "-A KUBE-SVC-67NZLRHBNDSAWJRO -j KUBE-SEP-XTJTEC7KOHLCQM25\n-A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment \"shop/web:http -> 10.244.2.3:8080\"",
    ));
    let ends = dead_ends(&gone);
    assert_eq!((ends.len(), ends[0].exists), (1, false));
}

#[test]
fn an_endpoint_that_was_bent_by_hand_is_found() {
    assert_eq!(bent_endpoints(&saved(IPTABLES)), []);
    let bent = saved(&IPTABLES.replace(
        "--to-destination 10.244.1.2:8080",
        "--to-destination 10.244.2.250:8080",
    ));
    let found = bent_endpoints(&bent);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].service.as_deref(), Some("shop/web:http"));
    assert_eq!(
        (found[0].address.to_string(), found[0].leads_to.as_str()),
        ("10.244.1.2".into(), "10.244.2.250:8080")
    );
}

#[test]
fn chains_of_nftables_are_looked_at_too() {
    let healthy = parse_nft_json(NFTABLES_NFT).expect("a ruleset");
    assert_eq!(dead_ends(&healthy), []);
    assert_eq!(bent_endpoints(&healthy), []);
    let emptied = |beginning: &str| {
        let mut set = healthy.clone();
        let chains = set.tables.iter_mut().flat_map(|table| table.chains.values_mut());
        let chains = chains.filter(|chain| chain.name.starts_with(beginning));
        chains.for_each(|chain| chain.rules.clear());
        set
    };
    let set = emptied("service-FY5PMXPG");
    let ends = dead_ends(&set);
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].service.as_deref(), Some("kube-system/kube-dns:dns"));
    let set = emptied("endpoint-");
    let ends = dead_ends(&set);
    assert!(ends.iter().all(|end| end.chain.starts_with("endpoint-")));
    assert!(
        ends.iter()
            .any(|end| end.service.as_deref() == Some("kube-system/kube-dns:dns"))
    );
}

#[test]
fn service_ports_have_their_endpoints_in_both_modes() {
    let port = |ports: &[ServicePort], name: &str| {
        let found = ports.iter().find(|port| port.name.as_deref() == Some(name));
        let port = found.expect("the Service port").clone();
        let endpoints: Vec<String> = port.endpoints.into_iter().collect();
        (
            port.address.map(|address| address.to_string()),
            port.protocol,
            port.port,
            endpoints,
        )
    };
    let ports = service_ports(&saved(IPTABLES));
    assert_eq!(ports.len(), 5);
    assert_eq!(
        port(&ports, "shop/web:http"),
        (
            Some("10.99.43.77".into()),
            Some(6),
            Some(80),
            vec![
                "10.244.0.3:8080".into(),
                "10.244.1.2:8080".into(),
                "10.244.2.3:8080".into()
            ]
        )
    );
    let nft = parse_nft_json(NFTABLES_NFT).expect("a ruleset");
    let ports = service_ports(&nft);
    assert_eq!(ports.len(), 4);
    assert_eq!(
        port(&ports, "kube-system/kube-dns:dns"),
        (
            Some("10.96.0.10".into()),
            Some(17),
            Some(53),
            vec!["10.244.0.2:53".into(), "10.244.1.2:53".into()]
        )
    );
}

#[test]
fn a_port_without_endpoints_is_turned_away_and_told() {
    let refused = refused_ports(&saved(IPTABLES));
    assert_eq!(refused.len(), 1);
    let port = &refused[0];
    assert_eq!(port.name.as_deref(), Some("shop/empty"));
    assert_eq!(
        (port.protocol, port.port, port.is_told),
        (Some(6), Some(80), true)
    );
    assert_eq!(
        port.address.expect("an address").first,
        IpAddr::from([10, 97, 134, 127])
    );
}

#[test]
fn what_nftables_turns_away_stands_in_a_map() {
    let text = r#"{"nftables": [
        {"table": {"family": "ip", "name": "kube-proxy", "handle": 1}},
        {"map": {"family": "ip", "name": "no-endpoint-services", "table": "kube-proxy", "type": ["ipv4_addr", "inet_proto", "inet_service"],
            "map": "verdict", "elem": [
                [{"concat": ["10.96.7.7", "tcp", 80]}, {"goto": {"target": "reject-chain"}}],
                [{"concat": ["10.96.7.8", "udp", 53]}, {"drop": null}]]}},
        {"chain": {"family": "ip", "table": "kube-proxy", "name": "reject-chain", "handle": 2}},
        {"chain": {"family": "ip", "table": "kube-proxy", "name": "service-endpoints-check", "handle": 3}},
        {"rule": {"family": "ip", "table": "kube-proxy", "chain": "reject-chain", "handle": 4,
            "expr": [{"reject": {"type": "icmp", "expr": "port-unreachable"}}]}},
        {"rule": {"family": "ip", "table": "kube-proxy", "chain": "service-endpoints-check", "handle": 5,
            "expr": [{"vmap": {"key": {"concat": [{"payload": {"protocol": "ip", "field": "daddr"}},
                {"meta": {"key": "l4proto"}}, {"payload": {"protocol": "th", "field": "dport"}}]}, "data": "@no-endpoint-services"}}]}}]}"#;
    let refused = refused_ports(&parse_nft_json(text).expect("a ruleset"));
    let told: Vec<_> = refused
        .iter()
        .map(|port| (port.protocol, port.port, port.is_told))
        .collect();
    assert_eq!(told, [(Some(6), Some(80), true), (Some(17), Some(53), false)]);
}
