use report::{Format, Gap, GapReason, RenderOptions, Report, Severity, Verdict, render};

use super::{LINTS, lint};
use crate::rules::{Document, Input};
use crate::{EmitFormat, EmitOptions, emit};

fn input(text: &str) -> Input {
    let mut input = Input::default();
    for document in Document::of_file("rules.yaml", text).expect("YAML") {
        input.add(&document).expect("rules or monitors");
    }
    input
}

/// A file with one alert.
fn alert(name: &str, expr: &str) -> String {
    format!("groups:\n- name: g\n  rules:\n  - alert: {name}\n    expr: {expr:?}\n    for: 5m\n")
}

fn report(text: &str) -> Report {
    lint(&input(text), "test")
}

fn verdict(report: &Report, id: &str) -> Verdict {
    let check = report.checks().iter().find(|check| check.id == id);
    check.unwrap_or_else(|| panic!("{id}")).verdict()
}

fn findings<'a>(report: &'a Report, id: &str) -> Vec<&'a str> {
    let of = report.findings().iter().filter(|finding| finding.id == id);
    of.map(|finding| finding.summary.as_str()).collect()
}

/// For each lint: what it finds, and what looks like it and is well.
const SHOWN: &[(&str, &str, &str)] = &[
    ("alert-syntax", "sum(rate(a[5m])", "sum(rate(a[5m]))"),
    ("alert-syntax", "rate(a)", "rate(a[5m])"),
    (
        "alert-unknown-metric",
        "kube_endpoint_address_not_ready > 0",
        "kube_endpoint_address{ready=\"false\"}",
    ),
    (
        "alert-unknown-metric",
        "coredns_dns_response_rcode_count_total > 0",
        "coredns_dns_responses_total > 0",
    ),
    (
        "alert-unknown-metric",
        "coredns_forward_request_duration_seconds_count > 5",
        "coredns_proxy_request_duration_seconds_count > 5",
    ),
    (
        "alert-unknown-metric",
        "container_network_latency_seconds > 1",
        "my_own_latency_seconds > 1",
    ),
    (
        "alert-unknown-metric",
        "coredns_dns_requests > 1",
        "coredns_dns_requests_total > 1",
    ),
    ("alert-unknown-metric", "flannel_up == 0", "up == 0"),
    (
        "alert-absent-label",
        "increase(coredns_health_request_failures_total{status!=\"success\"}[5m]) > 0",
        "increase(coredns_health_request_failures_total{job!=\"x\"}[5m]) > 0",
    ),
    (
        "alert-absent-label",
        "kube_service_spec_type{kind=\"LoadBalancer\"}",
        "kube_service_spec_type{type=\"LoadBalancer\"}",
    ),
    (
        "alert-quantile",
        "coredns_dns_request_duration_seconds{quantile=\"0.99\"} > 1",
        "histogram_quantile(0.99, sum by (le) (rate(coredns_dns_request_duration_seconds_bucket[5m]))) > 1",
    ),
    (
        "alert-never-true",
        "kube_service_status_load_balancer_ingress == 0",
        "kube_service_status_load_balancer_ingress == 1",
    ),
    (
        "alert-never-true",
        "rate(x_total[5m]) < 0",
        "rate(x_total[5m]) <= 0",
    ),
    (
        "alert-never-true",
        "0 > increase(x_total[5m])",
        "0 < increase(x_total[5m])",
    ),
    ("alert-never-true", "count(up == 1) == 0", "count(up == 1) == 1"),
    ("alert-never-true", "kube_pod_info < 1", "my_gauge < 0"),
    (
        "alert-vector-match",
        "kube_service_spec_type and kube_endpoint_address",
        "kube_service_spec_type and on (namespace) kube_endpoint_address",
    ),
    (
        "alert-vector-match",
        "kube_service_info unless on (namespace, service) kube_endpoint_address",
        "kube_service_info unless on (namespace, service) label_replace(kube_endpoint_address, \"service\", \"$1\", \"endpoint\", \"(.*)\")",
    ),
    (
        "alert-vector-match",
        "sum(rate(coredns_dns_responses_total[5m])) / rate(coredns_dns_requests_total[5m]) > 1",
        "sum(rate(coredns_dns_responses_total[5m])) / sum(rate(coredns_dns_requests_total[5m])) > 1",
    ),
    (
        "alert-vector-match",
        "sum by (job) (up) > sum by (instance) (up)",
        "sum by (job) (up) > sum by (job) (up offset 1h)",
    ),
    (
        "alert-job-name",
        "up{job=\"coredns\"} == 0",
        "absent(up{job=\"coredns\"} == 1)",
    ),
];

