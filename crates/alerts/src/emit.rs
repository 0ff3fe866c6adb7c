//! Rules to begin with.

use serde_json::{Value, json};

/// In which form rules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitFormat {
    /// A rule file of Prometheus.
    Yaml,
    /// A `PrometheusRule` object.
    PrometheusRule,
    /// A rule file as JSON.
    Json,
}

/// What can be chosen of the rules.
#[derive(Clone, Debug, Default)]
pub struct EmitOptions {
    /// Also rules on what `-o prometheus` writes. Where no such file is scraped they are silent for ever.
    pub on_own_metrics: bool,
}

struct Emitted {
    alert: &'static str,
    expr: &'static str,
    waits: &'static str,
    severity: &'static str,
    summary: &'static str,
    /// The id of the check that looks for the same; `None` where only the run itself says what it was.
    check: Option<&'static str>,
}

/// The DaemonSets of the CNIs that are known.
const CNI: &str = r#"kube_daemonset_status_number_ready{daemonset=~"kube-flannel-ds|calico-node|canal|cilium|antrea-agent|kindnet|kube-router|weave-net|aws-node|azure-cns|anetd|terway-eniip|ovnkube-node"} < kube_daemonset_status_desired_number_scheduled"#;

const RULES: &[Emitted] = &[
    Emitted {
        alert: "PodNotReady",
        expr: r#"kube_pod_status_ready{condition="false"} == 1 unless on (namespace, pod) kube_pod_status_phase{phase=~"Succeeded|Failed"} == 1"#,
        waits: "10m",
        severity: "warning",
        summary: "pod {{ $labels.namespace }}/{{ $labels.pod }} is not ready",
        check: Some("ep-ready"),
    },
    Emitted {
        alert: "ServiceWithoutEndpoints",
        expr: r#"kube_service_info{cluster_ip!="None"} unless on (namespace, service) kube_service_spec_type{type="ExternalName"} unless on (namespace, service) label_replace(kube_endpoint_address{ready="true"}, "service", "$1", "endpoint", "(.*)")"#,
        waits: "5m",
        severity: "warning",
        summary: "service {{ $labels.namespace }}/{{ $labels.service }} has no ready endpoint",
        check: Some("ep-empty"),
    },
    Emitted {
        alert: "LoadBalancerPending",
        expr: r#"kube_service_spec_type{type="LoadBalancer"} unless on (namespace, service) kube_service_status_load_balancer_ingress"#,
        waits: "5m",
        severity: "warning",
        summary: "service {{ $labels.namespace }}/{{ $labels.service }} has no load balancer address",
        check: Some("ep-lb-pending"),
    },
    Emitted {
        alert: "ClusterDNSDown",
        expr: r#"absent(up{job=~"coredns|kube-dns"} == 1) or kube_deployment_status_replicas_available{namespace="kube-system", deployment="coredns"} == 0"#,
        waits: "1m",
        severity: "critical",
        summary: "no DNS pod of the cluster is there, or none is scraped",
        check: Some("dns-deploy"),
    },
    Emitted {
        alert: "ClusterDNSErrors",
        expr: r#"sum(rate(coredns_dns_responses_total{rcode="SERVFAIL"}[5m])) / sum(rate(coredns_dns_responses_total[5m])) > 0.05 and sum(rate(coredns_dns_responses_total[5m])) > 1"#,
        waits: "5m",
        severity: "warning",
        summary: "more than 5 % of DNS answers are SERVFAIL",
        check: Some("dns-servfail"),
    },
    Emitted {
        alert: "ClusterDNSSlow",
        expr: r"histogram_quantile(0.99, sum by (le) (rate(coredns_dns_request_duration_seconds_bucket[5m]))) > 1",
        waits: "5m",
        severity: "warning",
        summary: "one in a hundred DNS answers takes more than a second",
        check: Some("dns-lat"),
    },
    Emitted {
        alert: "ClusterDNSStarved",
        expr: r"increase(coredns_health_request_failures_total[5m]) > 0",
        waits: "5m",
        severity: "warning",
        summary: "a DNS pod does not even answer itself in time",
        check: Some("dns-resources"),
    },
    Emitted {
        alert: "ClusterDNSUpstreamDown",
        expr: r"increase(coredns_forward_healthcheck_broken_total[5m]) > 0",
        waits: "5m",
        severity: "warning",
        summary: "all resolvers that the cluster's DNS forwards to are down",
        check: Some("dns-up"),
    },
    Emitted {
        alert: "CorefileReloadFailed",
        expr: r"increase(coredns_reload_failed_total[10m]) > 0",
        waits: "0m",
        severity: "critical",
        summary: "the Corefile is not understood; the next restart of a DNS pod will fail",
        check: Some("dns-cf-parse"),
    },
    Emitted {
        alert: "KubeProxyStuck",
        expr: r"max by (instance) (kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds) - max by (instance) (kubeproxy_sync_proxy_rules_last_timestamp_seconds) > 60",
        waits: "5m",
        severity: "critical",
        summary: "kube-proxy on {{ $labels.instance }} has changes waiting and does not write them; a dead API watch is not seen by this",
        check: Some("ep-kp-metrics"),
    },
    Emitted {
        alert: "KubeProxyRestoreFailing",
        expr: r"increase(kubeproxy_sync_proxy_rules_iptables_restore_failures_total[10m]) > 0",
        waits: "5m",
        severity: "critical",
        summary: "kube-proxy on {{ $labels.instance }} cannot write its rules",
        check: Some("ep-kp-log"),
    },
    Emitted {
        alert: "CNINotReady",
        expr: CNI,
        waits: "5m",
        severity: "critical",
        summary: "the CNI's pods ({{ $labels.namespace }}/{{ $labels.daemonset }}) are not ready on every node",
        check: Some("cni-ds-ready"),
    },
    Emitted {
        alert: "ConntrackFilling",
        expr: r"node_nf_conntrack_entries / node_nf_conntrack_entries_limit > 0.8",
        waits: "5m",
        severity: "warning",
        summary: "the connection table of {{ $labels.instance }} is more than 80 % full",
        check: Some("net-ct-use"),
    },
    Emitted {
        alert: "ConntrackFull",
        expr: r"node_nf_conntrack_entries / node_nf_conntrack_entries_limit > 0.95",
        waits: "5m",
        severity: "critical",
        summary: "the connection table of {{ $labels.instance }} is full: new connections are dropped",
        check: Some("net-ct-full"),
    },
    Emitted {
        alert: "PodAddressesLow",
        expr: r"sum by (instance) (awscni_assigned_ip_addresses) / sum by (instance) (awscni_ip_max) > 0.8",
        waits: "15m",
        severity: "warning",
        summary: "{{ $labels.instance }} has few addresses left for pods (AWS VPC CNI only)",
        check: Some("cni-ipam-use"),
    },
];

