use observation::{BackendEvent, Service};
use report::{Evidence, Finding, Severity};

use super::lint::each;
use super::scene::Part;
use super::words::{about, count, field};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Node ports and addresses that the API server's own book-keeping complains about. A node port out of its range is refused when it is
/// written: it cannot exist and fail later, except where the range was changed.
pub(crate) static CHECK: Check = Check {
    id: "ep-np-range",
    claim: "the API server has no complaint about node ports and addresses of Services",
    needs: &[Need::Backends],
    judge,
};

/// By default; `--service-node-port-range` of the API server.
const RANGE: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// How the reasons of events begin by which the API server complains about its allocations.
const COMPLAINTS: [&str; 4] = [
    "PortAlreadyAllocated",
    "PortOutOfRange",
    "PortRangeFull",
    "ClusterIP",
];

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Events], |scene, case| {
        let service = case.service;
        let events = scene
            .events_of("service", &service.namespace, &service.name)
            .iter();
        let mut complaints = events.filter(|event| COMPLAINTS.iter().any(|it| event.reason.starts_with(it)));
        let complaint = complaints.next().map(|event| complaint(service, event));
        complaint.or_else(|| out_of_range(service)).into_iter().collect()
    })
}

fn complaint(service: &Service, event: &BackendEvent) -> Finding {
    let message = event.message.trim();
    let summary = format!("the API server complains about {}: {message}", service.subject());
    let evidence = Evidence::command(
        format!("{}: {message}", event.reason),
        format!(
            "kubectl describe service {} -n {}",
            word(&service.name),
            word(&service.namespace)
        ),
    );
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding.hint = Some(
        "make the Service anew without the port or address, and the API server chooses one that is free"
            .to_owned(),
    );
    finding
}

fn out_of_range(service: &Service) -> Option<Finding> {
    let ports = service.ports.iter().filter_map(|port| port.node_port);
    let out: Vec<u16> = ports.filter(|port| !RANGE.contains(port)).collect();
    let first = out.first()?;
    let summary = format!(
        "{} has {} out of the usual range, as node port {first}: this API server has a range of its own",
        service.subject(),
        count(out.len(), "node port")
    );
    let (from, to) = (RANGE.start(), RANGE.end());
    let evidence = field(
        service,
        format!("nodePort {first}, where {from} to {to} is usual"),
    );
    let mut finding = about(CHECK.id, Severity::Note, service, summary, evidence);
    finding.hint =
        Some("let firewalls and load balancers follow the range of --service-node-port-range".to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, gap};
    use crate::shown;
    use report::Observed;

    fn at(port: u16) -> Fixture {
        Fixture::shop().web(|service| service.ports[0].node_port = Some(port))
    }

    #[test]
    fn what_the_api_server_complains_about_is_quoted() {
        let fixture = at(30_080).event(
            "service",
            "web",
            "PortAlreadyAllocated",
            "port 30080 was assigned to multiple services",
        );
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert!(
            findings[0]
                .summary
                .ends_with("port 30080 was assigned to multiple services")
        );
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn a_port_out_of_the_usual_range_was_allowed_by_this_api_server() {
        let findings = shown::finds(&CHECK, &at(8080).observe());
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn ports_within_the_range_pass() {
        shown::passes(&CHECK, &at(30_080).observe());
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_events_no_complaint_is_seen() {
        let unseen = at(30_080).with(|backends| backends.events = Observed::Unseen(gap("events")));
        shown::cannot_tell(&CHECK, &unseen.observe());
    }
}
