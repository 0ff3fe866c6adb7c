//! What is known about metrics: of which program they are, since and until when, and which labels they have.
//!
//! Sources: the documentation of kube-state-metrics 2.10 to 2.14, CoreDNS 1.6 to 1.13, kube-proxy 1.28 to 1.35 and node_exporter.

mod table;

pub(crate) use table::{METRICS, NEVER};

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Grows only.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, with a sum and a count.
    Histogram,
    /// Always 1; what it says is in its labels.
    Info,
    /// 0 or 1, one series for each value of a label.
    State,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The program that exports it, as its own project writes it.
    pub(crate) by: &'static str,
    /// Its own labels, besides those of the target.
    pub(crate) labels: &'static [&'static str],
    /// As `gone since kube-state-metrics 2.14: use …`; `None` where it is current.
    pub(crate) gone: Option<&'static str>,
}

/// Families of which every metric is in the table: what begins so and is not there does not exist. All plugins write
/// `netcheck_`; of the other three there is nothing by their own names.
pub(crate) const COMPLETE: [&str; 6] = [
    "coredns_",
    "kubeproxy_",
    "netcheck_",
    "dnscheck_",
    "epcheck_",
    "cnicheck_",
];

/// Labels that a scrape adds, by the usual configurations. They may stand at any metric.
pub(crate) const OF_TARGETS: [&str; 19] = [
    "job",
    "instance",
    "namespace",
    "pod",
    "service",
    "endpoint",
    "container",
    "node",
    "cluster",
    "prometheus",
    "prometheus_replica",
    "kubernetes_namespace",
    "kubernetes_pod_name",
    "kubernetes_node",
    "app",
    "k8s_app",
    "metrics_path",
    "region",
    "zone",
];

/// A metric by the name of one of its series: a histogram also by its buckets, sum and count.
pub(crate) fn metric(series: &str) -> Option<&'static Metric> {
    let exactly = METRICS.iter().find(|metric| metric.name == series);
    exactly.or_else(|| {
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| series.strip_suffix(suffix))?;
        METRICS
            .iter()
            .find(|metric| metric.name == base && metric.kind == Kind::Histogram)
    })
}

/// The labels of a series, besides those of its target; `None` where the metric is not known.
pub(crate) fn labels_of(series: &str) -> Option<Vec<&'static str>> {
    let metric = metric(series)?;
    let mut labels = metric.labels.to_vec();
    if metric.kind == Kind::Histogram && series.ends_with("_bucket") {
        labels.push("le");
    }
    Some(labels)
}

/// Whether a series only ever grows.
pub(crate) fn is_counter(series: &str) -> bool {
    match metric(series) {
        Some(metric) => match metric.kind {
            Kind::Counter | Kind::Histogram => true,
            Kind::Gauge | Kind::Info | Kind::State => false,
        },
        None => series.ends_with("_total"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use report::{
        CellState, CheckResult, Confidence, Coverage, Evidence, Family, FamilyMatrix, Finding, Format, Loss,
        Matrix, MatrixCell, PathMtu, PhaseStats, ProbeState, Protocol, RenderOptions, Report, RootCause,
        Severity, Stats, Subject, Target, Tried, TriedFrom, render,
    };

    use super::*;

    /// A report that has a sample of everything.
    fn full() -> Report {
        let works = || CellState::Ok {
            median_us: 300,
            worst_us: 900,
        };
        let evidence = || Evidence::probe("no answer", "tcp a → b");
        let target = Target {
            command: "pod-to-pod".into(),
            server_version: Some("v1.35.0".into()),
            nodes: Some(2),
            probe_namespace: None,
        };
        let findings = vec![Finding::new(
            "net-mesh",
            Severity::Error,
            Subject::Cluster,
            "nothing gets through",
            evidence(),
        )];
        let checks = vec![CheckResult::judged(
            "net-mesh",
            "packets pass",
            &findings,
            Vec::new(),
        )];
        let mut report = Report::new("kubectl-netcheck v0.1.0", target, "nothing", findings, checks);
        report.taken_at = Some("2026-01-02T03:04:05Z".into());
        report.root_causes = vec![RootCause {
            id: "net-mesh".into(),
            summary: "the way is broken".into(),
            subject: Subject::Cluster,
            confidence: Confidence::Suspect { reason: "so".into() },
            evidence: vec![evidence()],
            explains: Vec::new(),
            ruled_out: Vec::new(),
            fix: None,
            verify: None,
        }];
        let cell = MatrixCell {
            source: "a".into(),
            target: "b".into(),
            probes: vec![ProbeState {
                protocol: Protocol::Tcp,
                result: works(),
            }],
            path_mtu: Some(PathMtu {
                passes: 1_450,
                sends: 1_450,
                told_by: None,
            }),
            loss: vec![Loss {
                bytes: 100,
                sent: 10,
                lost_there: None,
                lost_back: None,
                lost: 1,
            }],
        };
        report.matrix = Some(Matrix {
            coverage: Coverage::Full,
            bulk_bytes: None,
            families: vec![FamilyMatrix {
                family: Family::IPv4,
                sources: vec!["a".into()],
                targets: vec!["b".into()],
                cells: vec![cell],
            }],
        });
        report.tried = vec![Tried {
            subject: Subject::Cluster,
            way: "ClusterIP".into(),
            address: "10.96.0.7:80/tcp".into(),
            control: false,
            expected: "answer".into(),
            results: vec![TriedFrom {
                source: "a".into(),
                result: works(),
                as_expected: Some(true),
            }],
        }];
        report.stats = Stats {
            api_calls: Some(1),
            bytes_received: Some(1),
            bytes_sent: Some(1),
            probes: Some(1),
            phases: vec![PhaseStats {
                name: "observe".into(),
                took_ms: 1,
            }],
        };
        report
    }

    #[test]
    fn our_own_metrics_are_those_that_a_report_is_written_as() {
        let text = render(&full(), Format::Prometheus, &RenderOptions::default());
        let mut written: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, rest) = line.split_once('{').expect("every sample has labels");
            // Every label but the first follows a comma and comes before an equals sign.
            let labels = rest.split("=\"").filter_map(|part| {
                let label = part.rsplit(',').next()?;
                (!label.contains('}')).then_some(label)
            });
            written.entry(name).or_default().extend(labels);
        }
        let known: BTreeMap<&str, BTreeSet<&str>> = METRICS
            .iter()
            .filter(|metric| {
                ["netcheck_", "dnscheck_", "epcheck_", "cnicheck_"]
                    .iter()
                    .any(|ours| metric.name.starts_with(ours))
            })
            .map(|metric| (metric.name, metric.labels.iter().copied().collect()))
            .collect();
        assert_eq!(written, known, "{text}");
    }

    #[test]
    fn a_metric_stands_once() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
    }

    #[test]
    fn a_histogram_is_known_by_its_parts() {
        assert_eq!(
            metric("coredns_dns_request_duration_seconds_bucket").map(|metric| metric.name),
            Some("coredns_dns_request_duration_seconds")
        );
        assert!(
            labels_of("coredns_dns_request_duration_seconds_bucket")
                .is_some_and(|labels| labels.contains(&"le"))
        );
        assert!(metric("coredns_panics_total_bucket").is_none());
    }
}
