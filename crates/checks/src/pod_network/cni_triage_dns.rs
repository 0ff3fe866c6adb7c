use report::{Evidence, Finding, Severity, Subject};

use super::triage::names;
use super::{gap, over};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// No server for names is ready: nearly everything begins with a name.
pub(crate) static CHECK: Check = Check {
    id: "cni-triage-dns",
    claim: "some server for names is ready",
    needs: &[Need::Cni, Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |_, judgement| {
        if view.observation.dns.is_none() {
            judgement.skipped = Some("the cluster's DNS was not looked at".to_owned());
            return;
        }
        let Some(names) = names(view) else {
            judgement
                .gaps
                .push(gap("the pods of the cluster's DNS", "they could not be listed"));
            return;
        };
        if names.all == 0 {
            judgement
                .gaps
                .push(gap("the pods of the cluster's DNS", "none was found"));
        }
        if !names.is_none() {
            return;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Cluster,
            "P0, to be restored within 30 minutes: no DNS pod is ready, so that no name of the cluster is answered",
            Evidence::command(
                format!("{names} DNS pods are ready"),
                "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide",
            ),
        );
        finding.hint = Some(
            "in this order: the DNS pods (`kubectl dnscheck status`), policies and port 53 (`kubectl dnscheck`), then the servers outside \
             (`kubectl dnscheck upstream`)"
                .to_owned(),
        );
        judgement.findings.push(finding);
    })
}

#[cfg(test)]
mod tests {
    use report::{Gap, GapReason, Observed};

    use super::super::fixture::Fixture;
    use super::*;
    use crate::dns::fixture::Fixture as Dns;
    use crate::shown;

    fn with(dns: &Dns) -> observation::Observation {
        let mut observation = Fixture::healthy().observe();
        observation.dns = dns.observe().dns;
        observation
    }

    #[test]
    fn servers_of_which_none_is_ready_are_the_outage() {
        let mut observation = with(&Dns::healthy());
        if let Observed::Seen(pods) = &mut observation.dns.as_mut().unwrap().pods {
            for pod in pods {
                pod.ready = false;
            }
        }
        assert!(shown::finds(&CHECK, &observation)[0].summary.starts_with("P0"));
    }

    #[test]
    fn servers_that_are_ready_pass_and_unlisted_ones_are_unknown() {
        let mut observation = with(&Dns::healthy());
        shown::passes(&CHECK, &observation);
        observation.dns.as_mut().unwrap().pods = Observed::Unseen(Gap {
            what: "pods".into(),
            why: GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        shown::cannot_tell(&CHECK, &observation);
    }
}
