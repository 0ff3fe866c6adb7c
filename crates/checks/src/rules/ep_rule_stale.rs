use report::{Evidence, Finding, Severity, Subject};

use super::expected::{Compared, Difference, Kind, addresses, compared};
use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// kube-proxy of a node no longer follows the API: for some Service port its rules have what is gone and lack what has come. Its
/// own health check may say that all is well, because with a dead watch nothing waits to be written.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-stale",
    claim: "the rules of every node follow the EndpointSlices",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    compared(view, |all, judgement| {
        let stale: Vec<&Compared<'_, '_>> = all.iter().filter(|node| node.is_stale()).collect();
        if stale.len() > 1 && stale.len() == all.len() {
            judgement.findings.extend(everywhere(&stale));
        } else {
            judgement
                .findings
                .extend(stale.into_iter().filter_map(|node| of_node(node, all)));
        }
    })
}

/// What tells most: a port that has what is gone and lacks what has come.
fn telling<'c, 'a>(node: &'c Compared<'_, 'a>) -> Option<&'c Difference<'a>> {
    let rank = |difference: &&Difference<'_>| match &difference.kind {
        Kind::Led { lacks, extra, .. } if !lacks.is_empty() && !extra.is_empty() => 0,
        Kind::Refused { .. } => 1,
        Kind::Led { .. } => 2,
        Kind::Missing | Kind::Open => 3,
    };
    node.differences.iter().min_by_key(rank)
}

fn evidence(node: &Compared<'_, '_>, difference: &Difference<'_>) -> Vec<Evidence> {
    let name = difference.name();
    let fact = match &difference.kind {
        Kind::Led { lacks, extra, .. } if lacks.is_empty() => {
            format!("rules lead {name} to {}", addresses(extra))
        }
        Kind::Led { lacks, extra, .. } => {
            let has = match extra.as_slice() {
                [] => String::new(),
                some => format!("rules lead {name} to {}, ", addresses(some)),
            };
            format!("{has}no rule leads {name} to {}", addresses(lacks))
        }
        Kind::Refused { rule, .. } => format!("a rule turns {name} away: {rule}"),
        Kind::Missing => format!("no rule is for {name} at {}", difference.at()),
        Kind::Open => format!("no rule turns {name} away"),
    };
    vec![node.rules(fact), difference.slices()]
}

fn of_node(node: &Compared<'_, '_>, all: &[Compared<'_, '_>]) -> Option<Finding> {
    let name = node.firewall.name();
    let difference = telling(node)?;
    let mut evidence = evidence(node, difference);
    let right: Vec<&str> = all
        .iter()
        .filter(|other| other.differences.is_empty())
        .map(|other| other.firewall.name())
        .collect();
    if let Some(other) = all.iter().find(|other| other.differences.is_empty()) {
        evidence.push(other.rules(format!(
            "rules of {} are as the API says",
            crate::firewall::joined(&right)
        )));
    }
    let mut services: Vec<String> = node.differences.iter().map(Difference::name).collect();
    services.sort();
    services.dedup();
    let what = match services.as_slice() {
        [one] => format!("Service port {one}"),
        several => format!(
            "{} Service ports, {} among them,",
            several.len(),
            difference.name()
        ),
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!(
            "kube-proxy of {name} does not follow the API: its rules for {what} are those of an earlier time"
        ),
        evidence.first()?.clone(),
    );
    finding.evidence = evidence;
    finding.hint = Some(rewritten(name));
    finding.explains = [
        "ep-rule-stale-ep",
        "ep-rule-lack-ep",
        "ep-rule-reject",
        "ep-rule-missing",
    ]
    .map(str::to_owned)
    .to_vec();
    Some(finding)
}

/// Where no node is right, it is not the kube-proxy of one.
fn everywhere(stale: &[&Compared<'_, '_>]) -> Option<Finding> {
    let first = stale.first()?;
    let difference = telling(first)?;
    let evidence = evidence(first, difference);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::Object {
            kind: "daemonset".to_owned(),
            name: "kube-proxy".to_owned(),
            namespace: Some("kube-system".to_owned()),
        },
        format!(
            "no node follows the API: the rules of all {} nodes for Service port {} are those of an earlier time",
            stale.len(),
            difference.name()
        ),
        evidence.first()?.clone(),
    );
    finding.evidence = evidence;
    finding.hint = Some(
        "what all have in common is the way to the API: `kubectl -n kube-system logs -l k8s-app=kube-proxy --tail=50`".to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::api::{api, with_endpoints};
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_node_whose_rules_have_the_pods_of_before_is_stale() {
        let old = Fixture::healthy().exchange("node1", "10.244.2.3:8080", "10.244.2.77:8080");
        let old = old.exchange("node1", "-s 10.244.2.3/32", "-s 10.244.2.77/32");
        let findings = shown::finds(&CHECK, &api(old.observe()));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].subject, Subject::node("node1"));
        assert_eq!(
            findings[0].summary,
            "kube-proxy of node1 does not follow the API: its rules for Service port shop/web:http are those of an earlier time"
        );
        assert_eq!(findings[0].evidence.len(), 3);
    }

    #[test]
    fn where_no_node_follows_it_is_not_one_kube_proxy() {
        let mut observation = api(Fixture::healthy().observe());
        with_endpoints(&mut observation, "web", &["10.244.2.88"]);
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(
            findings[0].subject.to_string(),
            "daemonset/kube-proxy -n kube-system"
        );
    }

    #[test]
    fn a_change_on_its_way_is_not_stale() {
        let mut observation = api(Fixture::healthy().observe());
        let earlier = observation.backends.as_ref().unwrap().slices.clone();
        with_endpoints(&mut observation, "web", &["10.244.2.88"]);
        // The second look has what the rules have.
        observation
            .backends
            .as_mut()
            .unwrap()
            .second_look
            .as_mut()
            .unwrap()
            .slices = earlier;
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn rules_that_are_as_the_api_says_pass_in_both_modes() {
        shown::passes(&CHECK, &api(Fixture::healthy().observe()));
        shown::passes(&CHECK, &api(Fixture::nftables().observe()));
    }

    #[test]
    fn slices_that_may_not_be_read_are_a_gap() {
        let mut observation = api(Fixture::healthy().observe());
        observation.backends.as_mut().unwrap().slices = report::Observed::Unseen(report::Gap {
            what: "endpointslices".into(),
            why: report::GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        shown::cannot_tell(&CHECK, &observation);
    }
}
