use observation::DnsAsker;
use report::{Evidence, Finding, Severity};

use super::{Scene, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A pod's own `dnsConfig` that does not do what it seems to.
pub(crate) static CHECK: Check = Check {
    id: "dns-pod-config",
    claim: "the dnsConfig of pods makes sense",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| Judgement {
        findings: scene
            .dns
            .askers
            .seen()
            .into_iter()
            .flatten()
            .filter_map(|asker| finding(scene, asker))
            .collect(),
        gaps: Scene::gaps([gap(&scene.dns.askers)]),
        ..Judgement::default()
    })
}

fn finding(scene: &Scene<'_>, asker: &DnsAsker) -> Option<Finding> {
    let subject = asker.subject();
    let config = asker.config.as_ref();
    let named = |summary: String, fact: String| {
        let path = format!("{subject} .spec.dnsConfig");
        Finding::new(
            CHECK.id,
            Severity::Warning,
            subject.clone(),
            summary,
            Evidence::field(fact, path),
        )
    };
    let nameservers = config.map_or(&[][..], |config| &config.nameservers);
    if asker.policy == "None" && nameservers.is_empty() {
        return Some(named(
            format!("{subject} has dnsPolicy None and no nameserver: it resolves no name"),
            "dnsConfig.nameservers is empty".to_owned(),
        ));
    }
    let addresses = scene.addresses();
    let is_own = |address: &&std::net::IpAddr| addresses.contains(*address);
    let foreign: Vec<String> = nameservers
        .iter()
        .filter(|address| !is_own(address))
        .map(ToString::to_string)
        .collect();
    if asker.effective_policy() != "ClusterFirst" || foreign.is_empty() || scene.dns.services.seen().is_none()
    {
        return None;
    }
    let mut finding = named(
        format!(
            "{subject} asks {} beside the cluster's DNS: glibc asks it only when the first is silent, musl asks all at once and takes the \
             first answer, so that names of Services may be unknown",
            foreign.join(", ")
        ),
        format!("dnsConfig.nameservers has {}", foreign.join(", ")),
    );
    finding.hint = Some(format!(
        "take the nameserver out of dnsConfig, and give its domain a server block of its own in the Corefile: see `kubectl dnscheck pod {} -n {}`",
        word(&asker.name),
        word(&asker.namespace)
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use observation::DnsSettings;

    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    fn asking(policy: &str, nameservers: &[&str]) -> Fixture {
        Fixture::healthy().with(|dns| {
            list(&mut dns.askers).push(DnsAsker {
                namespace: "shop".into(),
                name: "web-1".into(),
                policy: policy.into(),
                config: Some(DnsSettings {
                    nameservers: nameservers
                        .iter()
                        .map(|it| it.parse().expect("an address"))
                        .collect(),
                    ..DnsSettings::default()
                }),
                ..DnsAsker::default()
            });
        })
    }

    #[test]
    fn servers_beside_the_clusters_are_told() {
        let findings = shown::finds(&CHECK, &asking("ClusterFirst", &["8.8.8.8"]).observe());
        assert!(
            findings[0]
                .summary
                .starts_with("pod/web-1 -n shop asks 8.8.8.8 beside")
        );
        shown::finds(&CHECK, &asking("None", &[]).observe());
    }

    #[test]
    fn a_pod_that_asks_only_others_means_it() {
        shown::passes(&CHECK, &asking("None", &["8.8.8.8"]).observe());
        shown::passes(&CHECK, &asking("ClusterFirst", &["10.96.0.10"]).observe());
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.askers = unseen()).observe(),
        );
    }
}
