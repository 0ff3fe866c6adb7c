mod needs;

use report::{Finding, Gap, GapReason, Subject};

use crate::calico;
use crate::cilium;
use crate::cni;
use crate::control;
use crate::dns;
use crate::egress;
use crate::endpoints;
use crate::lookups;
use crate::node;
use crate::path;
use crate::pod;
use crate::pod_network;
use crate::policy;
use crate::proxy;
use crate::rules;
use crate::service;
use crate::terway;
use crate::tracked;
use crate::view::View;

pub use needs::{Need, Selection};

/// One claim about a cluster, and what decides whether it holds.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Stable, kebab-case, never reused: it stands in the JSON and is the anchor in `docs/checks.md`.
    pub id: &'static str,
    /// What holds when the check passes.
    pub claim: &'static str,
    /// What it has to be told. With less it is skipped, or has a gap.
    pub needs: &'static [Need],
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
    /// Which probes fail because of which finding, by its index: for findings that are causes.
    pub breaks: Vec<(usize, Breaks)>,
}

/// Which probes fail because of something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// Those between a node and the others.
    CrossNode {
        /// The node.
        node: String,
    },
    /// Those between a node and the others, and those within the node.
    Node {
        /// The node.
        node: String,
    },
    /// Those between two nodes; over TCP in both directions, whichever is broken.
    Pairs {
        /// Unordered.
        pairs: Vec<(String, String)>,
    },
    /// Large packets between two nodes, or between one and all others.
    Large {
        /// One end.
        node: String,
        /// The other end; `None` for all.
        peer: Option<String>,
    },
    /// What is tried of some pods, by the subjects of findings about them; none of the mesh.
    Pods {
        /// As kubectl prints them.
        pods: Vec<Subject>,
    },
    /// None of the mesh: it breaks something else.
    Nothing,
}

impl Breaks {
    /// Whether the probe from one node to another fails because of it. `large` is of probes that carry bulk data.
    pub fn predicts(&self, source: &str, target: &str, large: bool) -> bool {
        match self {
            Self::CrossNode { node } => source != target && (source == node || target == node),
            Self::Node { node } => source == node || target == node,
            Self::Pairs { pairs } => pairs
                .iter()
                .any(|(a, b)| (a == source && b == target) || (a == target && b == source)),
            Self::Large { node, peer } => {
                let ends =
                    |one: &str, other: &str| one == node && peer.as_ref().is_none_or(|peer| peer == other);
                large && source != target && (ends(source, target) || ends(target, source))
            }
            Self::Pods { .. } | Self::Nothing => false,
        }
    }
}

