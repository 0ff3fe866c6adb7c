//! A report as JUnit XML, the form in which build servers read results.
//!
//! One suite for the run, one case for each check. What could not be seen is an error and never a pass: a build server
//! that shows green must have seen it. There is no standard; what is written keeps to the schema of Jenkins' xUnit plugin
//! (`junit-10.xsd`), the narrowest of those that are in use.

use std::fmt::Write as _;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::RenderOptions;
use super::sanitize::sanitize;
use crate::{CheckResult, Evidence, FailOn, Finding, Gap, Origin, Report, Severity, Verdict};

/// What a build server is told of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failure,
    Error,
    Skipped,
}

pub(super) fn junit(report: &Report, options: &RenderOptions) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut writer, report, options).expect("writing to memory does not fail");
    let mut text = String::from_utf8(writer.into_inner()).expect("what was written is text");
    text.push('\n');
    text
}

fn write(writer: &mut Writer<Vec<u8>>, report: &Report, options: &RenderOptions) -> io::Result<()> {
    let outcomes: Vec<Outcome> = report
        .checks()
        .iter()
        .map(|check| outcome(check, report, options.fail_on))
        .collect();
    let count = |wanted| {
        outcomes
            .iter()
            .filter(|outcome| **outcome == wanted)
            .count()
            .to_string()
    };
    let name = sanitize(&format!("kubectl {} {}", report.plugin(), report.target.command));
    let took: Vec<u64> = report.stats.phases.iter().map(|phase| phase.took_ms).collect();
    let took = (!took.is_empty()).then(|| {
        let took: u64 = took.iter().sum();
        format!("{}.{:03}", took / 1000, took % 1000)
    });
    let tests = outcomes.len().to_string();
    let (failures, errors, skipped) = (
        count(Outcome::Failure),
        count(Outcome::Error),
        count(Outcome::Skipped),
    );
    let mut counts = vec![
        ("tests", tests.as_str()),
        ("failures", &failures),
        ("errors", &errors),
    ];
    counts.extend(took.as_deref().map(|took| ("time", took)));
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = writer
        .create_element("testsuites")
        .with_attribute(("name", name.as_str()))
        .with_attributes(counts.iter().copied());
    suites.write_inner_content(|writer| {
        let mut suite = writer
            .create_element("testsuite")
            .with_attribute(("name", name.as_str()))
            .with_attributes(counts.iter().copied())
            // The schema allows it here, and not of all suites together.
            .with_attribute(("skipped", skipped.as_str()));
        if let Some(taken_at) = &report.taken_at {
            suite = suite.with_attribute(("timestamp", sanitize(taken_at).as_str()));
        }
        suite.write_inner_content(|writer| {
            for (check, outcome) in report.checks().iter().zip(outcomes) {
                write_case(writer, report, check, outcome)?;
            }
            let page = super::page::page(report, &plain(options), false);
            lines(writer, "system-out", &page)
        })?;
        Ok(())
    })?;
    Ok(())
}

/// The options of a page for a file.
fn plain(options: &RenderOptions) -> RenderOptions {
    RenderOptions {
        colour: false,
        unicode: true,
        ..*options
    }
}

fn outcome(check: &CheckResult, report: &Report, fail_on: FailOn) -> Outcome {
    let warned = concerning(check, report).any(|finding| finding.severity == Severity::Warning);
    match (check.verdict(), fail_on) {
        (Verdict::Fail, _) => Outcome::Failure,
        (Verdict::Warn | Verdict::Unknown, FailOn::Warning) if warned => Outcome::Failure,
        (Verdict::Unknown, _) => Outcome::Error,
        (Verdict::Skipped, _) => Outcome::Skipped,
        (Verdict::Pass | Verdict::Warn, _) => Outcome::Passed,
    }
}

fn concerning<'a>(check: &'a CheckResult, report: &'a Report) -> impl Iterator<Item = &'a Finding> {
    report
        .findings()
        .iter()
        .filter(|finding| finding.concerns(&check.id))
}

