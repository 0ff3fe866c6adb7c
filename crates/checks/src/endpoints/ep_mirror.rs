use observation::EndpointsObject;
use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lint::each;
use super::scene::{Part, Scene, seen};
use super::words::{about, count, get};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Endpoints that were written by hand, of a Service without a selector: they are copied into slices, and nothing reads them itself.
pub(crate) static CHECK: Check = Check {
    id: "ep-mirror",
    claim: "Endpoints that were written by hand are copied into slices",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Slices, Part::Endpoints], |scene, case| {
        finding(scene, case).into_iter().collect()
    })
}

fn finding(scene: &Scene<'_>, case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    if case.is_selecting() || !case.has_endpoints() || !case.slices.is_empty() {
        return None;
    }
    let objects = scene.facts.endpoints.as_ref().map_or(&[][..], seen);
    let is_own =
        |object: &&EndpointsObject| object.namespace == service.namespace && object.name == service.name;
    let object = objects
        .iter()
        .find(is_own)
        .filter(|object| object.addresses > 0)?;
    let named = format!("endpoints/{} -n {}", object.name, object.namespace);
    let addresses = count(object.addresses as usize, "address");
    let (why, hint) = if object.skips_mirror {
        (
            "its label endpointslice.kubernetes.io/skip-mirror forbids it",
            format!(
                "write an EndpointSlice, or take the label away: `kubectl label endpoints {} -n {} endpointslice.kubernetes.io/skip-mirror-`",
                word(&object.name),
                word(&object.namespace)
            ),
        )
    } else if object.elects_leader {
        (
            "it has the annotation of a leader election",
            "write an EndpointSlice instead: what elects leaders is never copied".to_owned(),
        )
    } else {
        (
            "kube-controller-manager copies it within seconds where it runs",
            "write an EndpointSlice instead, or see whether kube-controller-manager runs: \
             `kubectl get lease kube-controller-manager -n kube-system -o yaml`"
                .to_owned(),
        )
    };
    let summary = format!(
        "{} has {addresses} in {named}, and no EndpointSlice: {why}",
        service.subject()
    );
    let evidence = Evidence::command(
        format!("{addresses}; {why}"),
        get("endpoints", &object.namespace, &object.name),
    );
    let mut finding = about(CHECK.id, Severity::Warning, service, summary, evidence);
    finding.explains = vec![
        super::ep_slice_foreign::CHECK.id.to_owned(),
        super::ep_empty::CHECK.id.to_owned(),
    ];
    finding.hint = Some(hint);
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, manual, without_slices};
    use crate::shown;
    use report::Observed;

    fn mirrored(skips_mirror: bool, addresses: u32) -> Fixture {
        let fixture = Fixture::shop().web(|service| service.selector.clear());
        fixture.with(|backends| {
            backends.endpoints = Some(Observed::Seen(vec![EndpointsObject {
                namespace: "shop".into(),
                name: "web".into(),
                addresses,
                skips_mirror,
                elects_leader: false,
            }]));
        })
    }

    #[test]
    fn endpoints_that_are_not_copied_are_found_with_the_reason() {
        let findings = shown::finds(&CHECK, &mirrored(true, 2).observe());
        assert!(
            findings[0]
                .summary
                .starts_with("service/web -n shop has 2 addresses in endpoints/web -n shop")
        );
        assert!(findings[0].summary.ends_with("skip-mirror forbids it"));
        assert!(findings[0].explains.contains(&"ep-slice-foreign".to_owned()));
        let late = shown::finds(&CHECK, &mirrored(false, 1).observe());
        assert!(late[0].summary.contains("kube-controller-manager copies it"));
    }

    #[test]
    fn slices_that_are_there_and_endpoints_without_addresses_pass() {
        shown::passes(&CHECK, &mirrored(true, 2).slice(manual("http")).observe());
        shown::passes(&CHECK, &mirrored(true, 0).observe());
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_slices_it_is_not_known_what_was_copied() {
        shown::cannot_tell(&CHECK, &without_slices(mirrored(true, 2)));
    }
}
