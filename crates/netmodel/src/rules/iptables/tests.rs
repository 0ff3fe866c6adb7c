use super::*;
use crate::rules::action::{Action, Mss};
use crate::rules::packet::State;
use crate::rules::test::{Bits, Match, Test};
use crate::rules::values::AddressRange;

const MIXED: &str = include_str!("../fixtures/mixed.save");
const COUNTED: &str = include_str!("../fixtures/mixed-counted.save");
const LEGACY: &str = include_str!("../fixtures/mixed.legacy-save");

fn saved(text: &str) -> RuleSet {
    parse_iptables_save(text, View::IptablesNft, Family::Ip)
}

fn rules<'a>(set: &'a RuleSet, table: &str, chain: &str) -> &'a [Rule] {
    let table = set.table(Family::Ip, table).expect("the table");
    &table.chains.get(chain).expect("the chain").rules
}

/// The matches and the action of one rule that stands alone.
fn one(rule: &str) -> (Vec<Match>, Option<Action>) {
    let set = saved(&format!("*filter\n:INPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n"));
    assert_eq!(set.unread, Vec::<String>::new());
    let rule = &rules(&set, "filter", "INPUT")[0];
    let action = rule.actions().next().cloned();
    (rule.matches().cloned().collect(), action)
}

fn not(test: Test) -> Match {
    Match { negated: true, test }
}

#[test]
fn all_that_a_real_node_printed_is_read() {
    let set = saved(MIXED);
    assert_eq!(set.unread, Vec::<String>::new());
    let names: Vec<&str> = set.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["raw", "filter", "nat"]);
    let forward = set.tables[1].chains.get("FORWARD").expect("the chain");
    assert_eq!(
        forward.base,
        Some(Base {
            hook: Hook::Forward,
            priority: 0,
            kind: ChainKind::Filter,
            policy: Policy::Accept,
            devices: Vec::new(),
        })
    );
    assert_eq!(set.tables[2].chains["KUBE-SERVICES"].base, None);
}

#[test]
fn counters_change_nothing_but_the_counters() {
    let (mut plain, counted) = (saved(MIXED), saved(COUNTED));
    for table in &mut plain.tables {
        for rule in table.chains.values_mut().flat_map(|chain| &mut chain.rules) {
            assert_eq!(rule.counters.replace(Counters::default()), None);
        }
    }
    assert_eq!(plain.tables, counted.tables);
}

#[test]
fn legacy_rules_are_read_alike() {
    let set = parse_iptables_save(LEGACY, View::IptablesLegacy, Family::Ip);
    let base = set.tables[0].chains["FORWARD"]
        .base
        .as_ref()
        .expect("a base chain");
    assert_eq!(base.policy, Policy::Drop);
    assert!(!set.is_inert());
}

