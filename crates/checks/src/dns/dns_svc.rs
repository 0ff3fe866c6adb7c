use observation::Service;
use report::{Evidence, Finding, Severity};
use serde_json::json;

use super::{Scene, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A DNS Service that lacks a protocol.
pub(crate) static CHECK: Check = Check {
    id: "dns-svc",
    claim: "the DNS Service has port 53 for UDP and TCP",
    needs: &[Need::Dns],
    judge,
};

const PORT: u16 = 53;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| Judgement {
        findings: scene
            .services()
            .filter(|service| !service.cluster_ips.is_empty())
            .flat_map(|service| ["UDP", "TCP"].map(|protocol| finding(scene, service, protocol)))
            .flatten()
            .collect(),
        gaps: Scene::gaps([gap(&scene.dns.services)]),
        ..Judgement::default()
    })
}

fn finding(scene: &Scene<'_>, service: &Service, protocol: &str) -> Option<Finding> {
    let has = |protocol: &str| {
        service
            .ports
            .iter()
            .find(|it| it.port == PORT && it.protocol == protocol)
    };
    if has(protocol).is_some() {
        return None;
    }
    let other = if protocol == "UDP" { "TCP" } else { "UDP" };
    let subject = service.subject();
    let effect = if protocol == "UDP" {
        "nearly every lookup fails"
    } else {
        "answers that do not fit a datagram, and caches that ask over TCP, fail"
    };
    let (name, namespace) = (word(&service.name), word(&service.namespace));
    let ports: Vec<String> = service
        .ports
        .iter()
        .map(|port| format!("{}/{}", port.port, port.protocol))
        .collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject.clone(),
        format!("{subject} has no port {PORT} for {protocol}: {effect}"),
        Evidence::command(
            format!("its ports are {}", ports.join(", ")),
            format!("kubectl get service {name} -n {namespace}"),
        ),
    );
    let target = has(other)
        .map(|port| port.target_port.clone())
        .filter(|target| target.parse::<u16>().is_ok())
        .or_else(|| {
            let ports = scene.controllers().flat_map(|it| it.container.ports.clone());
            ports
                .filter(|port| *port == PORT || *port == 5353)
                .map(|port| port.to_string())
                .next()
        })
        .and_then(|target| target.parse::<u16>().ok())
        .unwrap_or(PORT);
    let added = json!({"spec": {"ports": [{
        "name": if protocol == "UDP" { "dns" } else { "dns-tcp" },
        "port": PORT, "protocol": protocol, "targetPort": target,
    }]}});
    finding.hint = Some(format!(
        "add the port: `kubectl patch service {name} -n {namespace} -p {}`",
        word(&added.to_string())
    ));
    finding.explains = vec![format!("dns-port-{}", protocol.to_lowercase())];
    if protocol == "UDP" {
        finding
            .explains
            .extend(super::ids(&[&super::OWN_NAMES, &super::OUTSIDE]));
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    #[test]
    fn a_protocol_that_is_missing_is_added_by_a_patch() {
        let broken = Fixture::healthy().with(|dns| {
            list(&mut dns.services)[0].ports.pop();
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].explains, ["dns-port-tcp"]);
        let hint = findings[0].hint.as_deref().unwrap_or_default();
        assert!(
            hint.contains(r#""name":"dns-tcp","port":53,"protocol":"TCP","targetPort":53"#),
            "{hint}"
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn services_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.services = unseen()).observe(),
        );
    }
}
