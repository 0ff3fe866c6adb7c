use report::{Evidence, Finding, Observed, Severity};

use super::log::{Sign, age, lines, message};
use super::{OLD_RULES, Proxies, Proxy, config, on_running};
use crate::check::{Check, Judgement, Need};
use crate::endpoints::time::words;
use crate::shell::word;
use crate::view::View;

/// kube-proxy says in its log when it does not hear from the API, when the kernel does not take its rules, and when it does not
/// understand its configuration. A silent log proves nothing: it tries again after a pause, and a process that hangs says nothing.
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-log",
    claim: "no log of kube-proxy tells of trouble",
    needs: &[Need::KubeProxy],
    judge,
};

/// What was said longer ago and not since is over: a lost watch is tried again within a minute, a failed sync within half of one.
const PRESENT: i64 = 150;

fn judge(view: &View<'_>) -> Judgement {
    on_running(view, |proxies, judgement| {
        if let Observed::Unseen(gap) = &proxies.facts.pods {
            judgement.gaps.push(gap.clone());
        }
        // The field that it does not know is told with the configuration it stands in.
        let config = proxies.facts.config.seen().and_then(Option::as_ref);
        let is_told = config::value(config).is_some_and(|value| !config::unknown(value).is_empty());
        for proxy in &proxies.nodes {
            let Some(pod) = proxy.pod else { continue };
            match &pod.log {
                Observed::Seen(log) => {
                    for sign in SIGNS.iter().filter(|sign| **sign != Sign::Lenient || !is_told) {
                        let said = lines(log, *sign);
                        judgement.findings.extend(finding(proxies, proxy, *sign, &said));
                    }
                }
                Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
            }
        }
    })
}

const SIGNS: &[Sign] = &[
    Sign::CannotRun,
    Sign::NoWatch,
    Sign::NotWritten,
    Sign::Lenient,
    Sign::NoRange,
    Sign::NoNode,
];

/// Whether kube-proxy of a node says that it does not hear from the API; `None` where its log was not read.
pub(super) fn is_deaf(proxies: &Proxies<'_>, proxy: &Proxy<'_>) -> Option<bool> {
    let log = proxy.pod?.log.seen()?;
    let last = lines(log, Sign::NoWatch).last().copied();
    Some(last.is_some_and(|line| age(line, &proxies.facts.read_at).is_none_or(|age| age < PRESENT)))
}

fn finding(proxies: &Proxies<'_>, proxy: &Proxy<'_>, sign: Sign, said: &[&str]) -> Option<Finding> {
    let (last, pod) = (said.last()?, proxy.pod?);
    let name = proxy.name();
    let ago = age(last, &proxies.facts.read_at);
    let is_past = ago.is_some_and(|ago| ago >= PRESENT);
    let (severity, what, hint) = match sign {
        Sign::CannotRun => (
            Severity::Error,
            format!("kube-proxy of {name} cannot run with what it is told, and says why"),
            "correct what its last line names: `kubectl -n kube-system edit configmap kube-proxy`",
        ),
        Sign::NoWatch => (
            Severity::Error,
            format!("kube-proxy of {name} does not hear from the API, so that its rules grow old"),
            "repair its way to the API server first; a restart repairs none: `kubectl -n kube-system get configmap kube-proxy -o yaml`",
        ),
        Sign::NotWritten => (
            Severity::Error,
            format!("the kernel of {name} does not take the rules of kube-proxy"),
            "the line names what the kernel refuses",
        ),
        Sign::Lenient => (
            Severity::Warning,
            format!("kube-proxy of {name} ignores a part of its configuration that it does not understand"),
            "correct the field that the line names: `kubectl -n kube-system edit configmap kube-proxy`",
        ),
        Sign::NoRange => (
            Severity::Warning,
            format!(
                "kube-proxy of {name} is not told the pods' range, and translates no traffic from outside to Services"
            ),
            "set clusterCIDR, or another detectLocalMode: `kubectl -n kube-system edit configmap kube-proxy`",
        ),
        Sign::NoNode => (
            Severity::Warning,
            format!("kube-proxy of {name} does not find out about its own node"),
            "see whether the node has the name that kube-proxy is given: `kubectl get nodes`",
        ),
    };
    // What it says once, at its start, stays true.
    let is_state = matches!(sign, Sign::Lenient | Sign::NoRange | Sign::CannotRun);
    // A pod that runs now, whatever its container said before it was started anew, can run.
    if sign == Sign::CannotRun && pod.ready && is_past {
        return None;
    }
    let (severity, summary) = match ago {
        Some(ago) if is_past && !is_state => (
            Severity::Note,
            format!("{what}: that was so {} ago and is not said since", words(ago)),
        ),
        _ => (severity, what),
    };
    let times = match said.len() {
        1 => "it says".to_owned(),
        count => format!("it says {count} times"),
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        proxy.subject(),
        summary,
        Evidence::command(
            format!("{times}: {}", message(last)),
            format!(
                "kubectl -n {} logs {} --since=15m",
                word(&pod.namespace),
                word(&pod.name)
            ),
        ),
    );
    finding.hint = Some(hint.to_owned());
    if severity == Severity::Error {
        finding.explains = OLD_RULES.map(str::to_owned).to_vec();
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    const WATCH: &str = r#"E0301 08:59:30.123456       1 reflector.go:205] "Failed to watch" err="dial tcp 172.30.0.1:6443: connect: connection refused" type="*v1.EndpointSlice""#;
    const LENIENT: &str = r#"I0301 08:50:30.123456       1 server.go:1] "Using lenient decoding as strict decoding failed" err="strict decoding error: unknown field \"mdoe\"""#;

    #[test]
    fn a_watch_that_fails_now_is_an_error_and_one_that_failed_is_told() {
        let deaf = Fixture::healthy().log("node1", &[WATCH, WATCH]);
        let findings = shown::finds(&CHECK, &deaf.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(
            findings[0].evidence[0]
                .fact
                .starts_with("it says 2 times: \"Failed to watch\"")
        );
        let before = WATCH.replace("08:59", "08:50");
        let findings = shown::finds(&CHECK, &Fixture::healthy().log("node1", &[&before]).observe());
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn what_it_says_at_its_start_stays_true() {
        let lenient = Fixture::healthy().log("node1", &[LENIENT]);
        assert_eq!(
            shown::finds(&CHECK, &lenient.observe())[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn a_field_that_the_configuration_shows_is_not_told_twice() {
        let both = Fixture::healthy()
            .log("node1", &[LENIENT])
            .config(serde_json::json!({"mdoe": "nftables"}));
        shown::passes(&CHECK, &both.observe());
    }

    #[test]
    fn quiet_logs_pass_and_unread_ones_are_unknown() {
        shown::passes(
            &CHECK,
            &Fixture::healthy()
                .log("node1", &["I0301 08:59:30.1 1 x.go:1] fine"])
                .observe(),
        );
        shown::cannot_tell(&CHECK, &Fixture::healthy().log_unseen("node1").observe());
    }
}