#[test]
fn a_comment_keeps_its_quotes_and_its_dollar() {
    let set = saved(MIXED);
    let rule = &rules(&set, "nat", "KUBE-SERVICES")[0];
    assert_eq!(
        rule.comment.as_deref(),
        Some(r#"default/kubernetes:https "x" $(y)"#)
    );
    assert_eq!(
        rule.actions().collect::<Vec<_>>(),
        [&Action::Dnat(vec!["10.0.0.1:6443".into()])]
    );
}

#[test]
fn a_deletion_can_be_pasted_into_a_shell() {
    let set = saved(MIXED);
    let rule = &rules(&set, "nat", "KUBE-SERVICES")[0];
    assert_eq!(
        deletion(View::IptablesNft, Family::Ip, "nat", &rule.text).as_deref(),
        Some(
            "iptables -t nat -D KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -m comment --comment \
             'default/kubernetes:https \"x\" $(y)' -j DNAT --to-destination 10.0.0.1:6443"
        )
    );
    assert_eq!(
        deletion(
            View::IptablesLegacy,
            Family::Ip6,
            "filter",
            "-A INPUT ! -i lo -j DROP"
        )
        .as_deref(),
        Some("ip6tables-legacy -t filter -D INPUT '!' -i lo -j DROP")
    );
}

#[test]
fn a_negation_belongs_to_the_option_after_it() {
    let (matches, action) = one("-A INPUT ! -s 10.0.0.0/8 -p tcp -m tcp ! --dport 22 -j DROP");
    let net = AddressRange::parse("10.0.0.0/8").expect("a network");
    assert_eq!(
        matches,
        [
            not(Test::Source(vec![net])),
            Match::new(Test::Protocol(vec![6])),
            not(Test::DestinationPort(vec![22..=22])),
        ]
    );
    assert_eq!(action, Some(Action::Drop));
}

#[test]
fn sizes_and_shares_are_understood() {
    let (matches, _) = one("-A INPUT -m length --length 1401:65535 -j DROP");
    assert_eq!(matches, [Match::new(Test::Length(vec![1401..=65535]))]);
    let (matches, _) = one("-A INPUT -m statistic --mode random --probability 0.20000000019 -j DROP");
    assert!(matches!(&matches[0].test, Test::Share(share) if (share - 0.2).abs() < 0.001));
    let (matches, _) = one("-A INPUT -m statistic --mode nth --every 4 --packet 0 -j DROP");
    assert_eq!(matches, [Match::new(Test::Share(0.25))]);
}

#[test]
fn marks_are_numbers_with_masks() {
    let (matches, action) = one("-A INPUT -m mark ! --mark 0x4000/0x4000 -j MARK --set-xmark 0x4000/0x0");
    let bits = Bits {
        value: 0x4000,
        mask: 0x4000,
    };
    assert_eq!(matches, [not(Test::Mark(bits))]);
    assert_eq!(
        action,
        Some(Action::SetMark {
            keep: u32::MAX,
            flip: 0x4000,
        })
    );
    let (_, action) = one("-A INPUT -j MARK --set-xmark 0x10000/0x10000");
    assert_eq!(
        action,
        Some(Action::SetMark {
            keep: !0x10000,
            flip: 0x10000,
        })
    );
}

#[test]
fn states_kinds_of_icmp_and_segment_sizes_are_read() {
    let (matches, action) = one("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    assert_eq!(
        matches,
        [Match::new(Test::State(vec![State::Related, State::Established]))]
    );
    assert_eq!(action, Some(Action::Accept));
    let (matches, _) = one("-A INPUT -p icmp -m icmp --icmp-type 3/4 -j DROP");
    assert_eq!(
        matches[1].test,
        Test::Icmp {
            kind: Some(3),
            codes: Some(4..=4),
        }
    );
    let (_, action) = one("-A INPUT -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1300");
    assert_eq!(action, Some(Action::ClampMss(Mss::Bytes(1300))));
}

#[test]
fn a_module_that_is_not_known_is_kept_as_it_was() {
    let (matches, _) = one("-A INPUT -m set ! --match-set pods src,dst -m u32 --u32 \"0x0>>0x16\" -j DROP");
    assert_eq!(
        matches,
        [
            Match::new(Test::Unread("-m set ! --match-set pods src,dst".into())),
            Match::new(Test::Unread("-m u32 --u32 0x0>>0x16".into())),
        ]
    );
}

#[test]
fn what_is_no_rule_is_said() {
    let set = saved("-A INPUT -j DROP\n*filter\n:INPUT MAYBE [0:0]\nnonsense\n[x] -A INPUT -j DROP\n");
    assert_eq!(
        set.unread,
        [
            "-A INPUT -j DROP",
            ":INPUT MAYBE [0:0]",
            "nonsense",
            "[x] -A INPUT -j DROP",
            "table filter was cut off: it has no COMMIT",
        ]
    );
}

#[test]
fn a_table_that_iptables_cannot_show_is_said() {
    let set = saved("# Table `filter' is incompatible, use 'nft' tool.\n");
    assert_eq!(set.unread, ["Table `filter' is incompatible, use 'nft' tool."]);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("!".to_owned()),
            "-{1,2}[a-z]{1,12}",
            "[A-Za-z0-9/:.,]{1,12}",
            "\"[ -~]{0,12}\"",
        ]
    }

    /// A rule as iptables-save writes it, and what it must be read as.
    fn known() -> impl Strategy<Value = (String, Vec<Match>, Action)> {
        let source = (any::<bool>(), any::<[u8; 4]>(), 0_u8..=32).prop_map(|(negated, address, length)| {
            let [a, b, c, d] = address;
            let net = format!("{a}.{b}.{c}.{d}/{length}");
            let test = Test::Source(vec![AddressRange::parse(&net).expect("a network")]);
            (format!("-s {net}"), Match { negated, test })
        });
        let port = (any::<bool>(), any::<u16>(), any::<u16>()).prop_map(|(negated, one, other)| {
            let (first, last) = (one.min(other), one.max(other));
            let test = Test::DestinationPort(vec![first..=last]);
            (format!("--dport {first}:{last}"), Match { negated, test })
        });
        let comment = "[ -~]{0,30}".prop_map(|text| {
            let escaped = text.replace('\\', r"\\").replace('"', r#"\""#);
            format!("-m comment --comment \"{escaped}\"")
        });
        let action = prop_oneof![
            Just(("ACCEPT".to_owned(), Action::Accept)),
            Just(("DROP".to_owned(), Action::Drop)),
            "[A-Z]{3}-[A-Z0-9]{1,20}".prop_map(|name| (name.clone(), Action::Jump(name))),
        ];
        (source, port, comment, action).prop_map(|(source, port, comment, action)| {
            let not = |found: &Match| if found.negated { "! " } else { "" };
            let text = format!(
                "-A INPUT {}{} -p tcp -m tcp {}{} {comment} -j {}",
                not(&source.1),
                source.0,
                not(&port.1),
                port.0,
                action.0
            );
            let matches = vec![source.1, Match::new(Test::Protocol(vec![6])), port.1];
            (text, matches, action.1)
        })
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[ -~\n]{0,300}") {
            let _ = saved(&text);
        }

        #[test]
        fn rules_of_any_words_never_panic(words in prop::collection::vec(word(), 0..20)) {
            let line = format!("-A INPUT {}", words.join(" "));
            let set = saved(&format!("*filter\n:INPUT ACCEPT [0:0]\n{line}\nCOMMIT\n"));
            let read = set.tables[0].chains["INPUT"].rules.len();
            prop_assert_eq!(read + set.unread.len(), 1, "each line is a rule or is said to be none");
            let _ = deletion(View::IptablesNft, Family::Ip, "filter", &line);
        }

        #[test]
        fn a_real_text_changed_anywhere_never_panics(at in 0_usize..4000, with in any::<char>()) {
            let at = (0..=at % COUNTED.len()).rev().find(|at| COUNTED.is_char_boundary(*at)).unwrap_or(0);
            let (head, tail) = COUNTED.split_at(at);
            let _ = saved(head);
            let _ = saved(&format!("{head}{with}{tail}"));
        }

        #[test]
        fn what_is_written_as_iptables_writes_it_is_read_as_it_was_meant((text, matches, action) in known()) {
            let (found, then) = one(&text);
            prop_assert_eq!(found, matches);
            prop_assert_eq!(then, Some(action));
        }
    }
}
