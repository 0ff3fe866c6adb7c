//! What a report said, held against what it must say.

use std::fmt;

use anyhow::{Context, Result};
use report::Subject;
use serde::Deserialize;

use crate::corpus::matches;
use crate::fault::{Expected, ExpectedCause, Verdict};

/// The parts of a report that are compared.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    pub(crate) root_causes: Vec<Cause>,
    pub(crate) findings: Vec<Found>,
    pub(crate) stats: Stats,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Cause {
    pub(crate) id: String,
    pub(crate) subject: Subject,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) severity: String,
    pub(crate) subject: Subject,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stats {
    pub(crate) api_calls: Option<u64>,
}

impl Said {
    /// Reads the document of `-o json`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("read the report")
    }

    fn is_blamed(&self, pattern: &str) -> Option<String> {
        let causes = self.root_causes.iter().map(|one| (&one.id, &one.subject));
        let errors = self.findings.iter().filter(|one| one.severity == "error");
        let errors = errors.map(|one| (&one.id, &one.subject));
        causes
            .chain(errors)
            .find(|(id, subject)| is_meant(pattern, id, &subject.to_string()))
            .map(|(id, subject)| format!("{id} {subject}"))
    }
}

/// How a fault was found, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The causes are the first that the report names.
    NamedFirst {
        /// Further causes that it names, which nothing asked for.
        also: Vec<String>,
    },
    /// A healthy cluster about which nothing was said.
    Silent,
    /// The cause is named, but not first, or not all of several.
    Among {
        /// What the report names, in its order.
        causes: Vec<String>,
    },
    /// The verdict is right, but no cause is named.
    Detected,
    /// The verdict is wrong and nothing is blamed.
    Missed {
        /// What it said.
        verdict: Verdict,
    },
    /// Something is blamed that is healthy.
    WrongBlame {
        /// What.
        blamed: Vec<String>,
    },
    /// There was no report.
    NoReport {
        /// Why.
        why: String,
    },
    /// Nobody was asked.
    Injected,
    /// Not tried: the plugin that would find it does not exist.
    Pending {
        /// Why.
        why: String,
    },
    /// The fault was not there: a failure of the corpus, which says nothing about the plugin.
    NotInjected {
        /// What did not hold.
        why: String,
    },
}

impl Outcome {
    /// In two words, for the board.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::NamedFirst { .. } => "named first",
            Self::Silent => "silent",
            Self::Among { .. } => "among the causes",
            Self::Detected => "only detected",
            Self::Missed { .. } => "missed",
            Self::WrongBlame { .. } => "WRONG BLAME",
            Self::NoReport { .. } => "NO REPORT",
            Self::Injected => "injected",
            Self::Pending { .. } => "pending",
            Self::NotInjected { .. } => "NOT INJECTED",
        }
    }

    /// Whether it is all that can be asked for.
    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::NamedFirst { .. } | Self::Silent | Self::Injected)
    }
}

/// What there is to say beyond the word.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NamedFirst { also } if also.is_empty() => Ok(()),
            Self::NamedFirst { also } => write!(f, "also names {}", also.join(", ")),
            Self::Silent | Self::Detected | Self::Injected => Ok(()),
            Self::Among { causes } => write!(f, "names {}", causes.join(", ")),
            Self::Missed { verdict } => write!(f, "says {verdict:?}"),
            Self::WrongBlame { blamed } => write!(f, "blames {}", blamed.join(", ")),
            Self::NoReport { why } | Self::Pending { why } | Self::NotInjected { why } => f.write_str(why),
        }
    }
}

/// Judges a report. A forbidden blame outweighs everything else that it says.
pub(crate) fn compare(expected: &Expected, said: &Said) -> Outcome {
    let is_control = expected.causes.is_empty();
    let mut blamed: Vec<String> = expected
        .forbidden
        .iter()
        .filter_map(|pattern| said.is_blamed(pattern))
        .collect();
    if is_control {
        // Nothing is wrong, so everything that is blamed is blamed wrongly.
        blamed.extend(said.is_blamed("*"));
    }
    blamed.dedup();
    if !blamed.is_empty() {
        return Outcome::WrongBlame { blamed };
    }
    let right_verdict = expected.verdict.all().contains(&said.verdict);
    if is_control {
        return if right_verdict {
            Outcome::Silent
        } else {
            Outcome::Missed {
                verdict: said.verdict,
            }
        };
    }
    causes(expected, said).unwrap_or(if right_verdict {
        Outcome::Detected
    } else {
        Outcome::Missed {
            verdict: said.verdict,
        }
    })
}

