use std::net::IpAddr;

use ipnet::IpNet;
use observation::Route;
use report::{Family, Finding, Severity};

use super::{Inside, breaks, in_pods, recreate};
use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, majority, shown};
use crate::view::View;

/// Without a default route a pod reaches what is on its own link and nothing else, at once and with "network is
/// unreachable". A second network of the pod may own the route. Pods of which none has one are meant so.
pub(crate) static CHECK: Check = Check {
    id: "net-pod-rt",
    claim: "every pod has a default route by way of its CNI's gateway where others have one",
    needs: &[Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    in_pods(view, |network| &network.routes, find)
}

fn find(_: &Nodes<'_>, parts: &[(Inside<'_>, &Vec<Route>)], judgement: &mut Judgement) {
    for family in [Family::IPv4, Family::IPv6] {
        let of_family = parts
            .iter()
            .filter(|(inside, _)| inside.pod.addresses.iter().any(|it| Family::of(*it) == family));
        let ways: Vec<Way<'_>> = of_family
            .map(|(inside, routes)| Way {
                inside: *inside,
                default: default(routes, family),
            })
            .collect();
        for way in &ways {
            let finding = match way.default {
                None => missing(way, &ways, family),
                Some(route) => astray(way, route, &ways, family),
            };
            if let Some(finding) = finding {
                judgement.cause(finding, breaks(&[way.inside]));
            }
        }
    }
}

/// The way out of a pod.
struct Way<'a> {
    inside: Inside<'a>,
    default: Option<&'a Route>,
}

/// The default route of a family, in whatever table: a second network may have its own. Two halves of the world, which
/// programs write that want to come before a default route, are one too.
fn default(routes: &[Route], family: Family) -> Option<&Route> {
    let defaults = routes.iter().filter(|route| {
        let network: Option<IpNet> = route.destination.parse().ok();
        let fits = |network: IpNet| network.prefix_len() <= 1 && Family::of(network.addr()) == family;
        route.kind == "unicast" && network.is_some_and(fits)
    });
    defaults.min_by_key(|route| (route.table != crate::nodes::MAIN, route.metric))
}

fn missing(way: &Way<'_>, all: &[Way<'_>], family: Family) -> Option<Finding> {
    let (example, route) = all
        .iter()
        .find_map(|other| Some((other.inside, other.default?)))?;
    let name = way.inside.pod.subject();
    let command = show(family);
    let of_family = if family == Family::IPv6 { " of IPv6" } else { "" };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        name.clone(),
        format!("{name} has no default route{of_family}: it reaches no Service and nothing outside"),
        way.inside.shows("it prints nothing", command),
    );
    finding.evidence.push(example.shows(
        format!("{} has `{}`", example.pod.subject(), shown(route)),
        command,
    ));
    finding.hint = Some(recreate(way.inside.pod));
    Some(finding)
}

/// A default route on the pod's own interface by another way than that of the other pods of the node.
fn astray(way: &Way<'_>, route: &Route, all: &[Way<'_>], family: Family) -> Option<Finding> {
    // Link-local gateways of IPv6 may differ from pod to pod.
    if family == Family::IPv6 {
        return None;
    }
    let pod = way.inside.pod;
    let own = |address: &IpAddr| Family::of(*address) == family;
    let holder = pod
        .addresses
        .iter()
        .find(|it| own(it))
        .and_then(|it| way.inside.holder(*it))?;
    if route.device.as_deref() != Some(holder.name.as_str()) {
        return None;
    }
    let neighbours = all
        .iter()
        .filter(|other| other.inside.pod.node == pod.node && other.inside.pod.uid != pod.uid);
    let gateways: Vec<Option<IpAddr>> = neighbours
        .filter_map(|other| other.default.map(|route| route.gateway))
        .collect();
    // Of two pods nobody can say which one is right.
    let usual = (gateways.len() >= 2).then(|| majority(gateways)).flatten()?;
    let gateway = route.gateway;
    if gateway == usual {
        return None;
    }
    let said =
        |gateway: Option<IpAddr>| gateway.map_or("nobody in particular".to_owned(), |it| it.to_string());
    let dead = way
        .inside
        .network
        .neighbours
        .seen()
        .into_iter()
        .flatten()
        .find(|entry| {
            Some(entry.address) == gateway && matches!(entry.state.as_str(), "failed" | "incomplete")
        });
    let name = pod.subject();
    let severity = if dead.is_some() {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        name.clone(),
        format!(
            "{name} sends what is for others to {}, where the other pods of {} send it to {}",
            said(gateway),
            pod.node,
            said(usual)
        ),
        way.inside
            .shows(format!("it prints `{}`", shown(route)), show(family)),
    );
    if let Some(entry) = dead {
        let fact = format!("{} is {}: nobody there answers", entry.address, entry.state);
        finding.evidence.push(way.inside.shows(fact, "ip neigh"));
    }
    finding.hint = Some(recreate(pod));
    Some(finding)
}

fn show(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "ip route show default",
        Family::IPv6 => "ip -6 route show default",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::scene::{PodScene, neighbour, route, without_route};
    use crate::shown;

    const DEFAULT: &str = "0.0.0.0/0";

    #[test]
    fn a_pod_without_a_default_route_is_named_with_one_that_has_it() {
        let scene = PodScene::healthy().change("web-1", |network| without_route(network, DEFAULT));
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        let finding = &findings[0];
        assert_eq!(finding.subject.to_string(), "pod/web-1 -n shop");
        assert!(
            finding.evidence[1]
                .fact
                .contains("0.0.0.0/0 via 10.244.1.1 dev eth0")
        );
        let hint = finding.hint.as_ref().unwrap();
        assert!(hint.contains("`kubectl delete pod web-1 -n shop`"), "{hint}");
    }

    #[test]
    fn pods_of_which_none_has_a_default_route_are_meant_so() {
        let mut scene = PodScene::healthy();
        for pod in PodScene::PODS {
            scene = scene.change(pod, |network| without_route(network, DEFAULT));
        }
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn a_gateway_that_the_others_do_not_use_is_a_warning_and_one_that_is_dead_an_error() {
        let other = PodScene::healthy().change("web-1", |network| {
            without_route(network, DEFAULT);
            route(network, DEFAULT, "10.244.1.9", "eth0");
        });
        let findings = shown::finds(&CHECK, &other.observation());
        assert_eq!(findings[0].severity, Severity::Warning);
        let dead = other.change("web-1", |network| neighbour(network, "10.244.1.9", "failed"));
        let findings = shown::finds(&CHECK, &dead.observation());
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(findings[0].evidence.len(), 2);
    }

    #[test]
    fn a_default_route_of_a_second_network_or_in_two_halves_is_well() {
        let second = PodScene::healthy().change("web-1", |network| {
            without_route(network, DEFAULT);
            route(network, DEFAULT, "192.0.2.1", "net1");
        });
        shown::passes(&CHECK, &second.observation());
        let halves = PodScene::healthy().change("web-1", |network| {
            without_route(network, DEFAULT);
            route(network, "0.0.0.0/1", "10.8.0.1", "tun0");
            route(network, "128.0.0.0/1", "10.8.0.1", "tun0");
        });
        shown::passes(&CHECK, &halves.observation());
    }

    #[test]
    fn pods_that_have_one_pass_and_those_that_were_not_read_are_unknown() {
        shown::passes(&CHECK, &PodScene::healthy().observation());
        shown::cannot_tell(&CHECK, &PodScene::healthy().unread("web-1").observation());
    }
}
