use std::collections::BTreeSet;

use prometheus_parse::{Scrape, Value};

use super::*;
use crate::render::tests::{SHORT, report};

fn scrape(report: &Report) -> (String, Scrape) {
    let text = prometheus(report);
    let lines = text.lines().map(|line| Ok(line.to_owned()));
    (text.clone(), Scrape::parse(lines).expect("it parses"))
}

fn value(scrape: &Scrape, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let mut found = scrape.samples.iter().filter(|sample| {
        sample.metric == name
            && labels
                .iter()
                .all(|(label, value)| sample.labels.get(label) == Some(*value))
    });
    let sample = found.next()?;
    assert!(found.next().is_none(), "{name} {labels:?} is one sample");
    match sample.value {
        Value::Gauge(value) => Some(value),
        ref other => panic!("{name} is a gauge, not {other:?}"),
    }
}

#[test]
fn what_a_report_says_is_read_back_by_a_parser() {
    let mut report = report(&SHORT);
    report.taken_at = Some("2026-01-02T03:04:05.678Z".into());
    report.stats.api_calls = Some(19);
    let (text, scrape) = scrape(&report);
    let of = |name, labels: &[_]| value(&scrape, name, labels);
    assert_eq!(of("netcheck_verdict", &[("verdict", "fail")]), Some(1.0));
    assert_eq!(of("netcheck_verdict", &[("verdict", "pass")]), Some(0.0));
    assert_eq!(of("netcheck_checks", &[("verdict", "skipped")]), Some(1.0));
    assert_eq!(
        of(
            "netcheck_findings",
            &[("check", "net-mesh"), ("severity", "error")]
        ),
        Some(1.0)
    );
    assert_eq!(of("netcheck_gaps", &[]), Some(1.0));
    let tcp = |state| {
        of(
            "netcheck_pairs",
            &[("family", "IPv4"), ("protocol", "tcp"), ("state", state)],
        )
    };
    assert_eq!(
        (tcp("ok"), tcp("flaky"), tcp("failed"), tcp("unknown")),
        (Some(5.0), Some(1.0), Some(1.0), Some(1.0))
    );
    assert_eq!(of("netcheck_run_api_calls", &[]), Some(19.0));
    assert_eq!(
        of("netcheck_run_received_bytes", &[]),
        None,
        "what was not measured has no sample"
    );
    assert_eq!(of("netcheck_run_timestamp_seconds", &[]), Some(1_767_323_045.0));
    assert!(text.ends_with('\n'));
}

#[test]
fn what_is_not_known_of_a_pair_has_no_sample() {
    let (_, scrape) = scrape(&report(&SHORT));
    let of = |name, source, target| {
        value(
            &scrape,
            name,
            &[
                ("source_node", source),
                ("target_node", target),
                ("protocol", "tcp"),
            ],
        )
    };
    assert_eq!(of("netcheck_pair_rtt_median_seconds", "a", "a"), Some(0.0003));
    assert_eq!(of("netcheck_pair_answered_ratio", "b", "c"), Some(0.7));
    assert_eq!(of("netcheck_pair_answered_ratio", "a", "b"), Some(0.0));
    assert_eq!(of("netcheck_pair_rtt_median_seconds", "a", "b"), None);
    assert_eq!(of("netcheck_pair_answered_ratio", "c", "a"), None);
}

#[test]
fn the_format_s_rules_are_kept_whatever_names_a_cluster_has() {
    let hostile = ["a\"} 1\nevil 1", "b\\", "c\u{1b}[31m"];
    let (text, scrape) = scrape(&report(&hostile));
    assert!(
        scrape
            .samples
            .iter()
            .all(|sample| sample.metric.starts_with("netcheck_")),
        "{text}"
    );
    let mut series = BTreeSet::new();
    let mut finished = BTreeSet::new();
    let mut current = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            finished.insert(current);
            current = rest.split(' ').next().expect("a name");
            assert!(!finished.contains(current), "{current} stands together");
            let units = ["_info", "_seconds", "_bytes", "_ratio"];
            let counted = [
                "verdict",
                "checks",
                "gaps",
                "findings",
                "pairs",
                "tries",
                "nodes",
                "api_calls",
                "probes",
            ];
            assert!(
                units.iter().any(|unit| current.ends_with(unit))
                    || counted.iter().any(|it| current.ends_with(it)),
                "{current} ends in its unit or in what it counts"
            );
        } else if !line.starts_with('#') {
            let (name, _) = line.rsplit_once(' ').expect("a value");
            assert!(name.starts_with(current), "{line} follows its TYPE");
            assert!(series.insert(name.to_owned()), "{name} once");
            assert!(name.contains("{plugin=\"test\",command=\"pod-to-pod\""), "{name}");
        }
    }
}
