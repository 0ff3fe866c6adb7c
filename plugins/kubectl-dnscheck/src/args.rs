//! What may be typed after `kubectl dnscheck`.

use clap::{Parser, Subcommand};
use cluster::ConnectionArgs;
use session::explain::Explain;
use session::guide::{Checks, GuideFlags};
use session::{Cleanup, EXIT_STATUS};

use crate::corefile::{self, CorefileArgs};
use crate::diagnose::DiagnoseArgs;
use crate::latency::LatencyArgs;
use crate::pod::PodArgs;
use crate::resolve::ResolveArgs;
use crate::status::StatusArgs;
use crate::upstream::UpstreamArgs;
use crate::watch::WatchArgs;

/// Find out why names do not resolve.
#[derive(Debug, Parser)]
#[command(name = "dnscheck", after_help = EXIT_STATUS, disable_help_subcommand = true)]
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
        let args = Self::parse_from(["dnscheck", "diagnose"]);
        args.command.expect("the words name a command")
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at everything that applies, and name what is wrong. The same as no command.
    #[command(after_help = EXIT_STATUS)]
    Diagnose(Box<DiagnoseArgs>),
    /// Look at the cluster's DNS by what the API says. Starts nothing.
    ///
    /// From the address that kubelets give to pods to the Service, its EndpointSlices, the pods, their Corefile, and the rights that they
    /// need.
    #[command(after_help = EXIT_STATUS)]
    Status(Box<StatusArgs>),
    /// Ask for names: of the DNS Service and of every DNS pod, over UDP and TCP, from pods of several nodes, and hold the answers against the API.
    #[command(after_help = EXIT_STATUS)]
    Resolve(Box<ResolveArgs>),
    /// Ask the servers to which CoreDNS passes names on, from the nodes on which it runs.
    #[command(after_help = EXIT_STATUS)]
    Upstream(Box<UpstreamArgs>),
    /// Measure how long answers take and how many are lost, of each server by itself, by kind of name.
    #[command(after_help = EXIT_STATUS)]
    Latency(Box<LatencyArgs>),
    /// Ask for the same few names again and again, and print a line for whatever changes.
    #[command(after_help = EXIT_STATUS)]
    Watch(Box<WatchArgs>),
    /// Look at the Corefile of the cluster, or at one in a file, for which no cluster is needed.
    ///
    /// By the grammar of CoreDNS and by what the version that runs understands: what it would not start with, zones that do not fit the
    /// cluster, upstreams that can be no resolvers, probes that nothing answers.
    #[command(after_help = corefile::AFTER)]
    Corefile(Box<CorefileArgs>),
    /// Say what a pod finds in its resolv.conf, by its settings and those of its kubelet, and what names cost with it.
    ///
    /// dnsPolicy, dnsConfig, hostAliases; and for each NAME which names are asked in which order. Nothing is asked, and nothing started.
    #[command(after_help = EXIT_STATUS)]
    Pod(Box<PodArgs>),
    /// Read the logs of all DNS pods, and those before their last start, and say what their lines mean.
    #[command(after_help = EXIT_STATUS)]
    Logs(Box<StatusArgs>),
    /// Read what the DNS pods count: answers by their code, the cache, upstreams, memory. The API server has to reach the pods.
    #[command(after_help = EXIT_STATUS)]
    Metrics(Box<StatusArgs>),
    /// Say whether there are enough DNS pods for the cluster, and whether they are apart from each other.
    #[command(after_help = EXIT_STATUS)]
    Scale(Box<StatusArgs>),
    /// Remove what earlier runs that were killed have left.
    #[command(after_help = EXIT_STATUS)]
    Cleanup(Cleanup),
    /// List the checks, or explain one.
    Checks(Checks),
    /// Say what an error text of an event, a log or an application means for the network. Needs no cluster.
    Explain(Explain),
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
