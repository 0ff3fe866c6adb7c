use serde::{Deserialize, Serialize};

use crate::{
    CheckResult, ExitStatus, FailOn, Finding, Gap, Localisation, Matrix, RootCause, Severity, Table, Tried,
    Verdict,
};

/// The format of a report as JSON or YAML.
pub const API_VERSION: &str = "netcheck.dev/report/v1";

/// The answer to one question about a cluster. Serialized it is the document of `-o json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The format; it changes when something that is here now changes its meaning, not when something is added.
    #[cfg_attr(feature = "schema", schemars(extend("const" = API_VERSION)))]
    api_version: String,
    /// What the document is.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "Report")))]
    kind: String,
    /// Which program says it: `kubectl-netcheck v0.1.0`.
    pub tool: String,
    /// When the look began, RFC 3339, UTC; `None` when that is not known.
    pub taken_at: Option<String>,
    /// What was asked about.
    pub target: Target,
    /// The worst of the checks' verdicts.
    verdict: Verdict,
    /// One sentence without a full stop: the answer.
    pub summary: String,
    /// Causes, best first. Empty where none could be told from its look-alikes.
    pub root_causes: Vec<RootCause>,
    /// What is wrong, worst first.
    findings: Vec<Finding>,
    /// Where failures lie, worst first.
    pub localisation: Vec<Localisation>,
    /// Every check, made or skipped.
    checks: Vec<CheckResult>,
    /// What was probed between nodes; `None` where nothing was.
    pub matrix: Option<Matrix>,
    /// What was tried beyond the pods of the nodes: Services, names, addresses outside, the control plane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// What was asked for as a list, a row for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
    /// The probe pods that ran.
    pub probe_pods: Vec<ProbePodInfo>,
    /// What else the reader should know.
    pub notes: Vec<Note>,
    /// What the run cost.
    pub stats: Stats,
}

impl Report {
    /// The plugin that says it, as kubectl calls it: `netcheck`.
    pub fn plugin(&self) -> &str {
        let program = self.tool.split(' ').next().unwrap_or_default();
        program.strip_prefix("kubectl-").unwrap_or(program)
    }

    /// A report on these findings and checks; the verdict is the worst of the checks'. Everything else starts empty.
    pub fn new(
        tool: impl Into<String>,
        target: Target,
        summary: impl Into<String>,
        findings: Vec<Finding>,
        checks: Vec<CheckResult>,
    ) -> Self {
        let verdict = checks
            .iter()
            .map(CheckResult::verdict)
            .max()
            .unwrap_or(Verdict::Skipped);
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Report".to_owned(),
            tool: tool.into(),
            taken_at: None,
            target,
            verdict,
            summary: summary.into(),
            root_causes: Vec::new(),
            findings,
            localisation: Vec::new(),
            checks,
            matrix: None,
            tried: Vec::new(),
            tables: Vec::new(),
            probe_pods: Vec::new(),
            notes: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// The worst of the checks' verdicts.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What is wrong, worst first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Every check, made or skipped.
    pub fn checks(&self) -> &[CheckResult] {
        &self.checks
    }

    /// What could not be seen, each gap once.
    pub fn gaps(&self) -> Vec<&Gap> {
        let mut gaps: Vec<&Gap> = Vec::new();
        for gap in self.checks.iter().flat_map(CheckResult::gaps) {
            if !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
        gaps
    }

    /// How the process should end. Everything skipped is inconclusive: nothing was seen at all.
    pub fn exit_status(&self, fail_on: FailOn) -> ExitStatus {
        let warned = self
            .findings
            .iter()
            .any(|finding| finding.severity == Severity::Warning);
        match (self.verdict, fail_on) {
            (Verdict::Fail, _) => ExitStatus::ProblemFound,
            (Verdict::Warn | Verdict::Unknown, FailOn::Warning) if warned => ExitStatus::ProblemFound,
            (Verdict::Unknown | Verdict::Skipped, _) => ExitStatus::Inconclusive,
            (Verdict::Pass | Verdict::Warn, _) => ExitStatus::NoProblem,
        }
    }
}

/// What was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The subcommand: `pod-to-pod`.
    pub command: String,
    /// As `v1.34.4`; `None` when the server did not say.
    pub server_version: Option<String>,
    /// How many nodes the cluster has; `None` when they could not be read.
    pub nodes: Option<u32>,
    /// Where the probe pods ran, if there were any.
    pub probe_namespace: Option<String>,
}

/// A probe pod that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProbePodInfo {
    /// Its node.
    pub node: String,
    /// `metadata.name`.
    pub pod: String,
    /// `status.podIPs`.
    pub ips: Vec<String>,
    /// What it ran on.
    pub image: String,
    /// From creation to Ready, in milliseconds; `None` for a second pod, which is not waited for by itself.
    pub ready_after_ms: Option<u64>,
}

