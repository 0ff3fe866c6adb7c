use observation::{ApiService, Condition, Observation, ServiceReference, Topic};
use report::{Gap, GapReason, Observed};

use super::CHECK;
use crate::shown;
use crate::tries::scene::Scene;

fn api(status: &str, service: &str) -> ApiService {
    ApiService {
        name: "v1beta1.metrics.k8s.io".into(),
        service: ServiceReference {
            name: service.into(),
            namespace: "shop".into(),
            port: 80,
        },
        available: Some(Condition {
            status: status.into(),
            reason: "FailedDiscoveryCheck".into(),
            message: "failing or missing response".into(),
            since: None,
        }),
    }
}

fn with(api_services: Observed<Vec<ApiService>>) -> Observation {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::ControlPlane];
    let mut observation = scene.observe(|_, _| None);
    observation.reach.as_mut().unwrap().api_services = Some(api_services);
    observation
}

#[test]
fn an_api_that_is_available_passes() {
    shown::passes(&CHECK, &with(Observed::Seen(vec![api("True", "web")])));
}

#[test]
fn apis_that_may_not_be_read_are_unknown() {
    let gap = Gap {
        what: "APIServices".into(),
        why: GapReason::NotServed,
        message: "forbidden".into(),
        hint: None,
    };
    shown::cannot_tell(&CHECK, &with(Observed::Unseen(gap)));
}

#[test]
fn an_api_that_is_not_available_is_told_with_its_service() {
    let findings = shown::finds(&CHECK, &with(Observed::Seen(vec![api("False", "web")])));
    assert!(
        findings[0]
            .summary
            .ends_with("the API server does not reach service/web -n shop"),
        "{findings:#?}"
    );
    let findings = shown::finds(&CHECK, &with(Observed::Seen(vec![api("False", "gone")])));
    assert!(
        findings[0].summary.ends_with("which does not exist"),
        "{findings:#?}"
    );
}
