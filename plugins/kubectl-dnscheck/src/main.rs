//! `kubectl dnscheck`: whether names resolve, for whom, and why not.

mod args;
mod asking;
mod corefile;
mod diagnose;
mod examples;
mod facts;
mod latency;
mod pod;
mod resolve;
mod status;
mod upstream;
mod watch;

use std::process::ExitCode;

use args::{Args, Command};
use plugin::{Program, run};
use session::{cleanup, explain, guide};

const PROGRAM: Program = Program {
    binary: "kubectl-dnscheck",
    plugin: "dnscheck",
    version: env!("CARGO_PKG_VERSION"),
    usual: "diagnose",
    cleanup_command: "kubectl dnscheck cleanup",
    examples: &[examples::EXAMPLES, session::EXAMPLES],
    checks: guide::ids,
};

fn main() -> ExitCode {
    run(PROGRAM, async |args: Args, run| {
        let usual = || Ok(Args::diagnose());
        match guide::command(args.command, args.guide, &PROGRAM, Command::Checks, usual)? {
            Command::Diagnose(wanted) => diagnose::run(&args.connection, &wanted, run).await,
            Command::Status(wanted) => status::run(&args.connection, &wanted, run).await,
            Command::Resolve(wanted) => resolve::run(&args.connection, &wanted, run).await,
            Command::Upstream(wanted) => upstream::run(&args.connection, &wanted, run).await,
            Command::Latency(wanted) => latency::run(&args.connection, &wanted, run).await,
            Command::Watch(wanted) => watch::run(&args.connection, &wanted, run).await,
            Command::Corefile(wanted) => corefile::run(&args.connection, &wanted, run).await,
            Command::Pod(wanted) => pod::run(&args.connection, &wanted, run).await,
            Command::Logs(wanted) => status::logs(&args.connection, &wanted, run).await,
            Command::Metrics(wanted) => status::metrics(&args.connection, &wanted, run).await,
            Command::Scale(wanted) => status::scale(&args.connection, &wanted, run).await,
            Command::Cleanup(wanted) => cleanup::run(&args.connection, &wanted, run).await,
            Command::Checks(wanted) => guide::run(&wanted, &PROGRAM),
            Command::Explain(wanted) => explain::run(&wanted, &PROGRAM),
        }
    })
}
