use report::{Evidence, Finding, Severity};
use serde_json::Value;

use super::listening::{Heard, Heeding, each_port, refusals};
use super::words::{about, count, field, patch_port, port_name, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A port at which no pod behind the Service listens. What a pod declares decides nothing: undeclared ports work.
pub(crate) static CHECK: Check = Check {
    id: "ep-tport-num",
    claim: "pods listen where Services send",
    needs: &[Need::Backends, Need::Services, Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each_port(view, |heeding| finding(view, heeding))
}

fn finding(view: &View<'_>, heeding: &Heeding<'_, '_>) -> Option<Finding> {
    if !heeding.all(|heard| *heard == Heard::Nobody) {
        return None;
    }
    let (service, port) = (heeding.case.service, heeding.port);
    let first = heeding.pods.first()?;
    let listens = match first.elsewhere.len() {
        0 => format!("nothing listens with {} in pod/{}", port.protocol, first.pod.name),
        _ => format!(
            "pod/{} listens with {} on {}",
            first.pod.name,
            port.protocol,
            some(&first.elsewhere)
        ),
    };
    let summary = format!(
        "{} sends port {} to {}, where {} behind it {}",
        service.subject(),
        port_name(port),
        first.number,
        match heeding.pods.len() {
            1 => "the only pod".to_owned(),
            several => format!("none of {}", count(several, "pod")),
        },
        if heeding.pods.len() == 1 {
            "does not listen"
        } else {
            "listens"
        },
    );
    let evidence: Evidence = first.evidence(listens);
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding
        .evidence
        .extend(refusals(view, heeding).into_iter().take(2));
    finding
        .evidence
        .push(field(service, format!("targetPort: {}", port.target_port)));
    let common = heeding
        .pods
        .iter()
        .skip(1)
        .fold(first.elsewhere.clone(), |common, pod| {
            common.intersection(&pod.elsewhere).copied().collect()
        });
    finding.hint = Some(match common.iter().collect::<Vec<_>>().as_slice() {
        [only] => format!(
            "if {only}, where all of them listen, is meant: `{}`",
            patch_port(service, heeding.index, "targetPort", &Value::from(**only))
        ),
        [] => {
            "the application has to listen on this port: its logs and its configuration say on which it does"
                .to_owned()
        }
        several => format!(
            "they listen on {}: give the Service the one that is meant as targetPort",
            some(several.iter())
        ),
    });
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::Fixture;
    use crate::endpoints::sockets::{listening, unread};
    use crate::shown;

    #[test]
    fn a_port_where_no_pod_listens_is_found_with_the_one_where_they_do() {
        let fixture = Fixture::shop().web(|service| service.ports[0].target_port = "8081".into());
        let observation = listening(fixture, &[("tcp", "0.0.0.0", 8080)]);
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].summary,
            "service/web -n shop sends port http (80/TCP) to 8081, where none of 3 pods behind it listens"
        );
        let hint = findings[0].hint.as_deref().unwrap_or_default();
        assert!(
            hint.contains(r#""path":"/spec/ports/0/targetPort","value":8080"#),
            "{hint}"
        );
    }

    #[test]
    fn a_port_that_no_pod_declares_works() {
        let fixture = Fixture::shop()
            .web(|service| service.ports[0].target_port = "9000".into())
            .each_pod(|pod| pod.containers[0].ports.clear());
        shown::passes(&CHECK, &listening(fixture, &[("tcp", "::", 9000)]));
    }

    #[test]
    fn sockets_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &unread(Fixture::shop()));
    }
}
