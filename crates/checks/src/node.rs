//! Checks of what a node's kernel is set to do. One file each, named as the check.

pub(crate) mod net_brnf;
pub(crate) mod net_ct_full;
pub(crate) mod net_ct_hash;
pub(crate) mod net_ct_insertfail;
pub(crate) mod net_ct_invalid;
pub(crate) mod net_ct_tw;
pub(crate) mod net_ct_use;
pub(crate) mod net_hairpin;
pub(crate) mod net_ipfwd;
pub(crate) mod net_mtu_map;
pub(crate) mod net_n_defrt;
pub(crate) mod net_perf_nic;
pub(crate) mod net_rpf;
pub(crate) mod net_server_version;
pub(crate) mod net_sysctl;
pub(crate) mod net_time;
pub(crate) mod net_vxlan_csum;
pub(crate) mod rise;

use observation::NodeEvidence;
use report::CellState;

use crate::view::View;

/// The name of a device's setting, as `net.ipv4.conf.eth0.forwarding`. A dot in the device's name is a slash in that of
/// the setting, as sysctl(8) has it.
pub(crate) fn of_device(device: &str, setting: &str) -> String {
    format!("net.ipv4.conf.{}.{setting}", device.replace('.', "/"))
}

/// A kernel setting before the probes, as a number.
pub(crate) fn setting(evidence: &NodeEvidence, name: &str) -> Option<i64> {
    number(evidence.before.sysctls.seen()?.get(name)?)
}

/// A kernel setting after the probes, as a number.
pub(crate) fn setting_after(evidence: &NodeEvidence, name: &str) -> Option<i64> {
    number(evidence.after.as_ref()?.sysctls.seen()?.get(name)?)
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Whether probes between pods of this node and others got lost, some or all.
pub(crate) fn loses_probes(view: &View<'_>, node: &str) -> bool {
    let of_node = view
        .entries
        .iter()
        .filter(|(key, _)| key.source == node || key.target == node);
    let mut states = of_node.map(|(_, entry)| &entry.state);
    states.any(|state| state.is_failed() || matches!(state, CellState::Flaky { .. }))
}
