use report::{Finding, Severity};
use serde_json::json;

use super::case::Case;
use super::lint::each;
use super::words::{about, field, patch};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// `publishNotReadyAddresses`: pods get traffic before they are ready. Members of a StatefulSet that look for each other need it.
pub(crate) static CHECK: Check = Check {
    id: "ep-pnra",
    claim: "pods that are not ready get traffic only where that is meant",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[], |_, case| finding(case).into_iter().collect())
}

fn finding(case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    if !service.settings.publish_not_ready || !case.has_endpoints() {
        return None;
    }
    let subject = service.subject();
    let unready = case.staying().iter().filter(|pod| !pod.ready).count();
    let (severity, summary) = if service.headless {
        (
            Severity::Note,
            format!("{subject} also names pods that are not ready"),
        )
    } else {
        (
            Severity::Warning,
            format!("{subject} sends connections to pods that are not ready too"),
        )
    };
    let fact = format!(
        "spec.publishNotReadyAddresses is true; {unready} of its pods are not ready, and all are listed as ready"
    );
    let mut finding = about(CHECK.id, severity, service, summary, field(service, fact));
    finding.hint = Some(format!(
        "unless its pods have to find each other before they are ready: `{}`",
        patch(service, &json!({"spec": {"publishNotReadyAddresses": false}}))
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_services};
    use crate::shown;

    fn publishing(headless: bool) -> Fixture {
        Fixture::shop().web(|service| {
            service.settings.publish_not_ready = true;
            service.headless = headless;
        })
    }

    #[test]
    fn a_service_with_an_address_is_warned_about_and_a_headless_one_only_told() {
        assert_eq!(
            shown::finds(&CHECK, &publishing(false).observe())[0].severity,
            Severity::Warning
        );
        assert_eq!(
            shown::finds(&CHECK, &publishing(true).observe())[0].severity,
            Severity::Note
        );
    }

    #[test]
    fn who_waits_for_ready_pods_passes() {
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_services_their_settings_are_not_known() {
        shown::cannot_tell(&CHECK, &without_services(publishing(false)));
    }
}
