use report::{Finding, Severity};

use super::listening::{Heard, Heeding, each_port};
use super::words::{about, count, port_name};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// An application that listens on the loopback of its pod: it answers itself, and refuses everybody else.
pub(crate) static CHECK: Check = Check {
    id: "ep-listen-local",
    claim: "applications behind Services listen for others than themselves",
    needs: &[Need::Backends, Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each_port(view, finding)
}

fn finding(heeding: &Heeding<'_, '_>) -> Option<Finding> {
    let local: Vec<_> = heeding
        .pods
        .iter()
        .filter(|pod| pod.heard == Heard::Loopback)
        .collect();
    let first = local.first()?;
    let (service, port) = (heeding.case.service, heeding.port);
    let is_all = local.len() == heeding.pods.len();
    let who = if is_all {
        format!("all {} behind it listen", count(local.len(), "pod"))
    } else {
        format!(
            "{} of {} behind it listen",
            local.len(),
            count(heeding.pods.len(), "pod")
        )
    };
    let who = if heeding.pods.len() == 1 {
        "the only pod behind it listens".to_owned()
    } else {
        who
    };
    let mut finding = about(
        CHECK.id,
        Severity::Error,
        service,
        format!(
            "{} sends port {} to {}, where {who} on the loopback only",
            service.subject(),
            port_name(port),
            first.number
        ),
        first.evidence(format!(
            "pod/{} listens on {} at 127.0.0.1 or ::1, and at no other address",
            first.pod.name, first.number
        )),
    );
    finding.hint = Some(
        "let the application listen on 0.0.0.0, or :: where the cluster has IPv6; most take that from a flag or a variable".to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::Fixture;
    use crate::endpoints::sockets::{listening, unread};
    use crate::shown;

    #[test]
    fn an_application_on_its_loopback_is_found() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let observation = listening(Fixture::shop(), &[("tcp", address, 8080)]);
            let findings = shown::finds(&CHECK, &observation);
            assert_eq!(
                findings[0].summary,
                "service/web -n shop sends port http (80/TCP) to 8080, where all 3 pods behind it listen on the loopback only"
            );
        }
    }

    #[test]
    fn who_listens_on_both_listens_for_others() {
        let both = [("tcp", "127.0.0.1", 8080), ("tcp", "0.0.0.0", 8080)];
        shown::passes(&CHECK, &listening(Fixture::shop(), &both));
    }

    #[test]
    fn sockets_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &unread(Fixture::shop()));
    }
}
