use report::{Evidence, Finding, Severity};

use super::ep_kp_log::is_deaf;
use super::ep_kp_metrics::{hangs, waits};
use super::{Proxies, Proxy, gap, on_asked};
use crate::check::{Check, Judgement, Need};
use crate::rules;
use crate::shell::word;
use crate::view::View;

/// kube-proxy writes all its rules when it starts, so that a restart repairs rules that are old, and one that hangs. It repairs no way to
/// the API: without that a kube-proxy that was started anew has no rules at all. And the restart of all of them destroys what tells one
/// from the others.
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-restart",
    claim: "no kube-proxy has to be started anew",
    needs: &[Need::KubeProxy],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_asked(view, |proxies, judgement| {
        let stale = rules::stale(view);
        for proxy in &proxies.nodes {
            let is_stale = stale.iter().any(|node| node == proxy.name());
            let why = if hangs(proxy) {
                "it hangs"
            } else if is_stale {
                "its rules are those of an earlier time"
            } else if waits(proxy).is_some() {
                "its rules are not written"
            } else {
                continue;
            };
            advise(proxies, proxy, why, judgement);
        }
        // Where a node was not asked, nobody knows whether its kube-proxy hangs.
        let unseen = proxies.nodes.iter().filter_map(Proxy::gap);
        judgement.gaps.extend(unseen.cloned());
    })
}

fn advise(proxies: &Proxies<'_>, proxy: &Proxy<'_>, why: &str, judgement: &mut Judgement) {
    let name = proxy.name();
    let (Some(pod), Some(command)) = (proxy.pod, proxy.restart()) else {
        return;
    };
    let logs = format!(
        "kubectl -n {} logs {} --since=15m",
        word(&pod.namespace),
        word(&pod.name)
    );
    let hears = if proxy.is_reported() {
        is_deaf(proxies, proxy)
    } else {
        Some(true)
    };
    let (summary, fact, hint) = match hears {
        None => {
            judgement.gaps.push(gap(
                format!("whether a restart of kube-proxy of {name} helps"),
                "its log was not read, so that its way to the API is not known",
            ));
            return;
        }
        Some(true) => (
            format!(
                "do not start kube-proxy of {name} anew yet: {why}, but it would not come back without its way to the API"
            ),
            "it cannot reach the API".to_owned(),
            "repair its way to the API server first, then it follows by itself: `kubectl get node -o wide`"
                .to_owned(),
        ),
        Some(false) => (
            format!("start kube-proxy of {name} anew, and no other: {why}"),
            "its log of the last quarter of an hour has no failure to reach the API".to_owned(),
            format!("its DaemonSet starts it again at once: `{command}`"),
        ),
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        proxy.subject(),
        summary,
        Evidence::command(fact, logs),
    );
    finding.hint = Some(hint);
    judgement.findings.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    const WATCH: &str =
        r#"E0301 08:59:30.123456       1 reflector.go:205] "Failed to watch" err="connection refused""#;

    #[test]
    fn one_that_hangs_is_to_be_started_anew_by_the_name_of_its_pod() {
        let findings = shown::finds(&CHECK, &Fixture::healthy().silent("node1").observe());
        assert_eq!(
            findings[0].summary,
            "start kube-proxy of node1 anew, and no other: it hangs"
        );
        assert_eq!(
            findings[0].hint.as_deref(),
            Some(
                "its DaemonSet starts it again at once: `kubectl -n kube-system delete pod kube-proxy-node1`"
            )
        );
    }

    #[test]
    fn one_that_has_lost_the_api_is_left_alone() {
        let deaf = Fixture::healthy().silent("node1").log("node1", &[WATCH]);
        let findings = shown::finds(&CHECK, &deaf.observe());
        assert!(
            findings[0]
                .summary
                .starts_with("do not start kube-proxy of node1 anew yet")
        );
    }

    #[test]
    fn where_its_log_was_not_read_nobody_knows() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().silent("node1").log_unseen("node1").observe(),
        );
    }

    #[test]
    fn those_that_keep_up_are_left_alone() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }
}
