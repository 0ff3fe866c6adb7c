use report::{Finding, Severity, Subject};

use super::expected::{Compared, Difference, Kind, compared};
use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A Service without endpoints that nothing turns away: who asks waits until its patience ends, and is not told.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-noreject",
    claim: "a Service without endpoints is refused at once",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    compared(view, |all, judgement| {
        // Where a node follows nothing any more, that is said once.
        for node in all.iter().filter(|node| !node.is_stale()) {
            let found = node
                .differences
                .iter()
                .filter_map(|difference| finding(node, difference));
            judgement.findings.extend(found);
        }
    })
}

fn finding(node: &Compared<'_, '_>, difference: &Difference<'_>) -> Option<Finding> {
    let Kind::Open = &difference.kind else {
        return None;
    };
    let (name, what) = (node.firewall.name(), difference.what());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(name),
        format!("nothing on {name} turns {what} away, which has no endpoint: clients wait in vain"),
        node.rules(format!("no rule of {name} rejects {}", difference.at())),
    );
    finding.evidence.push(difference.slices());
    finding.hint = Some(rewritten(name));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::api::api;
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_service_without_endpoints_that_is_not_refused_is_found() {
        let observation = Fixture::healthy()
            .without("node3", "shop/empty has no endpoints")
            .observe();
        let findings = shown::finds(&CHECK, &api(observation));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(
            findings[0]
                .summary
                .starts_with("nothing on node3 turns Service port shop/empty")
        );
    }

    #[test]
    fn rules_that_are_as_the_api_says_pass() {
        shown::passes(&CHECK, &api(Fixture::healthy().observe()));
        shown::passes(&CHECK, &api(Fixture::nftables().observe()));
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        let observation = Fixture::healthy().unread_legacy("node2").observe();
        shown::cannot_tell(&CHECK, &api(observation));
    }
}
