//! What was heard from an upstream: by lookups that were sent there, and by what DNS pods logged.

use std::net::IpAddr;

use netprobe::{Outcome, Sample};
use observation::LookupServer;
use report::Evidence;

use crate::dns::count;
use crate::dns::log::failures_of;
use crate::dns::scene::Scene;
use crate::shell::recent_log;
use crate::view::View;

/// Whether it answered when it was asked; `None` where it was not.
pub(super) fn answers(view: &View<'_>, upstream: IpAddr) -> Option<bool> {
    let lookups = view.observation.lookups.as_deref()?;
    let asked = lookups.lookups.iter().filter(|lookup| {
        matches!(lookup.server, LookupServer::Upstream { .. }) && lookup.address.ip() == upstream
    });
    let samples: Vec<&Sample> = asked.flat_map(|lookup| &lookup.samples).collect();
    // Whatever it says, somebody is there.
    let is_answered = |sample: &&Sample| {
        let outcome = &sample.outcome;
        matches!(outcome, Outcome::Ok { .. } | Outcome::Dns { .. })
    };
    (!samples.is_empty()).then(|| samples.iter().any(is_answered))
}

/// That no lookup there was answered.
pub(super) fn silence(upstream: IpAddr) -> Evidence {
    Evidence::probe(
        "no question to it was answered",
        format!("lookups sent to {upstream}"),
    )
}

/// Failures of lookups there that DNS pods logged.
pub(super) fn logged(scene: &Scene<'_>, upstream: IpAddr) -> Vec<Evidence> {
    let pods = scene.pods().map(|pod| (pod, failures_of(pod, upstream)));
    pods.filter(|(_, failures)| *failures > 0)
        .map(|(pod, failures)| {
            Evidence::command(
                format!(
                    "{} logged {} of lookups there",
                    pod.subject(),
                    count(failures, "failure")
                ),
                recent_log(&pod.namespace, &pod.name),
            )
        })
        .collect()
}