fn write_case(
    writer: &mut Writer<Vec<u8>>,
    report: &Report,
    check: &CheckResult,
    outcome: Outcome,
) -> io::Result<()> {
    let findings: Vec<&Finding> = concerning(check, report).collect();
    let mut found = String::new();
    for finding in &findings {
        describe(&mut found, finding);
    }
    let mut unseen = String::new();
    for gap in check.gaps() {
        describe_gap(&mut unseen, gap);
    }
    let class = sanitize(&format!("{}.{}", report.plugin(), report.target.command));
    let case = writer
        .create_element("testcase")
        .with_attribute(("name", check.id.as_str()))
        .with_attribute(("classname", class.as_str()));
    case.write_inner_content(|writer| {
        let mut aside = format!("{}\n", sanitize(&check.claim));
        match outcome {
            Outcome::Passed => aside.push_str(&found),
            Outcome::Failure => {
                let message = findings.first().map_or("", |finding| finding.summary.as_str());
                problem(writer, "failure", &check.id, message, &found)?;
                aside.push_str(&unseen);
            }
            Outcome::Error => {
                let message = check.gaps().first().map_or_else(String::new, |gap| {
                    format!("could not see {}: {}", gap.what, gap.message)
                });
                problem(writer, "error", "could-not-tell", &message, &unseen)?;
                aside.push_str(&found);
            }
            Outcome::Skipped => {
                let reason = sanitize(check.skip_reason().unwrap_or_default());
                writer
                    .create_element("skipped")
                    .with_attribute(("message", reason.as_str()))
                    .write_empty()?;
            }
        }
        lines(writer, "system-out", &aside)
    })?;
    Ok(())
}

fn problem(
    writer: &mut Writer<Vec<u8>>,
    element: &str,
    kind: &str,
    message: &str,
    text: &str,
) -> io::Result<()> {
    writer
        .create_element(element)
        .with_attribute(("type", kind))
        .with_attribute(("message", sanitize(message).as_str()))
        .write_text_content(BytesText::new(text))?;
    Ok(())
}

fn lines(writer: &mut Writer<Vec<u8>>, element: &str, text: &str) -> io::Result<()> {
    writer
        .create_element(element)
        .write_text_content(BytesText::new(text))?;
    Ok(())
}

fn describe(text: &mut String, finding: &Finding) {
    let _ = writeln!(
        text,
        "{}: {}",
        sanitize(&finding.subject.to_string()),
        sanitize(&finding.summary)
    );
    for Evidence { fact, from } in &finding.evidence {
        let (Origin::Command { command: from }
        | Origin::Field { path: from }
        | Origin::Probe { probe: from }) = from;
        let _ = writeln!(text, "  seen: {} ({})", sanitize(fact), sanitize(from));
    }
    if let Some(hint) = &finding.hint {
        let _ = writeln!(text, "  hint: {}", sanitize(hint));
    }
}

