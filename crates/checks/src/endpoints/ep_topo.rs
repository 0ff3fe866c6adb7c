use std::collections::BTreeMap;

use observation::Endpoint;
use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lint::over;
use super::scene::Part;
use super::words::{about, show_slices, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Hints that keep traffic within a zone. They only apply where all endpoints have one, the node has a zone, and one of them is for it; else
/// they are ignored, which is safe.
pub(crate) static CHECK: Check = Check {
    id: "ep-topo",
    claim: "hints keep traffic within a zone without starving one",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, &[Part::Slices, Part::Nodes], |scene| {
        let zones = zones(view);
        let cases = scene.cases.iter();
        cases.filter_map(|case| finding(case, &zones)).collect()
    })
}

/// How many nodes that work each zone has.
fn zones<'v>(view: &'v View<'_>) -> BTreeMap<&'v str, usize> {
    let mut zones = BTreeMap::new();
    for node in view.observation.nodes.seen().into_iter().flatten() {
        let works = node.ready.as_ref().is_some_and(|ready| ready.status == "True");
        if let Some(zone) = node.zone.as_deref().filter(|_| works) {
            *zones.entry(zone).or_default() += 1;
        }
    }
    zones
}

fn finding(case: &Case<'_>, zones: &BTreeMap<&str, usize>) -> Option<Finding> {
    let service = case.service;
    let settings = &service.settings;
    let asked = settings.traffic_distribution.as_deref().or(settings
        .annotations
        .get("service.kubernetes.io/topology-mode")
        .map(String::as_str))?;
    let used = case.used();
    if used.is_empty() || !case.has_endpoints() {
        return None;
    }
    let hinted: Vec<&&Endpoint> = used
        .iter()
        .filter(|it| !it.for_zones.is_empty() || !it.for_nodes.is_empty())
        .collect();
    let (what, hint) = if zones.is_empty() {
        (
            "no node has a zone: endpoints are chosen anywhere".to_owned(),
            "label nodes with topology.kubernetes.io/zone, or take the setting away",
        )
    } else if hinted.len() < used.len() {
        (
            format!(
                "{} of {} endpoints have no hint, so that none is followed",
                used.len() - hinted.len(),
                used.len()
            ),
            "more endpoints, spread over the zones, get hints; until then traffic goes anywhere",
        )
    } else {
        let mut of: BTreeMap<&str, usize> = zones.keys().map(|zone| (*zone, 0)).collect();
        for zone in hinted.iter().flat_map(|it| &it.for_zones) {
            *of.entry(zone).or_default() += 1;
        }
        uneven(&of, zones)?
    };
    let summary = format!("{} asks for {asked}, and {what}", service.subject());
    let evidence = Evidence::command(
        format!("{} of {} endpoints have hints", hinted.len(), used.len()),
        show_slices(service),
    );
    let mut finding = about(CHECK.id, Severity::Note, service, summary, evidence);
    finding.hint = Some(hint.to_owned());
    Some(finding)
}

/// A zone without endpoints, or with more than twice as many nodes to each endpoint as another.
fn uneven(of: &BTreeMap<&str, usize>, zones: &BTreeMap<&str, usize>) -> Option<(String, &'static str)> {
    let bare: Vec<&str> = of
        .iter()
        .filter(|(_, number)| **number == 0)
        .map(|(zone, _)| *zone)
        .collect();
    if !bare.is_empty() && bare.len() < of.len() {
        return Some((
            format!(
                "no endpoint is for zone {}: its nodes use those of others",
                some(bare)
            ),
            "spread the pods over the zones, by topologySpreadConstraints for example",
        ));
    }
    // Nodes to a thousand endpoints.
    let share = |zone: &str| {
        let (nodes, endpoints) = (zones.get(zone).copied(), of.get(zone).copied());
        nodes.unwrap_or(0) * 1000 / endpoints.unwrap_or(0).max(1)
    };
    let most = zones.keys().max_by_key(|zone| share(zone))?;
    let least = zones.keys().min_by_key(|zone| share(zone))?;
    (share(most) > 2 * share(least)).then(|| {
        (
            format!("endpoints of zone {most} serve more than twice as many nodes each as those of {least}"),
            "spread the pods over the zones as the nodes are, by topologySpreadConstraints for example",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, list, without_slices};
    use crate::shown;

    /// Nodes in the zones a, b, c; endpoints for these zones.
    fn zoned(hints: &[&str]) -> Fixture {
        let fixture = Fixture::shop()
            .web(|service| service.settings.traffic_distribution = Some("PreferSameZone".into()))
            .each_node(|node| {
                let zone = match node.name.as_str() {
                    "node1" => "a",
                    "node2" => "b",
                    _ => "c",
                };
                node.zone = Some(zone.into());
            })
            .stuck();
        fixture.with(|backends| {
            let endpoints = &mut list(&mut backends.slices)[0].endpoints;
            for (endpoint, zone) in endpoints.iter_mut().zip(hints) {
                endpoint.for_zones = vec![(*zone).into()];
            }
        })
    }

    #[test]
    fn a_zone_without_endpoints_is_told() {
        let findings = shown::finds(&CHECK, &zoned(&["a", "a", "b"]).observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop asks for PreferSameZone, and no endpoint is for zone c: its nodes use those of others"
        );
    }

    #[test]
    fn hints_of_some_endpoints_are_not_followed() {
        let findings = shown::finds(&CHECK, &zoned(&["a", "b"]).observe());
        assert!(
            findings[0]
                .summary
                .ends_with("1 of 3 endpoints have no hint, so that none is followed")
        );
    }

    #[test]
    fn one_endpoint_for_each_zone_and_a_service_that_does_not_ask_pass() {
        let observation = zoned(&["a", "b", "c"]).observe();
        assert_eq!((CHECK.judge)(&View::new(&observation)).findings, []);
        shown::passes(&CHECK, &observation);
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_slices_their_hints_are_not_known() {
        shown::cannot_tell(&CHECK, &without_slices(zoned(&[])));
    }
}
