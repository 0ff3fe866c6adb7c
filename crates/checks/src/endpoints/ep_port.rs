use observation::{Service, ServiceCaller};
use report::{Evidence, Finding, Severity};

use super::lint::each;
use super::scene::Part;
use super::words::{about, get, port_name, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Ports that callers ask a Service for and that it does not have. Only callers that say so in the API are seen: Ingresses and routes.
pub(crate) static CHECK: Check = Check {
    id: "ep-port",
    claim: "Ingresses and routes name ports that Services have",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = each(view, &[], |scene, case| {
        // What has no ports in the API may still be called at any.
        if case.service.ports.is_empty() {
            return Vec::new();
        }
        let callers = scene.callers_of(case.service);
        callers
            .iter()
            .filter_map(|caller| finding(case.service, caller))
            .collect()
    });
    // What was asked about by its name is known whether or not all others are.
    if let Some(scene) = &view.backends
        && judgement.skipped.is_none()
    {
        let gap = scene.gap(view.observation, Part::Callers);
        judgement.gaps.extend(gap.cloned());
    }
    judgement
}

fn finding(service: &Service, caller: &ServiceCaller) -> Option<Finding> {
    let wanted = caller.port.as_deref()?;
    let has = service
        .ports
        .iter()
        .any(|port| port.name == wanted || wanted.parse() == Ok(port.port));
    if has {
        return None;
    }
    let who = caller.subject();
    let ports = some(service.ports.iter().map(port_name));
    // The number of the pods' port is what is most often written instead.
    let meant = service.ports.iter().find(|port| port.target_port == wanted);
    let summary = format!(
        "{who} sends to port {wanted} of {}, which has {ports}",
        service.subject()
    );
    let evidence = Evidence::command(
        format!("{who} names port {wanted} of service/{}", service.name),
        get(&caller.kind, &caller.namespace, &caller.name),
    );
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding.hint = Some(match meant {
        Some(port) => format!(
            "{wanted} is the port of its pods: name the Service's port {} there",
            port.port
        ),
        None => format!("name one of the Service's ports there: {ports}"),
    });
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, gap, list};
    use crate::shown;
    use observation::AskedCaller;
    use report::Observed;

    fn called(port: &str) -> Fixture {
        Fixture::shop().with(|backends| {
            list(&mut backends.callers).push(ServiceCaller {
                kind: "ingress".into(),
                namespace: "shop".into(),
                name: "front".into(),
                service_namespace: "shop".into(),
                service: "web".into(),
                port: Some(port.into()),
            });
        })
    }

    #[test]
    fn a_port_that_the_service_does_not_have_is_found() {
        let fixture = called("8080").web(|service| service.ports[0].target_port = "8080".into());
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            "ingress/front -n shop sends to port 8080 of service/web -n shop, which has http (80/TCP)"
        );
        assert!(
            findings[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains("name the Service's port 80 there"))
        );
        shown::finds(&CHECK, &called("web").observe());
    }

    #[test]
    fn its_number_and_its_name_are_right() {
        shown::passes(&CHECK, &called("80").observe());
        shown::passes(&CHECK, &called("http").observe());
    }

    #[test]
    fn what_was_asked_about_by_its_name_is_judged_though_the_others_were_not_read() {
        let unread = |port: &str| {
            let caller = match called(port).observe().backends.unwrap().callers {
                Observed::Seen(mut callers) => callers.remove(0),
                Observed::Unseen(gap) => panic!("{gap:?}"),
            };
            Fixture::shop().with(|backends| {
                backends.callers = Observed::Unseen(gap("Ingresses"));
                backends.asked_callers.push(AskedCaller {
                    kind: "ingress".into(),
                    namespace: "shop".into(),
                    name: "front".into(),
                    calls: vec![caller],
                    ..AskedCaller::default()
                });
            })
        };
        shown::finds(&CHECK, &unread("81").observe());
        shown::cannot_tell(&CHECK, &unread("80").observe());
    }

    #[test]
    fn without_ingresses_nobody_is_seen_to_call() {
        let unseen = called("81").with(|backends| backends.callers = Observed::Unseen(gap("Ingresses")));
        shown::cannot_tell(&CHECK, &unseen.observe());
    }
}
