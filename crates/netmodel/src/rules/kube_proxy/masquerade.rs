//! Whose source address kube-proxy hides.

use super::super::model::{Rule, RuleSet};
use super::super::test::Test;

/// The rule by which a chain of a Service port hides the address of every client, whoever it is: with `masqueradeAll`. Without that
/// kube-proxy hides those from outside of the pods' range only, or nobody's.
pub fn masquerades_every_client<'a>(set: &'a RuleSet, chain: &str) -> Option<&'a Rule> {
    let chains = set.tables.iter().filter_map(|table| table.chains.get(chain));
    chains.flat_map(|chain| &chain.rules).find(|rule| {
        let marks = rule
            .targets()
            .into_iter()
            .any(|target| matches!(target, "KUBE-MARK-MASQ" | "mark-for-masquerade"));
        marks && !rule.matches().any(|wanted| is_of_some(&wanted.test))
    })
}

/// Whether it chooses among clients.
fn is_of_some(test: &Test) -> bool {
    matches!(
        test,
        Test::Source(_)
            | Test::SourceIsLocal
            | Test::InInterface(_)
            | Test::BridgePortIn(_)
            | Test::AnyOf(_)
            | Test::Unread(_)
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::{Family, View, parse_iptables_save};
    use super::*;

    const SVC: &str = "KUBE-SVC-AAAABBBBCCCCDDDD";

    fn iptables(rule: &str) -> RuleSet {
        let text = format!("*nat\n:KUBE-MARK-MASQ - [0:0]\n:{SVC} - [0:0]\n-A {SVC} {rule}\nCOMMIT\n");
        parse_iptables_save(&text, View::IptablesNft, Family::Ip)
    }

    #[test]
    fn a_mark_for_all_is_told_from_one_for_those_from_outside() {
        let all = iptables("-d 10.99.43.77/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ");
        assert!(masquerades_every_client(&all, SVC).is_some());
        let outside =
            iptables("! -s 10.244.0.0/16 -d 10.99.43.77/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ");
        assert!(masquerades_every_client(&outside, SVC).is_none());
        assert!(masquerades_every_client(&all, "KUBE-SVC-OTHER").is_none());
    }
}
