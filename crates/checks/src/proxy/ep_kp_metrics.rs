use observation::{HttpAnswer, ProxyLook};
use report::{Evidence, Finding, Severity};

use super::metrics::{Metrics, seconds};
use super::{OLD_RULES, Proxy, gap, on_asked};
use crate::check::{Check, Judgement, Need};
use crate::shell::on_node;
use crate::view::View;

/// What kube-proxy says of its own work: changes that wait to be written, rules that the kernel did not take, and how long writing
/// takes. A kube-proxy that has lost the API waits for nothing and says that all is well: only its rules, held against the API, show
/// that (ep-rule-stale).
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-metrics",
    claim: "kube-proxy of every node answers and keeps up with changes",
    needs: &[Need::KubeProxy],
    judge,
};

/// A change that waits longer is not only put off to be written together with others.
const WAITS: f64 = 60.0;
/// Writing rules takes well below this but for very many.
const SYNC: f64 = 10.0;
/// From a change of an endpoint to the rule.
const PROGRAMMING: f64 = 30.0;
const SYNCS: &str = "kubeproxy_sync_proxy_rules_duration_seconds";
const PROGRAMMED: &str = "kubeproxy_network_programming_duration_seconds";
/// A share of fewer observations says little.
const ENOUGH: f64 = 20.0;
const SHARE: f64 = 0.95;
/// Counters of rules that the kernel did not take. A partial write that fails is followed by a whole one, and harmless.
const FAILURES: [&str; 2] = [
    "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
    "kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
];

fn judge(view: &View<'_>) -> Judgement {
    on_asked(view, |proxies, judgement| {
        for proxy in &proxies.nodes {
            match (proxy.gap(), proxy.looks()) {
                (Some(gap), _) => judgement.gaps.push(gap.clone()),
                // It was left out, and the report says so.
                (None, None) => {}
                (None, Some((first, last))) => of_node(proxy, first, last, judgement),
            }
        }
    })
}

/// Whether it is connected to and says nothing.
pub(super) fn hangs(proxy: &Proxy<'_>) -> bool {
    let is_silent = |look: &ProxyLook| {
        let silent = |answer: &HttpAnswer| matches!(answer, HttpAnswer::Silent { .. });
        silent(&look.health) && silent(&look.mode)
    };
    proxy
        .looks()
        .is_some_and(|(first, last)| is_silent(first) && is_silent(last))
}

/// For how many seconds at least a change waits to be written, where that is too long.
pub(super) fn waits(proxy: &Proxy<'_>) -> Option<f64> {
    let (_, last) = proxy.looks()?;
    Metrics::of(last)?.waiting().filter(|waiting| *waiting > WAITS)
}

fn ask(proxy: &Proxy<'_>, address: &str, path: &str, only: &str) -> String {
    let filter = if only.is_empty() {
        String::new()
    } else {
        format!(" | grep {only}")
    };
    on_node(
        proxy.name(),
        &[&format!("curl -s -m 3 http://{address}{path}{filter}")],
    )
}

fn of_node(proxy: &Proxy<'_>, first: &ProxyLook, last: &ProxyLook, judgement: &mut Judgement) {
    let name = proxy.name();
    if hangs(proxy) {
        let fact = format!("it is connected to on {} and says nothing", last.health_address);
        let command = ask(proxy, &last.health_address, "/healthz", "");
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            proxy.subject(),
            format!("kube-proxy of {name} hangs: it answers nothing, and writes no rule"),
            Evidence::command(fact, command),
        );
        finding.hint = proxy
            .restart()
            .map(|command| format!("start it anew, and only it: `{command}`"));
        finding.explains = OLD_RULES.map(str::to_owned).to_vec();
        finding.explains.push("ep-kp-mode".to_owned());
        judgement.findings.push(finding);
        return;
    }
    judgement.findings.extend(unhealthy(proxy, last));
    let at = format!("metrics of kube-proxy of {name}");
    let (Some(before), Some(metrics)) = (Metrics::of(first), Metrics::of(last)) else {
        let gap = first.metrics.gap().or(last.metrics.gap());
        judgement.gaps.extend(gap.cloned());
        return;
    };
    let show = |only: &str| ask(proxy, &last.metrics_address, "/metrics", only);
    match metrics.waiting() {
        Some(waiting) if waiting > WAITS => {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Error,
                proxy.subject(),
                format!(
                    "kube-proxy of {name} does not get its rules written: a change waits for {}",
                    seconds(waiting)
                ),
                Evidence::command(
                    format!(
                        "the last change came after the last write, which was {} ago",
                        metrics.synced_ago().map_or_else(|| "never".to_owned(), seconds)
                    ),
                    show("sync_proxy_rules_last"),
                ),
            );
            finding.hint =
                Some("see what it says, and whether its node has no CPU left: `kubectl top node`".to_owned());
            finding.explains = OLD_RULES.map(str::to_owned).to_vec();
            judgement.findings.push(finding);
        }
        Some(_) => {}
        None => judgement.gaps.push(gap(
            at.clone(),
            "they do not say whether a change waits to be written",
        )),
    }
    failures(proxy, before, metrics, &show, judgement);
    for (metric, most, what) in [
        (SYNCS, SYNC, "takes long to write its rules"),
        (PROGRAMMED, PROGRAMMING, "is late with changes of endpoints"),
    ] {
        if let Some((bound, of)) = metrics.quantile(metric, SHARE)
            && of >= ENOUGH
            && bound > most
        {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                proxy.subject(),
                format!(
                    "kube-proxy of {name} {what}: one in twenty takes more than {}",
                    seconds(most)
                ),
                Evidence::command(
                    format!(
                        "95 of 100 are within {}, of {of:.0} since it started",
                        seconds(bound)
                    ),
                    show(metric),
                ),
            );
            finding.hint = Some(
                "see how many rules there are, and how much CPU it gets: `kubectl -n kube-system top pod`"
                    .to_owned(),
            );
            judgement.findings.push(finding);
        }
    }
}