#[test]
fn every_lint_finds_what_is_wrong_and_not_what_looks_like_it() {
    for (id, wrong, right) in SHOWN {
        let found = report(&alert("A", wrong));
        assert!(!findings(&found, id).is_empty(), "{id} finds nothing in {wrong}");
        let clean = report(&alert("A", right));
        assert_eq!(findings(&clean, id), Vec::<&str>::new(), "{right}");
    }
}

#[test]
fn a_count_is_no_rate() {
    let rule = |name: &str, expr: &str| findings(&report(&alert(name, expr)), "alert-count-as-rate").len();
    assert_eq!(
        rule(
            "dns_error_rate",
            "increase(coredns_dns_responses_total[5m]) > 100"
        ),
        1
    );
    assert_eq!(
        rule("dns_errors", "increase(coredns_dns_responses_total[5m]) > 100"),
        0
    );
    assert_eq!(
        rule("dns_error_rate", "rate(coredns_dns_responses_total[5m]) > 100"),
        0
    );
    assert_eq!(
        rule(
            "dns_separate_errors",
            "increase(coredns_dns_responses_total[5m]) > 100"
        ),
        0
    );
    assert_eq!(
        rule("DNSErrorRate", "increase(coredns_dns_responses_total[5m]) > 100"),
        1
    );
}

#[test]
fn readiness_is_not_the_network() {
    let of =
        |name: &str, expr: &str| findings(&report(&alert(name, expr)), "alert-readiness-as-network").len();
    let bare = "kube_pod_status_ready{condition=\"false\"} == 1";
    let without_finished =
        format!("{bare} unless on (namespace, pod) kube_pod_status_phase{{phase=\"Succeeded\"}} == 1");
    assert_eq!(of("PodNetworkBroken", bare), 2);
    assert_eq!(of("PodNotReady", bare), 1);
    assert_eq!(of("PodNotReady", &without_finished), 0);
}

#[test]
fn an_alert_sees_two_scrapes() {
    let text = alert("A", "up == 0").replace("for: 5m", "for: 10s");
    assert_eq!(findings(&report(&text), "alert-syntax").len(), 1);
    let text = alert("A", "increase(x_total[5m]) > 0").replace("for: 5m", "for: 0m");
    assert_eq!(findings(&report(&text), "alert-syntax").len(), 0);
    let text = alert("A", "up == 0").replace("for: 5m", "for: soon");
    assert_eq!(verdict(&report(&text), "alert-syntax"), Verdict::Fail);
}

#[test]
fn annotations_name_labels_that_are_left() {
    let with = |expr: &str| {
        let text = alert("A", expr) + "    annotations: {summary: '{{ $labels.pod }} is broken'}\n";
        findings(&report(&text), "alert-syntax").len()
    };
    assert_eq!(with("sum by (namespace) (kube_pod_info) > 1"), 1);
    assert_eq!(with("sum by (pod) (kube_pod_info) > 1"), 0);
    assert_eq!(with("my_own_metric > 1"), 0);
}

const MONITOR: &str = "
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: dns, namespace: monitoring}
spec:
  endpoints:
  - metricRelabelings:
    - action: keep
      sourceLabels: [__name__]
      regex: coredns_dns_requests_total|coredns_cache_.*
