//! The flags that subcommands of all plugins share.

use std::time::Duration;

use clap::ValueEnum;
use plugin::{Failure, OutputArgs};

/// What `--help` says of exit statuses.
pub const EXIT_STATUS: &str = "\
Exit status, the same for every output format:
  0  nothing wrong was seen (warnings included, unless --fail-on warning)
  1  a problem was found
  2  could not run: usage, kubeconfig, or no way to the API server
  3  nothing wrong was seen, but not enough could be seen";

/// How far nodes are read.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Nodes")]
pub struct NodeReading {
    /// Also read rules, connection tracking and CNI files of nodes, through a privileged pod on each. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub node_access: bool,
    /// Read links, routes and settings of nodes, through a pod in each node's network without any capability. --host-network=false leaves nodes alone.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub host_network: bool,
}

/// How probe pods are made.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Probe pods")]
pub struct ProbePods {
    /// Start probe pods in this namespace instead of one that is made for the run.
    #[arg(long, value_name = "NAMESPACE")]
    pub probe_namespace: Option<String>,
    /// Image for probe pods instead of one that is already on each node. The agent brings all it needs; any Linux image will do.
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Secret in the probe namespace with which to pull --image.
    #[arg(long, value_name = "SECRET", requires = "image")]
    pub image_pull_secret: Option<String>,
    /// Taint that probe pods tolerate, as KEY, KEY=VALUE or KEY=VALUE:EFFECT; `*` tolerates all. May be repeated.
    #[arg(long = "toleration", visible_alias = "tolerations", value_name = "TAINT")]
    pub tolerations: Vec<String>,
    /// Resource requests of a probe pod.
    #[arg(long, value_name = "cpu=Q,memory=Q")]
    pub requests: Option<String>,
    /// Resource limits of a probe pod.
    #[arg(long, value_name = "cpu=Q,memory=Q")]
    pub limits: Option<String>,
    /// How long to wait for probe pods to become ready.
    #[arg(long, default_value = "20s", value_name = "DURATION", value_parser = duration)]
    pub start_timeout: Duration,
    /// Leave probe pods and their namespace in place afterwards.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub keep: bool,
}

/// What `cleanup` removes.
#[derive(clap::Args, Clone, Debug)]
pub struct Cleanup {
    /// Only say what would be removed. `client` and `server` do the same.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "client", default_value = "none", value_name = "none|server|client", hide_default_value = true, value_parser = ["none", "client", "server", "true", "false"])]
    pub dry_run: String,
    /// Only this run, by its id.
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// Remove the run of --run although it may live.
    #[arg(long, requires = "run", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub force: bool,
    /// Look in this namespace instead of the context's, where namespaces cannot be listed.
    #[arg(long, value_name = "NAMESPACE")]
    pub probe_namespace: Option<String>,
    #[command(flatten)]
    /// How it is printed.
    pub output: OutputArgs,
}

impl Cleanup {
    /// Whether nothing is to be removed.
    pub fn is_dry(&self) -> bool {
        !matches!(self.dry_run.as_str(), "none" | "false")
    }
}

/// What counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors.
    Error,
    /// Errors and warnings.
    Warning,
}

impl From<FailOn> for report::FailOn {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
        }
    }
}

/// A duration as kubectl reads it: a bare integer is seconds, else Go's units.
pub fn duration(text: &str) -> Result<Duration, String> {
    cluster::parse_duration(text).ok_or_else(|| {
        "must be a single integer in seconds, or an integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)"
            .to_owned()
    })
}

/// Reads `cpu=25m,memory=16Mi`; a part that is not named keeps its default. The API server judges the quantities.
pub(crate) fn apply_resources(flag: &str, text: &str, into: &mut probe::Resources) -> Result<(), Failure> {
    for part in text.split(',') {
        match part.split_once('=') {
            Some(("cpu", quantity)) if !quantity.is_empty() => quantity.clone_into(&mut into.cpu),
            Some(("memory", quantity)) if !quantity.is_empty() => quantity.clone_into(&mut into.memory),
            _ => {
                let why = format!("{part:?} is neither cpu=QUANTITY nor memory=QUANTITY");
                return Err(Failure::new(format!(
                    "error: invalid argument {text:?} for {flag:?} flag: {why}"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_read_part_by_part() {
        let mut resources = probe::Resources::new("25m", "16Mi");
        apply_resources("--limits", "memory=1Gi", &mut resources).unwrap();
        assert_eq!(resources, probe::Resources::new("25m", "1Gi"));
        assert!(apply_resources("--limits", "disk=1", &mut resources).is_err());
    }
}
