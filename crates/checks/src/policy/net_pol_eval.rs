use netmodel::policy::{
    Direction, DirectionVerdict, Miss, MissReason, Outcome, PolicyRef, PortMatch, Verdict,
};
use report::{Finding, Gap, GapReason, Severity};

use super::{net_pol_defaultdeny, net_pol_port, net_pol_svcport};
use crate::check::{Check, Judgement, Need};
use crate::scene::{AskedFlow, Objects, Scene, judged_flows, lint, object, seen, show, side_fact, subject};
use crate::view::View;

/// Whether policies let the flow through that was asked about. What they deny is a warning here, since nothing was tried.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-eval",
    claim: "policies let the flow through that was asked about",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(scene) = &view.scene else {
        return Judgement::not_asked();
    };
    let Some(asked) = scene.asked(&scene.world) else {
        return Judgement::not_asked();
    };
    let mut judgement = lint(view, &[Objects::Pods], |scene| {
        let judged = judged_flows(&asked, &scene.world);
        let findings = judged
            .iter()
            .filter_map(|(flow, verdict)| finding(scene, flow, verdict));
        // What another check decides is told by that check.
        findings.filter(|finding| finding.id == CHECK.id).collect()
    });
    judgement.gaps.extend(asked.gaps.iter().cloned());
    for (flow, verdict) in judged_flows(&asked, &scene.world) {
        judgement.gaps.extend(undecided(&flow, &verdict));
        if verdict.outcome() == Outcome::Allowed {
            judgement.gaps.extend(others(scene, &flow));
        }
    }
    judgement
}

/// What was found about a flow; the check that decides it stands in its id.
pub(super) fn finding(scene: &Scene<'_>, flow: &AskedFlow<'_>, verdict: &Verdict) -> Option<Finding> {
    match verdict.outcome() {
        Outcome::Allowed => Some(allowed(flow, verdict)),
        Outcome::Denied => Some(denied(scene, flow, verdict)),
        Outcome::Unknown => None,
    }
}

fn sides(verdict: &Verdict) -> [(Direction, &DirectionVerdict); 2] {
    [
        (Direction::Egress, &verdict.egress),
        (Direction::Ingress, &verdict.ingress),
    ]
}

fn allowed(flow: &AskedFlow<'_>, verdict: &Verdict) -> Finding {
    let pod = flow.flow.destination.pod().or(flow.flow.source.pod());
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject: pod.map_or(report::Subject::Cluster, |pod| {
            object("pod", &pod.namespace, &pod.name)
        }),
        summary: format!(
            "policies let {} reach {} on {}",
            flow.source,
            flow.destination,
            flow.port()
        ),
        evidence: sides(verdict)
            .into_iter()
            .flat_map(|(direction, side)| side_fact(flow, direction, side))
            .collect(),
        hint: None,
        explains: Vec::new(),
    }
}

fn denied(scene: &Scene<'_>, flow: &AskedFlow<'_>, verdict: &Verdict) -> Finding {
    let mut evidence = Vec::new();
    let mut told: Option<(Direction, &[PolicyRef], &[Miss])> = None;
    for (direction, side) in sides(verdict) {
        if let DirectionVerdict::Denied { isolating, misses } = side {
            told = told.or(Some((direction, isolating, misses)));
            evidence.extend(side_fact(flow, direction, side));
        }
    }
    let (direction, isolating, misses) = told.unwrap_or((Direction::Ingress, &[], &[]));
    let policy = misses.first().map(|miss| &miss.policy).or(isolating.first());
    let id = deciding(scene, flow, misses);
    let because = match (id, policy, isolating.len()) {
        (_, None, _) => String::new(),
        (it, Some(policy), _) if it == net_pol_defaultdeny::CHECK.id => {
            format!(": {policy} allows no {direction} at all")
        }
        (it, Some(policy), _) if it == net_pol_port::CHECK.id || it == net_pol_svcport::CHECK.id => {
            format!(": {policy} allows it other ports only")
        }
        (_, Some(policy), 1) => format!(": {policy} isolates for {direction}, and no rule of it covers this"),
        (_, Some(policy), more) => {
            format!(
                ": {policy} and {} more isolate for {direction}, and no rule covers this",
                more - 1
            )
        }
    };
    let mut finding = Finding {
        id: id.to_owned(),
        severity: Severity::Warning,
        subject: policy.map_or(report::Subject::Cluster, subject),
        summary: format!(
            "policies do not let {} reach {} on {}{because}",
            flow.source,
            flow.destination,
            flow.port()
        ),
        evidence,
        hint: policy.map(|policy| format!("add what is missing beside it, or to it: `{}`", show(policy))),
        explains: Vec::new(),
    };
    if id != CHECK.id {
        finding.explains.push(CHECK.id.to_owned());
    }
    finding
}