";

#[test]
fn a_monitor_that_drops_what_a_rule_needs_is_found() {
    let text = format!("{}---{MONITOR}", alert("A", "coredns_panics_total > 0"));
    let report = report(&text);
    assert_eq!(verdict(&report, "alert-relabel-drop"), Verdict::Fail);
    let finding = &report
        .findings()
        .iter()
        .find(|finding| finding.id == "alert-relabel-drop")
        .expect("a finding");
    assert_eq!(finding.subject.to_string(), "servicemonitor/dns -n monitoring");
}

#[test]
fn a_monitor_of_something_else_drops_nothing_that_is_needed() {
    for expr in ["coredns_cache_entries > 0", "kube_pod_info > 1"] {
        let text = format!("{}---{MONITOR}", alert("A", expr));
        assert_eq!(
            verdict(&report(&text), "alert-relabel-drop"),
            Verdict::Pass,
            "{expr}"
        );
    }
}

#[test]
fn what_could_not_be_read_is_neither_pass_nor_fail() {
    let gap = || Gap {
        what: "ServiceMonitors".into(),
        why: GapReason::NotServed,
        message: "not served".into(),
        hint: None,
    };
    let mut seen = input(&alert("A", "up > 0"));
    seen.monitors_unseen(gap());
    let report = lint(&seen, "test");
    assert_eq!(verdict(&report, "alert-relabel-drop"), Verdict::Unknown);
    assert_eq!(verdict(&report, "alert-quantile"), Verdict::Pass);
    let mut unread = Input::default();
    unread.rules_unseen(gap());
    let report = lint(&unread, "test");
    for check in LINTS {
        assert_ne!(verdict(&report, check.id), Verdict::Pass, "{}", check.id);
    }
    assert_eq!(report.verdict(), Verdict::Unknown);
}

#[test]
fn a_metric_of_a_family_that_is_known_in_part_is_no_error() {
    let report = report(&alert("A", "kube_hpa_something_new > 1"));
    assert_eq!(verdict(&report, "alert-unknown-metric"), Verdict::Unknown);
    assert!(findings(&report, "alert-unknown-metric").is_empty());
}

#[test]
fn what_a_rule_records_exists() {
    let text = "groups:\n- name: g\n  rules:\n  - record: coredns_my_own\n    expr: vector(1)\n  - alert: A\n    for: 5m\n    \
                expr: coredns_my_own > 1\n";
    assert!(findings(&report(text), "alert-unknown-metric").is_empty());
}

#[test]
fn nothing_at_all_is_skipped() {
    let report = lint(&Input::default(), "test");
    assert_eq!(report.verdict(), Verdict::Skipped);
}

#[test]
fn what_is_emitted_has_no_finding_of_our_own() {
    for format in [EmitFormat::Yaml, EmitFormat::PrometheusRule, EmitFormat::Json] {
        for on_own_metrics in [false, true] {
            let text = emit(format, &EmitOptions { on_own_metrics });
            let report = report(&text);
            assert_eq!(report.findings(), [], "{format:?}");
            assert!(report.gaps().is_empty(), "{:?}", report.gaps());
            assert_eq!(report.verdict(), Verdict::Pass);
        }
    }
}

#[test]
fn rules_on_our_own_runs_are_emitted_only_where_they_are_asked_for() {
    let emitted = |on_own_metrics| emit(EmitFormat::Yaml, &EmitOptions { on_own_metrics });
    assert!(!emitted(false).contains("netcheck_"));
    let own = emitted(true);
    for metric in [
        "netcheck_verdict",
        "netcheck_pairs",
        "netcheck_gaps",
        "netcheck_run_timestamp_seconds",
    ] {
        assert!(own.contains(metric), "{metric}");
    }
}

