//! The one sentence on Services that a reader reads first.

use observation::BackendsQuestion;
use report::Verdict;

use super::lack::Lack;
use super::scene::Scene;
use super::words::count;

/// The answer; `None` where the causes or the findings are the answer.
pub(crate) fn answer(scene: &Scene<'_>, verdict: Verdict, warnings: &str) -> Option<String> {
    match verdict {
        Verdict::Fail => None,
        Verdict::Warn => Some(format!("{}, but {warnings}", healthy(scene))),
        Verdict::Pass => Some(healthy(scene)),
        Verdict::Unknown if warnings.is_empty() => Some(format!(
            "nothing wrong was seen of {}, but not all could be seen",
            asked(scene)
        )),
        Verdict::Unknown => Some(format!("{warnings}; and not all could be seen")),
        Verdict::Skipped => Some("nothing was looked at".to_owned()),
    }
}

fn asked(scene: &Scene<'_>) -> String {
    match scene.cases.as_slice() {
        [one] => one.service.subject().to_string(),
        all => count(all.len(), "Service"),
    }
}

/// A mistaken namespace must not look like one where all is well.
fn none(question: &BackendsQuestion) -> String {
    let which = question.selector.as_ref();
    let which = which.map_or(String::new(), |selector| format!(" with {selector}"));
    match &question.namespace {
        Some(namespace) => format!("there is no Service{which} in namespace {namespace}"),
        None => format!("there is no Service{which} in any namespace"),
    }
}

fn healthy(scene: &Scene<'_>) -> String {
    if scene.cases.is_empty() {
        return none(&scene.facts.question);
    }
    if let [case] = scene.cases.as_slice() {
        let subject = case.service.subject();
        return match &case.lack {
            Some(Lack::ScaledToZero(workload)) => {
                format!("{subject} has no endpoint, and {} wants none", workload.subject())
            }
            _ if !case.has_endpoints() => format!(
                "{subject} stands for {}",
                case.service.external_name.as_deref().unwrap_or("nothing")
            ),
            _ => format!("{subject} has {}", count(case.used().len(), "endpoint")),
        };
    }
    let backed = scene.cases.iter().filter(|case| case.lack.is_none()).count();
    if backed == scene.cases.len() {
        format!("nothing stands in the way of {}", asked(scene))
    } else {
        format!(
            "nothing stands in the way of {backed} of {}; the others are empty on purpose",
            asked(scene)
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::endpoints::fixture::{Fixture, labels, list, service, without_pods, workload};
    use crate::judge::{JudgeOptions, judge};

    fn answer(fixture: Fixture) -> String {
        let options = JudgeOptions {
            command: "svc".into(),
            tool: "test".into(),
        };
        judge(&fixture.observe(), &options).summary.clone()
    }

    #[test]
    fn a_healthy_service_says_how_many_endpoints_it_has() {
        assert_eq!(
            answer(Fixture::shop().ask("web")),
            "service/web -n shop has 3 endpoints"
        );
    }

    #[test]
    fn where_there_is_no_service_the_place_is_named() {
        let nowhere = |namespace: Option<&str>, selector: Option<&str>| {
            Fixture::shop().with(|backends| {
                list(&mut backends.services).clear();
                backends.question.namespace = namespace.map(str::to_owned);
                backends.question.selector = selector.map(str::to_owned);
            })
        };
        assert_eq!(
            answer(nowhere(Some("shop"), None)),
            "there is no Service in namespace shop"
        );
        assert_eq!(
            answer(nowhere(None, Some("app=web"))),
            "there is no Service with app=web in any namespace"
        );
    }

    #[test]
    fn what_is_wrong_is_the_answer() {
        let wrong = Fixture::shop().web(|service| service.selector = labels("app=wbe"));
        assert_eq!(
            answer(wrong),
            "service/web -n shop selects app=wbe, which no pod has: pod/web-1 has app=web"
        );
    }

    #[test]
    fn of_several_services_those_that_are_empty_on_purpose_are_counted() {
        let two = Fixture::shop().beside(service("cache"));
        let two = two.with(|backends| list(&mut backends.workloads).push(workload("cache", 0)));
        assert_eq!(
            answer(two),
            "nothing stands in the way of 1 of 2 Services; the others are empty on purpose"
        );
    }

    #[test]
    fn each_broken_service_has_one_cause() {
        let options = JudgeOptions {
            command: "scan".into(),
            tool: "test".into(),
        };
        let wrong = Fixture::shop()
            .web(|service| {
                service.selector = labels("app=wbe");
                service.ports[0].target_port = "htpt".into();
            })
            .beside(service("billing"));
        let report = judge(&wrong.observe(), &options);
        let causes: Vec<String> = report
            .root_causes
            .iter()
            .map(|cause| format!("{} {}", cause.id, cause.subject))
            .collect();
        assert_eq!(
            causes,
            [
                "ep-sel-near service/web -n shop",
                "ep-sel service/billing -n shop"
            ]
        );
        let unseen = judge(&without_pods(Fixture::shop()), &options);
        assert!(unseen.root_causes.is_empty());
    }
}
