use observation::{AskedCaller, RouteCondition};
use report::{Evidence, Finding, Severity};

use super::lint::{gaps, over};
use super::scene::{Part, Scene};
use super::words::{about, count, get, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Who refers to a Service that was asked about, as far as the API says so; and where Services were asked about through who sends to
/// them, what that is and what its controllers say of it.
pub(crate) static CHECK: Check = Check {
    id: "ep-deps",
    claim: "who refers to the Service is listed",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(scene) = &view.backends else {
        return Judgement::not_asked();
    };
    let mut judgement = if scene.is_single() {
        over(view, &[Part::Callers], callers)
    } else if scene.facts.asked_callers.is_empty() {
        return Judgement::not_asked();
    } else {
        Judgement {
            gaps: gaps(view, scene, &[]),
            ..Judgement::default()
        }
    };
    for asked in &scene.facts.asked_callers {
        judgement.skipped = None;
        judgement.findings.push(sends_to(asked));
        judgement.findings.extend(refused(asked));
    }
    judgement
}

/// Who refers to the one Service.
fn callers(scene: &Scene<'_>) -> Vec<Finding> {
    let cases = scene.cases.iter();
    cases
        .filter_map(|case| {
            let callers = scene.callers_of(case.service);
            let first = callers.first()?;
            let names = callers.iter().map(|it| it.subject().to_string());
            let mut names: Vec<String> = names.collect();
            names.dedup();
            let summary = format!(
                "{} of {}: {}",
                count(names.len(), "caller"),
                case.service.subject(),
                some(&names)
            );
            let port = first.port.as_deref().unwrap_or("no port");
            let evidence = Evidence::command(
                format!("{} names it with {port}", names.first()?),
                get(&first.kind, &first.namespace, &first.name),
            );
            Some(about(CHECK.id, Severity::Note, case.service, summary, evidence))
        })
        .collect()
}

/// Where something leads that was asked about.
fn sends_to(asked: &AskedCaller) -> Finding {
    let services = asked.calls.iter().map(|call| {
        let port = call.port.as_ref().map(|port| format!(":{port}"));
        let elsewhere = (call.service_namespace != call.namespace).then_some(&call.service_namespace);
        let namespace = elsewhere.map(|namespace| format!(" -n {namespace}"));
        let (port, namespace) = (port.unwrap_or_default(), namespace.unwrap_or_default());
        format!("{}{port}{namespace}", call.service)
    });
    let mut services: Vec<String> = services.collect();
    if services.is_empty() {
        services.push("no Service".to_owned());
    }
    let subject = asked.subject();
    let summary = format!("{subject} sends to {}", some(&services));
    let show = || get(&asked.kind, &asked.namespace, &asked.name);
    let mut evidence = vec![Evidence::command(
        format!("its backends: {}", services.join(", ")),
        show(),
    )];
    if !asked.parents.is_empty() {
        let fact = format!("it hangs on {}", asked.parents.join(", "));
        evidence.push(Evidence::command(fact, show()));
    }
    if !asked.others.is_empty() {
        let fact = format!("no Service, and not looked at: {}", asked.others.join(", "));
        evidence.push(Evidence::command(fact, show()));
    }
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject,
        summary,
        evidence,
        hint: None,
        explains: Vec::new(),
    }
}

