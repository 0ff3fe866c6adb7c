use super::*;
use crate::rules::action::{Action, Mss};
use crate::rules::test::{Match, Test};

const MIXED: &str = include_str!("../fixtures/mixed.nft.json");

fn chain<'a>(set: &'a RuleSet, name: &str) -> &'a Chain {
    let (_, chain) = set
        .chains()
        .find(|(_, chain)| chain.name == name)
        .expect("the chain");
    chain
}

fn rule(set: &RuleSet, handle: u64) -> &Rule {
    set.chains()
        .flat_map(|(_, chain)| &chain.rules)
        .find(|rule| rule.handle == Some(handle))
        .expect("the rule")
}

fn mixed() -> RuleSet {
    parse_nft_json(MIXED).expect("what nft printed")
}

#[test]
fn tables_of_iptables_are_left_to_iptables() {
    let set = mixed();
    let tables: Vec<(Family, &str)> = set
        .tables
        .iter()
        .map(|table| (table.family, table.name.as_str()))
        .collect();
    assert_eq!(tables, [(Family::Inet, "fw"), (Family::Bridge, "b")]);
    assert_eq!(set.unread, Vec::<String>::new());
    assert_eq!(set.left_out, ["ip nat", "ip filter", "ip raw"]);
}

#[test]
fn base_chains_have_their_hook_priority_and_policy() {
    let set = mixed();
    assert_eq!(
        chain(&set, "fwdc").base,
        Some(Base {
            hook: Hook::Forward,
            priority: -5,
            kind: ChainKind::Filter,
            policy: Policy::Drop,
            devices: Vec::new(),
        })
    );
    assert_eq!(chain(&set, "other").base, None);
}

#[test]
fn every_statement_of_a_real_ruleset_is_understood_but_those_that_cannot_be() {
    let set = mixed();
    let unread: Vec<&str> = set
        .chains()
        .flat_map(|(_, chain)| &chain.rules)
        .filter(|rule| {
            rule.actions().any(|action| matches!(action, Action::Unread(_)))
                || rule
                    .matches()
                    .any(|wanted| matches!(wanted.test, Test::Unread(_)))
        })
        .map(|rule| rule.text.as_str())
        .collect();
    // Which direction of a connection a packet is of, a packet alone does not tell.
    assert_eq!(unread, ["ip protocol icmp ct direction reply ct mark 1 accept"]);
}

#[test]
fn rules_print_in_the_language_of_nft() {
    let set = mixed();
    assert_eq!(
        rule(&set, 13).text,
        "iifname cni0 oifname { eth0, flannel* } ip saddr @nets accept"
    );
    assert_eq!(
        rule(&set, 22).text,
        "ip daddr != { 1.2.3.4, 10.0.0.0/8 } udp dport 8472 meta length > 1400 drop"
    );
    assert_eq!(rule(&set, 22).comment.as_deref(), Some("big x"));
    assert_eq!(rule(&set, 26).text, "numgen random mod 100 < 20 drop");
    assert_eq!(rule(&set, 14).text, "ip daddr . meta l4proto . th dport vmap @v");
}

#[test]
fn what_nft_implies_is_asked_for() {
    let set = mixed();
    let matches: Vec<&Test> = rule(&set, 22).matches().map(|wanted| &wanted.test).collect();
    assert_eq!(matches[0], &Test::IsIpv4(true));
    assert_eq!(matches[2], &Test::Protocol(vec![17]));
    assert_eq!(matches[3], &Test::DestinationPort(vec![8472..=8472]));
    assert_eq!(matches[4], &Test::Length(vec![1401..=u32::MAX]));
}

