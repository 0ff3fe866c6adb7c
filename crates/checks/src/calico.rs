//! Checks of Calico: its parts, its configuration, its pools, and how its routes are spread. One file each, named as the check.

mod bgp;
pub(crate) mod cni_bgp;
pub(crate) mod cni_bgp_routes;
pub(crate) mod cni_calico;
pub(crate) mod cni_calico_cfg;
pub(crate) mod cni_calico_np;
pub(crate) mod cni_calico_pool;
pub(crate) mod cni_calico_wep;
pub(crate) mod cni_ipam_calico;
#[cfg(test)]
pub(crate) mod fixture;
mod leak;
mod scene;
mod selector;
mod table;
mod usage;

use crate::check::Judgement;
use crate::view::View;

pub(crate) use scene::Scene;
pub(crate) use table::tables;

/// Judges Calico; not asked where the command was about something else, and where there is none.
fn on_calico<'a>(view: &View<'a>, judge: impl FnOnce(&Scene<'a>, &mut Judgement)) -> Judgement {
    let cni = view.observation.cni.as_deref();
    crate::product::on(cni, cni.and_then(|cni| cni.calico.as_deref()), |cni, calico| {
        let scene = Scene::new(view, cni, calico);
        if scene.is_left_over() {
            return Judgement::skipped(
                "the API server has objects of Calico, but no pod of it is there: something else builds the network",
            );
        }
        let mut judgement = Judgement::default();
        judge(&scene, &mut judgement);
        judgement
    })
}

/// As [`on_calico`], of the addresses that it gives away. Skipped where something else does.
fn on_addresses<'a>(view: &View<'a>, judge: impl FnOnce(&Scene<'a>, &mut Judgement)) -> Judgement {
    on_calico(view, |scene, judgement| match scene.other_ipam() {
        Some(other) => {
            judgement.skipped = Some(format!("Calico gives no addresses away here: {other} does"));
        }
        None => judge(scene, judgement),
    })
}

/// As [`on_calico`], of its routes. Skipped where they are not spread by BGP.
fn on_bgp<'a>(view: &View<'a>, judge: impl FnOnce(&Scene<'a>, &mut Judgement)) -> Judgement {
    on_calico(view, |scene, judgement| match scene.without_bgp() {
        Some(reason) => judgement.skipped = Some(format!("Calico does not use BGP here: {reason}")),
        None => judge(scene, judgement),
    })
}