/// What its controllers do not take, or that there is none.
fn refused(asked: &AskedCaller) -> Option<Finding> {
    let wrong: Vec<&RouteCondition> = asked
        .conditions
        .iter()
        .filter(|it| it.status == "False" && matches!(it.kind.as_str(), "Accepted" | "ResolvedRefs"))
        .collect();
    let subject = asked.subject();
    let (summary, hint) = match (wrong.first(), asked.parents.first()) {
        (Some(first), _) => (
            format!(
                "the controller of {} does not take {subject}: {}",
                first.parent, first.reason
            ),
            None,
        ),
        (None, Some(parent)) if asked.conditions.is_empty() => (
            format!("no controller says anything of {subject}, which hangs on {parent}"),
            Some(
                "see whether what it hangs on exists, and whether a controller runs for its class".to_owned(),
            ),
        ),
        _ => return None,
    };
    let show = || get(&asked.kind, &asked.namespace, &asked.name);
    let facts = wrong.iter().map(|it| {
        let fact = format!(
            "{} of {} is {}: {} ({})",
            it.kind, it.parent, it.status, it.reason, it.message
        );
        Evidence::command(fact, show())
    });
    let mut evidence: Vec<Evidence> = facts.collect();
    if evidence.is_empty() {
        evidence.push(Evidence::command("status.parents has no condition", show()));
    }
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Warning,
        subject,
        summary,
        evidence,
        hint,
        explains: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, gap, list, without_services};
    use crate::shown;
    use observation::{ServiceCaller, ServiceName};
    use report::Observed;

    fn call(kind: &str, service: &str) -> ServiceCaller {
        ServiceCaller {
            kind: kind.into(),
            namespace: "shop".into(),
            name: "front".into(),
            service_namespace: "shop".into(),
            service: service.into(),
            port: Some("http".into()),
        }
    }

    fn called() -> Fixture {
        Fixture::shop()
            .ask("web")
            .with(|backends| list(&mut backends.callers).push(call("ingress", "web")))
    }

    /// A route was asked about that sends to two Services.
    fn through(change: impl FnOnce(&mut AskedCaller)) -> Fixture {
        let mut route = AskedCaller {
            kind: "httproute".into(),
            namespace: "shop".into(),
            name: "front".into(),
            calls: vec![call("httproute", "web"), call("httproute", "api")],
            parents: vec!["gateway/outer -n shop".into()],
            ..AskedCaller::default()
        };
        change(&mut route);
        Fixture::shop().with(|backends| {
            let name = |name: &str| ServiceName {
                namespace: "shop".into(),
                name: name.into(),
            };
            backends.question.services = ["web", "api"].map(name).to_vec();
            backends.asked_callers.push(route);
        })
    }

    fn condition(kind: &str, status: &str, reason: &str) -> RouteCondition {
        RouteCondition {
            parent: "gateway/outer -n shop".into(),
            kind: kind.into(),
            status: status.into(),
            reason: reason.into(),
            message: "in words".into(),
        }
    }

    #[test]
    fn an_ingress_is_listed() {
        let findings = shown::finds(&CHECK, &called().observe());
        assert_eq!(
            findings[0].summary,
            "1 caller of service/web -n shop: ingress/front -n shop"
        );
        shown::passes(&CHECK, &called().observe());
    }

    #[test]
    fn without_ingresses_nobody_is_seen_to_refer_to_it() {
        let unseen = called().with(|backends| backends.callers = Observed::Unseen(gap("Ingresses")));
        shown::cannot_tell(&CHECK, &unseen.observe());
    }

    #[test]
    fn what_was_asked_about_is_shown_with_all_that_it_sends_to() {
        let taken = through(|route| {
            route.conditions = vec![
                condition("Accepted", "True", "Accepted"),
                condition("ResolvedRefs", "True", "ResolvedRefs"),
            ];
            route.others = vec!["bucket/images".into()];
        });
        let observation = taken.observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "httproute/front -n shop sends to web:http, api:http"
        );
        assert!(
            findings[0]
                .evidence
                .iter()
                .any(|it| it.fact.contains("bucket/images"))
        );
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn what_its_controller_says_against_a_route_is_told_and_that_there_is_none() {
        let refused =
            through(|route| route.conditions = vec![condition("ResolvedRefs", "False", "BackendNotFound")]);
        assert_eq!(
            shown::finds(&CHECK, &refused.observe())[1].summary,
            "the controller of gateway/outer -n shop does not take httproute/front -n shop: BackendNotFound"
        );
        let alone = through(|_| ());
        assert!(
            shown::finds(&CHECK, &alone.observe())[1]
                .summary
                .starts_with("no controller says anything of httproute/front -n shop")
        );
    }

    #[test]
    fn a_route_whose_services_were_not_read_is_shown_and_no_more() {
        shown::cannot_tell(&CHECK, &without_services(through(|route| route.parents.clear())));
    }
}