#[test]
fn shares_maps_marks_and_segment_sizes_are_read() {
    let set = mixed();
    let share: Vec<&Match> = rule(&set, 26).matches().collect();
    assert_eq!(share, [&Match::new(Test::Share(0.2))]);
    let mark: Vec<&Action> = rule(&set, 19).actions().collect();
    assert_eq!(
        mark,
        [&Action::SetMark {
            keep: u32::MAX,
            flip: 0x4000,
        }]
    );
    let clamp: Vec<&Action> = rule(&set, 15).actions().collect();
    assert_eq!(clamp, [&Action::ClampMss(Mss::PathMtu)]);
    assert_eq!(rule(&set, 14).targets(), ["other"]);
    let dnat: Vec<&Action> = rule(&set, 47).actions().collect();
    assert_eq!(
        dnat,
        [&Action::Dnat(vec!["10.0.0.1:80".into(), "10.0.0.2:80".into()])]
    );
}

#[test]
fn a_table_of_the_name_of_one_of_iptables_is_read_when_a_person_made_it() {
    let text = r#"{"nftables":[
        {"table":{"family":"ip","name":"filter","handle":1}},
        {"chain":{"family":"ip","table":"filter","name":"forward","handle":1,"type":"filter","hook":"forward","prio":0,"policy":"drop"}}
    ]}"#;
    let set = parse_nft_json(text).expect("a ruleset");
    assert_eq!(set.tables.len(), 1);
}

#[test]
fn a_set_that_changes_with_packets_decides_nothing() {
    let text = r#"{"nftables":[
        {"table":{"family":"inet","name":"t","handle":1}},
        {"set":{"family":"inet","table":"t","name":"seen","type":"ipv4_addr","flags":["timeout"],"elem":["10.0.0.1"]}},
        {"chain":{"family":"inet","table":"t","name":"c","handle":1}},
        {"rule":{"family":"inet","table":"t","chain":"c","handle":2,"expr":[
            {"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":"@seen"}},{"drop":null}]}}
    ]}"#;
    let set = parse_nft_json(text).expect("a ruleset");
    let rule = rule(&set, 2);
    assert!(matches!(
        rule.matches().next().map(|wanted| &wanted.test),
        Some(Test::Unread(_))
    ));
}

#[test]
fn other_texts_are_turned_away() {
    let error = |text: &str| parse_nft_json(text).map_err(|error| error.to_string());
    assert_eq!(
        error("table inet x {}"),
        Err("not what `nft -j list ruleset` prints: not JSON".into())
    );
    assert_eq!(
        error("{}"),
        Err("not what `nft -j list ruleset` prints: it has no list `nftables`".into())
    );
    let set =
        parse_nft_json(r#"{"nftables":[{"metainfo":{}},{"rule":{"table":"x"}},3]}"#).expect("a ruleset");
    assert_eq!(set.unread, [r#"{"rule":{"table":"x"}}"#, "3"]);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// JSON of the shapes that rules are made of, with anything in them.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<u64>().prop_map(Value::from),
            prop::sample::select(vec![
                "ip", "daddr", "==", "<", "@v", "tcp", "10.0.0.1", "mark", "*", ""
            ])
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            let key = prop::sample::select(vec![
                "match", "left", "right", "op", "payload", "protocol", "field", "meta", "key", "set",
                "concat", "range", "prefix", "addr", "len", "vmap", "data", "mangle", "value", "&", "|",
                "numgen", "mod", "fib", "dnat", "map", "limit", "reject", "jump", "target", "elem", "val",
                "ct",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..4).prop_map(|fields| Value::Object(
                    fields
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn rules_of_any_shape_never_panic(expressions in prop::collection::vec(json(), 0..6)) {
            let document = serde_json::json!({"nftables": [
                {"table": {"family": "inet", "name": "t"}},
                {"chain": {"family": "inet", "table": "t", "name": "c"}},
                {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": expressions}},
            ]});
            let set = parse_nft_json(&document.to_string());
            prop_assert!(set.is_ok());
        }

        #[test]
        fn a_real_text_changed_anywhere_never_panics(at in 0_usize..20_000, with in any::<char>()) {
            let at = (0..=at % MIXED.len()).rev().find(|at| MIXED.is_char_boundary(*at)).unwrap_or(0);
            let (head, tail) = MIXED.split_at(at);
            let _ = parse_nft_json(head);
            let _ = parse_nft_json(&format!("{head}{with}{tail}"));
        }
    }
}
