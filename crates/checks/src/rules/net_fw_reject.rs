use crate::check::{Check, Judgement, Need};
use crate::firewall::Manner;
use crate::view::View;

/// A rule turns the cluster's packets away with an ICMP error, which clients see at once as "no route to host" or "network
/// is unreachable": what firewalls do to zones that they do not know.
pub(crate) static CHECK: Check = Check {
    id: "net-fw-reject",
    claim: "no rule of a node turns the cluster's packets away",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::stopped(view, CHECK.id, Manner::Rejected, &[super::net_forward::CHECK.id])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    const RULE: &str = "-A FORWARD -j REJECT --reject-with icmp-host-prohibited";

    #[test]
    fn a_reject_in_front_is_found_with_its_kind() {
        let findings = shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", RULE).observe(),
        );
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node1 turns packets between its pods and pods of node2 and node3 and from its pods out of the cluster away with \
             icmp-host-prohibited"
        );
        assert!(findings[0].concerns("net-forward"));
        assert!(findings[0].evidence[0].fact.starts_with(RULE));
    }

    #[test]
    fn firewalld_is_told_to_trust_and_not_deleted() {
        let table = r#"
            {"table":{"family":"inet","name":"firewalld","handle":1}},
            {"chain":{"family":"inet","table":"firewalld","name":"filter_FORWARD","handle":1,"type":"filter","hook":"forward","prio":10,"policy":"accept"}},
            {"rule":{"family":"inet","table":"firewalld","chain":"filter_FORWARD","handle":2,"expr":[
                {"match":{"op":"==","left":{"ct":{"key":"state"}},"right":{"set":["established","related"]}}},{"accept":null}]}},
            {"rule":{"family":"inet","table":"firewalld","chain":"filter_FORWARD","handle":3,"expr":[
                {"reject":{"type":"icmpx","expr":"admin-prohibited"}}]}}"#;
        let findings = shown::finds(&CHECK, &Fixture::healthy().nft("node1", table).observe());
        let hint = findings[0].hint.as_deref().unwrap();
        assert!(
            hint.contains("firewall-cmd --zone=trusted --add-interface=cni0 --permanent"),
            "{hint}"
        );
        assert!(!hint.contains("delete"), "{hint}");
    }

    #[test]
    fn rejects_of_kube_proxy_for_empty_services_are_right() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node2").observe());
    }
}
