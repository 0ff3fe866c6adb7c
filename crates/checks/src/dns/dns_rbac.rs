use observation::{DnsRights, RoleRule};
use report::{Evidence, Finding, Severity, Subject};

use super::{NOT_READY, OWN_NAMES, SILENT, Scene, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// What CoreDNS may not read of the API and serves.
///
/// Pods that run keep what they have read; one that starts anew never gets ready.
pub(crate) static CHECK: Check = Check {
    id: "dns-rbac",
    claim: "CoreDNS may read what it serves: Services, EndpointSlices, namespaces",
    needs: &[Need::Dns],
    judge,
};

/// What the plugin `kubernetes` watches always, by group and resource.
const ALWAYS: [(&str, &str); 3] = [
    ("", "services"),
    ("", "namespaces"),
    ("discovery.k8s.io", "endpointslices"),
];
/// What it watches with `pods verified`.
const VERIFIED: (&str, &str) = ("", "pods");

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let dns = scene.dns;
        let mut gaps = Scene::gaps([gap(&dns.controllers), gap(&dns.corefiles)]);
        if gaps.is_empty() {
            gaps = Scene::gaps([gap(&dns.rights)]);
        }
        let rights = dns.rights.seen().into_iter().flatten();
        Judgement {
            findings: rights.filter_map(|rights| finding(scene, rights)).collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

/// Whether the server watches the API at all: another one may be configured otherwise.
fn watched(scene: &Scene<'_>, rights: &DnsRights) -> Vec<(&'static str, &'static str)> {
    let own = scene
        .linted
        .iter()
        .find(|it| it.corefile.controller == rights.controller);
    let parsed = own.and_then(|own| own.parsed.as_ref());
    let directives: Vec<&corefile::Directive> = parsed
        .into_iter()
        .flat_map(|parsed| parsed.blocks.iter().filter_map(|block| block.first("kubernetes")))
        .collect();
    if directives.is_empty() {
        return Vec::new();
    }
    let is_verified = directives.iter().any(|kubernetes| {
        let pods = kubernetes.property("pods");
        pods.is_some_and(|pods| pods.args.first().is_some_and(|mode| mode == "verified"))
    });
    let mut watched = ALWAYS.to_vec();
    watched.extend(is_verified.then_some(VERIFIED));
    watched
}

fn allows(rule: &RoleRule, group: &str, resource: &str, verb: &str) -> bool {
    let has = |words: &[String], wanted: &str| words.iter().any(|word| word == wanted || word == "*");
    rule.resource_names.is_empty()
        && has(&rule.api_groups, group)
        && has(&rule.resources, resource)
        && has(&rule.verbs, verb)
}

fn finding(scene: &Scene<'_>, rights: &DnsRights) -> Option<Finding> {
    let missing: Vec<(&str, &str)> = watched(scene, rights)
        .into_iter()
        .filter(|(group, resource)| {
            !["list", "watch"].iter().all(|verb| {
                let mut rules = rights.roles.values().flatten();
                rules.any(|rule| allows(rule, group, resource, verb))
            })
        })
        .collect();
    if missing.is_empty() {
        return None;
    }
    // The role that gives the rest is the one to mend.
    let own = rights.roles.iter().find(|(_, rules)| {
        let mut all = ALWAYS
            .iter()
            .flat_map(|(group, resource)| rules.iter().map(move |rule| (rule, group, resource)));
        all.any(|(rule, group, resource)| allows(rule, group, resource, "list"))
    });
    let Subject::Object {
        namespace: Some(namespace),
        ..
    } = &rights.controller
    else {
        return None;
    };
    let subject = match own {
        Some((name, _)) => Subject::Object {
            kind: "clusterrole".to_owned(),
            name: name.clone(),
            namespace: None,
        },
        None => rights.controller.clone(),
    };
    let resources: Vec<String> = missing
        .iter()
        .map(|(group, resource)| match *group {
            "" => (*resource).to_owned(),
            group => format!("{resource}.{group}"),
        })
        .collect();
    let account = format!("system:serviceaccount:{namespace}:{}", rights.service_account);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!(
            "{} may not list and watch {}: pods that run answer what they read before, and those that start never get ready",
            rights.controller,
            resources.join(", ")
        ),
        Evidence::command(
            format!("no ClusterRole that is bound to {account} allows it"),
            format!(
                "kubectl auth can-i watch {} -A --as {}",
                word(&resources[0]),
                word(&account)
            ),
        ),
    );
    let by_hand = match own {
        Some((name, _)) => {
            let (group, resource) = missing[0];
            let rule = serde_json::json!([{"op": "add", "path": "/rules/-", "value":
                {"apiGroups": [group], "resources": [resource], "verbs": ["list", "watch"]}}]);
            format!(
                "give it back: `kubectl patch clusterrole {} --type=json -p {}`",
                word(name),
                word(&rule.to_string())
            )
        }
        None => {
            "apply the ClusterRole and the ClusterRoleBinding of the DNS again, as its installer has them"
                .to_owned()
        }
    };
    finding.hint = Some(by_hand);
    finding.explains = ids(&[&NOT_READY, &OWN_NAMES, &SILENT, &["dns-log", "dns-res-ext"]]);
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, list, rule, unseen};
    use crate::shown;

    fn roles(rules: Vec<RoleRule>) -> Fixture {
        Fixture::healthy().with(|dns| {
            list(&mut dns.rights)[0]
                .roles
                .insert("system:coredns".into(), rules);
        })
    }

    #[test]
    fn a_rule_that_is_gone_is_given_back_to_its_role() {
        let broken = roles(vec![rule("", &["endpoints", "services", "pods", "namespaces"])]);
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings[0].subject.to_string(), "clusterrole/system:coredns");
        assert!(findings[0].summary.contains("endpointslices.discovery.k8s.io"));
        assert!(findings[0].explains.contains(&"dns-ep".to_owned()));
    }

    #[test]
    fn stars_allow_and_names_do_not() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        let mut all = rule("*", &["*"]);
        shown::passes(&CHECK, &roles(vec![all.clone()]).observe());
        all.resource_names = vec!["kube-dns".into()];
        let findings = shown::finds(&CHECK, &roles(vec![all]).observe());
        assert_eq!(
            findings[0].subject.to_string(),
            "deployment/coredns -n kube-system"
        );
    }

    #[test]
    fn pods_are_read_only_where_they_are_verified() {
        let without = vec![
            rule("", &["services", "namespaces"]),
            rule("discovery.k8s.io", &["endpointslices"]),
        ];
        shown::passes(&CHECK, &roles(without.clone()).observe());
        let verified = roles(without).corefile("pods insecure", "pods verified");
        assert!(
            shown::finds(&CHECK, &verified.observe())[0]
                .summary
                .contains("watch pods")
        );
    }

    #[test]
    fn rights_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.rights = unseen()).observe(),
        );
    }
}
