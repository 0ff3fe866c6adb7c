//! What may be typed after `kubectl epcheck`.

use clap::{Parser, Subcommand};
use cluster::ConnectionArgs;
use session::guide::{Checks, GuideFlags};
use session::{Cleanup, EXIT_STATUS};

use crate::conntrack::ConntrackArgs;
use crate::lb::LbArgs;
use crate::proxy::ProxyArgs;
use crate::rules::RulesArgs;
use crate::scan::ScanArgs;
use crate::svc::SvcArgs;
use crate::watch::WatchArgs;

/// Find out why a Service has no endpoints, or does not reach them.
#[derive(Debug, Parser)]
#[command(name = "epcheck", after_help = EXIT_STATUS, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) guide: GuideFlags,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

impl Args {
    /// What is done without a subcommand: all Services of the namespace, by what the API says.
    pub(crate) fn scan() -> Command {
        let args = Self::parse_from(["epcheck", "scan"]);
        args.command.expect("the words name a command")
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at all Services of a namespace, or with -A of all, by what the API says. Starts nothing.
    ///
    /// Selectors against labels, readiness, target ports, EndpointSlices against pods: of every Service without traffic the reason.
    #[command(after_help = EXIT_STATUS)]
    Scan(Box<ScanArgs>),
    /// Look at Services from all sides: by what the API says, and by trying every port of every endpoint from every node.
    ///
    /// With --node-access also the rules that each node has for them are held against the API.
    #[command(visible_alias = "service", after_help = EXIT_STATUS)]
    Svc(Box<SvcArgs>),
    /// Hold the rules that kube-proxy made on each node against the EndpointSlices of the API. Takes --node-access.
    #[command(after_help = EXIT_STATUS)]
    Rules(Box<RulesArgs>),
    /// Make connections to Services from every node, and count to which endpoint each went. Takes --node-access.
    #[command(after_help = EXIT_STATUS)]
    Lb(Box<LbArgs>),
    /// Watch endpoints come and go, and how long it takes until slices and, with --node-access, the rules of nodes follow.
    #[command(after_help = EXIT_STATUS)]
    Watch(Box<WatchArgs>),
    /// Look at kube-proxy itself: whether it runs on every node, what configures it, and whether it keeps up.
    ///
    /// By the API and by asking it on each node. With --node-access its rules are held against the API too.
    #[command(after_help = EXIT_STATUS)]
    Proxy(Box<ProxyArgs>),
    /// List what nodes track to Services, find UDP clients that are tied to an endpoint that is gone, and see whether the table has room.
    /// Takes --node-access.
    #[command(after_help = EXIT_STATUS)]
    Conntrack(Box<ConntrackArgs>),
    /// List the checks, or explain one.
    Checks(Checks),
    /// Remove what earlier runs that were killed have left.
    #[command(after_help = EXIT_STATUS)]
    Cleanup(Cleanup),
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
    fn nothing_typed_is_a_scan() {
        assert!(matches!(Args::scan(), Command::Scan(_)));
    }
}
