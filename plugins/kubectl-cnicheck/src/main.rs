//! `kubectl cnicheck`: whether the pod network itself is built right on every node.

mod args;
mod examples;
mod looking;
mod scope;

use std::process::ExitCode;

use args::{Args, Command};
use plugin::{Program, run};
use scope::Scope;
use session::{cleanup, explain, guide};

const PROGRAM: Program = Program {
    binary: "kubectl-cnicheck",
    plugin: "cnicheck",
    version: env!("CARGO_PKG_VERSION"),
    usual: "diagnose",
    cleanup_command: "kubectl cnicheck cleanup",
    examples: &[examples::EXAMPLES, session::EXAMPLES],
    checks: guide::ids,
};

fn main() -> ExitCode {
    run(PROGRAM, async |args: Args, run| {
        let usual = || Ok(Args::diagnose());
        let connection = &args.connection;
        let by_api =
            async |scope: Scope, wanted: &args::ByApi| looking::by_api(connection, scope, wanted, run).await;
        let on_nodes = async |scope: Scope, wanted: &args::OnNodes| {
            looking::on_nodes(connection, scope, wanted, run).await
        };
        match guide::command(args.command, args.guide, &PROGRAM, Command::Checks, usual)? {
            Command::Diagnose(wanted) => on_nodes(Scope::DIAGNOSE, &wanted).await,
            Command::Detect(wanted) => by_api(Scope::DETECT, &wanted).await,
            Command::Status(wanted) => by_api(Scope::STATUS, &wanted).await,
            Command::Config(wanted) => on_nodes(Scope::CONFIG, &wanted).await,
            Command::Ipam(wanted) => on_nodes(Scope::IPAM, &wanted).await,
            Command::Overlay(wanted) => on_nodes(Scope::OVERLAY, &wanted).await,
            Command::Bgp(wanted) => on_nodes(Scope::BGP, &wanted).await,
            Command::Cidr(wanted) => on_nodes(Scope::CIDR, &wanted).await,
            Command::Mtu(wanted) => on_nodes(Scope::MTU, &wanted).await,
            Command::Node(wanted) => on_nodes(Scope::NODE, &wanted).await,
            Command::Logs(wanted) => by_api(Scope::LOGS, &wanted).await,
            Command::Triage(wanted) => on_nodes(Scope::TRIAGE, &wanted).await,
            Command::Cleanup(wanted) => cleanup::run(connection, &wanted, run).await,
            Command::Checks(wanted) => guide::run(&wanted, &PROGRAM),
            Command::Explain(wanted) => explain::run(&wanted, &PROGRAM),
        }
    })
}
