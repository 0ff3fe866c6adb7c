use observation::DnsPod;
use report::{Evidence, Finding, Severity};

use super::metrics::{Metrics, gaps};
use super::over;
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Counters of DNS pods that should stand at zero.
pub(crate) static CHECK: Check = Check {
    id: "dns-metrics",
    claim: "the metrics of the DNS pods count no failure of their own",
    needs: &[Need::Dns],
    judge,
};

/// Series, what they count, and what to look at next.
const COUNTERS: [(&str, &str, &str); 5] = [
    (
        "coredns_panics_total",
        "panics",
        "see its log: `kubectl dnscheck logs`",
    ),
    (
        "coredns_reload_failed_total",
        "changes of its Corefile that it did not take over",
        "see what it does not understand: `kubectl dnscheck corefile`",
    ),
    (
        "coredns_forward_healthcheck_broken_total",
        "moments in which no upstream answered",
        "see its upstreams: `kubectl dnscheck upstream`",
    ),
    (
        "coredns_forward_max_concurrent_rejects_total",
        "queries that it refused because as many as max_concurrent allows waited",
        "see why upstreams are slow before raising `max_concurrent`: `kubectl dnscheck upstream`",
    ),
    (
        "coredns_health_request_failures_total",
        "requests to itself that failed",
        "see its limits and the load of its node",
    ),
];

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let (gaps, asked) = gaps(scene);
        if !asked {
            return Judgement::not_asked();
        }
        Judgement {
            findings: scene.pods().flat_map(findings).collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

fn findings(pod: &DnsPod) -> Vec<Finding> {
    let Some(metrics) = Metrics::of(pod) else {
        return Vec::new();
    };
    let subject = pod.subject();
    let counted = COUNTERS.iter().filter_map(|(series, what, next)| {
        let count = metrics.sum(series, None).filter(|count| *count > 0.0)?;
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            subject.clone(),
            format!("{subject} counted {count:.0} {what} since it started"),
            Evidence::command(
                format!("{series} {count:.0}"),
                format!(
                    "kubectl get --raw {}",
                    word(&format!(
                        "/api/v1/namespaces/{}/pods/{}:9153/proxy/metrics",
                        pod.namespace, pod.name
                    ))
                ),
            ),
        );
        finding.hint = Some((*next).to_owned());
        Some(finding)
    });
    counted.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use report::Observed;

    use super::*;
    use crate::dns::fixture::{Fixture, each_pod, unseen};
    use crate::shown;

    fn counted(panics: u32) -> Fixture {
        Fixture::healthy().with(|dns| {
            each_pod(dns, |pod| {
                pod.metrics = Some(Observed::Seen(BTreeMap::from([(
                    "coredns_panics_total".to_owned(),
                    panics.to_string(),
                )])));
            });
        })
    }

    #[test]
    fn what_should_be_zero_is_told_where_it_is_not() {
        let findings = shown::finds(&CHECK, &counted(2).observe());
        assert_eq!(
            findings[0].summary,
            "pod/coredns-1 -n kube-system counted 2 panics since it started"
        );
        shown::passes(&CHECK, &counted(0).observe());
    }

    #[test]
    fn metrics_that_were_not_read_are_a_gap() {
        let unread = counted(0).with(|dns| each_pod(dns, |pod| pod.metrics = Some(unseen())));
        shown::cannot_tell(&CHECK, &unread.observe());
    }
}
