use super::*;
use crate::rules::iptables::parse_iptables_save;
use crate::rules::nft::parse_nft_json;
use crate::rules::test::Test;
use crate::rules::values::AddressRange;

fn filter(rules: &str) -> RuleSet {
    saved(&format!(
        "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rules}\nCOMMIT\n"
    ))
}

fn saved(text: &str) -> RuleSet {
    let set = parse_iptables_save(text, View::IptablesNft, Family::Ip);
    assert_eq!(set.unread, Vec::<String>::new());
    set
}

fn addresses(text: &str) -> AddressRange {
    AddressRange::parse(text).expect("an address or a network")
}

fn packet() -> Packet {
    Packet::tcp(addresses("10.244.1.5"), addresses("10.244.2.7"), 8080)
        .coming_from(Some("cni0"))
        .leaving_by(Some("flannel.1"))
}

fn forward(rules: &str) -> String {
    let set = filter(rules);
    said(&walk(&[&set], Hook::Forward, &packet()))
}

/// An outcome as one line.
fn said(walk: &Walk<'_>) -> String {
    match walk.outcome() {
        Outcome::Passes => "passes".to_owned(),
        Outcome::Stopped(stop) => format!("{} by {}", kind(stop), stop.by.text()),
        Outcome::Perhaps(stop) => {
            let tests: Vec<&Test> = stop.conditions.iter().map(|wanted| &wanted.test).collect();
            let unless = stop.unless.len();
            format!(
                "perhaps {} by {}, if {tests:?}, unless {unless}",
                kind(stop),
                stop.by.text()
            )
        }
        Outcome::Unknown => "unknown".to_owned(),
    }
}

fn kind<'a>(stop: &Stop<'a>) -> &'a str {
    match stop.kind {
        StopKind::Dropped => "dropped",
        StopKind::Rejected(with) | StopKind::Unknown(with) => with,
    }
}

#[test]
fn without_rules_the_policy_decides() {
    let dropping = "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n";
    assert_eq!(
        said(&walk(&[&saved(dropping)], Hook::Forward, &packet())),
        "dropped by -P FORWARD DROP"
    );
    assert_eq!(forward(""), "passes");
    assert_eq!(said(&walk(&[], Hook::Forward, &packet())), "passes");
}

#[test]
fn the_first_rule_that_matches_decides() {
    assert_eq!(
        forward("-A FORWARD -i cni0 -j ACCEPT\n-A FORWARD -j DROP"),
        "passes"
    );
    assert_eq!(
        forward("-A FORWARD -i eth0 -j ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited"),
        "icmp-host-prohibited by -A FORWARD -j REJECT --reject-with icmp-host-prohibited"
    );
}

#[test]
fn jumps_come_back_and_gotos_do_not() {
    let chains = ":A - [0:0]\n:B - [0:0]\n-A A -s 10.244.0.0/16 -j RETURN\n-A A -j ACCEPT\n";
    assert_eq!(
        forward(&format!("{chains}-A FORWARD -j A\n-A FORWARD -j DROP")),
        "dropped by -A FORWARD -j DROP"
    );
    assert_eq!(
        forward(&format!("{chains}-A FORWARD -g A\n-A FORWARD -j DROP")),
        "passes"
    );
    // Through B, A's return leads to where B was called.
    let nested = format!("{chains}-A B -g A\n-A B -j DROP\n-A FORWARD -j B\n-A FORWARD -j REJECT");
    assert_eq!(forward(&nested), "icmp-port-unreachable by -A FORWARD -j REJECT");
}

#[test]
fn a_share_is_lost_perhaps() {
    assert_eq!(
        forward("-A FORWARD -m statistic --mode random --probability 0.25 -j DROP"),
        "perhaps dropped by -A FORWARD -m statistic --mode random --probability 0.25 -j DROP, if [Share(0.25)], unless 0"
    );
}

#[test]
fn what_may_be_let_out_before_is_not_dropped_for_certain() {
    let rules = "-A FORWARD -m set --match-set friends src -j ACCEPT\n-A FORWARD -j DROP";
    assert_eq!(
        forward(rules),
        "perhaps dropped by -A FORWARD -j DROP, if [], unless 1"
    );
}

