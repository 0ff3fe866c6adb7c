//! Whether the endpoints of a Service port get equal shares of its connections.

use super::super::action::Action;
use super::super::decider::Decider;
use super::super::model::{Chain, Rule, RuleSet, Table, View};
use super::super::test::Test;
use super::{home, named};

/// How exactly a share is printed: kube-proxy writes ten digits, and the kernel keeps 31 bits.
const PRECISION: f64 = 1e-9;

/// A chain that chooses among endpoints, and not evenly.
#[derive(Clone, Debug, PartialEq)]
pub struct UnevenShares<'a> {
    /// The Service port as kube-proxy names it in comments: `shop/web:http`; `None` where there is no comment.
    pub service: Option<String>,
    /// Each chain of an endpoint with the share of all connections that comes to it, from 0 to 1, in the order of the rules.
    pub shares: Vec<(&'a str, f64)>,
    /// The share that comes to none of them and is not translated.
    pub lost: f64,
    /// The first rule whose share is not what kube-proxy writes.
    pub by: Decider<'a>,
}

/// Chains of Services that do not choose evenly. kube-proxy writes shares of 1/n, 1/(n-1) and so on, and of the last rule none; in
/// nft's tables one number of n for each endpoint. Rules that keep a client with its endpoint come before them and do not count.
pub fn uneven_shares(set: &RuleSet) -> Vec<UnevenShares<'_>> {
    set.chains()
        .filter(|(table, chain)| table.name == home(set.view) && chooses(&chain.name))
        .filter_map(|(table, chain)| uneven(set.view, table, chain))
        .collect()
}

fn chooses(chain: &str) -> bool {
    ["KUBE-SVC-", "KUBE-SVL-", "service-", "local-"]
        .iter()
        .any(|beginning| chain.starts_with(beginning))
        && chain != "service-endpoints-check"
}

/// A rule by which a chain chooses, the chain that it leads to, and the share of what has come to the rule.
type Choice<'a> = (&'a Rule, &'a str, f64);

/// What a chain chooses among; `None` where its map cannot be read.
pub(super) fn choices(view: View, chain: &Chain) -> Option<Vec<Choice<'_>>> {
    match view {
        View::IptablesNft | View::IptablesLegacy => Some(by_rules(chain)),
        View::Nft => by_map(chain),
    }
}

/// The share of all connections that comes to each choice, and what comes to none.
pub(super) fn parts(view: View, choices: &[Choice<'_>]) -> (Vec<f64>, f64) {
    let mut rest = 1.0;
    let mut parts = Vec::new();
    for (_, _, share) in choices {
        match view {
            // A rule sees what those before it have left.
            View::IptablesNft | View::IptablesLegacy => {
                parts.push(rest * share);
                rest *= 1.0 - share;
            }
            View::Nft => {
                parts.push(*share);
                rest -= share;
            }
        }
    }
    (parts, rest.max(0.0))
}

fn uneven<'a>(view: View, table: &'a Table, chain: &'a Chain) -> Option<UnevenShares<'a>> {
    let choices = choices(view, chain)?;
    let count = choices.len();
    let even = |index: usize| -> Option<f64> {
        let among = match view {
            View::IptablesNft | View::IptablesLegacy => count - index,
            View::Nft => count,
        };
        Some(1.0 / f64::from(u32::try_from(among).ok()?))
    };
    let odd = choices.iter().enumerate().find_map(|(index, (rule, _, share))| {
        let is_even = (share - even(index)?).abs() < PRECISION;
        (!is_even).then_some(*rule)
    })?;
    let (parts, lost) = parts(view, &choices);
    Some(UnevenShares {
        service: name(chain),
        shares: choices.iter().map(|(_, target, _)| *target).zip(parts).collect(),
        lost,
        by: Decider {
            view,
            table,
            chain,
            rule: Some(odd),
        },
    })
}

fn by_rules(chain: &Chain) -> Vec<Choice<'_>> {
    let choices = chain.rules.iter().filter_map(|rule| {
        let target = rule
            .targets()
            .into_iter()
            .find(|target| target.starts_with("KUBE-SEP-"))?;
        let mut share = 1.0;
        for wanted in rule.matches() {
            match wanted.test {
                Test::Share(part) if !wanted.negated => share = part,
                Test::Always => {}
                _ => return None,
            }
        }
        Some((rule, target, share))
    });
    choices.collect()
}

fn by_map(chain: &Chain) -> Option<Vec<Choice<'_>>> {
    let (rule, entries) = chain.rules.iter().find_map(|rule| {
        rule.actions().find_map(|action| match action {
            Action::Map(entries) => Some((rule, entries)),
            _ => None,
        })
    })?;
    let mut choices = Vec::new();
    for (wanted, action) in entries {
        let share = wanted.iter().find_map(|wanted| match wanted.test {
            Test::Share(share) => Some(share),
            _ => None,
        });
        choices.push((rule, action.chains().into_iter().next()?, share?));
    }
    Some(choices)
}

