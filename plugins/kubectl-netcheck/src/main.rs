//! `kubectl netcheck`: which pods reach which, and where it stops.

mod alerts;
mod args;
mod control_plane;
mod diagnose;
mod egress;
mod examples;
mod external;
mod outside;
mod path;
mod perf;
mod pod_to_pod;
mod policy;
mod service;
mod watch;

use std::process::ExitCode;

use args::{Args, Command};
use plugin::{Program, run};
use session::{cleanup, explain, guide};

const PROGRAM: Program = Program {
    binary: "kubectl-netcheck",
    plugin: "netcheck",
    version: env!("CARGO_PKG_VERSION"),
    usual: "diagnose",
    cleanup_command: "kubectl netcheck cleanup",
    examples: &[examples::EXAMPLES, session::EXAMPLES],
    checks: guide::ids,
};

fn main() -> ExitCode {
    run(PROGRAM, async |args: Args, run| {
        match guide::command(args.command, args.guide, &PROGRAM, Command::Checks, || {
            Ok(Args::diagnose())
        })? {
            Command::Diagnose(wanted) => diagnose::run(&args.connection, &wanted, run).await,
            Command::Node(wanted) => diagnose::node(&args.connection, &wanted, run).await,
            Command::Mtu(wanted) => diagnose::mtu(&args.connection, &wanted, run).await,
            Command::PodToPod(wanted) => pod_to_pod::run(&args.connection, &wanted, run).await,
            Command::Service(wanted) => service::run(&args.connection, &wanted, run).await,
            Command::External(wanted) => external::run(&args.connection, &wanted, run).await,
            Command::Egress(wanted) => egress::run(&args.connection, &wanted, run).await,
            Command::Path(wanted) => path::run(&args.connection, &wanted, run).await,
            Command::Perf(wanted) => perf::run(&args.connection, &wanted, run).await,
            Command::Watch(wanted) => watch::run(&args.connection, &wanted, run).await,
            Command::ControlPlane(wanted) => control_plane::run(&args.connection, &wanted, run).await,
            Command::Policy(wanted) => policy::run(&args.connection, &wanted, run).await,
            Command::Cleanup(wanted) => cleanup::run(&args.connection, &wanted, run).await,
            Command::Checks(wanted) => guide::run(&wanted, &PROGRAM),
            Command::Explain(wanted) => explain::run(&wanted, &PROGRAM),
            Command::Alerts(wanted) => alerts::run(&args.connection, &wanted, run).await,
        }
    })
}
