use observation::{MadeService, Purpose, Reach, Source, Topic};
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::{evidence, names, nodes_of, proxy_of, works};
use crate::check::{Check, Judgement, Need};
use crate::tries::{Row, about, by_service, gaps, rows};
use crate::view::View;

/// A Service of the run's own, before its own pods: what fails with it fails with any Service, and where it answers, what fails is the other
/// Service's own.
pub(crate) static CHECK: Check = Check {
    id: "net-svc-probe",
    claim: "a Service of our own, before our own pods, answers from every node that tried",
    needs: &[Need::Services],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, &[Topic::Service]) else {
        return Judgement::not_asked();
    };
    let made = match &reach.own_service {
        None => return Judgement::not_asked(),
        Some(Observed::Unseen(gap)) => return Judgement::unread(gap),
        Some(Observed::Seen(made)) => made,
    };
    let all = rows(reach);
    let own: Vec<&Row<'_>> = all
        .iter()
        .filter(|row| row.sample.purpose == Purpose::OwnService)
        .collect();
    let mut findings: Vec<Finding> = own.iter().filter_map(|row| broken(made, row, &all)).collect();
    if findings.is_empty() && own.iter().all(|row| row.failing().is_empty()) {
        findings.extend(of_its_own(reach, &all, &own));
    }
    let mut gaps = gaps(view, reach);
    gaps.extend(unexplained(&own, &findings));
    Judgement {
        findings,
        gaps,
        ..Judgement::default()
    }
}

/// Where it does not answer although our own pods do by their own addresses: the rules of nodes.
fn broken(made: &MadeService, row: &Row<'_>, all: &[Row<'_>]) -> Option<Finding> {
    let is_pod = |it: &&Row<'_>| matches!(it.sample.purpose, Purpose::ProbePod { .. });
    let reached = |source: &&Source| all.iter().filter(is_pod).any(|it| it.right().contains(source));
    let failing: Vec<&Source> = row
        .failing()
        .into_iter()
        .filter(|source| reached(source))
        .collect();
    let nodes: Vec<&str> = nodes_of(&failing).into_iter().collect();
    let first = *nodes.first()?;
    let everywhere = row.right().is_empty();
    let (subject, place) = if everywhere {
        (Subject::Cluster, "any node".to_owned())
    } else {
        (Subject::node(first), names(&failing))
    };
    let mut seen: Vec<Evidence> = evidence(row).into_iter().take(3).collect();
    seen.extend(works(row));
    seen.extend(all.iter().filter(is_pod).filter_map(works).take(1));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!(
            "a Service that we made does not answer pods of {place} within {} s, though our pods behind it do: there no Service works that is new",
            made.waited_ms / 1000
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = Some(format!(
        "what turns Services into rules does not follow there: see whether kube-proxy runs and what it logs: `{}`",
        proxy_of(first)
    ));
    Some(finding)
}

/// It answers everywhere, and a Service that was asked about does not: then that is the matter of that Service.
fn of_its_own(reach: &Reach, all: &[Row<'_>], own: &[&Row<'_>]) -> Option<Finding> {
    let services = by_service(reach, all);
    let ill = services.iter().find(|service| {
        let is_asked = reach.asked.contains(&service.service.subject());
        is_asked && service.cluster_ips().any(|row| !row.failing().is_empty())
    })?;
    let (service, row) = (ill.service.subject(), own.first()?);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        service.clone(),
        format!(
            "a Service that we made answers from every node that tried: what fails with {service} is its own, not that of all Services"
        ),
        works(row)?,
    );
    let failing = ill.cluster_ips().flat_map(evidence).take(2);
    finding.evidence.extend(failing);
    Some(finding)
}