#[test]
fn a_return_that_may_be_taken_concerns_its_own_chain_only() {
    let rules = ":A - [0:0]\n-A A -m set --match-set x src -j RETURN\n-A A -j DROP\n-A FORWARD -j A\n-A FORWARD -j DROP";
    let set = filter(rules);
    let walk = walk(&[&set], Hook::Forward, &packet());
    let said: Vec<(String, bool)> = walk
        .stops
        .iter()
        .map(|stop| (stop.by.text(), stop.is_certain()))
        .collect();
    assert_eq!(
        said,
        [
            ("-A A -j DROP".to_owned(), false),
            ("-A FORWARD -j DROP".to_owned(), true)
        ]
    );
}

#[test]
fn where_every_way_ends_the_packet_is_stopped() {
    let rules = "-A FORWARD -m set --match-set x src -j REJECT\n-A FORWARD -j DROP";
    assert!(forward(rules).starts_with("dropped by"));
}

#[test]
fn a_size_decides_once_it_is_known() {
    let set = filter("-A FORWARD -m length --length 1401:65535 -j DROP");
    let of = |length| Packet {
        length: Some(length),
        ..packet()
    };
    assert_eq!(said(&walk(&[&set], Hook::Forward, &of(1400))), "passes");
    assert!(said(&walk(&[&set], Hook::Forward, &of(1401))).starts_with("dropped"));
    assert!(said(&walk(&[&set], Hook::Forward, &packet())).starts_with("perhaps"));
}

#[test]
fn marks_are_carried_from_rule_to_rule_and_from_table_to_table() {
    let text = "*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j MARK --set-xmark 0x10000/0x10000\nCOMMIT\n\
                *filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m mark --mark 0x10000/0x10000 -j DROP\nCOMMIT\n";
    assert!(said(&walk(&[&saved(text)], Hook::Forward, &packet())).starts_with("dropped by"));
}

#[test]
fn a_mark_that_may_have_been_set_may_match() {
    let rules = "-A FORWARD -m set --match-set x src -j MARK --set-xmark 0x1/0x1\n-A FORWARD -m mark --mark 0x1/0x1 -j DROP";
    assert!(forward(rules).starts_with("perhaps dropped"));
    // Other bits are still known.
    let rules = "-A FORWARD -m set --match-set x src -j MARK --set-xmark 0x1/0x1\n-A FORWARD -m mark --mark 0x2/0x2 -j DROP";
    assert_eq!(forward(rules), "passes");
}

#[test]
fn within_a_chain_that_may_be_entered_its_own_marks_are_certain() {
    let rules = ":A - [0:0]\n-A A -j MARK --set-xmark 0x1/0x1\n-A A -m mark --mark 0x1/0x1 -j RETURN\n-A A -j DROP\n\
                 -A FORWARD -m set --match-set x src -j A";
    assert_eq!(forward(rules), "passes");
}

#[test]
fn accept_ends_its_own_base_chain_only() {
    let nft = r#"{"nftables":[
        {"table":{"family":"inet","name":"fw","handle":1}},
        {"chain":{"family":"inet","table":"fw","name":"f","handle":1,"type":"filter","hook":"forward","prio":10,"policy":"drop"}}
    ]}"#;
    let nft = parse_nft_json(nft).expect("a ruleset");
    let set = filter("-A FORWARD -j ACCEPT");
    assert_eq!(said(&walk(&[&set], Hook::Forward, &packet())), "passes");
    assert_eq!(
        said(&walk(&[&set, &nft], Hook::Forward, &packet())),
        "dropped by policy drop"
    );
}

#[test]
fn what_is_not_tracked_is_not_translated() {
    let text = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -i cni0 -j NOTRACK\nCOMMIT\n\
                *nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.1\nCOMMIT\n";
    let set = saved(text);
    let walk = walk(&[&set], Hook::Prerouting, &packet());
    let actions: Vec<&Action> = walk.effects.iter().map(|effect| effect.action).collect();
    assert_eq!(actions, [&Action::NoTrack]);
    assert!(walk.effects[0].is_certain());
}

#[test]
fn a_later_packet_is_not_translated_anew() {
    let set =
        saved("*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j DNAT --to-destination 10.0.0.1\nCOMMIT\n");
    let later = Packet {
        state: State::Established,
        ..packet()
    };
    assert_eq!(walk(&[&set], Hook::Prerouting, &later).effects, []);
    assert_eq!(walk(&[&set], Hook::Prerouting, &packet()).effects.len(), 1);
}

