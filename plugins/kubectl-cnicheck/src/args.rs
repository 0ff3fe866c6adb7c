//! What may be typed after `kubectl cnicheck`.

use clap::{Parser, Subcommand};
use cluster::ConnectionArgs;
use session::explain::Explain;
use session::guide::{Checks, GuideFlags};
use session::{Cleanup, EXIT_STATUS, Look, NodeReading};

/// Find out whether the pod network itself is built right on every node.
#[derive(Debug, Parser)]
#[command(name = "cnicheck", after_help = EXIT_STATUS, disable_help_subcommand = true)]
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
        let args = Self::parse_from(["cnicheck", "diagnose"]);
        args.command.expect("the words name a command")
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at everything that applies, and name what is wrong. The same as no command.
    ///
    /// The CNI by what the API says, what it set up on the nodes, and whether pods of all nodes reach each other. With --node-access also
    /// its files on the nodes and the networks of the pods there.
    #[command(after_help = EXIT_STATUS)]
    Diagnose(Box<OnNodes>),
    /// Say which CNI the cluster runs, and whether it is one. Starts nothing.
    #[command(after_help = EXIT_STATUS)]
    Detect(Box<ByApi>),
    /// Look at the CNI by what the API says: its pods, its configuration, the addresses it gave, events and logs. Starts nothing.
    #[command(after_help = EXIT_STATUS)]
    Status(Box<ByApi>),
    /// Look at the CNI's files on the nodes: which configuration is in force, and whether what it names is there. Takes --node-access.
    #[command(after_help = EXIT_STATUS)]
    Config(Box<OnNodes>),
    /// Look at how many addresses nodes have left, and which are held for pods that are gone.
    ///
    /// By what the API says; with --node-access by what nodes have booked too.
    #[command(after_help = EXIT_STATUS)]
    Ipam(Box<OnNodes>),
    /// Look at the tunnel and the routes between nodes, and try every pair.
    #[command(after_help = EXIT_STATUS)]
    Overlay(Box<OnNodes>),
    /// Look at how BGP spreads the routes to pods: sessions, routes of the nodes, and what configures them.
    ///
    /// Sessions by what the API has of them; with --node-access BIRD of each node is asked, by a command in its pod that only looks.
    #[command(after_help = EXIT_STATUS)]
    Bgp(Box<OnNodes>),
    /// Look at the ranges of pods, Services and nodes: whether each node has its own, and whether they overlap.
    #[command(after_help = EXIT_STATUS)]
    Cidr(Box<OnNodes>),
    /// Compare what links carry with what gets through: the arithmetic of MTUs, and bulk data between all nodes.
    #[command(after_help = EXIT_STATUS)]
    Mtu(Box<OnNodes>),
    /// Read the nodes only: the CNI's devices, routes and settings, and with --node-access its files and the networks of pods.
    #[command(after_help = EXIT_STATUS)]
    Node(Box<OnNodes>),
    /// Read the logs of all pods of the CNI, those before their last start, and events, and say what their lines mean.
    #[command(after_help = EXIT_STATUS)]
    Logs(Box<ByApi>),
    /// For the first minutes of an outage: what is worst, on one page, and what to restore first. Restarts nothing.
    #[command(after_help = EXIT_STATUS)]
    Triage(Box<OnNodes>),
    /// Remove what earlier runs that were killed have left.
    #[command(after_help = EXIT_STATUS)]
    Cleanup(Cleanup),
    /// List the checks, or explain one.
    Checks(Checks),
    /// Say what an error text of an event, a log or an application means for the network. Needs no cluster.
    Explain(Explain),
}

/// What only reads the API.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ByApi {
    #[command(flatten)]
    pub(crate) look: Look,
}

/// What looks at nodes too.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct OnNodes {
    #[command(flatten)]
    pub(crate) reading: NodeReading,
    /// Samples of each probe between nodes, where there are any.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,
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

    #[test]
    fn nothing_typed_is_a_diagnosis() {
        assert!(matches!(Args::diagnose(), Command::Diagnose(_)));
    }
}
