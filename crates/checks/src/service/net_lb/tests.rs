use netprobe::Outcome;
use observation::{LoadBalancerIngress, Purpose};

use super::CHECK;
use crate::shown;
use crate::tries::scene::{Scene, forbidden, silence};

fn scene() -> Scene {
    let mut scene = Scene::new();
    let web = scene.service("web");
    web.load_balancer = vec![LoadBalancerIngress {
        ip: Some([192, 0, 2, 80].into()),
        hostname: None,
        proxy: false,
    }];
    web.health_check_node_port = Some(31000);
    scene
}

#[test]
fn a_load_balancer_that_answers_passes() {
    shown::passes(&CHECK, &scene().observe(|_, _| None));
}

#[test]
fn services_that_may_not_be_read_are_unknown() {
    shown::cannot_tell(&CHECK, &forbidden(scene().observe(|_, _| None)));
}

#[test]
fn a_load_balancer_that_is_silent_is_found() {
    let observation = scene().observe(|it, _| (it.purpose == Purpose::LoadBalancer).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "the load balancer 192.0.2.80:80 of service/web -n shop does not answer, though its ClusterIP answers"
    );
}

#[test]
fn a_health_check_that_says_the_wrong_thing_is_found() {
    let observation = scene().observe(|it, _| {
        matches!(&it.purpose, Purpose::HealthCheck { node, .. } if node == "node3").then(|| Outcome::Http {
            rtt_us: 900,
            status: 200,
            head: String::new(),
        })
    });
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        findings[0]
            .summary
            .contains("on node3, which has none, is wrong: status 200 instead of 503"),
        "{findings:#?}"
    );
}
