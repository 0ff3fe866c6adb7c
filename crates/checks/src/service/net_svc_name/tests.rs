use observation::{Attempt, Purpose};

use super::CHECK;
use crate::shown;
use crate::tries::scene::{Scene, dns, forbidden, silence};

fn is_name(attempt: &Attempt) -> bool {
    matches!(attempt.purpose, Purpose::Name { .. })
}

fn is_of(attempt: &Attempt, service: &str) -> bool {
    attempt
        .subject
        .to_string()
        .starts_with(&format!("service/{service} "))
}

#[test]
fn names_that_stand_for_their_addresses_pass() {
    shown::passes(&CHECK, &Scene::new().observe(|_, _| None));
}

#[test]
fn services_that_may_not_be_read_are_unknown() {
    shown::cannot_tell(&CHECK, &forbidden(Scene::new().observe(|_, _| None)));
}

#[test]
fn a_name_that_is_not_known_or_stands_for_another_address_is_found() {
    let observation = Scene::new().observe(|it, _| (is_name(it) && is_of(it, "web")).then(|| dns(3, vec![])));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "the name of service/web -n shop is not found: the cluster's DNS answers NXDOMAIN"
    );
    let stale = Scene::new()
        .observe(|it, _| (is_name(it) && is_of(it, "web")).then(|| dns(0, vec![[10, 96, 9, 9].into()])));
    let findings = shown::finds(&CHECK, &stale);
    assert!(
        findings[0]
            .summary
            .ends_with("answers 10.96.9.9 instead of 10.96.0.21"),
        "{findings:#?}"
    );
}

#[test]
fn where_no_name_is_known_the_domain_is_in_doubt_and_not_the_dns() {
    let observation = Scene::new().observe(|it, _| is_name(it).then(|| dns(3, vec![])));
    let gaps = shown::cannot_tell(&CHECK, &observation);
    assert!(gaps[0].message.contains("cluster.local"), "{gaps:?}");
}

#[test]
fn names_are_silent_where_the_dns_service_is_and_that_is_another_finding() {
    let observation = Scene::new().observe(|it, _| {
        (it.address.port() == 53 && it.address.ip() == std::net::IpAddr::from([10, 96, 0, 10])).then(silence)
    });
    shown::passes(&CHECK, &observation);
    assert!(!shown::finds(&crate::service::net_svc::CHECK, &observation).is_empty());
}
