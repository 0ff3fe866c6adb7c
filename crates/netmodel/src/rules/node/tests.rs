//! Questions put to what real nodes printed: flannel with VXLAN, kube-proxy in two modes, kube-router for policies.

use super::*;
use crate::rules::iptables::parse_iptables_save;
use crate::rules::model::Family;
use crate::rules::nft::parse_nft_json;
use crate::rules::test::Test;
use crate::rules::values::AddressRange;
use crate::rules::walk::{Outcome, StopKind};

const IPTABLES: &str = include_str!("../fixtures/flannel-iptables.save");
const IPTABLES_NFT: &str = include_str!("../fixtures/flannel-iptables.nft.json");
const NFTABLES: &str = include_str!("../fixtures/flannel-nftables.save");
const NFTABLES_NFT: &str = include_str!("../fixtures/flannel-nftables.nft.json");

fn node(save: &str, nft: &str, legacy: &str) -> NodeRules {
    let sets = vec![
        parse_iptables_save(save, View::IptablesNft, Family::Ip),
        parse_iptables_save(legacy, View::IptablesLegacy, Family::Ip),
        parse_nft_json(nft).expect("what nft printed"),
    ];
    for set in &sets {
        assert_eq!(set.unread, Vec::<String>::new());
    }
    NodeRules { sets }
}

fn healthy() -> NodeRules {
    node(IPTABLES, IPTABLES_NFT, "")
}

/// The node in iptables mode with this rule first in a chain of a table.
fn with_first(table: &str, rule: &str) -> NodeRules {
    let chain = rule.split(' ').nth(1).expect("-A CHAIN");
    let (before, after) = IPTABLES.split_once(&format!("*{table}\n")).expect("the table");
    let at = after.find(&format!("-A {chain} ")).expect("a rule of the chain");
    let at = after[..at].rfind('\n').expect("a line before") + 1;
    node(
        &format!("{before}*{table}\n{}{rule}\n{}", &after[..at], &after[at..]),
        IPTABLES_NFT,
        "",
    )
}

fn range(text: &str) -> AddressRange {
    AddressRange::parse(text).expect("an address or a network")
}

fn to_remote() -> Packet {
    Packet {
        destination_port: None,
        ..Packet::tcp(range("10.244.0.0/24"), range("10.244.1.0/24"), 0)
    }
    .coming_from(Some("cni0"))
    .leaving_by(Some("flannel.1"))
}

fn to_outside() -> Packet {
    Packet::tcp(range("10.244.0.0/24"), range("1.1.1.1"), 443)
        .coming_from(Some("cni0"))
        .leaving_by(Some("eth0"))
}

fn overlay() -> Packet {
    Packet::udp(range("172.30.0.12"), range("172.30.0.11"), 8472)
        .coming_from(Some("eth0"))
        .to_this_host()
}

/// Stops that no NetworkPolicy explains.
fn stops(node: &NodeRules, hook: Hook, packet: &Packet) -> Vec<(String, bool)> {
    node.walk(hook, packet)
        .stops
        .iter()
        .filter(|stop| !stop.by.owner().enforces_policies())
        .map(|stop| (stop.by.to_string(), stop.is_certain()))
        .collect()
}

#[test]
fn a_healthy_node_lets_cluster_flows_pass_in_both_modes() {
    for node in [healthy(), node(NFTABLES, NFTABLES_NFT, "")] {
        assert_eq!(stops(&node, Hook::Forward, &to_remote()), []);
        assert_eq!(stops(&node, Hook::Forward, &to_outside()), []);
        assert_eq!(stops(&node, Hook::Prerouting, &overlay()), []);
        assert_eq!(stops(&node, Hook::Input, &overlay()), []);
        let to_node = Packet::tcp(range("10.244.0.0/24"), range("10.244.0.1"), 10250)
            .coming_from(Some("cni0"))
            .to_this_host();
        assert_eq!(stops(&node, Hook::Input, &to_node), []);
        assert!(node.foreign().next().is_none());
    }
}

