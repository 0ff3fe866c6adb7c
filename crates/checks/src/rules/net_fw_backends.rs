use crate::check::{Check, Judgement, Need};
use crate::firewall::Manner;
use crate::view::View;

/// The kernel runs the rules of both back ends of iptables. Where the cluster lives in one, a drop in the other is seen by
/// nobody who lists the first.
pub(crate) static CHECK: Check = Check {
    id: "net-fw-backends",
    claim: "no back end of iptables drops what the other one accepts for the cluster",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::stopped(
        view,
        CHECK.id,
        Manner::OtherBackEnd,
        &[super::net_forward::CHECK.id],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_dropping_policy_of_the_legacy_tables_is_found() {
        let observation = Fixture::healthy()
            .legacy("node1", ":FORWARD DROP [0:0]")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].evidence[0]
                .fact
                .starts_with("-P FORWARD DROP (iptables-legacy, table filter)")
        );
        let hint = findings[0].hint.as_deref().unwrap();
        assert!(
            hint.ends_with("iptables-legacy -t filter -P FORWARD ACCEPT`"),
            "{hint}"
        );
    }

    #[test]
    fn a_legacy_rule_is_deleted_with_the_legacy_program() {
        let observation = Fixture::healthy()
            .legacy("node1", ":FORWARD ACCEPT [0:0]\n-A FORWARD -i cni0 -j DROP")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        let hint = findings[0].hint.as_deref().unwrap();
        assert!(
            hint.ends_with("iptables-legacy -t filter -D FORWARD -i cni0 -j DROP`"),
            "{hint}"
        );
    }

    #[test]
    fn empty_legacy_tables_are_harmless() {
        shown::passes(
            &CHECK,
            &Fixture::healthy()
                .legacy("node1", ":FORWARD ACCEPT [0:0]")
                .observe(),
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_drop_where_the_cluster_lives_is_no_conflict_of_back_ends() {
        let observation = Fixture::healthy()
            .rule("node1", "filter", "-A FORWARD -j DROP")
            .observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn legacy_rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread_legacy("node1").observe());
    }
}
