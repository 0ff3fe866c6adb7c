use observation::DnsPod;
use report::{Evidence, Finding, Severity};

use super::metrics::{Metrics, gaps};
use super::over;
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A large share of answers that are failures, since the pod started.
///
/// A share, not a rate: failures of long ago count as those of now.
pub(crate) static CHECK: Check = Check {
    id: "dns-servfail",
    claim: "few answers of the DNS pods are failures",
    needs: &[Need::Dns],
    judge,
};

/// More than this share of SERVFAIL is worth a word.
const MANY: f64 = 0.01;
/// Of fewer answers a share says nothing.
const LEAST: f64 = 100.0;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let (gaps, asked) = gaps(scene);
        if !asked {
            return Judgement::not_asked();
        }
        Judgement {
            findings: scene.pods().filter_map(finding).collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

fn finding(pod: &DnsPod) -> Option<Finding> {
    let metrics = Metrics::of(pod)?;
    let share = metrics.share("SERVFAIL").filter(|share| *share > MANY)?;
    let all = metrics.answers().filter(|all| *all >= LEAST)?;
    let subject = pod.subject();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        subject.clone(),
        format!(
            "{:.1} % of the answers of {subject} since it started are SERVFAIL",
            share * 100.0
        ),
        Evidence::command(
            format!("{:.0} of {all:.0} answers", share * all),
            format!(
                "kubectl get --raw {}",
                word(&format!(
                    "/api/v1/namespaces/{}/pods/{}:9153/proxy/metrics",
                    pod.namespace, pod.name
                ))
            ),
        ),
    );
    finding.hint = Some("see whether upstreams answer: `kubectl dnscheck upstream`".to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use report::Observed;

    use super::*;
    use crate::dns::fixture::{Fixture, each_pod, unseen};
    use crate::shown;

    fn answered(noerror: u32, servfail: u32) -> Fixture {
        Fixture::healthy().with(|dns| {
            each_pod(dns, |pod| {
                let of = |code: &str| format!("coredns_dns_responses_total{{rcode=\"{code}\"}}");
                pod.metrics = Some(Observed::Seen(BTreeMap::from([
                    (of("NOERROR"), noerror.to_string()),
                    (of("SERVFAIL"), servfail.to_string()),
                ])));
            });
        })
    }

    #[test]
    fn a_share_of_many_answers_counts() {
        let findings = shown::finds(&CHECK, &answered(900, 100).observe());
        assert!(
            findings[0]
                .summary
                .starts_with("10.0 % of the answers of pod/coredns-1")
        );
        shown::passes(&CHECK, &answered(10, 10).observe());
        shown::passes(&CHECK, &answered(1000, 5).observe());
    }

    #[test]
    fn metrics_that_were_not_read_are_a_gap() {
        let unread = answered(1, 0).with(|dns| each_pod(dns, |pod| pod.metrics = Some(unseen())));
        shown::cannot_tell(&CHECK, &unread.observe());
    }
}
