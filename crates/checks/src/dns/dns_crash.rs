use observation::{DnsPod, LogTail};
use report::{Evidence, Finding, Observed, Severity};

use super::log::said;
use super::{NOT_READY, Scene, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A DNS pod that ends and is started again and again, and what it said last.
pub(crate) static CHECK: Check = Check {
    id: "dns-crash",
    claim: "no DNS pod crashes again and again",
    needs: &[Need::Dns],
    judge,
};

/// A pod that ended so long ago runs well since.
const RECENT_SECONDS: i64 = 10 * 60;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| Judgement {
        findings: scene.pods().filter_map(|pod| finding(scene, pod)).collect(),
        gaps: Scene::gaps([gap(&scene.dns.pods)]),
        ..Judgement::default()
    })
}

fn finding(scene: &Scene<'_>, pod: &DnsPod) -> Option<Finding> {
    let waits = pod
        .waiting
        .as_ref()
        .filter(|waiting| ["CrashLoopBackOff", "RunContainerError"].contains(&waiting.reason.as_str()));
    let ended = pod.ended.as_ref();
    let recently = ended
        .filter(|ended| ended.is_failure())
        .and_then(|ended| scene.ago(ended.at.as_deref()))
        .is_some_and(|ago| ago < RECENT_SECONDS);
    if waits.is_none() && !(recently && pod.restarts > 0) {
        return None;
    }
    let subject = pod.subject();
    let (name, namespace) = (word(&pod.name), word(&pod.namespace));
    let logs = [pod.previous_log.as_ref(), Some(&pod.log)];
    let logs: Vec<&LogTail> = logs.into_iter().flatten().filter_map(Observed::seen).collect();
    let last = logs
        .iter()
        .flat_map(|log| said(log))
        .max_by_key(|(pattern, ..)| pattern.severity);
    let why = match (&last, ended.map(|ended| ended.reason.as_str())) {
        (_, Some("OOMKilled")) => ": it uses more memory than its limit".to_owned(),
        (Some((pattern, ..)), _) => format!(": {}", pattern.means),
        (None, _) => String::new(),
    };
    let severity = if pod.ready {
        Severity::Warning
    } else {
        Severity::Error
    };
    let restarted = format!(
        "it was started anew {}{}",
        super::count(usize::try_from(pod.restarts).unwrap_or(usize::MAX), "time"),
        ended.map_or(String::new(), |ended| format!(
            ", last ended as {} with status {}",
            ended.reason, ended.exit_code
        )),
    );
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        subject.clone(),
        format!("{subject} crashes{why}"),
        Evidence::command(restarted, format!("kubectl describe pod {name} -n {namespace}")),
    );
    let show = format!("kubectl logs {name} -n {namespace} --previous --tail=50");
    finding.hint = match last {
        Some((pattern, _, line)) => {
            finding
                .evidence
                .push(Evidence::command(line.trim().to_owned(), show));
            Some(pattern.next.to_owned())
        }
        None => Some(format!("see what it said last: `{show}`")),
    };
    finding.explains = ids(&[&NOT_READY]);
    finding.explains.retain(|id| id != CHECK.id);
    Some(finding)
}

#[cfg(test)]
mod tests {
    use observation::{Ended, Waiting};

    use super::*;
    use crate::dns::fixture::{Fixture, list};
    use crate::shown;

    fn crashing(log: &str) -> Fixture {
        Fixture::healthy().with(|dns| {
            let pod = &mut list(&mut dns.pods)[0];
            pod.ready = false;
            pod.restarts = 4;
            pod.waiting = Some(Waiting {
                reason: "CrashLoopBackOff".into(),
                message: String::new(),
            });
            pod.previous_log = Some(Observed::Seen(LogTail {
                lines: vec![log.to_owned()],
                more: false,
            }));
        })
    }

    #[test]
    fn the_last_words_are_the_reason() {
        let looping = crashing("[FATAL] plugin/loop: Loop (127.0.0.1:1 -> :53) detected for zone \".\"");
        let findings = shown::finds(&CHECK, &looping.observe());
        assert!(findings[0].summary.ends_with("for which it ends"), "{findings:?}");
        assert_eq!(findings[0].evidence.len(), 2);
        assert_eq!(
            shown::finds(&CHECK, &crashing("nothing known").observe())[0]
                .evidence
                .len(),
            1
        );
    }

    #[test]
    fn what_ended_long_ago_runs_well_since() {
        let ended = |at: &str| {
            let at = at.to_owned();
            Fixture::healthy().with(move |dns| {
                let pod = &mut list(&mut dns.pods)[0];
                pod.restarts = 1;
                pod.ended = Some(Ended {
                    reason: "OOMKilled".into(),
                    exit_code: 137,
                    at: Some(at),
                });
            })
        };
        shown::passes(&CHECK, &ended("2026-03-01T08:00:00Z").observe());
        let findings = shown::finds(&CHECK, &ended("2026-03-01T08:58:00Z").observe());
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().pods_unseen().observe());
    }
}
