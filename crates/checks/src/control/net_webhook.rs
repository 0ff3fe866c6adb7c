use observation::{Reach, Service, ServiceReference, Webhook};
use report::{Evidence, Finding, Gap, Severity, Subject};

use super::TOPICS;
use crate::check::{Check, Judgement, Need};
use crate::reach::ready_endpoints;
use crate::service::evidence;
use crate::shell::word;
use crate::tries::{Row, ServiceRows, about, by_service, gaps, rows, services_gaps};
use crate::view::View;

/// Admission webhooks that the API server cannot call: whatever they are asked about is then refused.
pub(crate) static CHECK: Check = Check {
    id: "net-webhook",
    claim: "the Services of admission webhooks exist, have the port and a ready endpoint, and answer to pods",
    needs: &[Need::ControlPlane],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, TOPICS) else {
        return Judgement::not_asked();
    };
    let mut all_gaps: Vec<Gap> = services_gaps(reach);
    let Some(webhooks) = &reach.webhooks else {
        return Judgement::not_asked();
    };
    all_gaps.extend(webhooks.gap().cloned());
    let webhooks = webhooks.seen().into_iter().flatten();
    let called: Vec<(&Webhook, &ServiceReference)> = webhooks
        .filter_map(|webhook| Some((webhook, webhook.service.as_ref()?)))
        .collect();
    if called.is_empty() && all_gaps.is_empty() {
        return Judgement::skipped("no admission webhook is served by a Service");
    }
    let all = rows(reach);
    let services = by_service(reach, &all);
    let findings = called
        .iter()
        .filter_map(|(webhook, reference)| finding(reach, &services, webhook, reference));
    let findings = findings.collect();
    all_gaps.extend(gaps(view, reach));
    Judgement {
        findings,
        gaps: all_gaps,
        ..Judgement::default()
    }
}

/// What is wrong with the Service behind a reference of the control plane: a clause, and how it is known.
pub(super) fn fault(
    reach: &Reach,
    services: &[ServiceRows<'_, '_>],
    reference: &ServiceReference,
) -> Option<(String, Vec<Evidence>)> {
    let read = reach.services.as_ref()?.seen()?;
    let slices = reach.slices.as_ref()?.seen()?;
    let named =
        |service: &&Service| service.name == reference.name && service.namespace == reference.namespace;
    let show = |what: &str, name: &str| {
        format!(
            "kubectl get {what} {} -n {}",
            word(name),
            word(&reference.namespace)
        )
    };
    let Some(service) = read.iter().find(named) else {
        let evidence = Evidence::command("not found", show("service", &reference.name));
        return Some(("which does not exist".to_owned(), vec![evidence]));
    };
    let Some(port) = service.ports.iter().find(|port| port.port == reference.port) else {
        let ports: Vec<String> = service.ports.iter().map(|port| port.port.to_string()).collect();
        let evidence = Evidence::command(
            format!("its ports: {}", ports.join(", ")),
            show("service", &reference.name),
        );
        return Some((format!("which has no port {}", reference.port), vec![evidence]));
    };
    if ready_endpoints(service, port, slices).is_empty() {
        let command = format!(
            "kubectl get endpointslices -n {} -l kubernetes.io/service-name={}",
            word(&service.namespace),
            word(&service.name)
        );
        let evidence = Evidence::command("no ready endpoint", command);
        return Some(("which has no ready endpoint".to_owned(), vec![evidence]));
    }
    let rows = services
        .iter()
        .find(|it| it.service.subject() == service.subject())?;
    let silent: Vec<&Row<'_>> = rows.endpoints().filter(|row| row.fails_from_all()).collect();
    let endpoints = rows.endpoints().count();
    if endpoints > 0 && silent.len() == endpoints {
        let seen: Vec<Evidence> = silent.iter().flat_map(|row| evidence(row)).take(3).collect();
        return Some(("none of whose endpoints answers to pods".to_owned(), seen));
    }
    None
}

fn finding(
    reach: &Reach,
    services: &[ServiceRows<'_, '_>],
    webhook: &Webhook,
    reference: &ServiceReference,
) -> Option<Finding> {
    let (fault, seen) = fault(reach, services, reference)?;
    let severity = if webhook.fails_closed {
        Severity::Error
    } else {
        Severity::Warning
    };
    let effect = if webhook.fails_closed {
        "what it is asked about is refused"
    } else {
        "what it is asked about waits for it, and passes unasked"
    };
    let subject = Subject::Object {
        kind: webhook.kind.clone(),
        name: webhook.configuration.clone(),
        namespace: None,
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        subject,
        format!(
            "webhook {} is served by service/{} -n {}, {fault}: {effect}",
            webhook.name, reference.name, reference.namespace
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = Some(format!(
        "bring back what serves it; as a last resort set failurePolicy of this one webhook to Ignore, which lets everything pass unasked: `kubectl get {} {} -o yaml`",
        webhook.kind,
        word(&webhook.configuration)
    ));
    Some(finding)
}

#[cfg(test)]
mod tests;