fn name(chain: &Chain) -> Option<String> {
    let comments = chain.rules.iter().filter_map(|rule| rule.comment.as_deref());
    comments
        .into_iter()
        .find_map(super::service_name)
        .or_else(|| named(None, &chain.name))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::rules::{Family, parse_iptables_save, parse_nft_json};

    const SAVE: &str = include_str!("../fixtures/flannel-iptables.save");
    const NFT: &str = include_str!("../fixtures/flannel-nftables.nft.json");

    fn saved(text: &str) -> RuleSet {
        parse_iptables_save(text, View::IptablesNft, Family::Ip)
    }

    #[test]
    fn what_kube_proxy_writes_is_even() {
        assert_eq!(uneven_shares(&saved(SAVE)), []);
        assert_eq!(uneven_shares(&parse_nft_json(NFT).expect("what nft printed")), []);
    }

    /// As kube-proxy writes them and the kernel prints them back, for any number of endpoints.
    #[test]
    fn as_many_endpoints_as_one_likes_are_even() {
        for count in [1_u32, 2, 3, 7, 100, 999, 5000] {
            let mut text = String::from("*nat\n:KUBE-SVC-X - [0:0]\n");
            for left in (1..=count).rev() {
                // kube-proxy writes ten digits; the kernel keeps 31 bits of them, and prints eleven.
                let written: f64 = format!("{:.10}", 1.0 / f64::from(left))
                    .parse()
                    .expect("a number");
                let kept = (written * 2_147_483_648.0).round() / 2_147_483_648.0;
                let chance = match left {
                    1 => String::new(),
                    _ => format!("-m statistic --mode random --probability {kept:.11} "),
                };
                let _ = writeln!(text, "-A KUBE-SVC-X {chance}-j KUBE-SEP-{left}");
            }
            text.push_str("COMMIT\n");
            assert_eq!(uneven_shares(&saved(&text)), [], "{count}");
        }
    }

    #[test]
    fn a_changed_chance_is_uneven() {
        let set = saved(&SAVE.replace("--probability 0.33333333349", "--probability 0.90000000000"));
        let found = uneven_shares(&set);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].service.as_deref(), Some("shop/web:http"));
        let shares: Vec<String> = found[0]
            .shares
            .iter()
            .map(|(_, share)| format!("{share:.3}"))
            .collect();
        assert_eq!(shares, ["0.900", "0.050", "0.050"]);
        assert!(found[0].lost < PRECISION);
    }

    #[test]
    fn without_the_last_rule_some_connections_come_to_no_endpoint() {
        let last = "-j KUBE-SEP-ZEIDTFVL27F4EVRN";
        let text: String = SAVE
            .lines()
            .filter(|line| !line.ends_with(last))
            .flat_map(|line| [line, "\n"])
            .collect();
        let set = saved(&text);
        let found = uneven_shares(&set);
        assert!((found[0].lost - 1.0 / 3.0).abs() < 1e-6, "{}", found[0].lost);
    }

    #[test]
    fn rules_that_keep_a_client_do_not_count() {
        let sticky = "-A KUBE-SVC-67NZLRHBNDSAWJRO -m comment --comment \"shop/web:http -> 10.244.0.3:8080\" -m recent --rcheck \
                      --seconds 10800 --reap --name KUBE-SEP-NIKZ6PCBEJFQLK7F --mask 255.255.255.255 --rsource \
                      -j KUBE-SEP-NIKZ6PCBEJFQLK7F\n";
        let first = "[0:0] -A KUBE-SVC-67NZLRHBNDSAWJRO -m comment";
        assert!(SAVE.contains(first));
        assert_eq!(
            uneven_shares(&saved(&SAVE.replacen(first, &format!("{sticky}{first}"), 1))),
            []
        );
    }

    #[test]
    fn a_number_without_an_endpoint_is_lost() {
        let set = parse_nft_json(&NFT.replacen("\"mod\": 2", "\"mod\": 3", 1).replacen(
            "\"mod\":2",
            "\"mod\":3",
            1,
        ));
        let set = set.expect("what nft printed");
        let found = uneven_shares(&set);
        assert_eq!(found.len(), 1);
        assert!((found[0].lost - 1.0 / 3.0).abs() < 1e-6);
        assert!(
            found[0]
                .service
                .as_deref()
                .is_some_and(|name| name.starts_with("kube-system/kube-dns"))
        );
    }
}