/// It does not answer, and neither do our pods from there: that is no matter of Services, and nothing is known of them.
fn unexplained(own: &[&Row<'_>], findings: &[Finding]) -> Option<report::Gap> {
    let failing: Vec<&Source> = own.iter().flat_map(|row| row.failing()).collect();
    (!failing.is_empty() && findings.is_empty()).then(|| report::Gap {
        what: format!("whether Services work from {}", names(&failing)),
        why: report::GapReason::Failed,
        message: "our own pods do not answer from there by their own addresses either".to_owned(),
        hint: Some("see why: `kubectl netcheck pod-to-pod`".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use netprobe::Outcome;
    use observation::{Attempt, Observation};
    use report::{Gap, GapReason};

    use super::*;
    use crate::reach::plan_own_service;
    use crate::shown;
    use crate::tries::scene::{Scene, is_from, silence};

    fn made() -> MadeService {
        MadeService {
            subject: Subject::Object {
                kind: "service".to_owned(),
                name: "own-service".to_owned(),
                namespace: Some("netcheck-r".to_owned()),
            },
            waited_ms: 1200,
        }
    }

    fn seen(outcome: impl Fn(&Attempt) -> Option<Outcome>) -> Observation {
        let mut scene = Scene::new();
        scene.more = plan_own_service(&made().subject, &[[10, 96, 7, 7].into()], 80, &scene.options);
        let mut observation = scene.observe(|attempt, _| outcome(attempt));
        if let Some(reach) = &mut observation.reach {
            reach.own_service = Some(Observed::Seen(made()));
        }
        observation
    }

    fn is_own(attempt: &Attempt) -> bool {
        attempt.purpose == Purpose::OwnService
    }

    #[test]
    fn one_that_answers_everywhere_passes() {
        let observation = seen(|_| None);
        shown::passes(&CHECK, &observation);
        assert!(judge(&View::new(&observation)).findings.is_empty());
    }

    #[test]
    fn a_node_where_it_does_not_answer_follows_no_service() {
        let observation = seen(|it| (is_own(it) && is_from(it, "node2")).then(silence));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].subject, Subject::node("node2"));
        assert_eq!(
            findings[0].summary,
            "a Service that we made does not answer pods of node2 within 1 s, though our pods behind it do: there no Service works that \
             is new"
        );
        let everywhere = shown::finds(&CHECK, &seen(|it| is_own(it).then(silence)));
        assert_eq!(everywhere[0].subject, Subject::Cluster);
    }

    #[test]
    fn where_it_answers_what_fails_is_the_other_services_own() {
        let is_web =
            |it: &Attempt| it.purpose == Purpose::ClusterIp && it.subject.to_string().contains("/web ");
        let findings = shown::finds(&CHECK, &seen(|it| is_web(it).then(silence)));
        assert_eq!(findings[0].severity, Severity::Note);
        assert!(
            findings[0]
                .summary
                .ends_with("what fails with service/web -n shop is its own, not that of all Services"),
            "{findings:#?}"
        );
    }

    #[test]
    fn where_our_pods_do_not_answer_either_nothing_is_known_of_services() {
        let observation = seen(|it| {
            let is_pod = matches!(it.purpose, Purpose::ProbePod { .. });
            ((is_own(it) || is_pod) && is_from(it, "node2")).then(silence)
        });
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn one_that_could_not_be_made_is_unknown_and_nobody_who_did_not_ask_hears_of_it() {
        let mut observation = seen(|_| None);
        if let Some(reach) = &mut observation.reach {
            reach.own_service = Some(Observed::Unseen(Gap {
                what: "whether a Service of our own answers".to_owned(),
                why: GapReason::Failed,
                message: "none could be made".to_owned(),
                hint: None,
            }));
        }
        shown::cannot_tell(&CHECK, &observation);
        assert!(!judge(&View::new(&Scene::new().observe(|_, _| None))).is_asked());
    }

    #[test]
    fn that_every_kube_proxy_writes_its_rules_anew_is_said() {
        let report = crate::judge(
            &seen(|_| None),
            &crate::JudgeOptions {
                command: "service".to_owned(),
                tool: "test".to_owned(),
            },
        );
        assert!(
            report
                .notes
                .iter()
                .any(|note| note.text.contains("wrote its rules anew"))
        );
    }
}
