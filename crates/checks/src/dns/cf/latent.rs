//! What would keep CoreDNS from starting does no harm while it runs with what it read before.

use report::{Evidence, Severity};

use crate::check::Judgement;
use crate::view::View;

/// Says of errors that the pods which run do not have them yet, and what the next start will bring.
pub(super) fn latent(view: &View<'_>, mut judgement: Judgement) -> Judgement {
    let Some(scene) = &view.dns else {
        return judgement;
    };
    let mut pods = scene.pods().peekable();
    let is_running = pods.peek().is_some() && pods.all(|pod| pod.ready);
    if !is_running {
        return judgement;
    }
    for finding in &mut judgement.findings {
        if finding.severity != Severity::Error {
            continue;
        }
        finding.summary = format!(
            "{}; DNS pods run with what they read before, and do not start with it again",
            finding.summary
        );
        finding.evidence.push(Evidence::command(
            "all DNS pods are ready",
            "kubectl get pods -A -l k8s-app=kube-dns",
        ));
    }
    judgement
}
