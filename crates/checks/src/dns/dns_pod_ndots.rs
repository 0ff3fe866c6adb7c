use report::{Evidence, Finding, Severity};

use super::over;
use super::resolv::{ResolvConf, asked};
use crate::check::{Check, Judgement, Need};
use crate::shell::resolv_conf_of;
use crate::view::View;

/// How many queries one lookup costs, by the search list and `ndots` of the pod that was asked about.
pub(crate) static CHECK: Check = Check {
    id: "dns-pod-ndots",
    claim: "how many queries a name costs is known",
    needs: &[Need::Dns],
    judge,
};

/// A name outside, as most are written.
const OUTSIDE: &str = "www.example.com";

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let (asker, kubelet) = match asked(view, scene) {
            Ok(asked) => asked,
            Err(judgement) => return judgement,
        };
        let conf = ResolvConf::of(asker, kubelet);
        let queries = conf.queries(OUTSIDE);
        if conf.is_the_nodes || queries <= 2 {
            return Judgement::default();
        }
        let subject = asker.subject();
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Note,
            subject.clone(),
            format!(
                "{subject} asks {queries} times for a name like {OUTSIDE}: below each of {} search domains first, for IPv4 and IPv6, and \
                 below those of its node too",
                conf.searches.len()
            ),
            Evidence::command(
                format!(
                    "search {}; options {}",
                    conf.searches.join(" "),
                    conf.options.join(" ")
                ),
                resolv_conf_of(&asker.namespace, &asker.name),
            ),
        );
        finding.hint = Some(
            "write such names with a final dot, or set the option `ndots` to 2 in the dnsConfig of the pod"
                .to_owned(),
        );
        Judgement {
            findings: vec![finding],
            ..Judgement::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use observation::{DnsAskedPod, DnsAsker, DnsSettings};
    use report::Observed;

    use super::*;
    use crate::dns::fixture::{Fixture, unseen};
    use crate::shown;

    fn pod(options: &[&str]) -> Fixture {
        Fixture::healthy().with(|dns| {
            dns.pod = Some(DnsAskedPod {
                name: "web-1 -n shop".into(),
                asker: Observed::Seen(Some(DnsAsker {
                    namespace: "shop".into(),
                    name: "web-1".into(),
                    node: Some("node1".into()),
                    policy: "ClusterFirst".into(),
                    config: Some(DnsSettings {
                        options: options.iter().map(|&it| it.to_owned()).collect(),
                        ..DnsSettings::default()
                    }),
                    ..DnsAsker::default()
                })),
                names: Vec::new(),
            });
        })
    }

    #[test]
    fn the_usual_settings_cost_eight_queries() {
        let findings = shown::finds(&CHECK, &pod(&[]).observe());
        assert!(findings[0].summary.starts_with("pod/web-1 -n shop asks 8 times"));
        shown::passes(&CHECK, &pod(&["ndots:2"]).observe());
    }

    #[test]
    fn without_the_kubelets_settings_it_cannot_be_told() {
        let unread = pod(&[]).with(|dns| {
            dns.kubelets.insert("node1".into(), unseen());
        });
        shown::cannot_tell(&CHECK, &unread.observe());
    }
}
