use super::{Kind, Metric};

/// Names that people write down and that nothing exports, with what to use instead. A `*` at the end stands for any ending.
pub(crate) const NEVER: &[(&str, &str)] = &[
    (
        "container_network_latency_*",
        "cAdvisor measures no latency; latency between pods needs probes of its own",
    ),
    (
        "flannel_*",
        "flannel exports no metrics; watch its DaemonSet (kube_daemonset_status_number_ready)",
    ),
    (
        "kube_service_status_load_balancer_ingress_ip",
        "it is kube_service_status_load_balancer_ingress, with the label ip",
    ),
    ("kube_service_endpoints", "use kube_endpoint_address"),
    (
        "coredns_dns_request_latency_seconds",
        "it is coredns_dns_request_duration_seconds",
    ),
];

const KSM: &str = "kube-state-metrics";
const DNS: &str = "CoreDNS";
const PROXY: &str = "kube-proxy";
const NODE: &str = "node_exporter";

const fn current(
    by: &'static str,
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
) -> Metric {
    Metric {
        name,
        kind,
        by,
        labels,
        gone: None,
    }
}

const fn gone(
    by: &'static str,
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    how: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        by,
        labels,
        gone: Some(how),
    }
}

use Kind::{Counter, Gauge, Histogram, Info, State};

