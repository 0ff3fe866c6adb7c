use netmodel::policy::{Labels, Near, Selector, nearest};
use observation::Service;
use report::{Evidence, Finding, Severity};
use serde_json::{Map, Value, json};

use super::{OUTSIDE, OWN_NAMES, SILENT, Scene, count, gap, ids, labels, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A DNS Service behind which nobody is ready, and why.
pub(crate) static CHECK: Check = Check {
    id: "dns-ep",
    claim: "the DNS Service has ready endpoints",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let dns = scene.dns;
        let gaps = Scene::gaps([gap(&dns.services), gap(&dns.slices)]);
        let services = scene.services().filter(|_| gaps.is_empty());
        Judgement {
            findings: services.filter_map(|service| finding(scene, service)).collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

fn finding(scene: &Scene<'_>, service: &Service) -> Option<Finding> {
    let endpoints = || scene.slices_of(service).flat_map(|slice| &slice.endpoints);
    if service.external_name.is_some() || endpoints().any(|endpoint| endpoint.ready) {
        return None;
    }
    let (name, namespace) = (word(&service.name), word(&service.namespace));
    let listed = match endpoints().count() {
        0 => "it has no endpoint".to_owned(),
        some => format!("it has {}, and none is ready", count(some, "endpoint")),
    };
    let slices = Evidence::command(
        listed,
        format!("kubectl get endpointslices -n {namespace} -l kubernetes.io/service-name={name}"),
    );
    let subject = service.subject();
    let near = near(scene, service);
    let summary = match &near {
        Some(Near { on, key, value, .. }) => format!(
            "{subject} selects {}, which no pod has: {on} has {key}={value}; every lookup is refused",
            labels(&service.selector)
        ),
        None => format!("{subject} has nobody ready behind it: every lookup is refused"),
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, subject, summary, slices);
    if let Some(near) = near {
        finding.evidence.push(Evidence::command(
            format!(
                "{} has {}={}, the selector asks for {}",
                near.on, near.key, near.value, near.wanted
            ),
            format!("kubectl get service {name} -n {namespace} -o wide"),
        ));
        let mut selector = Map::new();
        if near.wanted.key != near.key {
            selector.insert(near.wanted.key.clone(), Value::Null);
        }
        selector.insert(near.key, Value::String(near.value));
        let patch = json!({"spec": {"selector": selector}});
        finding.hint = Some(format!(
            "if those pods are meant: `kubectl patch service {name} -n {namespace} -p {}`",
            word(&patch.to_string())
        ));
    } else {
        finding.hint = Some(format!(
            "see why its pods are not ready: `kubectl epcheck svc {name} -n {namespace}`"
        ));
    }
    finding.explains = ids(&[
        &OWN_NAMES,
        &OUTSIDE,
        &SILENT,
        &["ep-sel-near", "ep-sel", "ep-empty"],
    ]);
    Some(finding)
}

fn near(scene: &Scene<'_>, service: &Service) -> Option<Near> {
    let selector = Selector {
        match_labels: service.selector.clone(),
        match_expressions: Vec::new(),
    };
    let pods = scene.pods().filter(|pod| pod.namespace == service.namespace);
    let pods = pods.map(|pod| (format!("pod/{}", pod.name), &pod.labels));
    let templates = scene.controllers().filter(|it| it.namespace == service.namespace);
    let templates = templates.map(|it| (format!("{}/{}", it.kind, it.name), &it.template_labels));
    let all: Vec<(String, &Labels)> = templates.chain(pods).collect();
    nearest(&selector, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    #[test]
    fn a_selector_that_misses_the_pods_is_named_with_the_one_that_was_meant() {
        let broken = Fixture::healthy().with(|dns| {
            list(&mut dns.services)[0].selector = crate::dns::fixture::labels("k8s-app=kube-dsn");
            list(&mut dns.slices)[0].endpoints.clear();
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        assert!(
            findings[0]
                .summary
                .starts_with("service/kube-dns -n kube-system selects k8s-app=kube-dsn, which no pod has"),
            "{findings:?}"
        );
        let hint = findings[0].hint.as_deref().unwrap_or_default();
        assert!(
            hint.ends_with(r#"-p '{"spec":{"selector":{"k8s-app":"kube-dns"}}}'`"#),
            "{hint}"
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn endpoints_that_are_not_ready_do_not_count() {
        let broken = Fixture::healthy().with(|dns| {
            for endpoint in &mut list(&mut dns.slices)[0].endpoints {
                endpoint.ready = false;
            }
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        assert!(
            findings[0].evidence[0]
                .fact
                .contains("2 endpoints, and none is ready")
        );
    }

    #[test]
    fn slices_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.slices = unseen()).observe(),
        );
    }
}
