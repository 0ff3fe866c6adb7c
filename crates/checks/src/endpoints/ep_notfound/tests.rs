use observation::{AskedCaller, ServiceName};

use super::*;
use crate::endpoints::fixture::{Fixture, gap, list, service, without_services};
use crate::shown;

fn call(kind: &str, namespace: &str, name: &str) -> ServiceCaller {
    ServiceCaller {
        kind: kind.into(),
        namespace: namespace.into(),
        name: "front".into(),
        service_namespace: "shop".into(),
        service: name.into(),
        port: Some("80".into()),
    }
}

/// Something that sends to these Services was asked about.
fn through(calls: Vec<ServiceCaller>) -> Fixture {
    Fixture::shop().with(|backends| {
        backends.question.namespace = None;
        backends.question.services = calls
            .iter()
            .map(|call| ServiceName {
                namespace: call.service_namespace.clone(),
                name: call.service.clone(),
            })
            .collect();
        backends.asked_callers.push(AskedCaller {
            kind: calls[0].kind.clone(),
            namespace: calls[0].namespace.clone(),
            name: "front".into(),
            calls,
            ..AskedCaller::default()
        });
    })
}

fn grant(service: Option<&str>) -> ReferenceGrant {
    ReferenceGrant {
        namespace: "shop".into(),
        name: "from-gates".into(),
        from_kind: "httproute".into(),
        from_namespace: "gates".into(),
        service: service.map(str::to_owned),
    }
}

#[test]
fn a_typo_is_offered_the_nearest_name() {
    let findings = shown::finds(&CHECK, &Fixture::shop().ask("wbe").observe());
    assert_eq!(
        findings[0].summary,
        "there is no service/wbe in namespace shop, but service/web"
    );
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.ends_with("`kubectl epcheck svc web -n shop`"))
    );
}

#[test]
fn a_service_of_another_namespace_is_named() {
    let fixture = Fixture::shop()
        .ask("prometheus")
        .with(|backends| backends.elsewhere = Some(Observed::Seen(vec!["ops".into()])));
    let findings = shown::finds(&CHECK, &fixture.observe());
    assert_eq!(
        findings[0].summary,
        "there is no service/prometheus in namespace shop, but in ops"
    );
}

#[test]
fn of_several_names_each_that_is_not_there_is_told() {
    let fixture = Fixture::shop().beside(service("api")).with(|backends| {
        let name = |name: &str| ServiceName {
            namespace: "shop".into(),
            name: name.into(),
        };
        backends.question.services = ["web", "wbe", "api", "app"].map(name).to_vec();
    });
    let findings = shown::finds(&CHECK, &fixture.observe());
    let subjects: Vec<String> = findings.iter().map(|it| it.subject.to_string()).collect();
    assert_eq!(subjects, ["service/wbe -n shop", "service/app -n shop"]);
}

#[test]
fn what_exists_passes_and_what_was_not_read_is_not_missing() {
    shown::passes(&CHECK, &Fixture::shop().ask("web").observe());
    shown::cannot_tell(&CHECK, &without_services(Fixture::shop().ask("web")));
}

#[test]
fn an_ingress_that_sends_to_nobody_is_found_by_its_name_and_among_all() {
    let summary =
        "ingress/front -n shop sends to service/wbe, and there is none in namespace shop, but service/web";
    let asked = through(vec![
        call("ingress", "shop", "web"),
        call("ingress", "shop", "wbe"),
    ]);
    let findings = shown::finds(&CHECK, &asked.observe());
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].summary, summary);
    assert_eq!(findings[0].subject.to_string(), "ingress/front -n shop");
    let all =
        Fixture::shop().with(|backends| list(&mut backends.callers).push(call("ingress", "shop", "wbe")));
    assert_eq!(shown::finds(&CHECK, &all.observe())[0].summary, summary);
    shown::passes(&CHECK, &through(vec![call("ingress", "shop", "web")]).observe());
}

#[test]
fn what_sends_elsewhere_is_none_of_a_service_that_was_asked_for_by_its_name() {
    let asked = Fixture::shop()
        .ask("web")
        .with(|backends| list(&mut backends.callers).push(call("ingress", "shop", "wbe")));
    shown::passes(&CHECK, &asked.observe());
}

#[test]
fn a_service_of_a_namespace_that_was_not_read_is_not_missing() {
    let other = Fixture::shop().with(|backends| {
        let mut call = call("httproute", "shop", "api");
        call.service_namespace = "ops".into();
        list(&mut backends.callers).push(call);
    });
    shown::passes(&CHECK, &other.observe());
}

#[test]
fn a_route_of_another_namespace_takes_a_grant() {
    let with = |grants: Vec<ReferenceGrant>| {
        through(vec![call("httproute", "gates", "web")])
            .with(|backends| backends.grants = Some(Observed::Seen(grants)))
    };
    let findings = shown::finds(&CHECK, &with(Vec::new()).observe());
    assert_eq!(
        findings[0].summary,
        "httproute/front -n gates sends to service/web -n shop, and no ReferenceGrant of namespace shop allows it"
    );
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("kind HTTPRoute, namespace gates"))
    );
    shown::finds(&CHECK, &with(vec![grant(Some("api"))]).observe());
    shown::passes(&CHECK, &with(vec![grant(None)]).observe());
    shown::passes(&CHECK, &with(vec![grant(Some("web"))]).observe());
}

#[test]
fn grants_and_callers_that_were_not_read_are_gaps() {
    let unread = through(vec![call("httproute", "gates", "web")])
        .with(|backends| backends.grants = Some(Observed::Unseen(gap("ReferenceGrants"))));
    shown::cannot_tell(&CHECK, &unread.observe());
    let unread = Fixture::shop().with(|backends| backends.callers = Observed::Unseen(gap("Ingresses")));
    shown::cannot_tell(&CHECK, &unread.observe());
}