const ON_OWN_METRICS: &[Emitted] = &[
    Emitted {
        alert: "NetcheckFails",
        expr: r#"netcheck_verdict{verdict="fail"} == 1"#,
        waits: "5m",
        severity: "warning",
        summary: "kubectl {{ $labels.plugin }} {{ $labels.command }} found a problem",
        check: None,
    },
    Emitted {
        alert: "NetcheckPairsFail",
        expr: r#"netcheck_pairs{state="failed"} > 0"#,
        waits: "5m",
        severity: "critical",
        summary: "{{ $value }} pairs of nodes do not reach each other's pods ({{ $labels.family }}, {{ $labels.protocol }})",
        check: Some("net-mesh"),
    },
    Emitted {
        alert: "NetcheckGaps",
        expr: r"netcheck_gaps > 0",
        waits: "1h",
        severity: "warning",
        summary: "kubectl {{ $labels.plugin }} {{ $labels.command }} cannot see everything: what it does not find may be there",
        check: None,
    },
    Emitted {
        alert: "NetcheckIsOld",
        expr: r"time() - netcheck_run_timestamp_seconds > 3 * 3600",
        waits: "5m",
        severity: "warning",
        summary: "kubectl {{ $labels.plugin }} {{ $labels.command }} has not ended for three hours: what its file says is old",
        check: None,
    },
];

/// The rules, as a text that ends with a line feed. They are printed and never applied.
///
/// They ask for metrics of kube-state-metrics 2.10 or newer, CoreDNS 1.7 or newer, kube-proxy and node_exporter.
pub fn emit(format: EmitFormat, options: &EmitOptions) -> String {
    let mut groups = vec![group("network-and-dns", RULES)];
    if options.on_own_metrics {
        groups.push(group("netcheck-runs", ON_OWN_METRICS));
    }
    let file = json!({ "groups": groups });
    let document = match format {
        EmitFormat::Yaml | EmitFormat::Json => file,
        EmitFormat::PrometheusRule => json!({
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": { "name": "network-and-dns" },
            "spec": file,
        }),
    };
    let text = match format {
        EmitFormat::Json => serde_json::to_string_pretty(&document).expect("rules are JSON"),
        EmitFormat::Yaml | EmitFormat::PrometheusRule => {
            serde_saphyr::to_string(&document).expect("rules are YAML")
        }
    };
    format!("{}\n", text.trim_end())
}

fn group(name: &str, rules: &[Emitted]) -> Value {
    let rules = rules.iter().map(|rule| {
        json!({
            "alert": rule.alert,
            "expr": rule.expr,
            "for": rule.waits,
            "labels": { "severity": rule.severity },
            "annotations": {
                "summary": rule.summary,
                "runbook": runbook(rule),
            },
        })
    });
    json!({ "name": name, "rules": rules.collect::<Vec<_>>() })
}

fn runbook(rule: &Emitted) -> String {
    match rule.check {
        Some(check) => format!("kubectl netcheck checks {check}"),
        None => "kubectl {{ $labels.plugin }} {{ $labels.command }}".to_owned(),
    }
}
