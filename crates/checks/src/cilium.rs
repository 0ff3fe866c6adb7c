//! Checks of Cilium: its agents, what it knows of pods, and what it drops. One file each, named as the check.

pub(crate) mod cni_cilium;
pub(crate) mod cni_cilium_drop;
mod endpoints;
#[cfg(test)]
pub(crate) mod fixture;
mod scene;
mod table;
mod usage;

use crate::check::Judgement;
use crate::view::View;

pub(crate) use scene::Scene;
pub(crate) use table::tables;

/// Judges Cilium; not asked where the command was about something else, and where there is none.
fn on_cilium<'a>(view: &View<'a>, judge: impl FnOnce(&Scene<'a>, &mut Judgement)) -> Judgement {
    let cni = view.observation.cni.as_deref();
    crate::product::on(cni, cni.and_then(|cni| cni.cilium.as_deref()), |cni, cilium| {
        let scene = Scene::new(view, cni, cilium);
        if scene.is_left_over() {
            return Judgement::skipped(
                "the API server has objects of Cilium, but no pod of it is there: something else builds the network",
            );
        }
        let mut judgement = Judgement::default();
        judge(&scene, &mut judgement);
        judgement
    })
}
