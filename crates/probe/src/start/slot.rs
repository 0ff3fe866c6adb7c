//! One pod that is wanted, and how far it has come.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use observation::{ProbePod, Twin};
use report::{Gap, GapReason};
use tokio::time::Instant;

use super::{Started, Wanted};
use crate::names::Role;

pub(super) struct Slot {
    pub(super) node: usize,
    pub(super) role: Role,
    pub(super) image: usize,
    pub(super) sysctl: bool,
    pub(super) attempt: u32,
    pub(super) name: String,
    pub(super) asked: Option<Instant>,
    /// When its wait ends: from its first attempt on, however many there are.
    pub(super) until: Option<Instant>,
    pub(super) look: Instant,
    pub(super) looking: bool,
    pub(super) seen_by_kubelet: bool,
    pub(super) last: String,
    pub(super) end: Option<Result<Ready, Gap>>,
}

pub(super) struct Ready {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) after: Duration,
}

impl Slot {
    /// The pod, as one that is ready; without a twin.
    pub(super) fn pod(&self, wanted: &Wanted) -> ProbePod {
        let (addresses, after) = match &self.end {
            Some(Ok(ready)) => (ready.addresses.clone(), ready.after),
            Some(Err(_)) | None => (Vec::new(), Duration::ZERO),
        };
        ProbePod {
            name: self.name.clone(),
            addresses,
            image: wanted.images[self.image].clone(),
            ready_after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            twin: None,
        }
    }
}

pub(super) fn slots(wanted: &[Wanted], twins: bool) -> Vec<Slot> {
    let roles: &[Role] = if twins {
        &[Role::Probe, Role::Twin]
    } else {
        &[Role::Probe]
    };
    let mut slots = Vec::new();
    for role in roles {
        for node in 0..wanted.len() {
            slots.push(Slot {
                node,
                role: *role,
                image: 0,
                sysctl: true,
                attempt: 0,
                name: String::new(),
                asked: None,
                until: None,
                look: Instant::now(),
                looking: false,
                seen_by_kubelet: false,
                last: "the API server has not answered".to_owned(),
                end: None,
            });
        }
    }
    slots
}

/// What became of the nodes.
pub(super) fn finish(slots: Vec<Slot>, wanted: &[Wanted], notes: Vec<String>) -> Started {
    let mut started = Started {
        notes,
        ..Started::default()
    };
    let mut twins = BTreeMap::new();
    for slot in slots {
        let wanted = &wanted[slot.node];
        match (slot.role, &slot.end) {
            (Role::Twin, Some(Ok(ready))) => {
                twins.insert(
                    wanted.node.clone(),
                    Twin {
                        name: slot.name,
                        addresses: ready.addresses.clone(),
                    },
                );
            }
            (Role::Twin | Role::Brief, _) => {}
            (Role::Probe, Some(Ok(_))) => {
                started.ready.insert(wanted.node.clone(), slot.pod(wanted));
            }
            (Role::Probe, Some(Err(gap))) => {
                started.failed.insert(wanted.node.clone(), gap.clone());
            }
            (Role::Probe, None) => {
                started
                    .failed
                    .insert(wanted.node.clone(), interrupted(&wanted.node));
            }
        }
    }
    for (node, twin) in twins {
        if let Some(pod) = started.ready.get_mut(&node) {
            pod.twin = Some(twin);
        }
    }
    started
}

pub(super) fn timed_out(node: &str, after: Duration, last: &str) -> Gap {
    Gap {
        what: format!("probe pod on {node}"),
        why: GapReason::TimedOut {
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
        },
        message: format!(
            "the probe pod on {node} was not ready after {} s: {last}",
            after.as_secs()
        ),
        hint: Some(format!(
            "kubectl describe node {node}; --start-timeout waits for longer"
        )),
    }
}

fn interrupted(node: &str) -> Gap {
    Gap {
        what: format!("probe pod on {node}"),
        why: GapReason::NotStarted,
        message: format!("the run was interrupted before the probe pod on {node} was ready"),
        hint: None,
    }
}
