//! Checks of the CNI itself by what the API says of it: what runs it, what configures it, and the addresses that it gives. One file each,
//! named as the check. What it has set up on nodes is `cni`'s.

mod answer;
pub(crate) mod cni_cidr_overlap;
pub(crate) mod cni_detect;
pub(crate) mod cni_ds_ready;
pub(crate) mod cni_events;
pub(crate) mod cni_flannel;
pub(crate) mod cni_flannel_net;
pub(crate) mod cni_ipam_extend;
pub(crate) mod cni_ipam_release;
pub(crate) mod cni_ipam_use;
pub(crate) mod cni_log;
pub(crate) mod cni_node_cond;
pub(crate) mod cni_overlay;
pub(crate) mod cni_pod_ip;
pub(crate) mod cni_podcidr;
pub(crate) mod cni_pol_dataplane;
pub(crate) mod cni_triage;
pub(crate) mod cni_triage_all;
pub(crate) mod cni_triage_cross;
pub(crate) mod cni_triage_dns;
pub(crate) mod cni_triage_ip;
pub(crate) mod cni_version;
#[cfg(test)]
pub(crate) mod fixture;
mod room;
mod scene;
mod table;
mod triage;

use report::{Gap, GapReason, Observed};

pub(crate) use answer::answer;
pub(crate) use scene::Cnis;
pub(crate) use table::tables;

use crate::check::Judgement;
use crate::view::View;

/// Judges the CNI; not asked where the command was about something else.
fn over<'a>(view: &View<'a>, judge: impl FnOnce(&Cnis<'a>, &mut Judgement)) -> Judgement {
    let scene = match Cnis::of(view) {
        None => return Judgement::not_asked(),
        Some(Err(gap)) => {
            return Judgement {
                gaps: vec![gap.clone()],
                ..Judgement::default()
            };
        }
        Some(Ok(scene)) => scene,
    };
    let mut judgement = Judgement::default();
    judge(&scene, &mut judgement);
    judgement
}

/// A part of what was to be read, with the gap noted where it was not.
fn part<'a, T>(part: &'a Observed<T>, judgement: &mut Judgement) -> Option<&'a T> {
    if let Observed::Unseen(gap) = part
        && !judgement.gaps.contains(gap)
    {
        judgement.gaps.push(gap.clone());
    }
    part.seen()
}

/// Something that is not known.
fn gap(what: impl Into<String>, message: impl Into<String>) -> Gap {
    Gap {
        what: what.into(),
        why: GapReason::Failed,
        message: message.into(),
        hint: None,
    }
}

/// As `1 pod`, `2 pods`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A few names, and how many more there are.
fn few(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    match names.len() {
        0..=SHOWN => crate::firewall::joined(names),
        all => format!("{} and {} more", names[..SHOWN].join(", "), all - SHOWN),
    }
}

/// Ids, as findings hold them.
fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// What does not hold where pods of a node are given no network.
const NO_NETWORK: [&str; 3] = ["net-probe-pod", "cni-events", "cni-node-cond"];
