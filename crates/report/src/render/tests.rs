use crate::{
    CellState, CheckResult, Confidence, Coverage, Evidence, Failure, FailureClass, Family, FamilyMatrix,
    Finding, Format, Gap, GapReason, Matrix, MatrixCell, Note, NoteKind, ProbePodInfo, ProbeState, Protocol,
    RenderOptions, Report, RootCause, Severity, Subject, Target, render,
};

fn state(source: usize, target: usize, protocol: Protocol) -> CellState {
    match (source, target, protocol) {
        (0, 1, _) => CellState::Failed {
            failure: Failure {
                class: FailureClass::Timeout,
                detail: "no answer in 4.0s".into(),
            },
        },
        (1, 0, Protocol::Udp) => CellState::Failed {
            failure: Failure {
                class: FailureClass::Refused,
                detail: "connection refused".into(),
            },
        },
        (1, 2, Protocol::Tcp) => CellState::Flaky {
            answered: 7,
            samples: 10,
            median_us: 300,
            worst_us: 900,
            failure: Failure {
                class: FailureClass::Timeout,
                detail: "no answer in 4.0s".into(),
            },
        },
        (2, 0, _) => CellState::Unknown {
            why: "cut off".into(),
        },
        _ => CellState::Ok {
            median_us: 300,
            worst_us: 12_000,
        },
    }
}

pub(super) fn matrix(names: &[&str]) -> Matrix {
    let cells = (0..names.len()).flat_map(|source| (0..names.len()).map(move |target| (source, target)));
    let cells = cells
        .filter(|(source, target)| *source != 2 || *target != 1)
        .map(|(source, target)| MatrixCell {
            source: names[source].to_owned(),
            target: names[target].to_owned(),
            probes: [Protocol::Tcp, Protocol::Udp]
                .into_iter()
                .map(|protocol| ProbeState {
                    protocol,
                    result: state(source, target, protocol),
                })
                .collect(),
            path_mtu: None,
            loss: Vec::new(),
        });
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let family = FamilyMatrix {
        family: Family::IPv4,
        sources: names.clone(),
        targets: names,
        cells: cells.collect(),
    };
    Matrix {
        coverage: Coverage::Full,
        bulk_bytes: None,
        families: vec![family],
    }
}

pub(super) fn report(names: &[&str]) -> Report {
    let subject = Subject::NodePair {
        from: names[0].to_owned(),
        to: names[1].to_owned(),
        both: false,
    };
    let mut finding = Finding::new(
        "net-mesh",
        Severity::Error,
        subject,
        "nothing gets through — größer",
        Evidence::probe("no answer in 4.0s", "tcp a → b"),
    );
    finding.hint = Some("look: `kubectl get nodes`".into());
    let gap = Gap {
        what: "answers of c".into(),
        why: GapReason::Truncated,
        message: "cut\u{1b}[31m off".into(),
        hint: Some("try again".into()),
    };
    let target = Target {
        command: "pod-to-pod".into(),
        server_version: None,
        nodes: Some(3),
        probe_namespace: None,
    };
    let findings = vec![finding];
    let checks = vec![
        CheckResult::judged("net-mesh", "packets pass", &findings, vec![gap]),
        CheckResult::skipped("net-p2p-icmp", "ICMP passes", "not permitted"),
    ];
    let mut report = Report::new(
        "test v0",
        target,
        "nothing gets through — größer; 4 of 9 pairs work",
        findings,
        checks,
    );
    report.matrix = Some(matrix(names));
    report.probe_pods = vec![ProbePodInfo {
        node: names[0].to_owned(),
        pod: "probe-a".into(),
        ips: vec!["10.0.0.1".into(), "fd00::1".into()],
        image: "registry.example/pause:3.10".into(),
        ready_after_ms: Some(940),
    }];
    report.notes = vec![Note {
        kind: NoteKind::Skipped,
        text: "d: tainted".into(),
        hint: None,
    }];
    report
}

