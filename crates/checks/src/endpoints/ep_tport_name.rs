use observation::{BackendPod, ServicePort};
use report::{Evidence, Finding, Severity};
use serde_json::Value;

use super::case::Case;
use super::expected::{other_protocol, target_port};
use super::lint::each;
use super::scene::Part;
use super::words::{about, count, get, nearest, patch_port, port_name, show_slices, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A targetPort by name that pods do not have: their addresses are then listed, and without that port.
pub(crate) static CHECK: Check = Check {
    id: "ep-tport-name",
    claim: "pods have the ports that Services name",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Pods], |_, case| {
        let ports = case.service.ports.iter().enumerate();
        ports
            .filter_map(|(index, port)| finding(case, index, port))
            .collect()
    })
}

fn finding(case: &Case<'_>, index: usize, port: &ServicePort) -> Option<Finding> {
    let service = case.service;
    let staying = case.staying();
    let lacking: Vec<&BackendPod> = staying
        .iter()
        .filter(|pod| target_port(pod, port).is_none())
        .copied()
        .collect();
    let first = *lacking.first()?;
    if lacking.len() == staying.len() && other_protocol(&staying, port).is_some() {
        // They have the port, and it is the Service that has another protocol.
        return None;
    }
    let target = &port.target_port;
    let declared: Vec<&str> = first
        .containers
        .iter()
        .flat_map(|container| &container.ports)
        .filter(|it| it.protocol == port.protocol)
        .filter_map(|it| it.name.as_deref())
        .collect();
    let is_all = lacking.len() == staying.len();
    let (severity, who) = if is_all {
        (
            Severity::Error,
            "no pod behind it has a port of that name".to_owned(),
        )
    } else {
        let number = format!("{} of {}", lacking.len(), count(staying.len(), "pod"));
        (
            Severity::Warning,
            format!("{number} behind it have no port of that name"),
        )
    };
    let summary = format!(
        "{} sends port {} to {target:?}, and {who}",
        service.subject(),
        port_name(port)
    );
    let has = match declared.as_slice() {
        [] => format!("no {} port with a name", port.protocol),
        names => some(names),
    };
    let evidence = Evidence::command(
        format!("pod/{} declares {has}, not {target}", first.name),
        get("pod", &first.namespace, &first.name),
    );
    let mut finding = about(CHECK.id, severity, service, summary, evidence);
    finding.evidence.push(Evidence::command(
        format!(
            "addresses of {} are listed without this port",
            count(lacking.len(), "pod")
        ),
        show_slices(service),
    ));
    let meant = nearest(target, declared.iter().copied()).or(match declared.as_slice() {
        [only] => Some(*only),
        _ => None,
    });
    finding.hint = Some(match meant {
        _ if !is_all => {
            "a rollout that renames the port has to end, or both names have to be declared meanwhile"
                .to_owned()
        }
        Some(name) => format!(
            "if {name} is meant: `{}`",
            patch_port(service, index, "targetPort", &Value::String(name.to_owned()))
        ),
        None => "name the container's port as the Service does, or give the Service its number".to_owned(),
    });
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_pods};
    use crate::shown;

    fn to(name: &str) -> Fixture {
        Fixture::shop().web(|service| service.ports[0].target_port = name.into())
    }

    #[test]
    fn a_name_that_no_pod_has_is_found_with_the_nearest() {
        let findings = shown::finds(&CHECK, &to("htpt").observe());
        assert_eq!(
            findings[0].summary,
            r#"service/web -n shop sends port http (80/TCP) to "htpt", and no pod behind it has a port of that name"#
        );
        let hint = findings[0].hint.as_deref().unwrap_or_default();
        assert!(hint.starts_with("if http is meant: `kubectl patch service web -n shop --type=json -p '["));
        assert!(hint.contains(r#""path":"/spec/ports/0/targetPort","value":"http""#));
    }

    #[test]
    fn a_name_of_another_protocol_in_some_pods_is_another_name() {
        let mut first = true;
        let mixed = Fixture::shop()
            .web(|service| service.ports[0].protocol = "UDP".into())
            .each_pod(|pod| {
                if std::mem::take(&mut first) {
                    pod.containers[0].ports.clear();
                }
            });
        assert_eq!(
            shown::finds(&CHECK, &mixed.observe())[0].severity,
            Severity::Error
        );
    }

    #[test]
    fn a_name_that_all_pods_have_for_another_protocol_is_a_question_of_the_protocol() {
        let udp = Fixture::shop().web(|service| service.ports[0].protocol = "UDP".into());
        shown::passes(&CHECK, &udp.observe());
    }

    #[test]
    fn a_rollout_that_renames_the_port_is_a_warning() {
        let mut first = true;
        let mixed = Fixture::shop().each_pod(|pod| {
            if std::mem::take(&mut first) {
                pod.containers[0].ports[0].name = Some("web".into());
            }
        });
        let findings = shown::finds(&CHECK, &mixed.observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(findings[0].summary.contains("1 of 3 pods behind it"));
    }

    #[test]
    fn a_number_needs_no_declaration() {
        shown::passes(
            &CHECK,
            &to("8080")
                .each_pod(|pod| pod.containers[0].ports.clear())
                .observe(),
        );
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_pods_their_ports_are_not_known() {
        shown::cannot_tell(&CHECK, &without_pods(to("htpt")));
    }
}