/// The check whose claim decides the denial: by the rule that misses closest.
fn deciding(scene: &Scene<'_>, flow: &AskedFlow<'_>, misses: &[Miss]) -> &'static str {
    if !misses.is_empty() && misses.iter().all(|miss| miss.why == MissReason::NoRules) {
        return net_pol_defaultdeny::CHECK.id;
    }
    match misses.first().map(|miss| &miss.why) {
        Some(MissReason::Port { allowed, .. }) => {
            let is_services = flow.flow.destination.pod().is_some_and(|pod| {
                let services = net_pol_svcport::translations(scene, pod);
                services.iter().any(|translation| {
                    translation.target == flow.flow.port
                        && allowed
                            .iter()
                            .any(|port| port.port == PortMatch::Number(translation.service_port))
                })
            });
            if is_services {
                net_pol_svcport::CHECK.id
            } else {
                net_pol_port::CHECK.id
            }
        }
        Some(MissReason::Peer { .. } | MissReason::NoRules) | None => CHECK.id,
    }
}

fn undecided(flow: &AskedFlow<'_>, verdict: &Verdict) -> Vec<Gap> {
    if verdict.outcome() != Outcome::Unknown {
        return Vec::new();
    }
    let whys = sides(verdict).into_iter().filter_map(|(_, side)| match side {
        DirectionVerdict::Unknown { why, .. } => Some(why.join("; ")),
        _ => None,
    });
    whys.map(|why| Gap {
        what: format!(
            "whether policies let {} reach {} on {}",
            flow.source,
            flow.destination,
            flow.port()
        ),
        why: GapReason::Failed,
        message: why,
        hint: None,
    })
    .collect()
}

/// Policies of other kinds could deny what NetworkPolicies allow.
fn others(scene: &Scene<'_>, flow: &AskedFlow<'_>) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = scene.facts.other_kinds.gap().cloned().into_iter().collect();
    let kinds: Vec<String> = seen(&scene.facts.other_kinds)
        .iter()
        .filter_map(|kind| {
            let number = kind.objects.seen().map_or(1, Vec::len);
            (number > 0).then(|| kind.resource.clone())
        })
        .collect();
    if !kinds.is_empty() {
        gaps.push(Gap {
            what: format!(
                "whether {} let {} reach {}",
                kinds.join(", "),
                flow.source,
                flow.destination
            ),
            why: GapReason::Failed,
            message: "policies of these kinds are there and are not evaluated".to_owned(),
            hint: None,
        });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::{Fixture, deny_all, without_pods};
    use crate::shown;

    fn ask(fixture: Fixture) -> observation::Observation {
        fixture.flow(("shop", "web-1"), ("shop", "db-1"), 5432).observe()
    }

    #[test]
    fn a_flow_that_no_rule_covers_names_the_policy_and_the_rule() {
        let spec = json!({"podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "admin"}}}]}]});
        let findings = shown::finds(&CHECK, &ask(Fixture::shop().with("shop", "db", spec)));
        assert_eq!(
            findings[0].summary,
            "policies do not let pod/web-1 -n shop reach pod/db-1 -n shop on TCP 5432: networkpolicy/db -n shop isolates for \
             ingress, and no rule of it covers this"
        );
        assert_eq!(
            findings[0].evidence[0].fact,
            "does not allow it: its labels do not meet app=admin"
        );
    }

    #[test]
    fn what_is_allowed_names_the_rule_that_allows_it() {
        let spec = json!({"podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}]});
        let observation = ask(Fixture::shop().with("shop", "db", spec));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Note);
        assert_eq!(
            findings[0].evidence[1].fact,
            "ingress of pod/db-1 -n shop is allowed by from[0] and ports[0]"
        );
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn policies_that_select_other_pods_only_do_not_stand_in_the_way() {
        let other =
            json!({"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Ingress", "Egress"]});
        let observation = ask(Fixture::shop()
            .with("shop", "other", other)
            .with("ops", "deny", deny_all()));
        shown::passes(&CHECK, &observation);
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings.iter().all(|finding| finding.severity == Severity::Note));
    }

    #[test]
    fn a_flow_between_pods_that_were_not_seen_is_unknown() {
        shown::cannot_tell(&CHECK, &without_pods(ask(Fixture::shop())));
    }

    #[test]
    fn an_ip_block_that_holds_a_pod_is_unknown() {
        let spec = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]});
        let gaps = shown::cannot_tell(&CHECK, &ask(Fixture::shop().with("shop", "out", spec)));
        assert!(
            gaps[0].message.contains("depends on the network plugin"),
            "{gaps:?}"
        );
    }

    #[test]
    fn with_policies_of_other_kinds_nothing_is_called_allowed() {
        let observation = ask(Fixture::shop().other("ciliumnetworkpolicies.cilium.io", &["shop/x"]));
        let gaps = shown::cannot_tell(&CHECK, &observation);
        assert_eq!(
            gaps[0].message,
            "policies of these kinds are there and are not evaluated"
        );
    }
}