/// Judges the causes that a report names, if it names any.
fn causes(expected: &Expected, said: &Said) -> Option<Outcome> {
    if said.root_causes.is_empty() {
        return None;
    }
    let names = |causes: &[&Cause]| -> Vec<String> {
        causes
            .iter()
            .map(|one| format!("{} {}", one.id, one.subject))
            .collect()
    };
    let all: Vec<&Cause> = said.root_causes.iter().collect();
    let is_right = |cause: &&Cause| expected.causes.iter().any(|one| is_it(one, cause));
    let found = |among: &[&Cause]| {
        expected
            .causes
            .iter()
            .filter(|one| among.iter().any(|cause| is_it(one, cause)))
            .count()
    };
    let first = &all[..all.len().min(expected.causes.len())];
    Some(if found(&all) == 0 {
        Outcome::WrongBlame { blamed: names(&all) }
    } else if found(first) == expected.causes.len() {
        let also: Vec<&Cause> = all.iter().copied().filter(|cause| !is_right(cause)).collect();
        Outcome::NamedFirst { also: names(&also) }
    } else {
        Outcome::Among { causes: names(&all) }
    })
}

fn is_it(expected: &ExpectedCause, cause: &Cause) -> bool {
    let subject = cause.subject.to_string();
    (expected.check == cause.id || expected.acceptable.contains(&cause.id))
        && expected
            .subject
            .all()
            .iter()
            .any(|pattern| matches(pattern, &subject))
}

/// Says which pairs of nodes were tried in vain, under the name of the CNI, and blames nothing: as `net-p2p-tcp` does under another name.
/// So `cni-*`, which is to keep blame from the CNI, does not mean it.
const ONLY_TRIED: &str = "cni-overlay";

