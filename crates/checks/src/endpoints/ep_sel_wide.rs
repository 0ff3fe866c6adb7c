use std::collections::{BTreeMap, BTreeSet};

use observation::BackendPod;
use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lint::each;
use super::scene::Part;
use super::words::{about, show_pods, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A selector that takes in the pods of several workloads which are not versions of one thing.
pub(crate) static CHECK: Check = Check {
    id: "ep-sel-wide",
    claim: "no selector takes in another workload's pods",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Pods], |_, case| finding(case).into_iter().collect())
}

fn finding(case: &Case<'_>) -> Option<Finding> {
    if !case.is_selecting() {
        return None;
    }
    // Pods without a maker were put there one by one.
    let mut makers: BTreeMap<String, &BackendPod> = BTreeMap::new();
    for pod in case.staying() {
        if let Some(maker) = maker(pod) {
            makers.entry(maker).or_insert(pod);
        }
    }
    let pods: Vec<&BackendPod> = makers.values().copied().collect();
    let is_like = |one: &BackendPod, other: &BackendPod| {
        repositories(one) == repositories(other) || ports(one) == ports(other)
    };
    let (first, rest) = pods.split_first()?;
    if rest.iter().all(|other| is_like(first, other)) {
        return None;
    }
    let service = case.service;
    let summary = format!(
        "{} selects pods of {} workloads that differ in images and ports: {}",
        service.subject(),
        makers.len(),
        some(makers.keys())
    );
    let facts: Vec<String> = makers
        .iter()
        .map(|(maker, pod)| format!("{maker} runs {}", some(repositories(pod))))
        .collect();
    let evidence = Evidence::command(some(facts), show_pods(&service.namespace, &service.selector));
    let mut finding = about(CHECK.id, Severity::Warning, service, summary, evidence);
    finding.hint = Some(
        "give the pods that are meant a label that the others lack, and add it to the selector once they have it".to_owned(),
    );
    Some(finding)
}

/// What made a pod, a Deployment rather than its ReplicaSet: the versions of one are one.
fn maker(pod: &BackendPod) -> Option<String> {
    let controller = pod.controller.as_deref()?;
    let hash = pod.labels.get("pod-template-hash");
    let deployment = hash.and_then(|hash| {
        let name = controller.strip_prefix("replicaset/")?;
        Some(format!("deployment/{}", name.strip_suffix(&format!("-{hash}"))?))
    });
    Some(deployment.unwrap_or_else(|| controller.to_owned()))
}

/// The images of a pod without their versions.
fn repositories(pod: &BackendPod) -> BTreeSet<&str> {
    let images = pod.containers.iter().map(|container| container.image.as_str());
    images
        .map(|image| {
            let image = image.split_once('@').map_or(image, |(name, _)| name);
            match image.rsplit_once(':') {
                // A colon before a slash is of the port of a registry.
                Some((name, tag)) if !tag.contains('/') => name,
                _ => image,
            }
        })
        .collect()
}

fn ports(pod: &BackendPod) -> BTreeSet<(u16, &str)> {
    let ports = pod.containers.iter().flat_map(|container| &container.ports);
    ports.map(|port| (port.number, port.protocol.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, labels, pod, without_pods};
    use crate::shown;

    /// Beside web, pods of another Deployment with the same label.
    fn beside(image: &str, port: u16) -> Fixture {
        Fixture::shop().pods(|pods| {
            let mut other = pod("cache", 1);
            other.labels = labels("app=web,pod-template-hash=5d4f");
            other.containers[0].image = image.into();
            other.containers[0].ports[0].number = port;
            pods.push(other);
        })
    }

    #[test]
    fn pods_of_another_application_are_found() {
        let findings = shown::finds(&CHECK, &beside("registry:5000/cache:7", 6379).observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop selects pods of 2 workloads that differ in images and ports: deployment/cache, deployment/web"
        );
        assert!(
            findings[0].evidence[0]
                .fact
                .contains("deployment/cache runs registry:5000/cache")
        );
    }

    #[test]
    fn a_canary_is_another_version_or_another_build_of_the_same() {
        shown::passes(&CHECK, &beside("web:2", 9090).observe());
        shown::passes(&CHECK, &beside("web-canary:1", 8080).observe());
    }

    #[test]
    fn the_versions_of_a_rollout_are_one_workload() {
        let rollout = Fixture::shop().pods(|pods| {
            let mut new = pod("web", 9);
            new.controller = Some("replicaset/web-77".into());
            new.labels = labels("app=web,pod-template-hash=77");
            new.containers[0].image = "other:1".into();
            new.containers[0].ports.clear();
            pods.push(new);
        });
        shown::passes(&CHECK, &rollout.observe());
    }

    #[test]
    fn without_pods_it_is_not_known_whose_they_are() {
        shown::cannot_tell(&CHECK, &without_pods(beside("x:1", 1)));
    }
}