impl Judgement {
    /// The check was not made.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self {
            skipped: Some(reason.into()),
            ..Self::default()
        }
    }

    /// Adds a finding that is a cause, and which probes fail because of it.
    pub fn cause(&mut self, finding: Finding, breaks: Breaks) {
        self.breaks.push((self.findings.len(), breaks));
        self.findings.push(finding);
    }

    /// Nothing of what the check needs was read: it was not made where the user did not allow as much, and could not be
    /// made otherwise.
    pub(crate) fn unread(gap: &Gap) -> Self {
        if gap.why == GapReason::TierNotAllowed {
            return Self::skipped(match &gap.hint {
                Some(hint) => format!("{}: {hint}", gap.message),
                None => gap.message.clone(),
            });
        }
        Self {
            gaps: vec![gap.clone()],
            ..Self::default()
        }
    }

    /// Both as one, where neither was skipped.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let offset = self.findings.len();
        self.findings.extend(other.findings);
        self.gaps.extend(other.gaps);
        let breaks = other.breaks.into_iter();
        self.breaks
            .extend(breaks.map(|(index, breaks)| (index + offset, breaks)));
        self.skipped = self.skipped.or(other.skipped);
        self
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
    &pod_network::cni_triage_all::CHECK,
    &pod_network::cni_triage_dns::CHECK,
    &pod_network::cni_triage_cross::CHECK,
    &pod_network::cni_triage_ip::CHECK,
    &pod_network::cni_triage::CHECK,
    &rules::net_fw_reject::CHECK,
    &rules::net_fw_backends::CHECK,
    &rules::net_forward::CHECK,
    &rules::cni_encap_port::CHECK,
    &rules::net_fw_input_cni::CHECK,
    &rules::net_ct_notrack::CHECK,
    &rules::net_egr_masq::CHECK,
    &rules::ep_aff::CHECK,
    &proxy::ep_kp_ipvs_mod::CHECK,
    &proxy::ep_kp_cfg::CHECK,
    &proxy::ep_kp_ds::CHECK,
    &proxy::ep_kp_log::CHECK,
    &proxy::ep_kp_metrics::CHECK,
    &proxy::ep_kp_mode::CHECK,
    &proxy::ep_kp_scale::CHECK,
    &rules::ep_rule_backends::CHECK,
    &rules::ep_rule_hook::CHECK,
    &rules::ep_rule_order::CHECK,
    &rules::ep_rule_stale::CHECK,
    &rules::ep_rule_missing::CHECK,
    &rules::ep_rule_stale_ep::CHECK,
    &rules::ep_rule_lack_ep::CHECK,
    &rules::ep_rule_reject::CHECK,
    &rules::ep_rule_noreject::CHECK,
    &rules::ep_rule_extra::CHECK,
    &rules::ep_rule_ipvs::CHECK,
    &rules::ep_rule_mark::CHECK,
    &rules::ep_rule_prob::CHECK,
    &rules::ep_rule_canary::CHECK,
    &rules::ep_rule_parse::CHECK,
    &rules::ep_extip::CHECK,
    &rules::ep_explain_path::CHECK,
    &proxy::ep_kp_restart::CHECK,
    &rules::net_loss::CHECK,
    &rules::net_mtu_pmtud::CHECK,
    &rules::net_fw::CHECK,
    &rules::net_nat::CHECK,
    &rules::net_mtu_mss::CHECK,
    &rules::net_trace::CHECK,
    &tracked::ep_ct_stale::CHECK,
    &node::net_ct_full::CHECK,
    &node::net_ct_use::CHECK,
    &node::net_ct_insertfail::CHECK,
    &node::net_ct_invalid::CHECK,
    &node::net_ct_hash::CHECK,
    &node::net_ct_tw::CHECK,
    &tracked::ep_ct::CHECK,
    &pod_network::cni_detect::CHECK,
    &pod_network::cni_podcidr::CHECK,
    &pod_network::cni_cidr_overlap::CHECK,
    &pod_network::cni_flannel_net::CHECK,
    &pod_network::cni_ds_ready::CHECK,
    &pod_network::cni_flannel::CHECK,
    &cni::cni_conf::CHECK,
    &cni::cni_conf_order::CHECK,
    &cni::cni_bin::CHECK,
    &cni::cni_subnetenv::CHECK,
    &cni::cni_ipam_leak::CHECK,
    &pod_network::cni_ipam_use::CHECK,
    &calico::cni_calico::CHECK,
    &calico::cni_calico_cfg::CHECK,
    &calico::cni_calico_pool::CHECK,
    &calico::cni_ipam_calico::CHECK,
    &calico::cni_bgp::CHECK,
    &calico::cni_bgp_routes::CHECK,
    &calico::cni_calico_wep::CHECK,
    &calico::cni_calico_np::CHECK,
    &cilium::cni_cilium::CHECK,
    &cilium::cni_cilium_drop::CHECK,
    &terway::cni_terway::CHECK,
    &cni::cni_bridge::CHECK,
    &cni::cni_vxlan_if::CHECK,
    &cni::cni_links::CHECK,
    &cni::cni_public_ip::CHECK,
    &node::net_ipfwd::CHECK,
    &cni::cni_route::CHECK,
    &cni::cni_neigh::CHECK,
    &cni::cni_fdb::CHECK,
    &node::net_rpf::CHECK,
    &node::net_n_defrt::CHECK,
    &node::net_brnf::CHECK,
    &node::net_hairpin::CHECK,
    &pod::cni_veth::CHECK,
    &pod::net_pod_if::CHECK,
    &pod::net_pod_rt::CHECK,
    &pod::cni_dup_ip::CHECK,
    &pod::cni_dup_mac::CHECK,
    &pod_network::cni_pod_ip::CHECK,
    &pod_network::cni_log::CHECK,
    &pod_network::cni_node_cond::CHECK,
    &pod_network::cni_events::CHECK,
    &pod_network::cni_overlay::CHECK,
    &pod_network::cni_pol_dataplane::CHECK,
    &pod_network::cni_version::CHECK,
    &pod_network::cni_ipam_release::CHECK,
    &pod_network::cni_ipam_extend::CHECK,
    &node::net_mtu_map::CHECK,
    &node::net_vxlan_csum::CHECK,
    &node::net_perf_nic::CHECK,
    &node::net_sysctl::CHECK,
    &node::net_server_version::CHECK,
    &node::net_time::CHECK,
    &path::net_n2n::CHECK,
    &path::net_gw::CHECK,
    &path::net_mesh::CHECK,
    &path::net_p2p_tcp::CHECK,
    &path::net_p2p_udp::CHECK,
    &path::net_mtu::CHECK,
    &path::net_egr_overmasq::CHECK,
    &path::net_p2p_icmp::CHECK,
    &path::net_capture::CHECK,
    &service::net_preflight_pod::CHECK,
    &service::net_svc::CHECK,
    &service::net_svc_probe::CHECK,
    &service::net_svc_ratio::CHECK,
    &service::net_svc_name::CHECK,
    &service::net_svc_xns::CHECK,
    &service::net_np::CHECK,
    &service::net_hostport::CHECK,
    &service::net_lb::CHECK,
    &service::net_perf::CHECK,
    &service::net_perf_res::CHECK,
    &service::net_mesh_sidecar::CHECK,
    &dns::dns_locate::CHECK,
    &dns::cf::dns_cf_read::CHECK,
    &dns::cf::dns_cf_parse::CHECK,
    &dns::cf::dns_cf_prop::CHECK,
    &dns::cf::dns_cf_cache_syntax::CHECK,
    &dns::cf::dns_cf_fwd_self::CHECK,
    &dns::cf::dns_cf_fwd_reserved::CHECK,
    &dns::cf::dns_cf_fwd_typo::CHECK,
    &dns::cf::dns_cf_zone::CHECK,
    &dns::cf::dns_cf_steal::CHECK,
    &dns::cf::dns_cf_ready::CHECK,
    &dns::cf::dns_cf_pods::CHECK,
    &dns::cf::dns_cf_fwd::CHECK,
    &dns::cf::dns_cf_fwd_opts::CHECK,
    &dns::cf::dns_cf_cache::CHECK,
    &dns::cf::dns_cf_rev::CHECK,
    &dns::cf::dns_cf_misc::CHECK,
    &dns::dns_rbac::CHECK,
    &dns::dns_svc::CHECK,
    &dns::dns_kubelet::CHECK,
    &dns::dns_nodelocal::CHECK,
    &dns::dns_resources::CHECK,
    &dns::dns_crash::CHECK,
    &dns::dns_probes::CHECK,
    &dns::dns_deploy::CHECK,
    &dns::dns_ep::CHECK,
    &dns::dns_scale::CHECK,
    &dns::dns_pod_policy::CHECK,
    &dns::dns_pod_config::CHECK,
    &dns::dns_pod_limits::CHECK,
    &dns::dns_pod_ns::CHECK,
    &dns::dns_pod_resolv::CHECK,
    &dns::dns_pod_musl::CHECK,
    &dns::dns_pod_ndots::CHECK,
    &dns::dns_log::CHECK,
    &dns::dns_servfail::CHECK,
    &dns::dns_metrics::CHECK,
    &lookups::dns_port_udp::CHECK,
    &lookups::dns_res_server::CHECK,
    &lookups::dns_port_tcp::CHECK,
    &lookups::dns_5s::CHECK,
    &lookups::dns_up::CHECK,
    &lookups::dns_replica_diff::CHECK,
    &lookups::dns_res_int::CHECK,
    &lookups::dns_res_svc::CHECK,
    &lookups::dns_res_headless::CHECK,
    &lookups::dns_res_podname::CHECK,
    &lookups::dns_res_srv::CHECK,
    &lookups::dns_res_ptr::CHECK,
    &lookups::dns_res_ext::CHECK,
    &lookups::dns_res_extname::CHECK,
    &lookups::dns_class::CHECK,
    &lookups::dns_lat::CHECK,
    &lookups::dns_cache_effect::CHECK,
    &egress::net_egr::CHECK,
    &egress::net_egr_ip::CHECK,
    &egress::net_egr_gw::CHECK,
    &egress::net_egr_proxy::CHECK,
    &control::net_kubelet::CHECK,
    &control::net_webhook::CHECK,
    &control::net_apisvc::CHECK,
    &endpoints::ep_notfound::CHECK,
    &endpoints::ep_sel_near::CHECK,
    &endpoints::ep_sel::CHECK,
    &endpoints::ep_ready::CHECK,
    &endpoints::ep_listen_local::CHECK,
    &endpoints::ep_port_proto::CHECK,
    &endpoints::ep_tport_num::CHECK,
    &endpoints::ep_tport_name::CHECK,
    &endpoints::ep_port::CHECK,
    &endpoints::ep_slice_stale::CHECK,
    &endpoints::ep_mirror::CHECK,
    &endpoints::ep_slice_foreign::CHECK,
    &endpoints::ep_slice_portname::CHECK,
    &endpoints::ep_empty::CHECK,
    &endpoints::ep_extname::CHECK,
    &endpoints::ep_headless::CHECK,
    &endpoints::ep_dual::CHECK,
    &endpoints::ep_sel_wide::CHECK,
    &endpoints::ep_etp_local::CHECK,
    &endpoints::ep_itp_local::CHECK,
    &endpoints::ep_lb::CHECK,
    &endpoints::ep_lb_pending::CHECK,
    &endpoints::ep_spread::CHECK,
    &endpoints::ep_np_clash::CHECK,
    &endpoints::ep_np_range::CHECK,
    &endpoints::ep_proxyname::CHECK,
    &endpoints::ep_pnra::CHECK,
    &endpoints::ep_topo::CHECK,
    &endpoints::ep_noprobe::CHECK,
    &endpoints::ep_naming::CHECK,
    &endpoints::ep_lb_src::CHECK,
    &endpoints::ep_lb_cloud::CHECK,
    &endpoints::ep_pipeline::CHECK,
    &endpoints::ep_spec::CHECK,
    &endpoints::ep_deps::CHECK,
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
