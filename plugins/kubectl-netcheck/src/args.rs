//! What may be typed after `kubectl netcheck`.

use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use cluster::ConnectionArgs;
use plugin::{Failure, OutputArgs};

use crate::alerts::Alerts;
use crate::control_plane::ControlPlaneArgs;
use crate::egress::EgressArgs;
use crate::explain::Explain;
use crate::external::ExternalArgs;
use crate::guide::{Checks, GuideFlags};
use crate::look::Look;
use crate::path::PathArgs;
use crate::perf::PerfArgs;
use crate::policy::PolicyArgs;
use crate::service::ServiceArgs;
use crate::watch::WatchArgs;

const EXIT_STATUS: &str = "\
Exit status, the same for every output format:
  0  nothing wrong was seen (warnings included, unless --fail-on warning)
  1  a problem was found
  2  could not run: usage, kubeconfig, or no way to the API server
  3  nothing wrong was seen, but not enough could be seen";

/// Find out why pods do not reach each other.
#[derive(Debug, Parser)]
#[command(name = "netcheck", after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) guide: GuideFlags,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

impl Args {
    /// What is done without a subcommand: everything that applies, with the defaults.
    pub(crate) fn diagnose() -> Command {
        let args = Self::parse_from(["netcheck", "diagnose"]);
        args.command.expect("the words name a command")
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at everything that applies, and name what is wrong.
    ///
    /// Reads the API and the nodes, probes every pair of nodes, and joins what was seen: one root cause, its evidence,
    /// what it is not, and what repairs it. Changes nothing, pulls nothing, and leaves nothing behind.
    #[command(after_help = EXIT_STATUS)]
    Diagnose(Box<Diagnose>),
    /// Read the nodes only: links, routes, tunnels, settings, and with --node-access rules and CNI files.
    ///
    /// No pod is started in the pod network, so that nothing is mended by looking.
    #[command(after_help = EXIT_STATUS)]
    Node(Box<Diagnose>),
    /// Compare what links carry with what gets through: the arithmetic of MTUs, and bulk data between all nodes.
    #[command(after_help = EXIT_STATUS)]
    Mtu(Box<Diagnose>),
    /// Probe every pair of nodes, pod to pod, and say where a failure lies.
    ///
    /// Starts a small probe pod on each node, from an image that the node already has, lets them talk to each other
    /// over TCP, UDP and ICMP and with bulk data in both directions, and removes them again. Nothing is pulled.
    #[command(name = "pod-to-pod", visible_alias = "mesh", after_help = EXIT_STATUS)]
    PodToPod(Box<PodToPod>),
    /// Try Services from each node: by ClusterIP, endpoint by endpoint, by node port, load balancer and name.
    ///
    /// Tells a Service without endpoints, an endpoint that does not answer, and a node where the Service's rules are
    /// missing from each other.
    #[command(visible_alias = "svc", after_help = EXIT_STATUS)]
    Service(Box<ServiceArgs>),
    /// Try what lies outside of the cluster from pods and from their nodes, by address and by name.
    #[command(after_help = EXIT_STATUS)]
    Egress(Box<EgressArgs>),
    /// Try node ports and load balancers from this machine, and compare with what pods inside get.
    ///
    /// Tells a firewall or a security group before the nodes from rules that are missing on a node. Where nothing of the cluster
    /// answers this machine, it could not look, and says so.
    #[command(after_help = EXIT_STATUS)]
    External(Box<ExternalArgs>),
    /// Follow one way, from a pod or a node to a Service, a pod, a node or what lies outside, and say where it stops.
    #[command(after_help = EXIT_STATUS)]
    Path(Box<PathArgs>),
    /// Measure requests, datagrams and much data between pods: percentiles, throughput, loss.
    #[command(after_help = EXIT_STATUS)]
    Perf(Box<PerfArgs>),
    /// Probe the mesh again and again from the same pods, and print a line for whatever changes.
    #[command(after_help = EXIT_STATUS)]
    Watch(Box<WatchArgs>),
    /// Try the API servers and kubelets from pods, and look at what the API server calls: webhooks, aggregated APIs.
    #[command(name = "control-plane", after_help = EXIT_STATUS)]
    ControlPlane(Box<ControlPlaneArgs>),
    /// Say what NetworkPolicies do to a flow or a pod, or what is wrong with those of a namespace.
    ///
    /// With SRC and DST: whether policies let the flow through, and which rule decides it. With POD: which policies select it. Without
    /// either: what the policies of the namespace say, and what their authors may not have meant.
    #[command(visible_alias = "netpol", after_help = EXIT_STATUS)]
    Policy(Box<PolicyArgs>),
    /// Find and remove what runs left that were killed. Never touches a live run.
    #[command(after_help = EXIT_STATUS)]
    Cleanup(Cleanup),
    /// List the checks, or explain those that are named. Needs no cluster.
    Checks(Checks),
    /// Say what an error text of an event, a log or an application means for the network. Needs no cluster.
    Explain(Explain),
    /// Look at alert rules, or print some to begin with.
    Alerts(Alerts),
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Diagnose {
    #[command(flatten)]
    pub(crate) reading: NodeReading,
    /// Make only this check, and look only at what it needs; may be repeated. `kubectl netcheck checks` lists them.
    #[arg(long = "check", value_name = "ID")]
    pub(crate) checks: Vec<String>,
    /// Do not make this check; may be repeated.
    #[arg(long = "skip-check", value_name = "ID")]
    pub(crate) skip_checks: Vec<String>,
    /// Samples of each probe.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// How far nodes are read.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Nodes")]
pub(crate) struct NodeReading {
    /// Also read rules, connection tracking and CNI files of nodes, through a privileged pod on each. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub(crate) node_access: bool,
    /// Read links, routes and settings of nodes, through a pod in each node's network without any capability. --host-network=false leaves nodes alone.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub(crate) host_network: bool,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PodToPod {
    /// Samples of each probe; the matrix shows the median and the worst.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
    /// Probe every pair of nodes, however many there are. Without it a cluster of more than 30 nodes is probed as a ring with a sample.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub(crate) full_mesh: bool,
    #[command(flatten)]
    pub(crate) look: Look,
}

/// How probe pods are made.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Probe pods")]
pub(crate) struct ProbePods {
    /// Start probe pods in this namespace instead of one that is made for the run.
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) probe_namespace: Option<String>,
    /// Image for probe pods instead of one that is already on each node. The agent brings all it needs; any Linux image will do.
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Secret in the probe namespace with which to pull --image.
    #[arg(long, value_name = "SECRET", requires = "image")]
    pub(crate) image_pull_secret: Option<String>,
    /// Taint that probe pods tolerate, as KEY, KEY=VALUE or KEY=VALUE:EFFECT; `*` tolerates all. May be repeated.
    #[arg(long = "toleration", visible_alias = "tolerations", value_name = "TAINT")]
    pub(crate) tolerations: Vec<String>,
    /// Resource requests of a probe pod.
    #[arg(long, value_name = "cpu=Q,memory=Q")]
    pub(crate) requests: Option<String>,
    /// Resource limits of a probe pod.
    #[arg(long, value_name = "cpu=Q,memory=Q")]
    pub(crate) limits: Option<String>,
    /// How long to wait for probe pods to become ready.
    #[arg(long, default_value = "20s", value_name = "DURATION", value_parser = duration)]
    pub(crate) start_timeout: Duration,
    /// Leave probe pods and their namespace in place afterwards.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub(crate) keep: bool,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Cleanup {
    /// Only say what would be removed. `client` and `server` do the same.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "client", default_value = "none", value_name = "none|server|client", hide_default_value = true, value_parser = ["none", "client", "server", "true", "false"])]
    pub(crate) dry_run: String,
    /// Only this run, by its id.
    #[arg(long, value_name = "ID")]
    pub(crate) run: Option<String>,
    /// Remove the run of --run although it may live.
    #[arg(long, requires = "run", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub(crate) force: bool,
    /// Look in this namespace instead of the context's, where namespaces cannot be listed.
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) probe_namespace: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Cleanup {
    pub(crate) fn is_dry(&self) -> bool {
        !matches!(self.dry_run.as_str(), "none" | "false")
    }
}

/// What counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
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
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
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
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn resources_are_read_part_by_part() {
        let mut resources = probe::Resources::new("25m", "16Mi");
        apply_resources("--limits", "memory=1Gi", &mut resources).unwrap();
        assert_eq!(resources, probe::Resources::new("25m", "1Gi"));
        assert!(apply_resources("--limits", "disk=1", &mut resources).is_err());
    }
}
