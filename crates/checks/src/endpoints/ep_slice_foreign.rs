use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lack::Lack;
use super::lint::each;
use super::scene::{Part, Scene, seen};
use super::words::{about, show_slices, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Slices that the controller does not write: those of a Service without a selector, where somebody has to.
pub(crate) static CHECK: Check = Check {
    id: "ep-slice-foreign",
    claim: "Services without a selector have slices with addresses, and others have none but their own",
    needs: &[Need::Backends],
    judge,
};

/// What copies Endpoints objects that were written by hand.
pub(super) const MIRROR: &str = "endpointslicemirroring-controller.k8s.io";

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Slices], |scene, case| {
        empty(scene, case).or_else(|| beside(case)).into_iter().collect()
    })
}

/// Nobody fills a Service that has no selector.
fn empty(scene: &Scene<'_>, case: &Case<'_>) -> Option<Finding> {
    if !matches!(case.lack, Some(Lack::Manual)) || is_mirrored_wrongly(scene, case) {
        return None;
    }
    let service = case.service;
    // A headless one without addresses is a name that does not exist yet; leader elections keep some.
    let severity = if service.headless {
        Severity::Note
    } else {
        Severity::Error
    };
    let summary = match case.slices.len() {
        0 => format!(
            "{} has no selector and no EndpointSlice: nobody fills it",
            service.subject()
        ),
        _ => format!(
            "{} has no selector, and its EndpointSlices have no ready address",
            service.subject()
        ),
    };
    let fact = format!("{} EndpointSlices with its label", case.slices.len());
    let mut finding = about(
        CHECK.id,
        severity,
        service,
        summary,
        Evidence::command(fact, show_slices(service)),
    );
    finding.explains.push(super::ep_empty::CHECK.id.to_owned());
    finding.hint = Some(format!(
        "write a slice with the label kubernetes.io/service-name={} and ports named as the Service's, give the Service a selector, or delete it",
        service.name
    ));
    Some(finding)
}

/// Whether somebody wrote Endpoints instead: then another check says why they are not copied.
fn is_mirrored_wrongly(scene: &Scene<'_>, case: &Case<'_>) -> bool {
    let objects = scene.facts.endpoints.as_ref().map_or(&[][..], seen);
    case.slices.is_empty()
        && objects.iter().any(|object| {
            object.addresses > 0
                && object.name == case.service.name
                && object.namespace == case.service.namespace
        })
}

/// Somebody adds endpoints to those that a selector selects.
fn beside(case: &Case<'_>) -> Option<Finding> {
    if !case.is_selecting() {
        return None;
    }
    let foreign: Vec<_> = case
        .foreign()
        .filter(|slice| slice.managed_by.as_deref() != Some(MIRROR))
        .collect();
    let first = foreign.first()?;
    let service = case.service;
    let names = some(foreign.iter().map(|slice| &slice.name));
    let by = first.managed_by.as_deref().unwrap_or("nobody");
    let summary = format!(
        "{} also has endpoints that its selector does not select: {names}",
        service.subject()
    );
    let evidence = Evidence::command(
        format!("endpointslice/{} is managed by {by}", first.name),
        show_slices(service),
    );
    let mut finding = about(CHECK.id, Severity::Note, service, summary, evidence);
    finding.hint =
        Some("nothing takes them away when they are gone: keep them only if that is meant".to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, manual, without_slices};
    use crate::shown;

    fn manually() -> Fixture {
        Fixture::shop().web(|service| service.selector.clear())
    }

    #[test]
    fn a_service_that_nobody_fills_is_found() {
        let findings = shown::finds(&CHECK, &manually().observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop has no selector and no EndpointSlice: nobody fills it"
        );
        assert_eq!(findings[0].explains, ["ep-empty"]);
    }

    #[test]
    fn slices_without_a_ready_address_do_not_fill_it() {
        let mut slice = manual("http");
        slice.endpoints[0].ready = false;
        let findings = shown::finds(&CHECK, &manually().slice(slice).observe());
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn a_slice_by_hand_fills_it_and_a_headless_one_may_be_empty() {
        shown::passes(&CHECK, &manually().slice(manual("http")).observe());
        shown::passes(
            &CHECK,
            &manually().web(|service| service.headless = true).observe(),
        );
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn endpoints_beside_a_selector_are_told() {
        let findings = shown::finds(&CHECK, &Fixture::shop().slice(manual("http")).observe());
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn without_slices_nothing_is_known_of_them() {
        shown::cannot_tell(&CHECK, &without_slices(manually()));
    }
}