#[test]
fn a_map_decides_by_its_element() {
    let text = include_str!("../fixtures/mixed.nft.json");
    let set = parse_nft_json(text).expect("a ruleset");
    let to = |address: &str| Packet {
        protocol: 17,
        destination: addresses(address),
        destination_port: Some(53),
        in_interface: Some("eth0".into()),
        ..packet()
    };
    let walk = walk(&[&set], Hook::Forward, &to("10.96.0.10"));
    assert!(walk.stops[0].is_certain(), "{:?}", walk.stops[0].by.text());
    assert_eq!(
        walk.stops[0].by.text(),
        "ip daddr . meta l4proto . th dport vmap @v"
    );
}

#[test]
fn a_target_that_is_not_known_may_end_it() {
    assert_eq!(
        forward("-A FORWARD -j XYZZY"),
        "perhaps XYZZY by -A FORWARD -j XYZZY, if [], unless 0"
    );
}

#[test]
fn chains_in_a_circle_end_the_walk_as_unknown() {
    assert_eq!(forward(":A - [0:0]\n-A A -j A\n-A FORWARD -j A"), "unknown");
    let exploding = ":A - [0:0]\n:B - [0:0]\n-A A -j B\n-A A -j B\n-A B -j A\n-A B -j A\n-A FORWARD -j A";
    assert_eq!(forward(exploding), "unknown");
}

#[test]
fn a_rule_of_the_other_family_or_another_protocol_does_not_match() {
    assert_eq!(
        forward("-A FORWARD -p udp -j DROP\n-A FORWARD -s 10.0.0.0/16 -j DROP"),
        "passes"
    );
    let six = parse_iptables_save(
        "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n",
        View::IptablesNft,
        Family::Ip6,
    );
    assert_eq!(said(&walk(&[&six], Hook::Forward, &packet())), "passes");
}

#[test]
fn a_network_of_sources_matches_a_part_perhaps() {
    let set = filter("-A FORWARD -s 10.244.1.5/32 -j DROP");
    let many = Packet {
        source: addresses("10.244.1.0/24"),
        ..packet()
    };
    assert!(said(&walk(&[&set], Hook::Forward, &many)).starts_with("perhaps dropped"));
    assert!(said(&walk(&[&set], Hook::Forward, &packet())).starts_with("dropped"));
}

#[test]
fn ways_to_an_end_are_not_collected_without_measure() {
    let chains = "-A A -m set --match-set x src -j ACCEPT\n-A A -m set --match-set x src -j DROP\n-A A -j B\n-A A -j B\n\
                  -A B -m set --match-set y src -j ACCEPT\n-A B -m set --match-set y src -j REJECT\n-A B -j A\n-A B -j A\n";
    let set = filter(&format!(":A - [0:0]\n:B - [0:0]\n{chains}-A FORWARD -j A"));
    let walk = walk(&[&set], Hook::Forward, &packet());
    assert!(walk.broken_off.is_some());
    assert_eq!((walk.stops.len(), walk.accepted.len()), (2, 3));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Rules that jump about among a few chains.
    fn rules() -> impl Strategy<Value = String> {
        let chain = prop::sample::select(vec!["FORWARD", "A", "B", "C"]);
        let target = prop::sample::select(vec![
            "A",
            "B",
            "C",
            "ACCEPT",
            "DROP",
            "RETURN",
            "MARK --set-xmark 0x1/0x1",
        ]);
        let condition = prop::sample::select(vec![
            "",
            "-s 10.244.0.0/16",
            "-i eth0",
            "-m set --match-set x src",
            "-m mark --mark 0x1/0x1",
            "-d 10.244.2.0/30",
        ]);
        let how = prop::sample::select(vec!["-j", "-j", "-g"]);
        let rule = (chain, condition, how, target).prop_map(|(chain, condition, how, target)| {
            let how = if matches!(target, "A" | "B" | "C") {
                how
            } else {
                "-j"
            };
            format!("-A {chain} {condition} {how} {target}\n")
        });
        prop::collection::vec(rule, 0..24).prop_map(|rules| rules.concat())
    }

    proptest! {
        #[test]
        fn every_walk_ends(rules in rules()) {
            let set = filter(&format!(":A - [0:0]\n:B - [0:0]\n:C - [0:0]\n{rules}"));
            let walk = walk(&[&set], Hook::Forward, &packet());
            let lost = walk.stops.is_empty() && !walk.can_pass && walk.broken_off.is_none();
            prop_assert!(!lost, "a packet passes, stops, or is not followed to its end");
        }
    }
}
