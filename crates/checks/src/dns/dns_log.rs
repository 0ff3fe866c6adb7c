use observation::DnsPod;
use report::{Evidence, Finding, Observed};

use super::log::{Pattern, said};
use super::{Scene, count, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Lines of the logs of DNS pods that say that something is wrong, counted pod by pod.
///
/// The log of the container before is read too where there was one: that of the last quarter of an hour of the one that runs.
pub(crate) static CHECK: Check = Check {
    id: "dns-log",
    claim: "the logs of the DNS pods tell of no failure",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let mut gaps = Scene::gaps([gap(&scene.dns.pods)]);
        // A container that never ran has no log, and why is told by its pod.
        let running = scene
            .pods()
            .filter(|pod| pod.waiting.is_none() && pod.phase == "Running");
        gaps.extend(running.filter_map(|pod| pod.log.gap().cloned()));
        Judgement {
            findings: scene.pods().flat_map(findings).collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

fn findings(pod: &DnsPod) -> Vec<Finding> {
    let now = pod.log.seen().map(|log| (log, false));
    let before = pod
        .previous_log
        .as_ref()
        .and_then(Observed::seen)
        .map(|log| (log, true));
    let logs = now.into_iter().chain(before);
    logs.flat_map(|(log, is_previous)| {
        let more = log.more;
        said(log)
            .into_iter()
            .map(move |(pattern, number, line)| finding(pod, pattern, number, line, is_previous, more))
            .collect::<Vec<_>>()
    })
    .collect()
}

fn finding(
    pod: &DnsPod,
    pattern: &Pattern,
    number: usize,
    line: &str,
    is_previous: bool,
    more: bool,
) -> Finding {
    let subject = pod.subject();
    let at_least = if more { "at least " } else { "" };
    let before = if is_previous {
        ", before its last start"
    } else {
        ""
    };
    let (name, namespace) = (word(&pod.name), word(&pod.namespace));
    let which = if is_previous { "--previous" } else { "--since=15m" };
    let mut finding = Finding::new(
        CHECK.id,
        pattern.severity,
        subject.clone(),
        format!(
            "{subject} logged {at_least}{} that say: {}{before}",
            count(number, "line"),
            pattern.means
        ),
        Evidence::command(
            line.trim().to_owned(),
            format!("kubectl logs {name} -n {namespace} {which} --tail=300"),
        ),
    );
    finding.hint = Some(pattern.next.to_owned());
    finding
}

#[cfg(test)]
mod tests {
    use report::Severity;

    use super::*;
    use crate::dns::fixture::{Fixture, list, logged, unseen};
    use crate::shown;

    #[test]
    fn lines_are_counted_pod_by_pod() {
        let line = "[ERROR] plugin/errors: 2 a.example. A: read udp 10.244.0.2:4->192.0.2.53:53: i/o timeout";
        let failing = Fixture::healthy().with(|dns| logged(dns, &["CoreDNS-1.12.4", line, line]));
        let findings = shown::finds(&CHECK, &failing.observe());
        assert_eq!(
            findings[0].summary,
            "pod/coredns-1 -n kube-system logged 2 lines that say: an upstream does not answer"
        );
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning));
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_log_that_was_not_read_is_a_gap() {
        let unread = Fixture::healthy().with(|dns| list(&mut dns.pods)[1].log = unseen());
        shown::cannot_tell(&CHECK, &unread.observe());
    }
}