/// Every metric that is known, one on each line.
#[rustfmt::skip]
pub(crate) const METRICS: &[Metric] = &[
    current(KSM, "kube_pod_status_ready", State, &["namespace", "pod", "uid", "condition"]),
    current(KSM, "kube_pod_status_phase", State, &["namespace", "pod", "uid", "phase"]),
    current(KSM, "kube_pod_info", Info, &["namespace", "pod", "uid", "node", "host_ip", "pod_ip", "created_by_kind", "created_by_name", "priority_class", "host_network"]),
    current(KSM, "kube_pod_container_status_restarts_total", Counter, &["namespace", "pod", "uid", "container"]),
    current(KSM, "kube_pod_container_status_waiting_reason", State, &["namespace", "pod", "uid", "container", "reason"]),
    current(KSM, "kube_service_info", Info, &["namespace", "service", "uid", "cluster_ip", "external_name", "load_balancer_ip", "external_traffic_policy"]),
    current(KSM, "kube_service_spec_type", Info, &["namespace", "service", "uid", "type"]),
    current(KSM, "kube_service_spec_external_ip", Info, &["namespace", "service", "uid", "external_ip"]),
    current(KSM, "kube_service_status_load_balancer_ingress", Info, &["namespace", "service", "uid", "ip", "hostname"]),
    current(KSM, "kube_endpoint_info", Info, &["namespace", "endpoint"]),
    current(KSM, "kube_endpoint_address", Info, &["namespace", "endpoint", "ip", "ready", "port_name", "port_number", "port_protocol"]),
    gone(KSM, "kube_endpoint_address_not_ready", Gauge, &["namespace", "endpoint"], "gone since kube-state-metrics 2.14: count kube_endpoint_address{ready=\"false\"}"),
    gone(KSM, "kube_endpoint_address_available", Gauge, &["namespace", "endpoint"], "gone since kube-state-metrics 2.14: count kube_endpoint_address{ready=\"true\"}"),
    current(KSM, "kube_endpointslice_info", Info, &["namespace", "endpointslice", "addresstype"]),
    current(KSM, "kube_deployment_status_replicas", Gauge, &["namespace", "deployment"]),
    current(KSM, "kube_deployment_status_replicas_available", Gauge, &["namespace", "deployment"]),
    current(KSM, "kube_deployment_status_replicas_unavailable", Gauge, &["namespace", "deployment"]),
    current(KSM, "kube_deployment_spec_replicas", Gauge, &["namespace", "deployment"]),
    current(KSM, "kube_daemonset_status_number_ready", Gauge, &["namespace", "daemonset"]),
    current(KSM, "kube_daemonset_status_number_available", Gauge, &["namespace", "daemonset"]),
    current(KSM, "kube_daemonset_status_number_unavailable", Gauge, &["namespace", "daemonset"]),
    current(KSM, "kube_daemonset_status_desired_number_scheduled", Gauge, &["namespace", "daemonset"]),
    current(KSM, "kube_daemonset_status_current_number_scheduled", Gauge, &["namespace", "daemonset"]),
    current(KSM, "kube_node_status_condition", State, &["node", "condition", "status"]),
    current(KSM, "kube_node_info", Info, &["node", "kernel_version", "os_image", "container_runtime_version", "kubelet_version", "kubeproxy_version", "provider_id", "pod_cidr", "system_uuid", "internal_ip"]),
    current(KSM, "kube_networkpolicy_spec_ingress_rules", Gauge, &["namespace", "networkpolicy"]),
    current(KSM, "kube_networkpolicy_spec_egress_rules", Gauge, &["namespace", "networkpolicy"]),

    current(DNS, "coredns_build_info", Info, &["version", "revision", "goversion"]),
    current(DNS, "coredns_dns_requests_total", Counter, &["server", "zone", "view", "proto", "family", "type"]),
    current(DNS, "coredns_dns_responses_total", Counter, &["server", "zone", "view", "rcode", "plugin"]),
    current(DNS, "coredns_dns_request_duration_seconds", Histogram, &["server", "zone", "view"]),
    current(DNS, "coredns_dns_request_size_bytes", Histogram, &["server", "zone", "view", "proto"]),
    current(DNS, "coredns_dns_response_size_bytes", Histogram, &["server", "zone", "view", "proto"]),
    current(DNS, "coredns_dns_do_requests_total", Counter, &["server", "zone", "view"]),
    current(DNS, "coredns_dns_https_responses_total", Counter, &["server", "status"]),
    current(DNS, "coredns_dns_quic_responses_total", Counter, &["server", "status"]),
    current(DNS, "coredns_cache_hits_total", Counter, &["server", "type", "zones", "view"]),
    current(DNS, "coredns_cache_misses_total", Counter, &["server", "zones", "view"]),
    current(DNS, "coredns_cache_requests_total", Counter, &["server", "zones", "view"]),
    current(DNS, "coredns_cache_entries", Gauge, &["server", "type", "zones", "view"]),
    current(DNS, "coredns_cache_evictions_total", Counter, &["server", "type", "zones", "view"]),
    current(DNS, "coredns_cache_prefetch_total", Counter, &["server", "zones", "view"]),
    current(DNS, "coredns_cache_drops_total", Counter, &["server", "zones", "view"]),
    current(DNS, "coredns_cache_served_stale_total", Counter, &["server", "zones", "view"]),
    current(DNS, "coredns_proxy_request_duration_seconds", Histogram, &["proxy_name", "to", "rcode"]),
    current(DNS, "coredns_proxy_healthcheck_failures_total", Counter, &["proxy_name", "to"]),
    current(DNS, "coredns_proxy_conn_cache_hits_total", Counter, &["proxy_name", "to", "proto"]),
    current(DNS, "coredns_proxy_conn_cache_misses_total", Counter, &["proxy_name", "to", "proto"]),
    current(DNS, "coredns_forward_healthcheck_broken_total", Counter, &[]),
    current(DNS, "coredns_forward_max_concurrent_rejects_total", Counter, &[]),
    current(DNS, "coredns_health_request_duration_seconds", Histogram, &[]),
    current(DNS, "coredns_health_request_failures_total", Counter, &[]),
    current(DNS, "coredns_panics_total", Counter, &[]),
    current(DNS, "coredns_plugin_enabled", Info, &["server", "zone", "view", "name"]),
    current(DNS, "coredns_hosts_entries", Gauge, &[]),
    current(DNS, "coredns_hosts_reload_timestamp_seconds", Gauge, &[]),
    current(DNS, "coredns_local_localhost_requests_total", Counter, &[]),
    current(DNS, "coredns_template_matches_total", Counter, &["server", "zone", "view", "class", "type"]),
    current(DNS, "coredns_kubernetes_dns_programming_duration_seconds", Histogram, &["service_kind"]),
    current(DNS, "coredns_kubernetes_rest_client_requests_total", Counter, &["code", "method", "host"]),
    current(DNS, "coredns_kubernetes_rest_client_request_duration_seconds", Histogram, &["verb", "host"]),
    current(DNS, "coredns_kubernetes_rest_client_rate_limiter_duration_seconds", Histogram, &["verb", "host"]),
    current(DNS, "coredns_reload_failed_total", Counter, &[]),
    current(DNS, "coredns_reload_version_info", Info, &["hash", "value"]),
    gone(DNS, "coredns_dns_request_count_total", Counter, &["server", "zone", "proto", "family"], "gone since CoreDNS 1.7: use coredns_dns_requests_total"),
    gone(DNS, "coredns_dns_request_type_count_total", Counter, &["server", "zone", "type"], "gone since CoreDNS 1.7: use coredns_dns_requests_total, with the label type"),
    gone(DNS, "coredns_dns_response_rcode_count_total", Counter, &["server", "zone", "rcode"], "gone since CoreDNS 1.7: use coredns_dns_responses_total, with the label rcode"),
    gone(DNS, "coredns_panic_count_total", Counter, &[], "gone since CoreDNS 1.7: use coredns_panics_total"),
    gone(DNS, "coredns_cache_size", Gauge, &["server", "type"], "gone since CoreDNS 1.7: use coredns_cache_entries"),
    gone(DNS, "coredns_forward_request_duration_seconds", Histogram, &["to", "rcode"], "gone since CoreDNS 1.11: use coredns_proxy_request_duration_seconds"),
    gone(DNS, "coredns_forward_requests_total", Counter, &["to"], "gone since CoreDNS 1.11: use coredns_proxy_request_duration_seconds_count"),
    gone(DNS, "coredns_forward_responses_total", Counter, &["to", "rcode"], "gone since CoreDNS 1.11: use coredns_proxy_request_duration_seconds_count, with the label rcode"),
    gone(DNS, "coredns_forward_request_count_total", Counter, &["to"], "gone since CoreDNS 1.7: use coredns_proxy_request_duration_seconds_count"),
    gone(DNS, "coredns_forward_response_rcode_count_total", Counter, &["to", "rcode"], "gone since CoreDNS 1.7: use coredns_proxy_request_duration_seconds_count, with the label rcode"),
    gone(DNS, "coredns_forward_healthcheck_failures_total", Counter, &["to"], "gone since CoreDNS 1.11: use coredns_proxy_healthcheck_failures_total"),
    gone(DNS, "coredns_forward_conn_cache_hits_total", Counter, &["to", "proto"], "gone since CoreDNS 1.11: use coredns_proxy_conn_cache_hits_total"),
    gone(DNS, "coredns_forward_conn_cache_misses_total", Counter, &["to", "proto"], "gone since CoreDNS 1.11: use coredns_proxy_conn_cache_misses_total"),

    current(PROXY, "kubeproxy_sync_proxy_rules_last_timestamp_seconds", Gauge, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", Gauge, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_duration_seconds", Histogram, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_full_proxy_rules_duration_seconds", Histogram, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_partial_proxy_rules_duration_seconds", Histogram, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_endpoint_changes_pending", Gauge, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_endpoint_changes_total", Counter, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_service_changes_pending", Gauge, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_service_changes_total", Counter, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_iptables_restore_failures_total", Counter, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total", Counter, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_iptables_total", Gauge, &["table", "ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_iptables_last", Gauge, &["table", "ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_no_local_endpoints_total", Gauge, &["traffic_policy", "ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_nftables_sync_failures_total", Counter, &["ip_family"]),
    current(PROXY, "kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total", Counter, &["ip_family"]),
    current(PROXY, "kubeproxy_network_programming_duration_seconds", Histogram, &["ip_family"]),
    current(PROXY, "kubeproxy_proxy_healthz_total", Counter, &["code"]),
    current(PROXY, "kubeproxy_proxy_livez_total", Counter, &["code"]),
    current(PROXY, "kubeproxy_iptables_ct_state_invalid_dropped_packets_total", Counter, &[]),
    current(PROXY, "kubeproxy_iptables_localhost_nodeports_accepted_packets_total", Counter, &[]),
    current(PROXY, "kubeproxy_conntrack_reconciler_deleted_entries_total", Counter, &["ip_family"]),
    current(PROXY, "kubeproxy_conntrack_reconciler_sync_duration_seconds", Histogram, &["ip_family"]),

    current(NODE, "node_nf_conntrack_entries", Gauge, &[]),
    current(NODE, "node_nf_conntrack_entries_limit", Gauge, &[]),
    current(NODE, "node_nf_conntrack_stat_drop", Counter, &[]),
    current(NODE, "node_nf_conntrack_stat_early_drop", Counter, &[]),
    current(NODE, "node_nf_conntrack_stat_insert_failed", Counter, &[]),
    current(NODE, "node_nf_conntrack_stat_invalid", Counter, &[]),
    current(NODE, "node_network_receive_drop_total", Counter, &["device"]),
    current(NODE, "node_network_transmit_drop_total", Counter, &["device"]),
    current(NODE, "node_network_receive_errs_total", Counter, &["device"]),
    current(NODE, "node_network_transmit_errs_total", Counter, &["device"]),
    current(NODE, "node_network_up", State, &["device"]),

    current("AWS VPC CNI", "awscni_assigned_ip_addresses", Gauge, &["cidr"]),
    current("AWS VPC CNI", "awscni_total_ip_addresses", Gauge, &[]),
    current("AWS VPC CNI", "awscni_ip_max", Gauge, &[]),

    current("kubectl netcheck", "netcheck_probe_success", State, &["source_node", "target_node", "path"]),
    current("kubectl netcheck", "netcheck_probe_duration_seconds", Histogram, &["source_node", "target_node", "path"]),
    current("kubectl dnscheck", "dnscheck_lookup_success", State, &["server", "name_class"]),
    current("kubectl dnscheck", "dnscheck_lookup_duration_seconds", Histogram, &["server", "name_class"]),
    current("kubectl dnscheck", "dnscheck_ready_endpoints", Gauge, &[]),
    current("kubectl epcheck", "epcheck_rule_drift", Gauge, &["node"]),
    current("kubectl cnicheck", "cnicheck_ipam_used_ratio", Gauge, &["node", "pool"]),
];