#[test]
fn what_a_policy_engine_may_refuse_is_its_own() {
    let node = healthy();
    let to_local = Packet {
        source: range("10.244.1.0/24"),
        destination: range("10.244.0.3"),
        ..to_remote()
    };
    let walk = node.walk(Hook::Forward, &to_local);
    assert!(matches!(walk.outcome(), Outcome::Perhaps(_)));
    assert!(walk.stops.iter().all(|stop| stop.by.owner() == Owner::KubeRouter));
}

#[test]
fn a_reject_in_front_is_found_with_its_kind_and_can_be_deleted() {
    let node = with_first(
        "filter",
        "-A FORWARD -j REJECT --reject-with icmp-host-prohibited",
    );
    let walk = node.walk(Hook::Forward, &to_remote());
    let Outcome::Stopped(stop) = walk.outcome() else {
        panic!("{:?}", walk.outcome())
    };
    assert_eq!(stop.kind, StopKind::Rejected("icmp-host-prohibited"));
    assert_eq!(stop.by.owner(), Owner::Foreign);
    assert_eq!(stop.by.command(), "iptables -t filter -S FORWARD");
    assert_eq!(
        stop.by.deletion().as_deref(),
        Some("iptables -t filter -D FORWARD -j REJECT --reject-with icmp-host-prohibited")
    );
}

