use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::failure::Failure;
use crate::signals::Interrupt;
use crate::usage;

/// Which program this is.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The file's name: `kubectl-netcheck`.
    pub binary: &'static str,
    /// As it is typed after kubectl: `netcheck`.
    pub plugin: &'static str,
    /// Without a leading `v`.
    pub version: &'static str,
    /// What removes the leftovers of a run, to be printed when a run is abandoned.
    pub cleanup_command: &'static str,
}

/// What a subcommand gets besides its arguments.
#[derive(Debug)]
pub struct Run {
    /// Which program this is.
    pub program: Program,
    /// Says when the user wants to stop.
    pub interrupt: Interrupt,
}

/// Parses the command line, runs `work`, prints what went wrong, and returns the exit status: that of `work`, 2 when
/// the work could not be done, or 128 + the signal when the user stopped it.
///
/// `--help` and usage errors come before anything else is set up, so they cost no more than the parsing.
pub fn run<A, F>(program: Program, work: F) -> ExitCode
where
    A: CommandFactory + FromArgMatches,
    F: AsyncFnOnce(A, &Run) -> Result<u8, Failure>,
{
    let args = match parse::<A>(&program, std::env::args_os()) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Failure::of(&error)),
    };
    let code = runtime.block_on(async {
        let interrupt = match Interrupt::listen(program.cleanup_command) {
            Ok(interrupt) => interrupt,
            Err(error) => return fail(&Failure::of(&error)),
        };
        let run = Run { program, interrupt };
        let outcome = work(args, &run).await;
        match (outcome, run.interrupt.exit_code()) {
            (Err(failure), None) => fail(&failure),
            (Err(failure), Some(code)) => {
                fail(&failure);
                ExitCode::from(code)
            }
            (Ok(_), Some(code)) | (Ok(code), None) => ExitCode::from(code),
        }
    });
    // A blocked read (an exec that never ends) must not hold the prompt back.
    runtime.shutdown_background();
    code
}

fn parse<A: CommandFactory + FromArgMatches>(
    program: &Program,
    args: impl Iterator<Item = OsString>,
) -> Result<A, ExitCode> {
    let args = cluster::normalize_args(args);
    let called = args.first().map(std::path::PathBuf::from).unwrap_or_default();
    let called = called
        .file_stem()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    // kubectl starts a plugin by its file's name; people type it as a subcommand.
    let typed = if called.starts_with("kubectl-") {
        format!("kubectl {}", program.plugin)
    } else {
        called
    };
    let mut command = A::command()
        .bin_name(typed.clone())
        .version(program.version)
        .args_override_self(true);
    let parsed = command
        .try_get_matches_from_mut(args)
        .and_then(|matches| A::from_arg_matches(&matches));
    parsed.map_err(|error| {
        use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
        if matches!(
            error.kind(),
            DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
        ) {
            // A closed pipe is the reader's decision.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        fail(&Failure::new(usage::explain(&error, &typed)))
    })
}

/// Could not run: see [`report::ExitStatus`].
fn fail(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", failure.text());
    ExitCode::from(2)
}
