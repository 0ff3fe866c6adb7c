use observation::Service;
use report::{Evidence, Finding, Observed, Severity};

use super::lint::each;
use super::scene::{Part, Scene};
use super::time::{seconds, words};
use super::words::{about, field, some};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A Service of type LoadBalancer that has waited for its address longer than any provider takes to say something.
pub(crate) static CHECK: Check = Check {
    id: "ep-lb-pending",
    claim: "every load balancer has got its address",
    needs: &[Need::Backends],
    judge,
};

/// Less is normal, in seconds.
pub(super) const PATIENCE: i64 = 120;

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = each(view, &[], |scene, case| {
        finding(scene, case.service).into_iter().collect()
    });
    if !judgement.findings.is_empty()
        && let Some(scene) = &view.backends
    {
        // It is so, and only why is not known.
        let parts = [Part::LoadBalancers, Part::Events];
        let gaps = parts
            .into_iter()
            .filter_map(|part| scene.gap(view.observation, part));
        judgement.gaps.extend(gaps.cloned());
    }
    judgement
}

/// How long a Service has waited, where that is too long, in seconds.
pub(super) fn waiting(scene: &Scene<'_>, service: &Service) -> Option<i64> {
    let waits = service.kind == "LoadBalancer"
        && service.load_balancer.is_empty()
        && service.settings.deleted.is_none();
    let age = seconds(service.settings.created.as_deref(), &scene.facts.read_at)?;
    (waits && age >= PATIENCE).then_some(age)
}

fn finding(scene: &Scene<'_>, service: &Service) -> Option<Finding> {
    let age = words(waiting(scene, service)?);
    let class = service.settings.load_balancer_class.as_deref();
    let subject = service.subject();
    let events = scene.events_of("service", &service.namespace, &service.name);
    let event = events.iter().find(|event| is_of_balancer(&event.reason));
    let makers = scene.facts.load_balancers.as_ref().and_then(Observed::seen);
    let (why, hint) = match (event, makers.map(Vec::as_slice), class) {
        (Some(event), ..) => (
            format!("{}: {}", event.reason, event.message.trim()),
            "what brings the load balancer says why it does not".to_owned(),
        ),
        (None, Some([]), Some(class)) => (
            format!("nothing in the cluster is known to serve loadBalancerClass {class}"),
            "install what serves that class; the class of a Service cannot be changed, only that of a new one".to_owned(),
        ),
        (None, Some([]), None) => (
            "nothing in the cluster is known to bring load balancers".to_owned(),
            "install something that does, such as MetalLB or the cloud controller manager of the provider, or use a NodePort".to_owned(),
        ),
        (None, Some(makers), class) => (
            format!("{} has not said why", some(makers)),
            match class {
                Some(class) => format!("see whether it serves loadBalancerClass {class}, and its log"),
                None => "see its log, and whether its pool of addresses is used up".to_owned(),
            },
        ),
        (None, None, _) => (
            "who should bring it was not seen".to_owned(),
            "see whether the cluster has a controller for load balancers".to_owned(),
        ),
    };
    let summary = format!("{subject} has waited {age} for the address of its load balancer: {why}");
    let mut finding = about(
        CHECK.id,
        Severity::Error,
        service,
        summary,
        field(
            service,
            format!("status.loadBalancer is empty, {age} after it was created"),
        ),
    );
    if let Some(event) = event {
        finding.evidence.push(Evidence::command(
            format!("{}: {}", event.reason, event.message.trim()),
            format!(
                "kubectl describe service {} -n {}",
                word(&service.name),
                word(&service.namespace)
            ),
        ));
    }
    if makers.is_some_and(Vec::is_empty) {
        finding.evidence.push(Evidence::command(
            "no Deployment or DaemonSet with an image of MetalLB, kube-vip, klipper-lb, OpenELB, PureLB, LoxiLB or a cloud controller manager",
            "kubectl get deployments,daemonsets -A -o wide",
        ));
        finding.explains.push(super::ep_lb::CHECK.id.to_owned());
    }
    finding.hint = Some(hint);
    Some(finding)
}

/// Reasons of events by those that bring load balancers: Kubernetes' own service controller, MetalLB, and those of clouds.
fn is_of_balancer(reason: &str) -> bool {
    reason.contains("LoadBalancer")
        || reason == "AllocationFailed"
        || reason == "FailedBuildModel"
        || reason == "FailedDeployModel"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, gap, without_services};
    use crate::shown;

    fn pending() -> Fixture {
        Fixture::shop()
            .web(|service| service.kind = "LoadBalancer".into())
            .with(|backends| backends.load_balancers = Some(Observed::Seen(Vec::new())))
    }

    #[test]
    fn a_service_that_nobody_serves_is_found() {
        let findings = shown::finds(&CHECK, &pending().observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop has waited 1 h for the address of its load balancer: \
             nothing in the cluster is known to bring load balancers"
        );
        assert_eq!(findings[0].explains, ["ep-lb"]);
    }

    #[test]
    fn what_the_controller_says_is_quoted() {
        let said = pending().event("service", "web", "SyncLoadBalancerFailed", "no subnet left");
        let findings = shown::finds(&CHECK, &said.observe());
        assert!(
            findings[0]
                .summary
                .ends_with("SyncLoadBalancerFailed: no subnet left")
        );
    }

    #[test]
    fn a_minute_is_no_time() {
        let new = pending().web(|service| service.settings.created = Some("2026-03-01T08:59:00Z".into()));
        shown::passes(&CHECK, &new.observe());
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn that_it_waits_is_known_where_it_is_not_known_why() {
        let unseen =
            pending().with(|backends| backends.load_balancers = Some(Observed::Unseen(gap("workloads"))));
        let findings = shown::finds(&CHECK, &unseen.observe());
        assert!(findings[0].summary.ends_with("who should bring it was not seen"));
        shown::cannot_tell(&CHECK, &without_services(pending()));
    }
}