/// Whether a pattern of `forbidden` means this id or this subject.
fn is_meant(pattern: &str, id: &str, subject: &str) -> bool {
    match pattern.split_once('@') {
        Some((check, of)) => matches(check, id) && matches(of, subject),
        None if pattern.contains('/') => matches(pattern, subject),
        None => matches(pattern, id) && (id != ONLY_TRIED || pattern != "cni-*"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fault::Fault;

    fn fault(expected: &str) -> Expected {
        Fault::parse(&format!(
            "{{id: N-01, title: t, plugin: netcheck, inject: [{{on: node1, run: 'true'}}], \
             symptom: [{{on: node1, run: 'true'}}], heal: [{{on: node1, run: 'true'}}], expected: {expected}}}"
        ))
        .unwrap()
        .expected
    }

    fn one_cause() -> Expected {
        fault(
            "{verdict: fail, causes: [{check: net-ipfwd, acceptable: [net-sysctl], subject: [node/node1]}], \
             forbidden: [net-mtu, 'cni-*', node/node2, 'net-svc@node/node1']}",
        )
    }

    fn node(name: &str) -> Value {
        json!({"type": "object", "kind": "node", "name": name, "namespace": null})
    }

    fn said(verdict: &str, causes: &[(&str, &str)], errors: &[(&str, &str)]) -> Said {
        let causes: Vec<_> = causes
            .iter()
            .map(|(id, of)| json!({"id": id, "subject": node(of), "summary": "s"}))
            .collect();
        let findings: Vec<_> = errors
            .iter()
            .map(|(id, of)| json!({"id": id, "subject": node(of), "severity": "error"}))
            .collect();
        let report = json!({
            "verdict": verdict, "rootCauses": causes, "findings": findings, "stats": {"apiCalls": 7},
            "whatever": "else",
        });
        Said::parse(&report.to_string()).unwrap()
    }

    fn word(fault: &Expected, said: &Said) -> &'static str {
        compare(fault, said).word()
    }

    #[test]
    fn the_first_cause_counts() {
        let first = said("fail", &[("net-ipfwd", "node1")], &[("net-p2p-tcp", "node1")]);
        assert_eq!(word(&one_cause(), &first), "named first");
        assert_eq!(
            compare(&one_cause(), &first),
            Outcome::NamedFirst { also: Vec::new() }
        );
        let second = said("fail", &[("net-rpf", "node1"), ("net-ipfwd", "node1")], &[]);
        assert_eq!(word(&one_cause(), &second), "among the causes");
    }

    #[test]
    fn an_acceptable_id_is_as_good() {
        let other = said("fail", &[("net-sysctl", "node1")], &[]);
        assert_eq!(word(&one_cause(), &other), "named first");
    }

    #[test]
    fn the_right_check_on_the_wrong_node_is_a_wrong_blame() {
        let wrong = said("fail", &[("net-ipfwd", "node3")], &[]);
        assert_eq!(word(&one_cause(), &wrong), "WRONG BLAME");
    }

    #[test]
    fn a_forbidden_blame_wins_over_a_cause_that_is_named_first() {
        for forbidden in [
            said("fail", &[("net-ipfwd", "node1"), ("net-mtu", "node3")], &[]),
            said("fail", &[("net-ipfwd", "node1")], &[("cni-fdb", "node3")]),
            said("fail", &[("net-ipfwd", "node1")], &[("net-p2p-tcp", "node2")]),
            said("fail", &[("net-ipfwd", "node1")], &[("net-svc", "node1")]),
        ] {
            assert_eq!(word(&one_cause(), &forbidden), "WRONG BLAME");
        }
        let tried = said("fail", &[("net-ipfwd", "node1")], &[("cni-overlay", "node1")]);
        assert_eq!(word(&one_cause(), &tried), "named first");
        let elsewhere = said("fail", &[("net-ipfwd", "node1")], &[("net-svc", "node3")]);
        assert_eq!(word(&one_cause(), &elsewhere), "named first");
    }

    #[test]
    fn a_failure_without_a_cause_is_only_detected() {
        let detected = said("fail", &[], &[("net-p2p-tcp", "node1")]);
        assert_eq!(word(&one_cause(), &detected), "only detected");
    }

    #[test]
    fn a_pass_misses_the_fault() {
        assert_eq!(word(&one_cause(), &said("pass", &[], &[])), "missed");
        assert_eq!(word(&one_cause(), &said("unknown", &[], &[])), "missed");
    }

    #[test]
    fn another_cause_than_the_expected_is_a_wrong_blame_even_if_nobody_forbade_it() {
        let other = said("fail", &[("net-loss", "node1")], &[]);
        assert_eq!(word(&one_cause(), &other), "WRONG BLAME");
    }

    #[test]
    fn two_faults_need_both_their_causes() {
        let two = fault(
            "{verdict: fail, causes: [{check: cni-fdb, subject: node/node1}, {check: ep-tport-num, subject: 'service/*'}]}",
        );
        let service = json!({"type": "object", "kind": "service", "name": "web", "namespace": "faults"});
        let report = |causes: Value| {
            Said::parse(
                &json!({"verdict": "fail", "rootCauses": causes, "findings": [], "stats": {"apiCalls": null}})
                    .to_string(),
            )
            .unwrap()
        };
        let fdb = json!({"id": "cni-fdb", "subject": node("node1")});
        let port = json!({"id": "ep-tport-num", "subject": service});
        let other = json!({"id": "net-mtu", "subject": node("node1")});
        assert_eq!(word(&two, &report(json!([port, fdb]))), "named first");
        assert_eq!(word(&two, &report(json!([fdb]))), "among the causes");
        assert_eq!(word(&two, &report(json!([fdb, other, port]))), "among the causes");
        assert_eq!(
            compare(&two, &report(json!([fdb, port, other]))),
            Outcome::NamedFirst {
                also: vec!["net-mtu node/node1".to_owned()]
            }
        );
    }

    #[test]
    fn about_a_healthy_cluster_nothing_may_be_said() {
        let control = fault("{verdict: [pass, warn], forbidden: [net-forward]}");
        assert_eq!(word(&control, &said("pass", &[], &[])), "silent");
        assert_eq!(word(&control, &said("warn", &[], &[])), "silent");
        assert_eq!(word(&control, &said("unknown", &[], &[])), "missed");
        assert_eq!(
            word(&control, &said("fail", &[], &[("net-svc", "node1")])),
            "WRONG BLAME"
        );
        assert_eq!(
            word(&control, &said("warn", &[("net-rpf", "node1")], &[])),
            "WRONG BLAME"
        );
    }
}
