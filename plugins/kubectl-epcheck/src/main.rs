//! `kubectl epcheck`: why a Service has no endpoints, or does not reach them.

mod args;
mod asked;
mod churn;
mod conntrack;
mod examples;
mod lb;
mod proxy;
mod rules;
mod scan;
mod svc;
mod watch;

use std::process::ExitCode;

use args::{Args, Command};
use plugin::{Program, run};
use session::{cleanup, guide};

const PROGRAM: Program = Program {
    binary: "kubectl-epcheck",
    plugin: "epcheck",
    version: env!("CARGO_PKG_VERSION"),
    usual: "scan",
    cleanup_command: "kubectl epcheck cleanup",
    examples: &[examples::EXAMPLES, session::EXAMPLES],
    checks: guide::ids,
};

fn main() -> ExitCode {
    run(PROGRAM, async |args: Args, run| {
        let usual = || Ok(Args::scan());
        match guide::command(args.command, args.guide, &PROGRAM, Command::Checks, usual)? {
            Command::Scan(wanted) => scan::run(&args.connection, &wanted, run).await,
            Command::Svc(wanted) => svc::run(&args.connection, &wanted, run).await,
            Command::Rules(wanted) => rules::run(&args.connection, &wanted, run).await,
            Command::Lb(wanted) => lb::run(&args.connection, &wanted, run).await,
            Command::Watch(wanted) => watch::run(&args.connection, &wanted, run).await,
            Command::Proxy(wanted) => proxy::run(&args.connection, &wanted, run).await,
            Command::Conntrack(wanted) => conntrack::run(&args.connection, &wanted, run).await,
            Command::Cleanup(wanted) => cleanup::run(&args.connection, &wanted, run).await,
            Command::Checks(wanted) => guide::run(&wanted, &PROGRAM),
        }
    })
}
