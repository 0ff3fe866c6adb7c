use report::{Evidence, Finding, Observed, Severity, Subject};

use super::words::{nearest, some};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A Service that was asked for by its name: a typo, or another namespace.
pub(crate) static CHECK: Check = Check {
    id: "ep-notfound",
    claim: "the Service that was asked about exists",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(scene) = &view.backends else {
        return Judgement::not_asked();
    };
    if !scene.is_single() {
        return Judgement::not_asked();
    }
    let Observed::Seen(services) = &scene.facts.services else {
        return Judgement {
            gaps: scene.facts.services.gap().cloned().into_iter().collect(),
            ..Judgement::default()
        };
    };
    let Some((namespace, name)) = scene.missing() else {
        return Judgement::default();
    };
    let elsewhere = scene.facts.elsewhere.as_ref().and_then(Observed::seen);
    let elsewhere = elsewhere.map_or(&[][..], Vec::as_slice);
    let names = services.iter().map(|service| service.name.as_str());
    let near = nearest(name, names);
    let subject = Subject::Object {
        kind: "service".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
    };
    let mut summary = format!("there is no service/{name} in namespace {namespace}");
    if let Some(near) = near {
        summary = format!("{summary}, but service/{near}");
    } else if !elsewhere.is_empty() {
        summary = format!("{summary}, but in {}", some(elsewhere));
    }
    let fact = format!("{} Services, none of that name", services.len());
    let command = format!("kubectl get services -n {}", word(namespace));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        summary,
        Evidence::command(fact, command),
    );
    if let [first, ..] = elsewhere {
        finding.evidence.push(Evidence::command(
            format!("service/{name} exists in namespace {}", some(elsewhere)),
            format!(
                "kubectl get services -A --field-selector metadata.name={}",
                word(name)
            ),
        ));
        finding.hint = Some(format!(
            "from other namespaces it is called {name}.{first}; to look at it: `kubectl epcheck svc {} -n {}`",
            word(name),
            word(first)
        ));
    }
    if let Some(near) = near {
        finding.hint = Some(format!(
            "if that one was meant: `kubectl epcheck svc {} -n {}`",
            word(near),
            word(namespace)
        ));
    }
    let mut judgement = Judgement::default();
    judgement.findings.push(finding);
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_services};
    use crate::shown;

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
    fn what_exists_passes_and_what_was_not_read_is_not_missing() {
        shown::passes(&CHECK, &Fixture::shop().ask("web").observe());
        shown::cannot_tell(&CHECK, &without_services(Fixture::shop().ask("web")));
    }
}
