//! Checks of kube-proxy itself: whether it runs, what configures it, and whether it keeps up. One file each, named as the check.
//!
//! Which of its rules are wrong is another matter: `rules` holds them against the API.

mod answer;
mod config;
pub(crate) mod ep_kp_cfg;
pub(crate) mod ep_kp_ds;
pub(crate) mod ep_kp_ipvs_mod;
pub(crate) mod ep_kp_log;
pub(crate) mod ep_kp_metrics;
pub(crate) mod ep_kp_mode;
pub(crate) mod ep_kp_restart;
pub(crate) mod ep_kp_scale;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod log;
mod metrics;
mod scene;
mod table;
pub(crate) mod version;

use report::{Gap, GapReason};

use crate::check::Judgement;
use crate::view::View;

pub(crate) use answer::answer;
pub(crate) use scene::{Proxies, Proxy};
pub(crate) use table::table;

/// Judges kube-proxy of every node that was asked about; not asked where the command was about something else.
fn on_proxies<'a>(view: &View<'a>, judge: impl FnOnce(&Proxies<'a>, &mut Judgement)) -> Judgement {
    let proxies = match Proxies::of(view) {
        None => return Judgement::not_asked(),
        Some(Err(gap)) => {
            return Judgement {
                gaps: vec![gap.clone()],
                ..Judgement::default()
            };
        }
        Some(Ok(proxies)) => proxies,
    };
    let mut judgement = Judgement::default();
    judge(&proxies, &mut judgement);
    judgement
}

/// As [`on_proxies`], of what kube-proxy says or is told. Skipped where something else does all of its work.
fn on_running<'a>(view: &View<'a>, judge: impl FnOnce(&Proxies<'a>, &mut Judgement)) -> Judgement {
    if let Some(Ok(proxies)) = Proxies::of(view)
        && let Some(other) = proxies.replaced()
    {
        return Judgement::skipped(format!("kube-proxy does not run here: {other} does its work"));
    }
    on_proxies(view, judge)
}

/// As [`on_running`], of what it says when it is asked. Skipped where nodes were not to be asked.
fn on_asked<'a>(view: &View<'a>, judge: impl FnOnce(&Proxies<'a>, &mut Judgement)) -> Judgement {
    on_running(view, |proxies, judgement| {
        if proxies.are_asked() {
            judge(proxies, judgement);
        } else {
            judgement.skipped =
                Some("kube-proxy was not asked: --host-network=false leaves nodes alone".to_owned());
        }
    })
}

/// What follows for the rules of a node whose kube-proxy does not keep up with changes.
const OLD_RULES: [&str; 5] = [
    "ep-rule-stale",
    "ep-rule-stale-ep",
    "ep-rule-lack-ep",
    "ep-rule-reject",
    "ep-rule-missing",
];

/// Something of kube-proxy of a node that is not known.
fn gap(what: String, message: impl Into<String>) -> Gap {
    Gap {
        what,
        why: GapReason::Failed,
        message: message.into(),
        hint: None,
    }
}