#[test]
fn what_nothing_of_ours_writes_is_no_metric() {
    for name in [
        "netcheck_probe_success",
        "netcheck_probe_duration_seconds_bucket",
        "dnscheck_lookup_success",
        "cnicheck_ipam_used_ratio",
    ] {
        let report = report(&alert("A", &format!("{name} > 0")));
        assert_eq!(findings(&report, "alert-unknown-metric").len(), 1, "{name}");
    }
}

#[test]
fn the_rules_of_our_own_documentation_have_nothing_to_look_at() {
    let page = include_str!("../../../../docs/output.md");
    let (_, section) = page.split_once("## Prometheus\n").expect("the section");
    let (_, rules) = section.split_once("```yaml\n").expect("rules");
    let (rules, _) = rules.split_once("```").expect("their end");
    let report = report(rules);
    assert_eq!(input(rules).rules.len(), 3);
    // That nothing notices a dead DNS is a note, and true of a part.
    let told: Vec<&str> = report
        .findings()
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .map(|finding| finding.summary.as_str())
        .collect();
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(report.verdict(), Verdict::Pass);
}

#[test]
fn findings_are_worst_first_and_can_be_rendered() {
    let report = report(&alert(
        "A",
        "up{job=\"x\"} == 0 and coredns_panics_total{x=\"y\"} > 0",
    ));
    let severities: Vec<Severity> = report.findings().iter().map(|finding| finding.severity).collect();
    let mut sorted = severities.clone();
    sorted.sort_by_key(|severity| std::cmp::Reverse(*severity));
    assert_eq!(severities, sorted);
    for format in [Format::Text, Format::Wide, Format::Json, Format::Junit] {
        assert!(!render(&report, format, &RenderOptions::default()).is_empty());
    }
}

#[test]
fn a_name_may_look_like_a_boolean_or_a_number() {
    for name in ["n", "Yes", "off", "true", "5", "1.5"] {
        let text = format!(
            "groups:\n- name: {name}\n  rules:\n  - alert: {name}\n    expr: up == 0\n    labels: {{y: on}}\n"
        );
        let read = input(&text);
        let rule = &read.rules[0];
        assert_eq!(rule.name, name);
        assert_eq!(rule.place, format!("rules.yaml: groups[{name}].rules[0].expr"));
        assert_eq!(rule.labels["y"], "on");
    }
}

#[test]
fn a_group_without_rules_is_a_group() {
    assert!(input("groups:\n- name: g\n  rules:\n").rules.is_empty());
    assert!(input("groups:\n").rules.is_empty());
}

#[test]
fn what_is_wrong_in_a_rule_file_is_told_with_its_place() {
    let group = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: up}\n";
    for (more, place) in [
        ("- name: {a: b}\n", "rules.yaml: groups[1]: "),
        ("- rules: []\n", "rules.yaml: groups[1]: "),
        ("- name: h\n  rules: 5\n", "rules.yaml: groups[1]: "),
        (
            "  - alert: [B]\n    expr: up\n",
            "rules.yaml: groups[g].rules[1]: ",
        ),
        ("  - alert: B\n", "rules.yaml: groups[g].rules[1]: "),
    ] {
        let documents = Document::of_file("rules.yaml", &format!("{group}{more}")).expect("YAML");
        let error = Input::default().add(&documents[0]).expect_err(more).to_string();
        assert!(error.starts_with(place), "{error}");
        assert!(!error.contains("neither"), "{error}");
    }
}

#[test]
fn what_is_no_rule_file_is_an_error_that_names_it() {
    let add = |text: &str| {
        let documents = Document::of_file("x.yaml", text)?;
        documents
            .iter()
            .try_for_each(|document| Input::default().add(document))
    };
    for text in ["kind: Pod\n", "groups: 5\n", "a: [", "just words"] {
        let error = add(text).expect_err(text);
        assert!(error.to_string().starts_with("x.yaml: "), "{error}");
    }
    assert!(add("").is_ok());
}