pub(super) const SHORT: [&str; 3] = ["a", "b", "c"];
/// Names that have nothing in common.
const UNLIKE: [&str; 3] = [
    "first-of-all.machines.rack-7.example",
    "worker.behind-the-door.on-the-left.test",
    "the-one-that-was-bought-last.invalid",
];
const LONG: [&str; 3] = [
    "ip-10-0-101-23.eu-central-1.compute.internal",
    "ip-10-0-102-24.eu-central-1.compute.internal",
    "ip-10-0-103-25.eu-central-1.compute.internal",
];

fn plain() -> RenderOptions {
    RenderOptions {
        width: Some(90),
        ..RenderOptions::default()
    }
}

#[test]
fn a_page_reads_from_the_answer_to_what_was_not_seen() {
    let expected = "\
✗ nothing gets through — größer; 4 of 9 pairs work

  IPv4, median/worst of TCP connect and answer, · not probed
  from ↓ to →  a              b          c
  a            0.3/12ms       ✗ timeout  0.3/12ms
  b            ✗ udp refused  0.3/12ms   ~ tcp 7/10
  c            ?              ·          0.3/12ms

✗ node/a → node/b                                                                 net-mesh
    seen   tcp a → b: no answer in 4.0s
    hint   look:
           kubectl get nodes
    more   docs/checks.md#net-mesh

? not seen
    answers of c: cut^[[31m off
    hint: try again

· skipped
    d: tainted
    net-p2p-icmp: not permitted
";
    assert_eq!(render(&report(&SHORT), Format::Text, &plain()), expected);
}

#[test]
fn without_unicode_everything_is_ascii_and_says_the_same() {
    let text = render(
        &report(&SHORT),
        Format::Wide,
        &RenderOptions {
            unicode: false,
            ..plain()
        },
    );
    assert!(text.is_ascii(), "{text}");
    assert!(text.starts_with("FAIL: nothing gets through"), "{text}");
    assert!(
        text.contains("x timeout") && text.contains("node/a -> node/b"),
        "{text}"
    );
}

#[test]
fn colour_is_never_the_only_carrier_of_meaning() {
    for format in [Format::Text, Format::Wide] {
        let coloured = render(
            &report(&SHORT),
            format,
            &RenderOptions {
                colour: true,
                ..plain()
            },
        );
        assert!(coloured.contains("\u{1b}["));
        let mut bare = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once("\u{1b}[") {
            bare.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        bare.push_str(rest);
        assert_eq!(bare, render(&report(&SHORT), format, &plain()));
    }
}

#[test]
fn without_colour_nothing_escapes() {
    for format in [
        Format::Text,
        Format::Wide,
        Format::Json,
        Format::Yaml,
        Format::Name,
    ] {
        assert!(
            !render(&report(&SHORT), format, &plain()).contains('\u{1b}'),
            "{format:?}"
        );
    }
}

#[test]
fn names_that_are_too_long_for_columns_lose_what_they_share() {
    let text = render(&report(&LONG), Format::Text, &plain());
    assert!(
        text.contains("from ↓ to →  101-23         102-24     103-25\n"),
        "{text}"
    );
    assert!(
        text.contains("  names stand for * in ip-10-0-*.eu-central-1.compute.internal\n"),
        "{text}"
    );
}

#[test]
fn names_that_share_nothing_become_numbers() {
    let text = render(&report(&UNLIKE), Format::Text, &plain());
    assert!(
        text.contains("from ↓ to →") && text.contains("[1]") && text.contains("[2] worker.behind"),
        "{text}"
    );
    let table = text.lines().skip(2).take(5);
    assert!(table.into_iter().all(|line| line.chars().count() <= 90), "{text}");
}

#[test]
fn without_headers_names_stay_whole() {
    let text = render(
        &report(&LONG),
        Format::Text,
        &RenderOptions {
            no_headers: true,
            ..plain()
        },
    );
    assert!(
        !text.contains("names stand for") && text.contains("[1] ip-10-0-101-23.eu"),
        "{text}"
    );
}

#[test]
fn a_table_that_fits_nowhere_becomes_a_summary() {
    let text = render(
        &report(&UNLIKE),
        Format::Text,
        &RenderOptions {
            width: Some(60),
            ..plain()
        },
    );
    assert!(text.contains("tcp   5 of 8 pairs"), "{text}");
}

#[test]
fn headers_can_be_left_out() {
    let text = render(
        &report(&SHORT),
        Format::Wide,
        &RenderOptions {
            no_headers: true,
            ..plain()
        },
    );
    assert!(
        !text.contains("from ↓") && !text.contains("VERDICT") && !text.contains("PROBE POD"),
        "{text}"
    );
}

#[test]
fn wide_shows_each_protocol_the_pods_and_the_checks() {
    let text = render(&report(&SHORT), Format::Wide, &plain());
    for part in [
        "TCP connect",
        "UDP datagram",
        "PROBE POD",
        "10.0.0.1,fd00::1",
        "registry.example/pause:3.10",
        "CLAIM",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn json_and_yaml_are_one_document_of_the_same_content() {
    let report = report(&SHORT);
    let json: serde_json::Value =
        serde_json::from_str(&render(&report, Format::Json, &plain())).expect("one JSON document");
    let yaml: serde_json::Value =
        serde_saphyr::from_str(&render(&report, Format::Yaml, &plain())).expect("one YAML document");
    assert_eq!(json, yaml);
    assert_eq!(json["apiVersion"], "netcheck.dev/report/v1");
    assert_eq!(json["kind"], "Report");
    assert_eq!(json["verdict"], "fail");
    assert!(json["target"]["serverVersion"].is_null(), "absent is null");
}

#[test]
fn names_are_those_of_what_has_a_problem_each_once() {
    assert_eq!(
        render(&report(&SHORT), Format::Name, &plain()),
        "node/a\nnode/b\n"
    );
}

#[test]
fn stats_are_one_line_and_only_on_request() {
    let mut report = report(&SHORT);
    report.stats.api_calls = Some(19);
    report.stats.bytes_received = Some(61_440);
    assert!(!render(&report, Format::Text, &plain()).contains("stats:"));
    let text = render(
        &report,
        Format::Text,
        &RenderOptions {
            stats: true,
            ..plain()
        },
    );
    assert!(text.ends_with("stats: 19 API calls, 60 KiB received\n"), "{text}");
}

#[test]
fn what_follows_from_a_cause_is_told_once_and_not_without_end() {
    let pods = ["a", "a", "b", "c", "d", "e", "f", "g"];
    let mut findings = report(&SHORT).findings().to_vec();
    findings.extend(pods.iter().map(|pod| {
        Finding::new(
            "net-svc-ratio",
            Severity::Error,
            Subject::node("a"),
            format!("pod {pod} does not answer"),
            Evidence::probe("no answer in 4.0s", "tcp a → b"),
        )
    }));
    let first = report(&SHORT);
    let mut report = Report::new(
        "test v0",
        first.target.clone(),
        "broken",
        findings,
        first.checks().to_vec(),
    );
    report.root_causes = vec![RootCause {
        id: "cni-route".to_owned(),
        summary: "a has no route".to_owned(),
        subject: Subject::node("a"),
        confidence: Confidence::Certain {
            reason: "it was read".to_owned(),
        },
        evidence: vec![Evidence::command("nothing", "ip route")],
        explains: vec!["net-svc-ratio".to_owned()],
        ruled_out: Vec::new(),
        fix: None,
        verify: None,
    }];
    let text = render(&report, Format::Text, &plain());
    let so: Vec<&str> = text.lines().filter(|line| line.starts_with("    so ")).collect();
    assert_eq!(so.len(), 6, "{text}");
    assert!(so[0].ends_with("pod a does not answer") && so[1].ends_with("pod b does not answer"));
    assert!(text.contains("… and 1 more"), "{text}");
}
