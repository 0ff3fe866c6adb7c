use observation::{Observation, ServiceReference, Topic, Webhook};
use report::{Gap, GapReason, Observed, Severity};

use super::CHECK;
use crate::shown;
use crate::tries::scene::{Scene, reset};

fn webhook(service: &str, port: u16) -> Webhook {
    Webhook {
        kind: "validatingwebhookconfiguration".into(),
        configuration: "guard".into(),
        name: "guard.example".into(),
        service: Some(ServiceReference {
            name: service.into(),
            namespace: "shop".into(),
            port,
        }),
        fails_closed: true,
        timeout_seconds: 10,
    }
}

fn with(mut observation: Observation, webhooks: Vec<Webhook>) -> Observation {
    observation.reach.as_mut().unwrap().webhooks = Some(Observed::Seen(webhooks));
    observation
}

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::ControlPlane];
    scene
}

#[test]
fn a_webhook_whose_service_answers_passes() {
    let observation = with(scene().observe(|_, _| None), vec![webhook("web", 80)]);
    shown::passes(&CHECK, &observation);
}

#[test]
fn webhooks_that_may_not_be_read_are_unknown() {
    let mut observation = scene().observe(|_, _| None);
    let gap = Gap {
        what: "webhooks".into(),
        why: GapReason::NotServed,
        message: "forbidden".into(),
        hint: None,
    };
    observation.reach.as_mut().unwrap().webhooks = Some(Observed::Unseen(gap));
    shown::cannot_tell(&CHECK, &observation);
}

#[test]
fn what_is_wrong_with_the_service_of_a_webhook_is_named() {
    let mut empty = scene();
    empty.slice("api").endpoints.clear();
    for (observation, webhook, expected) in [
        (
            scene().observe(|_, _| None),
            webhook("gone", 443),
            "which does not exist",
        ),
        (
            scene().observe(|_, _| None),
            webhook("web", 443),
            "which has no port 443",
        ),
        (
            empty.observe(|_, _| None),
            webhook("api", 80),
            "which has no ready endpoint",
        ),
        (
            scene().observe(|it, _| it.subject.to_string().contains("web").then(reset)),
            webhook("web", 80),
            "none of whose endpoints answers to pods",
        ),
    ] {
        let findings = shown::finds(&CHECK, &with(observation, vec![webhook]));
        assert!(findings[0].summary.contains(expected), "{findings:#?}");
        assert_eq!(findings[0].severity, Severity::Error);
    }
}

#[test]
fn a_webhook_that_lets_pass_what_it_cannot_be_asked_about_is_a_warning() {
    let open = Webhook {
        fails_closed: false,
        ..webhook("gone", 443)
    };
    let findings = shown::finds(&CHECK, &with(scene().observe(|_, _| None), vec![open]));
    assert_eq!(findings[0].severity, Severity::Warning);
}
