//! Checks of what a node's kernel is set to do. One file each, named as the check.

pub(crate) mod net_brnf;
pub(crate) mod net_ct_full;
pub(crate) mod net_ct_use;
pub(crate) mod net_hairpin;
pub(crate) mod net_ipfwd;
pub(crate) mod net_mtu_map;
pub(crate) mod net_n_defrt;
pub(crate) mod net_rpf;
pub(crate) mod net_time;

use observation::NodeEvidence;

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

/// How much a counter of the network rose while the probes ran.
pub(crate) fn rise(evidence: &NodeEvidence, name: &str) -> Option<u64> {
    let before = *evidence.before.counters.seen()?.get(name)?;
    let after = *evidence.after.as_ref()?.counters.seen()?.get(name)?;
    after.checked_sub(before)
}
