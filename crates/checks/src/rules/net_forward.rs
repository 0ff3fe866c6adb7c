use crate::check::{Check, Judgement, Need};
use crate::firewall::Manner;
use crate::view::View;

/// What a node has to forward between pods, and from pods outward, is accepted by all rules together: those of both back
/// ends of iptables, and those of nft. A policy that drops is healthy as long as something accepts before it.
pub(crate) static CHECK: Check = Check {
    id: "net-forward",
    claim: "the rules of every node let pods' packets through",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::stopped(view, CHECK.id, Manner::Dropped, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    /// Forwarding is dropped by default, and the plugin's accepting rules are gone.
    fn flushed() -> Fixture {
        Fixture::healthy()
            .policy("node1", "FORWARD", "DROP")
            .without("node1", "-A FLANNEL-FWD")
            .without("node1", "-A KUBE-ROUTER-FORWARD")
    }

    #[test]
    fn a_dropping_policy_without_accepts_is_found_on_its_node() {
        let findings = shown::finds(&CHECK, &flushed().observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node1 drops packets between its pods and pods of node2 and node3 and from its pods out of the cluster instead of \
             forwarding them"
        );
        assert_eq!(findings[0].subject.to_string(), "node/node1");
    }

    #[test]
    fn healthy_nodes_pass_in_every_mode_and_under_a_dropping_policy() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
        shown::passes(
            &CHECK,
            &Fixture::healthy().policy("node1", "FORWARD", "DROP").observe(),
        );
    }

    #[test]
    fn a_foreign_rule_in_front_is_quoted_with_its_deletion() {
        let observation = Fixture::healthy()
            .rule("node2", "filter", "-A FORWARD -s 10.244.0.0/16 -j DROP")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        let hint = findings[0].hint.as_deref().unwrap();
        assert!(
            hint.ends_with("chroot /host iptables -t filter -D FORWARD -s 10.244.0.0/16 -j DROP`"),
            "{hint}"
        );
    }

    #[test]
    fn what_came_to_the_rule_during_the_probes_is_counted() {
        let rule = "-A FORWARD -s 10.244.0.0/16 -j DROP";
        let counted = |packets: u32| {
            let fixture = Fixture::healthy().rule("node2", "filter", rule);
            fixture
                .exchange("node2", rule, &format!("[{packets}:0] {rule}"))
                .observe()
        };
        let mut observation = counted(5);
        let later = counted(12).node_evidence.remove("node2");
        if let (Some(report::Observed::Seen(first)), Some(report::Observed::Seen(later))) =
            (observation.node_evidence.get_mut("node2"), later)
        {
            first.after = Some(later.before);
        }
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings[0].evidence[0]
                .fact
                .ends_with("; 7 packets came to it during the probes")
        );
    }

    #[test]
    fn a_table_of_nft_that_iptables_cannot_show_is_read_too() {
        let table = r#"
            {"table":{"family":"inet","name":"guard","handle":1}},
            {"chain":{"family":"inet","table":"guard","name":"forward","handle":1,"type":"filter","hook":"forward","prio":10,"policy":"drop"}}"#;
        let findings = shown::finds(&CHECK, &Fixture::healthy().nft("node1", table).observe());
        assert!(
            findings[0].evidence[0]
                .fact
                .starts_with("policy drop (nft, chain forward of table inet guard)")
        );
    }

    #[test]
    fn what_a_policy_engine_may_drop_is_no_fault_of_the_node() {
        let observation = Fixture::healthy()
            .rule("node1", "filter", "-A KUBE-POD-FW-FGX46HHU6JDBWUXM -j DROP")
            .observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        let gaps = shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node2").observe());
        assert_eq!(gaps.len(), 1);
        assert_eq!(gaps[0].what, "the packet rules of node2");
        let legacy = Fixture::healthy().unread_legacy("node1").observe();
        assert_eq!(
            shown::cannot_tell(&CHECK, &legacy)[0].what,
            "the packet rules of node1"
        );
    }

    #[test]
    fn a_fault_that_was_seen_outranks_what_was_not() {
        shown::finds(&CHECK, &flushed().unread("node2").observe());
    }

    #[test]
    fn without_reading_nodes_it_is_not_judged() {
        let judgement = judge(&View::new(&Fixture::unasked()));
        assert!(judgement.skipped.is_some());
    }
}
