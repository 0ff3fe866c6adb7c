//! What may be typed after `kubectl netcheck`.

use clap::{Parser, Subcommand};
use cluster::ConnectionArgs;

use crate::alerts::Alerts;
use crate::control_plane::ControlPlaneArgs;
use crate::egress::EgressArgs;
use crate::external::ExternalArgs;
use crate::path::PathArgs;
use crate::perf::PerfArgs;
use crate::policy::PolicyArgs;
use crate::service::ServiceArgs;
use crate::watch::WatchArgs;
use session::explain::Explain;
use session::guide::{Checks, GuideFlags};
use session::{Cleanup, EXIT_STATUS, Look, NodeReading};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        plugin::commands::<Args>(&crate::PROGRAM).debug_assert();
    }

    #[test]
    fn completion_knows_what_every_value_names() {
        assert_eq!(
            plugin::unclassified::<Args>(&crate::PROGRAM),
            Vec::<String>::new()
        );
    }
}
