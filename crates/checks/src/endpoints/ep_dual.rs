use std::collections::BTreeSet;

use report::{Evidence, Family, Finding, Severity};
use serde_json::json;

use super::case::Case;
use super::expected::families;
use super::lint::each;
use super::scene::Part;
use super::words::{about, field, patch, show_slices};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Both address families of a Service that has two: each needs an endpoint of its own.
pub(crate) static CHECK: Check = Check {
    id: "ep-dual",
    claim: "a Service has both address families where it asks for them",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Slices], |_, case| {
        unmet(case).or_else(|| one_sided(case)).into_iter().collect()
    })
}

fn unmet(case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    let asks = service.settings.family_policy.as_deref() == Some("RequireDualStack");
    if !asks || !case.has_endpoints() || families(service).len() > 1 {
        return None;
    }
    let has: Vec<String> = families(service).iter().map(Family::to_string).collect();
    let has = has.concat();
    let summary = format!(
        "{} requires both address families and has {has} only",
        service.subject()
    );
    let evidence = field(
        service,
        format!("spec.ipFamilyPolicy is RequireDualStack, spec.ipFamilies is {has}"),
    );
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding.hint = Some(format!(
        "if one will do: `{}`",
        patch(service, &json!({"spec": {"ipFamilyPolicy": "PreferDualStack"}}))
    ));
    Some(finding)
}

fn one_sided(case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    let wanted = families(service);
    if wanted.len() < 2 || !case.has_endpoints() {
        return None;
    }
    let there: BTreeSet<Family> = case
        .used()
        .iter()
        .flat_map(|endpoint| &endpoint.addresses)
        .map(|address| Family::of(*address))
        .collect();
    let lacking = wanted.difference(&there).next()?;
    let other = there.iter().next()?;
    let summary = format!(
        "{} has no {lacking} endpoint, and {other} ones: clients that prefer {lacking} are refused",
        service.subject()
    );
    let evidence = Evidence::command(
        format!("no ready {lacking} address is listed"),
        show_slices(service),
    );
    let mut finding = about(CHECK.id, Severity::Warning, service, summary, evidence);
    finding.hint = Some(format!(
        "give its pods {lacking} addresses, or the Service {other} alone: a new one with ipFamilyPolicy SingleStack"
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_slices};
    use crate::shown;

    fn dual() -> Fixture {
        Fixture::shop().web(|service| {
            service.settings.families = vec!["IPv4".into(), "IPv6".into()];
            service.settings.family_policy = Some("RequireDualStack".into());
        })
    }

    #[test]
    fn a_family_without_endpoints_is_warned_about() {
        let findings = shown::finds(&CHECK, &dual().observe());
        assert!(
            findings[0]
                .summary
                .starts_with("service/web -n shop has no IPv6 endpoint, and IPv4 ones")
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn a_family_that_is_required_and_was_not_given_is_found() {
        let one = dual().web(|service| drop(service.settings.families.pop()));
        assert_eq!(shown::finds(&CHECK, &one.observe())[0].severity, Severity::Error);
    }

    #[test]
    fn both_families_and_one_that_was_asked_for_pass() {
        let both = dual().each_pod(|pod| pod.addresses.push(std::net::Ipv6Addr::LOCALHOST.into()));
        shown::passes(&CHECK, &both.observe());
        shown::passes(&CHECK, &Fixture::shop().observe());
        shown::passes(&CHECK, &dual().each_pod(|pod| pod.ready = false).observe());
    }

    #[test]
    fn without_slices_their_families_are_not_known() {
        shown::cannot_tell(&CHECK, &without_slices(dual()));
    }
}