fn describe_gap(text: &mut String, gap: &Gap) {
    let _ = writeln!(
        text,
        "could not see {}: {}",
        sanitize(&gap.what),
        sanitize(&gap.message)
    );
    if let Some(hint) = &gap.hint {
        let _ = writeln!(text, "  hint: {}", sanitize(hint));
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;

    use super::*;
    use crate::{GapReason, PhaseStats, Subject, Target};

    fn report() -> Report {
        let finding = |id: &str, severity| {
            Finding::new(
                id,
                severity,
                Subject::node("node<3>"),
                "it \"breaks\" & \u{1b}[2J",
                Evidence::command("a < b", "kubectl get node node3"),
            )
        };
        let findings = vec![
            finding("fails", Severity::Error),
            finding("warns", Severity::Warning),
        ];
        let gap = Gap {
            what: "nodes".into(),
            why: GapReason::NotServed,
            message: "not served".into(),
            hint: None,
        };
        let checks = vec![
            CheckResult::judged("fails", "it holds", &findings, vec![gap.clone()]),
            CheckResult::judged("warns", "it holds", &findings, Vec::new()),
            CheckResult::judged("unknown", "it holds", &findings, vec![gap]),
            CheckResult::judged("passes", "it holds", &findings, Vec::new()),
            CheckResult::skipped("skipped", "it holds", "nobody asked"),
        ];
        let target = Target {
            command: "pod-to-pod".into(),
            server_version: None,
            nodes: None,
            probe_namespace: None,
        };
        let mut report = Report::new("test", target, "it breaks", findings, checks);
        report.taken_at = Some("2026-01-02T03:04:05Z".into());
        report.stats.phases = vec![PhaseStats {
            name: "probe".into(),
            took_ms: 1_005,
        }];
        report
    }

    fn case<'a>(text: &'a str, id: &str) -> &'a str {
        let start = text.find(&format!("<testcase name=\"{id}\"")).expect("a case");
        let rest = &text[start..];
        &rest[..rest.find("</testcase>").expect("its end")]
    }

    #[test]
    fn every_check_is_a_case_with_its_outcome() {
        let text = junit(&report(), &RenderOptions::default());
        assert!(text.contains(
            "tests=\"5\" failures=\"1\" errors=\"1\" time=\"1.005\" skipped=\"1\" timestamp=\"2026-01-02T03:04:05Z\""
        ), "{text}");
        assert!(case(&text, "fails").contains("<failure type=\"fails\""));
        assert!(
            case(&text, "unknown")
                .contains("<error type=\"could-not-tell\" message=\"could not see nodes: not served\"")
        );
        assert!(case(&text, "skipped").contains("<skipped message=\"nobody asked\"/>"));
        for passed in ["passes", "warns"] {
            let case = case(&text, passed);
            assert!(!case.contains("<failure") && !case.contains("<error"), "{case}");
        }
    }

    #[test]
    fn nothing_is_written_that_the_schema_does_not_know() {
        let known = |element: &str| -> (&[&str], &[&str]) {
            match element {
                "testsuites" => (&["testsuite"], &["name", "time", "tests", "failures", "errors"]),
                "testsuite" => (
                    &["testcase", "system-out"],
                    &[
                        "name",
                        "tests",
                        "failures",
                        "errors",
                        "time",
                        "skipped",
                        "timestamp",
                    ],
                ),
                "testcase" => (
                    &["failure", "error", "skipped", "system-out"],
                    &["name", "classname"],
                ),
                "failure" | "error" | "skipped" => (&[], &["type", "message"]),
                "system-out" => (&[], &[]),
                other => panic!("{other} is no element of it"),
            }
        };
        let text = junit(&report(), &RenderOptions::default());
        let mut reader = Reader::from_str(&text);
        reader.config_mut().expand_empty_elements = true;
        let mut open: Vec<String> = Vec::new();
        let mut seen = 0;
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Eof => break,
                Event::Start(start) => {
                    let name = start.name().as_ref().to_owned();
                    if let Some(parent) = open.last() {
                        assert!(known(parent).0.contains(&name.as_str()), "{name} in {parent}");
                    }
                    for attribute in start.attributes() {
                        let attribute = attribute.expect("well-formed");
                        let key = attribute.key.as_ref();
                        assert!(known(&name).1.contains(&key), "{key} of {name}");
                    }
                    open.push(name);
                    seen += 1;
                }
                Event::End(_) => {
                    open.pop();
                }
                _ => {}
            }
        }
        assert!(seen > 12, "{seen}");
    }

    #[test]
    fn it_is_named_after_the_plugin_that_looked() {
        let mut report = report();
        report.tool = "kubectl-epcheck v0.1.0".into();
        let text = junit(&report, &RenderOptions::default());
        assert!(
            text.contains("<testsuites name=\"kubectl epcheck pod-to-pod\""),
            "{text}"
        );
        assert!(case(&text, "passes").contains("classname=\"epcheck.pod-to-pod\""));
    }

    #[test]
    fn a_warning_is_a_failure_where_it_counts_as_one() {
        let options = RenderOptions {
            fail_on: FailOn::Warning,
            ..RenderOptions::default()
        };
        let text = junit(&report(), &options);
        assert!(case(&text, "warns").contains("<failure"), "{text}");
        assert!(text.contains("failures=\"2\""));
    }

    #[test]
    fn what_a_cluster_says_breaks_no_document() {
        let text = junit(&report(), &RenderOptions::default());
        assert!(!text.contains('\u{1b}'));
        let mut reader = Reader::from_str(&text);
        let mut messages = Vec::new();
        loop {
            match reader.read_event().expect("well-formed") {
                Event::Eof => break,
                Event::Start(start) if start.name().as_ref() == "failure" => {
                    let message = start
                        .try_get_attribute("message")
                        .expect("well-formed")
                        .expect("a message");
                    messages.push(
                        message
                            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                            .expect("unescapes")
                            .into_owned(),
                    );
                }
                _ => {}
            }
        }
        assert_eq!(messages, ["it \"breaks\" & ^[[2J"]);
    }
}
