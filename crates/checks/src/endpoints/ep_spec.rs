use observation::Service;
use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lint::over;
use super::words::{about, count, field, labels, port_name, show_pods, show_slices};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// All that defines the Service that was asked about, on one screen.
pub(crate) static CHECK: Check = Check {
    id: "ep-spec",
    claim: "what defines the Service is shown",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    if view.backends.as_ref().is_some_and(|scene| !scene.is_single()) {
        return Judgement::not_asked();
    }
    over(view, &[], |scene| scene.cases.iter().map(finding).collect())
}

fn finding(case: &Case<'_>) -> Finding {
    let service = case.service;
    let summary = format!("{} is {}", service.subject(), kind(service));
    let mut finding = about(
        CHECK.id,
        Severity::Note,
        service,
        summary,
        field(service, addresses(service)),
    );
    if !service.ports.is_empty() {
        let ports = service.ports.iter().map(|port| {
            let node = port
                .node_port
                .map(|port| format!(", node port {port}"))
                .unwrap_or_default();
            format!("{} to {}{node}", port_name(port), port.target_port)
        });
        let ports: Vec<String> = ports.collect();
        finding
            .evidence
            .push(field(service, format!("ports: {}", ports.join("; "))));
    }
    let policies = policies(service);
    if !policies.is_empty() {
        finding.evidence.push(field(service, policies.join(", ")));
    }
    if case.is_selecting() {
        finding.evidence.push(Evidence::command(
            format!(
                "selects {}: {}",
                labels(&service.selector),
                count(case.candidates.len(), "pod")
            ),
            show_pods(&service.namespace, &service.selector),
        ));
    }
    if case.has_endpoints() {
        let used = case.used().len();
        let all = case.endpoints().count();
        finding.evidence.push(Evidence::command(
            format!(
                "{used} of {} get traffic, in {}",
                count(all, "endpoint"),
                count(case.slices.len(), "EndpointSlice")
            ),
            show_slices(service),
        ));
    }
    finding
}

fn kind(service: &Service) -> &'static str {
    match (service.kind.as_str(), service.headless) {
        ("ExternalName", _) => "another name for something else",
        (_, true) => "headless: its name stands for its pods",
        ("NodePort", _) => "a NodePort",
        ("LoadBalancer", _) => "a LoadBalancer",
        _ => "a ClusterIP",
    }
}

fn addresses(service: &Service) -> String {
    if let Some(name) = service
        .external_name
        .as_deref()
        .filter(|_| service.kind == "ExternalName")
    {
        return format!("stands for {name}");
    }
    let mut addresses: Vec<String> = service.cluster_ips.iter().map(ToString::to_string).collect();
    addresses.extend(service.external_ips.iter().map(|ip| format!("{ip} (external)")));
    for ingress in &service.load_balancer {
        let ip = ingress.ip.map(|ip| ip.to_string());
        addresses.extend(
            ip.or_else(|| ingress.hostname.clone())
                .map(|it| format!("{it} (load balancer)")),
        );
    }
    if addresses.is_empty() {
        "no address of its own".to_owned()
    } else {
        format!("addresses: {}", addresses.join(", "))
    }
}

/// What differs from the usual.
fn policies(service: &Service) -> Vec<String> {
    let settings = &service.settings;
    let mut all = Vec::new();
    if service.external_local {
        all.push("externalTrafficPolicy Local".to_owned());
    }
    if service.internal_local {
        all.push("internalTrafficPolicy Local".to_owned());
    }
    if let Some(seconds) = settings.affinity_seconds {
        all.push(format!("clients stay with one endpoint for {seconds} s"));
    }
    if settings.publish_not_ready {
        all.push("publishNotReadyAddresses".to_owned());
    }
    if let Some(distribution) = &settings.traffic_distribution {
        all.push(format!("trafficDistribution {distribution}"));
    }
    if let Some(proxy) = &settings.proxy_name {
        all.push(format!("service-proxy-name {proxy}"));
    }
    if let Some(class) = &settings.load_balancer_class {
        all.push(format!("loadBalancerClass {class}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_services};
    use crate::shown;

    #[test]
    fn a_service_is_shown_with_all_that_defines_it() {
        let fixture = Fixture::shop().ask("web").web(|service| {
            service.external_local = true;
            service.settings.affinity_seconds = Some(10_800);
        });
        let findings = shown::finds(&CHECK, &fixture.observe());
        let facts: Vec<&str> = findings[0].evidence.iter().map(|it| it.fact.as_str()).collect();
        assert_eq!(
            facts,
            [
                "addresses: 10.96.0.7",
                "ports: http (80/TCP) to http",
                "externalTrafficPolicy Local, clients stay with one endpoint for 10800 s",
                "selects app=web: 3 pods",
                "3 of 3 endpoints get traffic, in 1 EndpointSlice",
            ]
        );
        shown::passes(&CHECK, &fixture_of_web());
    }

    fn fixture_of_web() -> observation::Observation {
        Fixture::shop().ask("web").observe()
    }

    #[test]
    fn who_asks_about_all_services_is_not_shown_each() {
        assert!(!(CHECK.judge)(&View::new(&Fixture::shop().observe())).is_asked());
    }

    #[test]
    fn without_services_there_is_nothing_to_show() {
        shown::cannot_tell(&CHECK, &without_services(Fixture::shop().ask("web")));
    }
}
