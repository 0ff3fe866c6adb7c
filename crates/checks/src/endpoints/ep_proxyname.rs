use report::{Finding, Severity};

use super::case::Case;
use super::lint::each;
use super::words::{about, field};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// The label by which another proxy than kube-proxy takes over a Service. Headless Services have no proxy anyway.
pub(crate) static CHECK: Check = Check {
    id: "ep-proxyname",
    claim: "kube-proxy is not told to ignore a Service",
    needs: &[Need::Backends],
    judge,
};

const LABEL: &str = "service.kubernetes.io/service-proxy-name";

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[], |_, case| finding(case).into_iter().collect())
}

fn finding(case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    let proxy = service.settings.proxy_name.as_deref()?;
    if service.headless || !case.has_endpoints() {
        return None;
    }
    let summary = format!(
        "{} is left to a proxy named {proxy:?}: kube-proxy makes no rule for it",
        service.subject()
    );
    let evidence = field(service, format!("the label {LABEL} is {proxy}"));
    let mut finding = about(CHECK.id, Severity::Warning, service, summary, evidence);
    finding.hint = Some(format!(
        "run that proxy, or give the Service back to kube-proxy: `kubectl label service {} -n {} {LABEL}-`",
        word(&service.name),
        word(&service.namespace)
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_services};
    use crate::shown;

    fn labelled() -> Fixture {
        Fixture::shop().web(|service| service.settings.proxy_name = Some("foo".into()))
    }

    #[test]
    fn a_service_that_kube_proxy_ignores_is_warned_about() {
        let findings = shown::finds(&CHECK, &labelled().observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(findings[0].hint.as_ref().is_some_and(|hint| {
            hint.ends_with("`kubectl label service web -n shop service.kubernetes.io/service-proxy-name-`")
        }));
    }

    #[test]
    fn headless_services_and_those_without_the_label_pass() {
        shown::passes(
            &CHECK,
            &labelled().web(|service| service.headless = true).observe(),
        );
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_services_their_labels_are_not_known() {
        shown::cannot_tell(&CHECK, &without_services(labelled()));
    }
}
