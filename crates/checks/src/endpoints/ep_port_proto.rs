use observation::{Service, ServicePort};
use report::{Evidence, Finding, Severity};
use serde_json::Value;

use super::case::Case;
use super::expected::other_protocol;
use super::lint::each;
use super::listening::{Heard, Heeding, each_port};
use super::scene::Part;
use super::words::{about, field, get, patch_port, port_name};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A Service of one protocol whose pods listen on its port with another.
pub(crate) static CHECK: Check = Check {
    id: "ep-port-proto",
    claim: "Services speak the protocol of the applications behind them",
    needs: &[Need::Backends, Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = each_port(view, finding);
    let named = each(view, &[Part::Pods], |_, case| {
        let ports = case.service.ports.iter().enumerate();
        ports
            .filter_map(|(index, port)| named(case, index, port))
            .collect()
    });
    if !named.findings.is_empty() {
        judgement.skipped = None;
        judgement.findings.extend(named.findings);
    }
    judgement
}

/// A port that is named shows its protocol without anybody listening: its pods declare both.
fn named(case: &Case<'_>, index: usize, port: &ServicePort) -> Option<Finding> {
    let service = case.service;
    let staying = case.staying();
    let other = other_protocol(&staying, port)?;
    let (first, target) = (staying.first()?, &port.target_port);
    let summary = format!(
        "{} sends port {} to {target:?} with {}, and the pods behind it have that port for {other}",
        service.subject(),
        port_name(port),
        port.protocol
    );
    let evidence = Evidence::command(
        format!("pod/{} declares {target} with {other}", first.name),
        get("pod", &first.namespace, &first.name),
    );
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding
        .evidence
        .push(field(service, format!("protocol: {}", port.protocol)));
    finding.hint = Some(meant(service, index, other));
    Some(finding)
}

fn meant(service: &Service, index: usize, other: &str) -> String {
    let patch = patch_port(service, index, "protocol", &Value::from(other));
    format!("if {other} is meant: `{patch}`")
}

fn finding(heeding: &Heeding<'_, '_>) -> Option<Finding> {
    if !heeding.all(|heard| matches!(heard, Heard::OtherProtocol(_))) {
        return None;
    }
    let first = heeding.pods.first()?;
    let Heard::OtherProtocol(other) = first.heard else {
        return None;
    };
    let (service, port) = (heeding.case.service, heeding.port);
    let mut finding = about(
        CHECK.id,
        Severity::Error,
        service,
        format!(
            "{} sends port {} to {} with {}, and the pods behind it listen there with {other}",
            service.subject(),
            port_name(port),
            first.number,
            port.protocol
        ),
        first.evidence(format!(
            "pod/{} listens on {}/{other}, and not with {}",
            first.pod.name, first.number, port.protocol
        )),
    );
    finding
        .evidence
        .push(field(service, format!("protocol: {}", port.protocol)));
    finding.hint = Some(meant(service, heeding.index, other));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::Fixture;
    use crate::endpoints::sockets::{listening, unread};
    use crate::shown;

    #[test]
    fn a_service_of_the_other_protocol_is_found() {
        let fixture = Fixture::shop().web(|service| {
            service.ports[0].protocol = "UDP".into();
            service.ports[0].target_port = "8080".into();
        });
        let findings = shown::finds(&CHECK, &listening(fixture, &[("tcp", "0.0.0.0", 8080)]));
        assert_eq!(
            findings[0].summary,
            "service/web -n shop sends port http (80/UDP) to 8080 with UDP, and the pods behind it listen there with TCP"
        );
        let hint = findings[0].hint.as_deref().unwrap_or_default();
        assert!(
            hint.contains(r#""path":"/spec/ports/0/protocol","value":"TCP""#),
            "{hint}"
        );
    }

    #[test]
    fn a_named_port_of_the_other_protocol_needs_nobodys_sockets() {
        let fixture = Fixture::shop().web(|service| service.ports[0].protocol = "UDP".into());
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            r#"service/web -n shop sends port http (80/UDP) to "http" with UDP, and the pods behind it have that port for TCP"#
        );
        let hint = findings[0].hint.as_deref().unwrap_or_default();
        assert!(
            hint.contains(r#""path":"/spec/ports/0/protocol","value":"TCP""#),
            "{hint}"
        );
    }

    #[test]
    fn who_listens_with_both_is_right() {
        let both = [("tcp", "0.0.0.0", 8080), ("udp", "0.0.0.0", 8080)];
        shown::passes(&CHECK, &listening(Fixture::shop(), &both));
    }

    #[test]
    fn sockets_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &unread(Fixture::shop()));
    }
}