#[test]
fn a_dropping_policy_is_healthy_while_the_cni_accepts_and_not_when_it_does_not() {
    let dropping = IPTABLES.replace(
        ":FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [3:693]",
        ":FORWARD DROP [0:0]\n:OUTPUT ACCEPT [3:693]",
    );
    assert_ne!(dropping, IPTABLES);
    let healthy = node(&dropping, IPTABLES_NFT, "");
    assert_eq!(stops(&healthy, Hook::Forward, &to_remote()), []);

    let dropping = NFTABLES.replace(
        ":FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [5:919]",
        ":FORWARD DROP [0:0]\n:OUTPUT ACCEPT [5:919]",
    );
    assert_ne!(dropping, NFTABLES);
    let flushed: String = dropping
        .lines()
        .filter(|line| !line.contains("-A FLANNEL-FWD"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let broken = node(&flushed, NFTABLES_NFT, "");
    assert_eq!(
        stops(&broken, Hook::Forward, &to_remote()),
        [("-P FORWARD DROP (iptables, table filter)".to_owned(), true)]
    );
}

#[test]
fn a_dropping_policy_of_the_other_back_end_drops_all_the_same() {
    let legacy = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n";
    let node = node(IPTABLES, IPTABLES_NFT, legacy);
    assert_eq!(
        stops(&node, Hook::Forward, &to_remote()),
        [("-P FORWARD DROP (iptables-legacy, table filter)".to_owned(), true)]
    );
    assert!(node.is_home(View::IptablesNft));
    assert!(!node.is_home(View::IptablesLegacy));
}

#[test]
fn overlay_packets_dropped_by_size_or_by_share_are_told_from_all() {
    let dropped = |rule: &str| {
        let node = with_first("filter", rule);
        let walk = node.walk(Hook::Input, &overlay());
        let stop = walk.stops.first().expect("a stop");
        (
            stop.is_certain(),
            stop.conditions.first().map(|wanted| wanted.test.clone()),
        )
    };
    assert_eq!(
        dropped("-A INPUT -p udp -m udp --dport 8472 -j DROP"),
        (true, None)
    );
    assert_eq!(
        dropped("-A INPUT -p udp -m udp --dport 8472 -m length --length 1401:65535 -j DROP"),
        (false, Some(Test::Length(vec![1401..=65535])))
    );
    let (certain, share) =
        dropped("-A INPUT -p udp -m udp --dport 8472 -m statistic --mode random --probability 0.2 -j DROP");
    assert_eq!((certain, share), (false, Some(Test::Share(0.2))));
}

#[test]
fn a_firewall_that_leaves_the_overlay_open_does_not_stop_it() {
    let node = with_first(
        "filter",
        "-A INPUT -i eth0 -p udp -m udp --dport 8472 -j ACCEPT\n-A INPUT -i eth0 -p tcp -m tcp --dport 10250 -j ACCEPT\n\
         -A INPUT -i eth0 -p tcp -m conntrack --ctstate NEW -j DROP",
    );
    assert_eq!(stops(&node, Hook::Input, &overlay()), []);
}

#[test]
fn masquerade_is_found_where_no_base_chain_says_so() {
    for node in [healthy(), node(NFTABLES, NFTABLES_NFT, "")] {
        let SourceTranslation::Certain(effect) = node.source_translation(&to_outside()) else {
            panic!("{:?}", node.source_translation(&to_outside()))
        };
        assert_eq!(effect.by.chain.name, "FLANNEL-POSTRTG");
        assert_eq!(effect.by.owner(), Owner::Flannel);
    }
}

#[test]
fn between_pods_nothing_is_translated_on_a_healthy_node() {
    let node = healthy();
    assert!(matches!(
        node.source_translation(&to_remote()),
        SourceTranslation::None { .. }
    ));
}

#[test]
fn a_blanket_masquerade_is_found_between_pods() {
    let node = with_first("nat", "-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE");
    let SourceTranslation::Certain(effect) = node.source_translation(&to_remote()) else {
        panic!("translated")
    };
    assert_eq!(effect.by.text(), "-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE");
    assert_eq!(effect.by.owner(), Owner::Foreign);
}

#[test]
fn an_accept_in_front_of_the_masquerade_is_named() {
    let node = with_first("nat", "-A POSTROUTING -s 10.244.0.0/16 -j ACCEPT");
    let SourceTranslation::None { accepted } = node.source_translation(&to_outside()) else {
        panic!("not translated")
    };
    assert!(
        accepted
            .iter()
            .any(|by| by.text() == "-A POSTROUTING -s 10.244.0.0/16 -j ACCEPT")
    );
}

#[test]
fn an_emptied_chain_masquerades_nothing() {
    let flushed: String = IPTABLES
        .lines()
        .filter(|line| !line.contains("-A FLANNEL-POSTRTG"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let node = node(&flushed, IPTABLES_NFT, "");
    assert!(matches!(
        node.source_translation(&to_outside()),
        SourceTranslation::None { .. }
    ));
}

/// Ways in which others masquerade, as their rules are printed.
#[test]
fn the_masquerade_of_every_known_maker_is_recognized() {
    let nat = |rules: &str| {
        let text = format!("*nat\n:POSTROUTING ACCEPT [0:0]\n{rules}\nCOMMIT\n");
        NodeRules {
            sets: vec![parse_iptables_save(&text, View::IptablesNft, Family::Ip)],
        }
    };
    let certain = [
        ":IP-MASQ - [0:0]\n-A POSTROUTING -m comment --comment \"ip-masq-agent: ensure nat POSTROUTING directs all non-LOCAL \
         destination traffic to our custom IP-MASQ chain\" -m addrtype ! --dst-type LOCAL -j IP-MASQ\n\
         -A IP-MASQ -d 10.0.0.0/8 -j RETURN\n-A IP-MASQ -j MASQUERADE",
        ":KIND-MASQ-AGENT - [0:0]\n-A POSTROUTING -m addrtype ! --dst-type LOCAL -j KIND-MASQ-AGENT\n\
         -A KIND-MASQ-AGENT -d 10.244.0.0/16 -j RETURN\n-A KIND-MASQ-AGENT -j MASQUERADE",
        ":AWS-SNAT-CHAIN-0 - [0:0]\n-A POSTROUTING -m comment --comment \"AWS SNAT CHAIN\" -j AWS-SNAT-CHAIN-0\n\
         -A AWS-SNAT-CHAIN-0 ! -o vlan+ -m addrtype ! --dst-type LOCAL -j SNAT --to-source 192.168.0.9 --random-fully",
        ":WEAVE - [0:0]\n-A POSTROUTING -j WEAVE\n-A WEAVE -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE",
    ];
    for rules in certain {
        let node = nat(rules);
        assert!(
            matches!(
                node.source_translation(&to_outside()),
                SourceTranslation::Certain(_)
            ),
            "{rules}"
        );
        assert!(
            matches!(
                node.source_translation(&to_remote()),
                SourceTranslation::None { .. }
            ) || rules.contains("AWS"),
            "{rules}"
        );
    }
    let perhaps = [
        (
            ":cali-nat-outgoing - [0:0]\n-A POSTROUTING -j cali-nat-outgoing\n-A cali-nat-outgoing -m set --match-set \
             cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst -j MASQUERADE --random-fully",
            Owner::Calico,
        ),
        (
            ":CNI-0123456789abcdef01234567 - [0:0]\n-A POSTROUTING -s 10.244.0.9/32 -j CNI-0123456789abcdef01234567\n\
             -A CNI-0123456789abcdef01234567 -d 10.244.0.0/24 -j ACCEPT\n-A CNI-0123456789abcdef01234567 ! -d 224.0.0.0/4 -j MASQUERADE",
            Owner::CniPlugins,
        ),
    ];
    for (rules, owner) in perhaps {
        let node = nat(rules);
        let SourceTranslation::Perhaps(effects) = node.source_translation(&to_outside()) else {
            panic!("{rules}")
        };
        assert_eq!(effects[0].by.owner(), owner);
    }
}

#[test]
fn what_is_not_tracked_is_told_from_the_exception_of_the_node_local_dns() {
    let raw = |rule: &str| {
        let text =
            format!("{IPTABLES}*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n");
        let node = node(&text, IPTABLES_NFT, "");
        let from_remote = Packet {
            source: range("10.244.1.0/24"),
            destination: range("10.244.0.0/24"),
            ..to_remote().coming_from(Some("flannel.1"))
        };
        let walk = node.walk(Hook::Prerouting, &from_remote);
        walk.effects
            .iter()
            .any(|effect| *effect.action == Action::NoTrack)
    };
    assert!(raw("-A PREROUTING -i flannel.1 -j NOTRACK"));
    assert!(raw("-A PREROUTING -i flannel.1 -j CT --notrack"));
    assert!(!raw(
        "-A PREROUTING -d 169.254.20.10/32 -p udp -m udp --dport 53 -m comment --comment \"NodeLocal DNS Cache: skip conntrack\" -j NOTRACK"
    ));
}

#[test]
fn a_lost_frag_needed_is_told_from_other_icmp() {
    let too_big = Packet::too_big(range("172.30.0.1"), range("10.244.0.0/24"))
        .coming_from(Some("eth0"))
        .leaving_by(Some("cni0"));
    let node = with_first("filter", "-A FORWARD -p icmp -m icmp --icmp-type 3/4 -j DROP");
    assert_eq!(stops(&node, Hook::Forward, &too_big).len(), 1);
    let node = with_first("filter", "-A FORWARD -p icmp -m icmp --icmp-type 8 -j DROP");
    assert_eq!(stops(&node, Hook::Forward, &too_big), []);
}

#[test]
fn the_families_are_kept_apart() {
    let six = "*filter\n:FORWARD DROP [0:0]\n-A FORWARD -s fd00:244::/56 -j ACCEPT\nCOMMIT\n";
    let mut node = healthy();
    node.sets
        .push(parse_iptables_save(six, View::IptablesNft, Family::Ip6));
    assert_eq!(stops(&node, Hook::Forward, &to_remote()), []);
    let within =
        |source: &str| Packet::tcp(range(source), range("fd00:244:0:1::7"), 80).coming_from(Some("cni0"));
    assert_eq!(stops(&node, Hook::Forward, &within("fd00:244::5")), []);
    assert_eq!(
        stops(&node, Hook::Forward, &within("2001:db8::5")),
        [("-P FORWARD DROP (iptables, table filter)".to_owned(), true)]
    );
}
