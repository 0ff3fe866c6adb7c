//! From an observation to a report.

mod answer;
mod matrix;
mod notes;

use std::cmp::Reverse;

use observation::Observation;
use report::{CheckResult, Finding, PhaseStats, ProbePodInfo, Report, Stats, Target};

use crate::causes::{self, Found};
use crate::check::{CHECKS, Judgement, Selection};
use crate::localise::place;
use crate::tries::{count_attempts, tried};
use crate::view::View;

/// What the judge cannot read from the observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgeOptions {
    /// The subcommand that asks: `pod-to-pod`.
    pub command: String,
    /// The program that judges, which need not be the one that looked: `kubectl-netcheck v0.1.0`.
    pub tool: String,
}

/// Makes every check and puts together what they found. Never fails: what is missing from the observation is a gap.
pub fn judge(observation: &Observation, options: &JudgeOptions) -> Report {
    judge_selected(observation, options, &Selection::default())
}

/// As [`judge`], of some checks only.
pub fn judge_selected(observation: &Observation, options: &JudgeOptions, selection: &Selection) -> Report {
    let view = View::new(observation);
    let judgements: Vec<_> = CHECKS
        .iter()
        .filter(|check| selection.has(check.id))
        .map(|check| (check, (check.judge)(&view)))
        .filter(|(_, judgement)| judgement.is_asked())
        .collect();
    let found: Vec<Found> = judgements
        .iter()
        .flat_map(|(_, judgement)| found(judgement))
        .collect();
    let mut findings: Vec<Finding> = found.iter().map(|found| found.finding.clone()).collect();
    findings.sort_by_key(|finding| Reverse(finding.severity));
    let checks: Vec<CheckResult> = judgements
        .into_iter()
        .map(|(check, judgement)| match judgement.skipped {
            Some(reason) => CheckResult::skipped(check.id, check.claim, reason),
            None => CheckResult::judged(check.id, check.claim, &findings, judgement.gaps),
        })
        .collect();
    let causes = causes::explain(&view, &found, &checks);
    let answer = match (&view.scene, options.command.as_str()) {
        (Some(scene), "policy") => crate::scene::answer(scene, &findings, &checks),
        _ => answer::answer(&view, &causes, &findings, &checks),
    };
    let mut report = Report::new(
        &options.tool,
        target(observation, options),
        answer,
        findings,
        checks,
    );
    report.root_causes = causes;
    report.taken_at = Some(observation.taken_at.clone());
    report.localisation = view.faults.iter().map(|fault| place(&view, fault)).collect();
    report.matrix = matrix::matrix(&view);
    report.tried = observation
        .reach
        .as_ref()
        .map(tried)
        .into_iter()
        .flatten()
        .collect();
    report.tables = crate::proxy::table(&view).into_iter().collect();
    report.tables.extend(crate::pod_network::tables(&view));
    report.tables.extend(crate::calico::tables(&view));
    report.tables.extend(crate::cilium::tables(&view));
    report.tables.extend(crate::terway::tables(&view));
    report.tables.extend(crate::dns::tables(&view));
    report.tables.extend(crate::tracked::tables(&view));
    report.tables.extend(crate::endpoints::spread_tables(&view));
    report.tables.extend(crate::lookups::tables(&view));
    report.tables.extend(crate::rules::net_trace::tables(&view));
    report.probe_pods = probe_pods(&view);
    report.notes = notes::notes(&view);
    report.stats = stats(&view);
    report
}

/// The findings of a check, each with the probes that fail because of it.
fn found(judgement: &Judgement) -> impl Iterator<Item = Found> {
    judgement.findings.iter().enumerate().map(|(index, finding)| {
        let breaks = judgement.breaks.iter().find(|(of, _)| *of == index);
        Found {
            finding: finding.clone(),
            breaks: breaks.map(|(_, breaks)| breaks.clone()),
        }
    })
}

fn target(observation: &Observation, options: &JudgeOptions) -> Target {
    Target {
        command: options.command.clone(),
        server_version: observation.server.seen().map(|server| server.git_version.clone()),
        nodes: observation
            .nodes
            .seen()
            .and_then(|nodes| u32::try_from(nodes.len()).ok()),
        probe_namespace: observation
            .placement
            .as_ref()
            .map(|placement| placement.namespace.clone()),
    }
}

fn probe_pods(view: &View<'_>) -> Vec<ProbePodInfo> {
    let mut pods = Vec::new();
    for (node, pod) in view.pods() {
        pods.push(ProbePodInfo {
            node: node.to_owned(),
            pod: pod.name.clone(),
            ips: pod.addresses.iter().map(ToString::to_string).collect(),
            image: pod.image.clone(),
            ready_after_ms: Some(pod.ready_after_ms),
        });
        pods.extend(pod.twin.as_ref().map(|twin| ProbePodInfo {
            node: node.to_owned(),
            pod: twin.name.clone(),
            ips: twin.addresses.iter().map(ToString::to_string).collect(),
            image: pod.image.clone(),
            ready_after_ms: None,
        }));
    }
    pods
}

fn stats(view: &View<'_>) -> Stats {
    let stats = &view.observation.stats;
    Stats {
        api_calls: stats.api_calls,
        bytes_received: stats.bytes_received,
        bytes_sent: stats.bytes_sent,
        probes: view
            .observation
            .mesh
            .as_ref()
            .and_then(|mesh| u64::try_from(mesh.cells.len()).ok())
            .or_else(|| view.observation.reach.as_ref().and_then(count_attempts))
            .or_else(|| u64::try_from(view.observation.lookups.as_ref()?.lookups.len()).ok()),
        phases: stats
            .phases
            .iter()
            .map(|phase| PhaseStats {
                name: phase.name.clone(),
                took_ms: phase.took_ms,
            })
            .collect(),
    }
}
