use report::{Finding, Gap};

use crate::path;
use crate::policy;
use crate::rules;
use crate::service;
use crate::view::View;

/// One claim about a cluster, and what decides whether it holds.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Stable, kebab-case, never reused: it stands in the JSON and is the anchor in `docs/checks.md`.
    pub id: &'static str,
    /// What holds when the check passes.
    pub claim: &'static str,
    /// Decides it, from an observation alone.
    pub judge: fn(&View<'_>) -> Judgement,
}

/// What a check came to. Its verdict follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could not be seen. With any gap the check cannot pass.
    pub gaps: Vec<Gap>,
    /// Why the check was not made, if it was not: a clause. Empty when nobody asked what it decides
    /// ([`Judgement::not_asked`]).
    pub skipped: Option<String>,
}

impl Judgement {
    /// The check was not made.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self {
            skipped: Some(reason.into()),
            ..Self::default()
        }
    }

    /// The command was about something else: the report does not mention the check at all.
    pub fn not_asked() -> Self {
        Self::skipped(String::new())
    }

    /// Whether the report has to mention the check.
    pub fn is_asked(&self) -> bool {
        self.skipped.as_deref() != Some("")
    }
}

/// Every check, in the order in which a reader should meet them: causes before their symptoms.
pub const CHECKS: &[&Check] = &[
    &path::net_probe_pod::CHECK,
    &rules::net_fw_reject::CHECK,
    &rules::net_fw_backends::CHECK,
    &rules::net_forward::CHECK,
    &rules::cni_encap_port::CHECK,
    &rules::net_fw_input_cni::CHECK,
    &rules::net_ct_notrack::CHECK,
    &rules::net_egr_masq::CHECK,
    &rules::ep_rule_backends::CHECK,
    &rules::ep_rule_hook::CHECK,
    &rules::ep_rule_missing::CHECK,
    &rules::net_loss::CHECK,
    &rules::net_mtu_pmtud::CHECK,
    &rules::net_fw::CHECK,
    &rules::net_nat::CHECK,
    &rules::net_mtu_mss::CHECK,
    &path::net_mesh::CHECK,
    &path::net_p2p_tcp::CHECK,
    &path::net_p2p_udp::CHECK,
    &path::net_mtu::CHECK,
    &path::net_egr_overmasq::CHECK,
    &path::net_p2p_icmp::CHECK,
    &service::net_svc::CHECK,
    &service::net_svc_ratio::CHECK,
    &service::net_svc_name::CHECK,
    &service::net_np::CHECK,
    &service::net_lb::CHECK,
    &policy::net_pol_defaultdeny::CHECK,
    &policy::net_pol_svcport::CHECK,
    &policy::net_pol_port::CHECK,
    &policy::net_pol_dns::CHECK,
    &policy::net_pol_dns_tcp::CHECK,
    &policy::net_pol_selmiss::CHECK,
    &policy::net_pol_nopod::CHECK,
    &policy::net_pol_nslabel::CHECK,
    &policy::net_pol_dash::CHECK,
    &policy::net_pol_hostnet::CHECK,
    &policy::net_pol_eval::CHECK,
    &policy::net_pol_diff::CHECK,
    &policy::net_pol_enforced::CHECK,
    &policy::cni_nopolicy::CHECK,
    &policy::net_pol_other::CHECK,
    &policy::net_pol_suggest::CHECK,
    &policy::net_pol_cover::CHECK,
    &policy::net_pol_list::CHECK,
];

#[cfg(test)]
mod tests;
