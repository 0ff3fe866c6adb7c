//! The flags and the end that all subcommands have which look at a cluster through probe pods.

use std::path::PathBuf;
use std::time::Duration;

use checks::{CHECKS, JudgeOptions, Need, Selection};
use observation::Observation;
use plugin::{Failure, OutputArgs, Run};
use report::Report;

use crate::args::{FailOn, ProbePods, duration};
use crate::bundle::{self, Redaction};
use crate::held;
use crate::open::{NodeChoice, Session, select, tool};

/// From where to look, and what to do with what was seen.
#[derive(clap::Args, Clone, Debug)]
pub struct Look {
    /// Only these nodes; may be repeated.
    #[arg(long = "node", visible_alias = "from-node", value_name = "NAME")]
    pub nodes: Vec<String>,
    /// Only nodes with these labels, as in kubectl get nodes -l.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// How long one try may take. Below 4s an unresolved neighbour looks like silence.
    #[arg(long, default_value = "4s", value_name = "DURATION", value_parser = duration)]
    pub timeout: Duration,
    /// What counts as a failure for the exit status.
    #[arg(long, value_enum, default_value = "error", value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// Also write everything that was seen to this file; --from-bundle reads it, and with --redact makes one that can be shown.
    #[arg(long, value_name = "FILE")]
    pub save_bundle: Option<PathBuf>,
    /// Judge what an earlier run saw, without a cluster. `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nodes", "selector"])]
    pub from_bundle: Option<PathBuf>,
    #[command(flatten)]
    /// What is hidden of the cluster.
    pub redaction: Redaction,
    #[command(flatten)]
    /// How probe pods are made.
    pub pods: ProbePods,
    #[command(flatten)]
    /// How the report is printed.
    pub output: OutputArgs,
}

impl Look {
    /// The nodes to try from.
    pub fn choice(&self) -> NodeChoice<'_> {
        NodeChoice {
            names: &self.nodes,
            selector: self.selector.as_deref(),
        }
    }

    /// The names of the nodes to look at, where not all are.
    ///
    /// # Errors
    /// When the choice matches no node.
    pub fn chosen(&self, session: &Session<'_>) -> Result<Option<Vec<String>>, Failure> {
        let choice = self.choice();
        if choice.names.is_empty() && choice.selector.is_none() {
            return Ok(None);
        }
        let reads = session.nodes.seen().map_or(&[][..], Vec::as_slice);
        let selected = select(reads, choice)?;
        Ok(Some(
            selected.into_iter().map(|read| read.node.name.clone()).collect(),
        ))
    }

    /// Refuses the flags of bundles and of whole reports, for what prints as it goes and has nothing to judge at its end.
    ///
    /// # Errors
    /// When one of them was given.
    pub fn refuse_bundle(&self, command: &str) -> Result<(), Failure> {
        self.output.refuse_whole(command)?;
        self.redaction.refuse(command)?;
        if self.from_bundle.is_none() && self.save_bundle.is_none() {
            return Ok(());
        }
        Err(Failure::new(format!(
            "error: {command} has no bundle: it prints what changes as it changes"
        )))
    }

    /// How long one try may take, in milliseconds.
    pub fn timeout_ms(&self) -> u64 {
        u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)
    }

    /// Takes the observation from a bundle where one was named, else from `observe`; writes it, judges it, prints the
    /// report, and returns the exit status.
    ///
    /// # Errors
    /// When there is no observation, or nothing can be written.
    pub async fn conclude(
        &self,
        command: &str,
        run: &Run,
        observe: impl Future<Output = Result<Observation, Failure>>,
    ) -> Result<u8, Failure> {
        self.conclude_selected(command, &Selection::default(), run, observe)
            .await
    }

    /// As [`Look::conclude`], with some checks only. What a bundle holds besides is written again and not shown.
    ///
    /// # Errors
    /// As [`Look::conclude`].
    pub async fn conclude_selected(
        &self,
        command: &str,
        selection: &Selection,
        run: &Run,
        observe: impl Future<Output = Result<Observation, Failure>>,
    ) -> Result<u8, Failure> {
        self.conclude_about(command, selection, |_| Ok(()), run, observe)
            .await
    }

    /// As [`Look::conclude_selected`], where the words of the line may ask about something else than a bundle is about: `about` refuses
    /// a bundle that does not answer them.
    ///
    /// # Errors
    /// As [`Look::conclude`], and what `about` says of a bundle.
    pub async fn conclude_about(
        &self,
        command: &str,
        selection: &Selection,
        about: impl FnOnce(&Observation) -> Result<(), Failure>,
        run: &Run,
        observe: impl Future<Output = Result<Observation, Failure>>,
    ) -> Result<u8, Failure> {
        let (from, to) = (self.from_bundle.as_deref(), self.save_bundle.as_deref());
        self.redaction.refuse_copy(from, to)?;
        let observation = match from {
            Some(path) => {
                let held = bundle::read(path)?;
                held::holds(&held, &run.program, command, path)?;
                about(&held)?;
                held
            }
            None => observe.await?,
        };
        let mut observation = self.redaction.apply(observation)?;
        if let Some(path) = to {
            bundle::write(path, &observation)?;
        }
        if from.is_some() {
            observation = judged(observation, selection);
        }
        let judge = JudgeOptions {
            command: command.to_owned(),
            tool: tool(run),
        };
        let report = checks::judge_selected(&observation, &judge, selection);
        tell(&report, &self.output, self.fail_on)
    }
}

/// What is tried from probe pods in the pod network.
const BY_PROBE_PODS: [Need; 5] = [
    Need::Mesh,
    Need::Services,
    Need::Egress,
    Need::ControlPlane,
    Need::Lookups,
];

/// A bundle may hold more than is asked about. Pairs that nobody judges are not shown: beside a verdict that does not count them they would
/// belie it.
fn judged(mut observation: Observation, selection: &Selection) -> Observation {
    let is_needed = |needs: &[Need]| {
        CHECKS
            .iter()
            .any(|check| selection.has(check.id) && check.needs.iter().any(|need| needs.contains(need)))
    };
    if !is_needed(&[Need::Mesh]) {
        observation.mesh = None;
        observation.measured = None;
    }
    if !is_needed(&BY_PROBE_PODS) {
        observation.placement = None;
    }
    observation
}

/// Prints a report, and returns the exit status that goes with it.
///
/// # Errors
/// When it cannot be written.
pub fn tell(report: &Report, output: &OutputArgs, fail_on: FailOn) -> Result<u8, Failure> {
    let fail_on = fail_on.into();
    plugin::print(report, output, fail_on)?;
    Ok(report.exit_status(fail_on).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_a_bundle_are_only_shown_where_they_are_judged() {
        let bundle = include_str!("../../checks/cases/pair-silent/observation.json");
        let observation = Observation::from_bundle(bundle).unwrap();
        let of = |concerns: fn(&checks::Check) -> bool| judged(observation.clone(), &Selection::of(concerns));
        assert!(observation.mesh.is_some());
        assert_eq!(of(|_| true), observation);
        let detect = of(|check| check.id == "cni-detect");
        assert_eq!((detect.mesh, detect.placement), (None, None));
        assert!(of(|check| check.id == "net-svc").placement.is_some());
    }
}
