use observation::ApiService;
use report::{Evidence, Finding, Severity, Subject};

use super::TOPICS;
use super::net_webhook::fault;
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::tries::{about, by_service, rows, services_gaps};
use crate::view::View;

/// Aggregated APIs: metrics, and what operators bring. One that is not available slows down or breaks every listing of
/// all resources, the deletion of namespaces among them.
pub(crate) static CHECK: Check = Check {
    id: "net-apisvc",
    claim: "the API server reaches every aggregated API",
    needs: &[Need::ControlPlane],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, TOPICS) else {
        return Judgement::not_asked();
    };
    let Some(observed) = &reach.api_services else {
        return Judgement::not_asked();
    };
    let mut gaps = services_gaps(reach);
    gaps.extend(observed.gap().cloned());
    let apis: Vec<&ApiService> = observed.seen().into_iter().flatten().collect();
    if apis.is_empty() && gaps.is_empty() {
        return Judgement::skipped("no API is served by a Service");
    }
    let all = rows(reach);
    let services = by_service(reach, &all);
    let mut findings = Vec::new();
    for api in apis {
        let path = format!("apiservice/{} .status.conditions[type=Available]", api.name);
        let fact = match &api.available {
            Some(condition) if condition.status == "True" => continue,
            Some(condition) => {
                format!(
                    "Available={}: {}: {}",
                    condition.status, condition.reason, condition.message
                )
            }
            None => "it has no condition Available".to_owned(),
        };
        let why = fault(reach, &services, &api.service);
        let service = format!("service/{} -n {}", api.service.name, api.service.namespace);
        let summary = match &why {
            Some((clause, _)) => format!(
                "API {} is not available: it is served by {service}, {clause}",
                api.name
            ),
            None => format!(
                "API {} is not available: the API server does not reach {service}",
                api.name
            ),
        };
        let subject = Subject::Object {
            kind: "apiservice".to_owned(),
            name: api.name.clone(),
            namespace: None,
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            subject,
            summary,
            Evidence::field(fact, path),
        );
        finding
            .evidence
            .extend(why.into_iter().flat_map(|(_, seen)| seen));
        finding.hint = Some(format!(
            "bring back what serves it: `kubectl get apiservice {} -o yaml`",
            word(&api.name)
        ));
        findings.push(finding);
    }
    Judgement {
        findings,
        gaps,
        ..Judgement::default()
    }
}

#[cfg(test)]
mod tests;
