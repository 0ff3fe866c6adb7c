use netmodel::resolv;
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity};

use super::resolv::{ResolvConf, asked};
use super::{OWN_NAMES, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::resolv_conf_of;
use crate::view::View;

/// The resolv.conf that the pod which was asked about really has, against what its settings and its kubelet's make of it.
///
/// It is read as the pod's processes see it, which takes a privileged pod on its node. A pod with `Default` has what its node has.
pub(crate) static CHECK: Check = Check {
    id: "dns-pod-resolv",
    claim: "the resolv.conf of the pod is what its settings ask for",
    needs: &[Need::Dns, Need::NodeAccess],
    judge,
};

/// What resolvers read.
const MOST_SERVERS: usize = 3;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let (asker, kubelet) = match asked(view, scene) {
            Ok(asked) => asked,
            Err(judgement) => return judgement,
        };
        let text = match asker.files.as_deref().map(|files| &files.resolv_conf) {
            Some(Observed::Seen(text)) => text,
            Some(Observed::Unseen(gap)) => return Judgement::unread(gap),
            None => {
                return Judgement::unread(&Gap {
                    what: format!("the resolv.conf of {}", asker.subject()),
                    why: GapReason::TierNotAllowed,
                    message: "it takes a privileged pod on its node to read it".to_owned(),
                    hint: Some("--node-access allows it".to_owned()),
                });
            }
        };
        let wanted = ResolvConf::of(asker, kubelet);
        if wanted.is_the_nodes {
            return Judgement::default();
        }
        let has = resolv::ResolvConf::parse(text);
        let subject = asker.subject();
        let command = resolv_conf_of(&asker.namespace, &asker.name);
        let told = |severity, what: &str, has: String, wanted: String| {
            let mut finding = Finding::new(
                CHECK.id,
                severity,
                subject.clone(),
                format!(
                    "the resolv.conf of {subject} has other {what} than its settings and its kubelet's make: {has} instead of {wanted}"
                ),
                Evidence::command(format!("{what}: {has}"), command.clone()),
            );
            finding.hint = Some(
                "recreate the pod where the kubelet's settings changed after it began; else see what in its image writes the file, as a VPN client does"
                    .to_owned(),
            );
            if severity == Severity::Error {
                finding.explains = ids(&[&OWN_NAMES]);
            }
            finding
        };
        let mut findings = Vec::new();
        let servers: Vec<String> = wanted
            .nameservers
            .iter()
            .take(MOST_SERVERS)
            .map(ToString::to_string)
            .collect();
        let own: Vec<String> = has
            .nameservers
            .iter()
            .take(MOST_SERVERS)
            .map(ToString::to_string)
            .collect();
        if own != servers {
            findings.push(told(Severity::Error, "nameservers", list(&own), list(&servers)));
        }
        // Behind them stand those of the node, which are not known here.
        let searches: Vec<String> = wanted
            .searches
            .iter()
            .map(|domain| domain.trim_end_matches('.').to_owned())
            .collect();
        if !has.search.starts_with(&searches) {
            findings.push(told(
                Severity::Error,
                "search domains",
                list(&has.search),
                list(&searches),
            ));
        }
        let ndots = wanted.parsed().options.ndots;
        if has.options.ndots != ndots {
            let of = |ndots: u32| format!("ndots:{ndots}");
            findings.push(told(
                Severity::Warning,
                "options",
                of(has.options.ndots),
                of(ndots),
            ));
        }
        Judgement {
            findings,
            ..Judgement::default()
        }
    })
}

fn list(all: &[String]) -> String {
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{asked_pod, gap};
    use crate::shown;

    const RIGHT: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local lan.example\nnameserver 10.96.0.10\noptions ndots:5\n";

    #[test]
    fn what_differs_is_told_part_by_part() {
        let other = "search cluster.local\nnameserver 10.8.0.1\noptions ndots:1\n";
        let findings = shown::finds(&CHECK, &asked_pod("ClusterFirst", Some(other)).observe());
        let severities: Vec<Severity> = findings.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Error, Severity::Warning]);
        assert!(
            findings[0].summary.ends_with("10.8.0.1 instead of 10.96.0.10"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn what_the_kubelet_wrote_passes_with_the_nodes_search_domains_behind_it() {
        shown::passes(&CHECK, &asked_pod("ClusterFirst", Some(RIGHT)).observe());
        shown::passes(
            &CHECK,
            &asked_pod("Default", Some("nameserver 192.0.2.53\n")).observe(),
        );
    }

    #[test]
    fn a_file_that_was_not_read_is_a_gap() {
        let unread = asked_pod("ClusterFirst", Some(RIGHT)).with(|dns| {
            if let Some(Observed::Seen(Some(asker))) = dns.pod.as_mut().map(|pod| &mut pod.asker)
                && let Some(files) = &mut asker.files
            {
                files.resolv_conf = Observed::Unseen(gap());
            }
        });
        shown::cannot_tell(&CHECK, &unread.observe());
    }
}
