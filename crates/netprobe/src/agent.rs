//! What the agent is made of: two event loops over epoll, one that answers and one that asks.

mod arguments;
mod attempt;
mod descriptors;
mod dns;
mod echo;
mod failure;
mod gateways;
mod interfaces;
mod kernel;
mod output;
mod peering;
mod plan;
mod pod;
mod read;
mod run;
mod schedule;
mod serve;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use arguments::Command;

/// Exit status of a run or a server that could not do its work.
const FAILED: u8 = 1;
/// Exit status of bad usage, which includes a plan that cannot be read or is not for this agent.
const REFUSED: u8 = 2;

/// Why the agent ends without having done what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was asked the wrong thing.
    Refused(String),
    /// It could not do it.
    Failed(String),
    /// Nobody reads the answers any more.
    OutputClosed,
}

impl Failure {
    /// A failed operation of the system.
    pub(crate) fn system(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Failed(format!("{what}: {error}"))
    }
}

pub(crate) fn main() -> ExitCode {
    let ended = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Serve(options)) => serve::serve(&options),
        Ok(Command::Run(options)) => run::run(&options),
        Ok(Command::Read(identity)) => read::read(&identity),
        Ok(Command::Tell { identity, plan, file }) => read::tell(&identity, &plan, Path::new(&file)),
        Ok(Command::Under { root, command }) => read::become_under(&root, &command),
        Ok(Command::Version) => print(&format!(
            "netprobe {}, wire {}",
            env!("CARGO_PKG_VERSION"),
            netprobe::WIRE_VERSION
        )),
        Ok(Command::Help) => print(arguments::USAGE),
        Err(message) => Err(Failure::Refused(message)),
    };
    let (status, message) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Refused(message)) => (REFUSED, message),
        Err(Failure::Failed(message)) => (FAILED, message),
        Err(Failure::OutputClosed) => (FAILED, "standard output was closed".to_owned()),
    };
    // Nothing can be done about a closed standard error.
    let _ = writeln!(io::stderr(), "netprobe: {message}");
    ExitCode::from(status)
}

fn print(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(|_| Failure::OutputClosed)
}