/// Something that the reader should know and that is neither finding nor gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// One sentence without a full stop.
    pub text: String,
    /// What the reader can do about it.
    pub hint: Option<String>,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum NoteKind {
    /// Something that was not looked at, on purpose.
    Skipped,
    /// Another way than the usual one was taken.
    Fallback,
    /// The probes could have changed what they measure.
    ObserverEffect,
}

/// What a run cost. A figure that was not measured is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Requests to the API server, upgrades included.
    pub api_calls: Option<u64>,
    /// Bytes received in response bodies.
    pub bytes_received: Option<u64>,
    /// Bytes sent in request bodies.
    pub bytes_sent: Option<u64>,
    /// How many probes were planned.
    pub probes: Option<u64>,
    /// How long each phase took, in the order in which they ran.
    pub phases: Vec<PhaseStats>,
}

/// One phase of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PhaseStats {
    /// As `observe`.
    pub name: String,
    /// In milliseconds.
    pub took_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evidence, GapReason, Subject};

    fn report(severity: Option<Severity>, gap: bool, skipped: bool) -> Report {
        let gap = gap.then(|| Gap {
            what: "nodes".into(),
            why: GapReason::NotServed,
            message: "not served".into(),
            hint: None,
        });
        let evidence = Evidence::field("it", "spec.it");
        let findings: Vec<Finding> = severity
            .map(|severity| Finding::new("a", severity, Subject::Cluster, "it is so", evidence))
            .into_iter()
            .collect();
        let check = if skipped {
            CheckResult::skipped("a", "claim", "not asked")
        } else {
            CheckResult::judged("a", "claim", &findings, gap.into_iter().collect())
        };
        let target = Target {
            command: "x".into(),
            server_version: None,
            nodes: None,
            probe_namespace: None,
        };
        Report::new("test", target, "it is so", findings, vec![check])
    }

    #[test]
    fn the_exit_status_follows_from_the_verdict() {
        use ExitStatus::{Inconclusive, NoProblem, ProblemFound};
        let cases = [
            (report(None, false, false), NoProblem, NoProblem),
            (report(Some(Severity::Note), false, false), NoProblem, NoProblem),
            (
                report(Some(Severity::Warning), false, false),
                NoProblem,
                ProblemFound,
            ),
            (
                report(Some(Severity::Error), false, false),
                ProblemFound,
                ProblemFound,
            ),
            (report(None, true, false), Inconclusive, Inconclusive),
            (
                report(Some(Severity::Warning), true, false),
                Inconclusive,
                ProblemFound,
            ),
            (
                report(Some(Severity::Error), true, false),
                ProblemFound,
                ProblemFound,
            ),
            (report(None, false, true), Inconclusive, Inconclusive),
        ];
        for (report, on_error, on_warning) in cases {
            assert_eq!(report.exit_status(FailOn::Error), on_error, "{report:?}");
            assert_eq!(report.exit_status(FailOn::Warning), on_warning, "{report:?}");
        }
    }

    #[test]
    fn a_check_fails_with_a_finding_of_another_check_that_explains_it() {
        let mut finding = Finding::new(
            "a",
            Severity::Error,
            Subject::Cluster,
            "it is so",
            Evidence::field("it", "x"),
        );
        finding.explains = vec!["b".into()];
        let check = CheckResult::judged("b", "claim", &[finding], Vec::new());
        assert_eq!(check.verdict(), Verdict::Fail);
    }
}
