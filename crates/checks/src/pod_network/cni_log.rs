use observation::{CniContainer, CniPod, LogTail};
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::{Cnis, count, gap, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::endpoints::time::words;
use crate::proxy::log::{age, message};
use crate::shell::word;
use crate::view::View;

/// What every container of the CNI's pods says, the ones before the last start included. A text is only judged where it is known what it
/// means; one that was said at the start, and not since, is over.
pub(crate) static CHECK: Check = Check {
    id: "cni-log",
    claim: "no log of the CNI tells of trouble that is known",
    needs: &[Need::Cni],
    judge,
};

/// What was said longer ago and not since is over.
const PRESENT: i64 = 150;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let Some(pods) = part(&scene.facts.pods, judgement) else {
            return;
        };
        let mut unread = 0;
        for pod in pods.iter().filter(|pod| pod.deleted.is_none()) {
            let mut is_read = false;
            for container in &pod.containers {
                is_read |= container.log.is_some() || container.started.is_none();
                for (log, is_before) in [(&container.log, false), (&container.previous, true)] {
                    match log {
                        Some(Observed::Seen(log)) => of_log(scene, pod, container, log, is_before, judgement),
                        // Logs before the last start are kept for a while only.
                        Some(Observed::Unseen(gap)) if !is_before => judgement.gaps.push(gap.clone()),
                        Some(Observed::Unseen(_)) | None => {}
                    }
                }
            }
            unread += usize::from(!is_read && !pod.containers.is_empty());
        }
        if unread > 0 {
            let mut left_out = gap(
                format!("the logs of {}", count(unread, "pod of the CNI")),
                "there are so many that only some were read, those that are not well first",
            );
            left_out.hint = Some("--node chooses nodes".to_owned());
            judgement.gaps.push(left_out);
        }
    })
}

fn of_log(
    scene: &Cnis<'_>,
    pod: &CniPod,
    container: &CniContainer,
    log: &LogTail,
    is_before: bool,
    judgement: &mut Judgement,
) {
    let reading = errortext::read(&log.lines.join("\n"));
    let about_cni = |check: &str| check.starts_with("cni-err") || check == "net-errtext";
    for found in reading.matches {
        if found.text.rank != errortext::Rank::Cause || !about_cni(found.text.check) {
            continue;
        }
        // The last line that says it: the first may be of long ago.
        let is_same = |line: &&String| {
            errortext::read(line)
                .matches
                .iter()
                .any(|it| it.text.name == found.text.name)
        };
        let last = log
            .lines
            .iter()
            .rev()
            .find(is_same)
            .map_or(found.line.as_str(), String::as_str);
        let ago = age(last, &scene.facts.read_at);
        let is_past = pod.ready && (is_before || ago.is_some_and(|ago| ago >= PRESENT));
        let severity = match (pod.ready, is_past) {
            (_, true) => Severity::Note,
            (false, false) => Severity::Error,
            (true, false) => Severity::Warning,
        };
        let node = pod.node.as_deref().unwrap_or("no node");
        let when = match ago {
            Some(ago) if is_past => format!(", {} ago and not since", words(ago)),
            None if is_past => ", before its last start".to_owned(),
            _ => String::new(),
        };
        let previous = if is_before { " --previous" } else { "" };
        let (name, namespace) = (word(&pod.name), word(&pod.namespace));
        let mut finding = Finding::new(
            CHECK.id,
            severity,
            pod.node.as_deref().map_or(Subject::Cluster, Subject::node),
            format!("{} of {node} says{when}: {}", pod.product, message(last)),
            Evidence::command(
                format!("{} say so; {}", count(found.count, "line"), found.text.means),
                format!(
                    "kubectl -n {namespace} logs {name} -c {} --since=15m --tail=300{previous}",
                    word(&container.name)
                ),
            ),
        );
        finding.hint = found
            .text
            .next
            .first()
            .map(|next| format!("`{}`", next.replace("NODE", &word(node))));
        finding.explains = vec!["cni-events".to_owned()];
        if severity == Severity::Error {
            judgement.cause(finding, Breaks::Nothing);
        } else {
            judgement.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, container, no};
    use super::*;
    use crate::shown;

    const OUTSIDE: &str = "E0301 08:59:50.000000       1 vxlan_network.go:1] error: the node's network doesn't contain the PodCIDR of the \"node2\" node";

    fn saying(line: &str) -> Fixture {
        Fixture::healthy().cni_pod("node2", |pod| {
            pod.containers[0] = container("kube-flannel", &[line]);
        })
    }

    #[test]
    fn a_text_that_is_known_is_told_with_what_it_means() {
        let findings = shown::finds(&CHECK, &saying(OUTSIDE).observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0].summary.starts_with("flannel of node2 says: error"),
            "{}",
            findings[0].summary
        );
        assert!(
            findings[0].evidence[0]
                .fact
                .contains("does not contain the range")
        );
        let down = saying(OUTSIDE).cni_pod("node2", |pod| pod.ready = false);
        assert_eq!(shown::finds(&CHECK, &down.observe())[0].severity, Severity::Error);
    }

    #[test]
    fn what_was_said_at_the_start_is_over_where_it_runs() {
        let old = saying(&OUTSIDE.replace("08:59:50", "08:50:00"));
        assert_eq!(shown::finds(&CHECK, &old.observe())[0].severity, Severity::Note);
        let before = Fixture::healthy().cni_pod("node2", |pod| {
            pod.containers[0].previous = container("x", &[OUTSIDE]).log;
        });
        assert_eq!(
            shown::finds(&CHECK, &before.observe())[0].severity,
            Severity::Note
        );
    }

    #[test]
    fn lines_that_say_nothing_of_trouble_pass() {
        shown::passes(
            &CHECK,
            &saying("I0301 08:59:50.000000       1 main.go:1] Running backend.").observe(),
        );
        shown::passes(&CHECK, &saying("").observe());
    }

    #[test]
    fn logs_that_were_not_read_are_unknown() {
        let unread = Fixture::healthy().cni_pod("node2", |pod| pod.containers[0].log = None);
        shown::cannot_tell(&CHECK, &unread.observe());
        let forbidden =
            Fixture::healthy().cni_pod("node2", |pod| pod.containers[0].log = Some(no("the log")));
        shown::cannot_tell(&CHECK, &forbidden.observe());
    }
}