fn unhealthy(proxy: &Proxy<'_>, last: &ProxyLook) -> Option<Finding> {
    let HttpAnswer::Answered { status, body, .. } = &last.health else {
        return None;
    };
    if *status == 200 {
        return None;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        proxy.subject(),
        format!("kube-proxy of {} says that it is not well", proxy.name()),
        Evidence::command(
            format!("/healthz answers {status}: {body}"),
            ask(proxy, &last.health_address, "/healthz", ""),
        ),
    );
    finding.hint = Some(
        "it says so where changes wait for long, and where the node is being deleted: `kubectl get node -o wide`".to_owned(),
    );
    Some(finding)
}

fn failures(
    proxy: &Proxy<'_>,
    before: Metrics<'_>,
    after: Metrics<'_>,
    show: &dyn Fn(&str) -> String,
    judgement: &mut Judgement,
) {
    for name in FAILURES {
        // A counter of another mode is not there.
        let (Some(first), Some(last)) = (before.sum(name), after.sum(name)) else {
            continue;
        };
        if last > first {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Error,
                proxy.subject(),
                format!(
                    "the kernel of {} does not take the rules of kube-proxy",
                    proxy.name()
                ),
                Evidence::command(
                    format!("{name} rose from {first} to {last} meanwhile"),
                    show(name),
                ),
            );
            finding.hint = Some(
                "its log names what the kernel refuses: `kubectl -n kube-system logs -l k8s-app=kube-proxy`"
                    .to_owned(),
            );
            judgement.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    const SYNCED: &str = "kubeproxy_sync_proxy_rules_last_timestamp_seconds";
    const QUEUED: &str = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds";

    #[test]
    fn a_kube_proxy_that_hangs_is_found() {
        let findings = shown::finds(&CHECK, &Fixture::healthy().silent("node1").observe());
        assert_eq!(
            findings[0].summary,
            "kube-proxy of node1 hangs: it answers nothing, and writes no rule"
        );
        assert!(
            findings[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.ends_with("delete pod kube-proxy-node1`"))
        );
    }

    #[test]
    fn a_change_that_waits_for_more_than_a_minute_is_found_and_a_quiet_time_is_not() {
        let now = Fixture::NOW_S;
        let stuck = Fixture::healthy()
            .metric("node1", SYNCED, &(now - 900).to_string())
            .metric("node1", QUEUED, &(now - 100).to_string());
        let findings = shown::finds(&CHECK, &stuck.observe());
        assert!(
            findings[0].summary.ends_with("a change waits for 100 s"),
            "{}",
            findings[0].summary
        );
        let new = Fixture::healthy()
            .metric("node1", SYNCED, &(now - 900).to_string())
            .metric("node1", QUEUED, &(now - 1).to_string());
        shown::passes(&CHECK, &new.observe());
    }

    #[test]
    fn rules_that_the_kernel_refuses_meanwhile_are_found_and_those_of_long_ago_are_not() {
        let failing =
            Fixture::healthy()
                .metric("node1", FAILURES[0], "3")
                .metric_later("node1", FAILURES[0], "4");
        shown::finds(&CHECK, &failing.observe());
        shown::passes(
            &CHECK,
            &Fixture::healthy().metric("node1", FAILURES[0], "3").observe(),
        );
    }

    #[test]
    fn slow_writes_are_a_warning_where_there_were_enough_of_them() {
        let slow = |count: &str| {
            Fixture::healthy()
                .metric("node1", &format!("{SYNCS}_bucket{{le=\"1\"}}"), "0")
                .metric("node1", &format!("{SYNCS}_bucket{{le=\"+Inf\"}}"), count)
        };
        assert_eq!(
            shown::finds(&CHECK, &slow("40").observe())[0].severity,
            Severity::Warning
        );
        shown::passes(&CHECK, &slow("4").observe());
    }

    #[test]
    fn not_being_well_is_an_error() {
        shown::finds(&CHECK, &Fixture::healthy().health("node1", 503).observe());
    }

    #[test]
    fn metrics_that_were_not_read_are_unknown() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().without_metrics("node2").observe());
        shown::cannot_tell(&CHECK, &Fixture::healthy().unasked("node2").observe());
    }
}
