use std::collections::{BTreeMap, BTreeSet};

use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, lint};
use crate::shell::word;
use crate::view::View;

/// The proxy of a service mesh takes every connection to its pod before the application does: a probe that is answered
/// was answered by the proxy, and one that is reset was reset by the mesh's own rules. Probe pods have none, so that what
/// insists on mutual TLS turns them away. It is told, and no fault.
pub(crate) static CHECK: Check = Check {
    id: "net-mesh-sidecar",
    claim: "what answers at the endpoints that were tried is no proxy of a service mesh",
    needs: &[Need::Policies, Need::Services],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = &view.observation.reach else {
        return Judgement::not_asked();
    };
    let slices = reach.slices.as_ref();
    let mut judgement = lint(view, &[Objects::Pods], |scene| {
        let proxies: BTreeMap<(&str, &str), &[String]> = scene
            .facts
            .pods
            .seen()
            .into_iter()
            .flatten()
            .filter(|pod| !pod.mesh_proxies.is_empty())
            .map(|pod| {
                (
                    (pod.namespace.as_str(), pod.name.as_str()),
                    pod.mesh_proxies.as_slice(),
                )
            })
            .collect();
        let mut behind: BTreeMap<(&str, &str), BTreeSet<(&str, &str)>> = BTreeMap::new();
        for slice in slices.and_then(|slices| slices.seen()).into_iter().flatten() {
            let Some(service) = &slice.service else { continue };
            for pod in slice
                .endpoints
                .iter()
                .filter_map(|endpoint| endpoint.pod.as_deref())
            {
                if let Some(names) = proxies.get(&(slice.namespace.as_str(), pod)) {
                    let found = behind.entry((&slice.namespace, service)).or_default();
                    found.extend(names.iter().map(|name| (pod, name.as_str())));
                }
            }
        }
        behind
            .into_iter()
            .filter_map(|((namespace, service), pods)| finding(namespace, service, &pods))
            .collect()
    });
    judgement
        .gaps
        .extend(slices.and_then(|slices| slices.gap()).cloned());
    judgement
}

fn finding(namespace: &str, service: &str, pods: &BTreeSet<(&str, &str)>) -> Option<Finding> {
    let (pod, proxy) = pods.first()?;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::Object {
            kind: "service".to_owned(),
            name: service.to_owned(),
            namespace: Some(namespace.to_owned()),
        },
        format!(
            "endpoints of service/{service} -n {namespace} are behind a service mesh's proxy: what was tried there says \
             something about the proxy"
        ),
        Evidence::field(
            format!("{} of its pods have one, {pod} {proxy}", pods.len()),
            format!("pod/{pod} -n {namespace} .spec.containers[*].name"),
        ),
    );
    finding.hint = Some(format!(
        "a connection that is reset or refused there is first a matter of the mesh's mutual TLS and authorization: `kubectl \
         logs {} -n {} -c {} --tail=50`",
        word(pod),
        word(namespace),
        word(proxy)
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use observation::Observation;
    use report::Observed;

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;
    use crate::tries::scene::Scene;

    /// Services that were tried, and one pod behind the first of them with these containers of a mesh.
    fn tried(proxies: &[&str]) -> Observation {
        let mut observation = Scene::new().observe(|_, _| None);
        observation.policy = Fixture::shop().everywhere().observe().policy;
        let slices = observation.reach.as_ref().unwrap().slices.as_ref().unwrap();
        let slice = slices.seen().unwrap().iter().find(|slice| {
            let mut endpoints = slice.endpoints.iter();
            slice.service.is_some() && endpoints.any(|endpoint| endpoint.pod.is_some())
        });
        let slice = slice.unwrap();
        let pod = slice.endpoints.iter().find_map(|endpoint| endpoint.pod.clone());
        let (namespace, pod) = (slice.namespace.clone(), pod.unwrap());
        let facts = observation.policy.as_mut().unwrap();
        if let Observed::Seen(pods) = &mut facts.pods {
            (pods[0].namespace, pods[0].name) = (namespace, pod);
            pods[0].mesh_proxies = proxies.iter().map(|&name| name.to_owned()).collect();
        }
        observation
    }

    #[test]
    fn a_service_whose_pods_have_a_proxy_is_told() {
        let findings = shown::finds(&CHECK, &tried(&["istio-proxy"]));
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Note));
        assert!(findings[0].evidence[0].fact.ends_with("istio-proxy"));
    }

    #[test]
    fn pods_without_one_answer_for_themselves() {
        shown::passes(&CHECK, &tried(&[]));
    }

    #[test]
    fn without_pods_it_is_not_known_who_answers() {
        shown::cannot_tell(&CHECK, &without_pods(tried(&["istio-proxy"])));
    }
}
