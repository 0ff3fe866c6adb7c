//! That each check is seen to find, to pass and to be unable to tell.
//!
//! A case folder whose report holds the verdict shows it. So does a unit test in the check's own file (`net_ipfwd.rs`, or
//! a file in `net_ipfwd/`) that calls [`finds`], [`passes`] or [`cannot_tell`] with its `CHECK`: they judge the observation
//! and compare, so that the call cannot be there without being true.

use std::path::{Path, PathBuf};

use observation::Observation;
use report::{CheckResult, Finding, Gap, Report, Verdict};

use crate::check::{CHECKS, Check, Judgement};
use crate::view::View;

/// What has to be shown of every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Finds,
    Passes,
    CannotTell,
}

const ALL: [Shown; 3] = [Shown::Finds, Shown::Passes, Shown::CannotTell];

/// Checks of which something cannot be shown, and why that is no gap in the tests.
const EXCEPTIONS: &[(&str, Shown, &str)] = &[];

impl Shown {
    fn call(self) -> &'static str {
        match self {
            Self::Finds => "shown::finds(&CHECK,",
            Self::Passes => "shown::passes(&CHECK,",
            Self::CannotTell => "shown::cannot_tell(&CHECK,",
        }
    }

    fn by(self, id: &str, report: &Report) -> bool {
        let verdict = |verdict| {
            report
                .checks()
                .iter()
                .any(|result| result.id == id && result.verdict() == verdict)
        };
        match self {
            Self::Finds => report.findings().iter().any(|finding| finding.concerns(id)),
            Self::Passes => verdict(Verdict::Pass),
            Self::CannotTell => verdict(Verdict::Unknown),
        }
    }
}

/// The findings of a check that has some.
#[track_caller]
pub(crate) fn finds(check: &Check, observation: &Observation) -> Vec<Finding> {
    let judgement = judged(check, observation);
    assert!(
        says(check, &judgement, Shown::Finds),
        "{} finds nothing",
        check.id
    );
    for finding in &judgement.findings {
        assert!(finding.concerns(check.id), "{} finds {finding:?}", check.id);
        assert!(!finding.evidence.is_empty(), "no evidence: {finding:?}");
    }
    judgement.findings
}

/// Sees a check pass.
#[track_caller]
pub(crate) fn passes(check: &Check, observation: &Observation) {
    let judgement = judged(check, observation);
    assert!(says(check, &judgement, Shown::Passes), "{judgement:?}");
}

/// The gaps of a check that is neither pass nor fail because of them.
#[track_caller]
pub(crate) fn cannot_tell(check: &Check, observation: &Observation) -> Vec<Gap> {
    let judgement = judged(check, observation);
    assert!(says(check, &judgement, Shown::CannotTell), "{judgement:?}");
    judgement.gaps
}

fn judged(check: &Check, observation: &Observation) -> Judgement {
    (check.judge)(&View::new(observation))
}

fn says(check: &Check, judgement: &Judgement, shown: Shown) -> bool {
    match shown {
        Shown::Finds => !judgement.findings.is_empty(),
        Shown::Passes => verdict(check, judgement) == Verdict::Pass,
        Shown::CannotTell => verdict(check, judgement) == Verdict::Unknown,
    }
}

fn verdict(check: &Check, judgement: &Judgement) -> Verdict {
    match &judgement.skipped {
        Some(reason) => CheckResult::skipped(check.id, check.claim, reason.clone()).verdict(),
        None => Verdict::of(&judgement.findings, &judgement.gaps),
    }
}

/// The text of the files in which a check and its tests are, without space: a long call is broken into lines.
fn source(id: &str) -> String {
    let name = id.replace('-', "_");
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let belongs = |path: &PathBuf| {
        let stem = path.file_stem().is_some_and(|stem| *stem == *name);
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|folder| *folder == *name);
        stem || folder
    };
    let texts = files
        .iter()
        .filter(|path| belongs(path))
        .map(|path| std::fs::read_to_string(path).expect("a source file can be read"));
    texts
        .flat_map(|text| text.chars().filter(|c| !c.is_whitespace()).collect::<Vec<_>>())
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_check_is_seen_to_find_to_pass_and_to_be_unable_to_tell() {
    let reports = crate::cases::reports();
    let mut missing = Vec::new();
    for check in CHECKS {
        let source = source(check.id);
        for shown in ALL {
            let by_case = reports.iter().any(|report| shown.by(check.id, report));
            let by_test = source.contains(shown.call());
            let excepted = EXCEPTIONS
                .iter()
                .any(|(id, what, _)| *id == check.id && *what == shown);
            if by_case || by_test {
                assert!(!excepted, "{} is shown: it needs no exception", check.id);
            } else if !excepted {
                missing.push(format!(
                    "{}: no case shows {shown:?}, and no test calls {}",
                    check.id,
                    shown.call()
                ));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn what_the_unit_tests_of_checks_call_tells_verdicts_apart() {
    let case = |text: &str| Observation::from_bundle(text).expect("a case is a bundle");
    let healthy = case(include_str!("../cases/healthy/observation.json"));
    let cut_off = case(include_str!("../cases/node-cut-off/observation.json"));
    let lost = case(include_str!("../cases/answers-lost/observation.json"));
    let check = &crate::path::net_mesh::CHECK;
    passes(check, &healthy);
    assert_eq!(finds(check, &cut_off).len(), 1);
    assert_eq!(cannot_tell(check, &lost).len(), 1);
    for (observation, right) in [
        (&healthy, Shown::Passes),
        (&cut_off, Shown::Finds),
        (&lost, Shown::CannotTell),
    ] {
        let judgement = judged(check, observation);
        let said: Vec<Shown> = ALL
            .into_iter()
            .filter(|shown| says(check, &judgement, *shown))
            .collect();
        assert_eq!(said, [right]);
    }
}
