use report::{Evidence, Finding, Severity};

use super::lint::over;
use super::scene::Part;
use super::words::{about, count, get, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Who refers to a Service that was asked about, as far as the API says so.
pub(crate) static CHECK: Check = Check {
    id: "ep-deps",
    claim: "who refers to the Service is listed",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    if view.backends.as_ref().is_some_and(|scene| !scene.is_single()) {
        return Judgement::not_asked();
    }
    over(view, &[Part::Callers], |scene| {
        let cases = scene.cases.iter();
        cases
            .filter_map(|case| {
                let callers = scene.callers_of(case.service);
                let first = callers.first()?;
                let names = callers
                    .iter()
                    .map(|it| format!("{}/{} -n {}", it.kind, it.name, it.namespace));
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
            .collect::<Vec<Finding>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, gap, list};
    use crate::shown;
    use observation::ServiceCaller;
    use report::Observed;

    fn called() -> Fixture {
        Fixture::shop().ask("web").with(|backends| {
            list(&mut backends.callers).push(ServiceCaller {
                kind: "ingress".into(),
                namespace: "shop".into(),
                name: "front".into(),
                service_namespace: "shop".into(),
                service: "web".into(),
                port: Some("http".into()),
            });
        })
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
}
