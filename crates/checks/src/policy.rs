//! Checks of NetworkPolicies: what they say, and what their authors may not have meant. One file each, named as the check.
//!
//! Nothing here was tried: a policy that denies what somebody needs is a warning until a probe agrees.

pub(crate) mod cni_nopolicy;
pub(crate) mod net_pol_cover;
pub(crate) mod net_pol_dash;
pub(crate) mod net_pol_defaultdeny;
pub(crate) mod net_pol_diff;
pub(crate) mod net_pol_dns;
pub(crate) mod net_pol_dns_tcp;
pub(crate) mod net_pol_enforced;
pub(crate) mod net_pol_eval;
pub(crate) mod net_pol_hostnet;
pub(crate) mod net_pol_list;
pub(crate) mod net_pol_nopod;
pub(crate) mod net_pol_nslabel;
pub(crate) mod net_pol_other;
pub(crate) mod net_pol_port;
pub(crate) mod net_pol_selmiss;
pub(crate) mod net_pol_suggest;
pub(crate) mod net_pol_svcport;
