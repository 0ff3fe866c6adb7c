use std::collections::BTreeSet;
use std::net::IpAddr;

use observation::Service;
use report::{Finding, Severity};

use super::lint::each;
use super::scene::Scene;
use super::words::{about, field, nearest, show};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// An ExternalName that cannot lead anywhere: an address, itself, or a Service that does not exist. Whether another name resolves is
/// not decided here.
pub(crate) static CHECK: Check = Check {
    id: "ep-extname",
    claim: "no ExternalName stands for itself, for an address, or for a Service that does not exist",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[], |scene, case| {
        finding(scene, case.service).into_iter().collect()
    })
}

fn finding(scene: &Scene<'_>, service: &Service) -> Option<Finding> {
    let name = service
        .external_name
        .as_deref()
        .filter(|_| service.kind == "ExternalName")?;
    let subject = service.subject();
    let of = |summary: String, hint: String| {
        let evidence = field(service, format!("spec.externalName is {name}"));
        let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
        finding.hint = Some(hint);
        finding
    };
    if name.parse::<IpAddr>().is_ok() {
        return Some(of(
            format!("{subject} stands for {name}, which DNS takes for a name and not for an address"),
            "give it no selector, write an EndpointSlice with the address, and set its type to ClusterIP"
                .to_owned(),
        ));
    }
    let (namespace, target) = in_cluster(name)?;
    if leads_back(scene, service) {
        let summary = if (namespace, target) == (service.namespace.as_str(), service.name.as_str()) {
            format!("{subject} stands for {name}, which is itself")
        } else {
            format!("{subject} stands for {name}, which leads back to it")
        };
        return Some(of(
            summary,
            format!(
                "set spec.externalName to the name that is meant: `{}`",
                show(service)
            ),
        ));
    }
    if scene.knows_services_of(namespace) && scene.service(namespace, target).is_none() {
        let services = scene.facts.services.seen().into_iter().flatten();
        let own = services
            .filter(|it| it.namespace == namespace)
            .map(|it| it.name.as_str());
        let near = nearest(target, own)
            .map(|near| format!(", but service/{near}"))
            .unwrap_or_default();
        return Some(of(
            format!(
                "{subject} stands for {name}, and there is no service/{target} in namespace {namespace}{near}"
            ),
            format!(
                "set spec.externalName to the name that is meant: `{}`",
                show(service)
            ),
        ));
    }
    None
}

/// Namespace and name, where a name is one of a Service: `web.shop.svc`, with or without the domain of the cluster.
fn in_cluster(name: &str) -> Option<(&str, &str)> {
    let mut labels = name.trim_end_matches('.').split('.');
    let (service, namespace) = (labels.next()?, labels.next()?);
    (labels.next()? == "svc").then_some((namespace, service))
}

/// Whether following the names from a Service comes back to it.
fn leads_back(scene: &Scene<'_>, service: &Service) -> bool {
    let mut visited = BTreeSet::new();
    let mut at = service;
    while let Some((namespace, name)) = at.external_name.as_deref().and_then(in_cluster) {
        if (namespace, name) == (service.namespace.as_str(), service.name.as_str()) {
            return true;
        }
        let Some(next) = scene.service(namespace, name) else {
            return false;
        };
        if !visited.insert((namespace, name)) {
            return false;
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, service, without_services};
    use crate::shown;

    fn external(name: &str, target: &str) -> Service {
        Service {
            kind: "ExternalName".into(),
            external_name: Some(target.into()),
            selector: std::collections::BTreeMap::new(),
            cluster_ips: Vec::new(),
            ports: Vec::new(),
            ..service(name)
        }
    }

    fn summary(target: &str) -> String {
        let fixture = Fixture::shop().beside(external("loop", target));
        shown::finds(&CHECK, &fixture.observe())[0].summary.clone()
    }

    #[test]
    fn a_name_that_is_its_own_or_no_name_is_found() {
        assert_eq!(
            summary("loop.shop.svc.cluster.local"),
            "service/loop -n shop stands for loop.shop.svc.cluster.local, which is itself"
        );
        assert!(summary("192.0.2.7").contains("takes for a name and not for an address"));
        assert!(summary("wed.shop.svc").ends_with("no service/wed in namespace shop, but service/web"));
    }

    #[test]
    fn a_circle_of_several_is_found_at_each_of_them() {
        let circle = Fixture::shop()
            .beside(external("a", "b.shop.svc.cluster.local"))
            .beside(external("b", "a.shop.svc.cluster.local."));
        assert_eq!(shown::finds(&CHECK, &circle.observe()).len(), 2);
    }

    #[test]
    fn names_outside_and_of_services_pass() {
        for target in [
            "www.example.com",
            "web.shop.svc.cluster.local",
            "db.other.svc.cluster.local",
        ] {
            shown::passes(&CHECK, &Fixture::shop().beside(external("x", target)).observe());
        }
    }

    #[test]
    fn without_services_their_names_are_not_known() {
        shown::cannot_tell(&CHECK, &without_services(Fixture::shop()));
    }
}
