use std::any::TypeId;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches, ValueEnum as _};

use crate::complete::{self, shim};
use crate::examples::{self, Examples};
use crate::failure::Failure;
use crate::output::OutputFormat;
use crate::signals::Interrupt;
use crate::{manual, print, usage};

/// Which program this is.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The file's name: `kubectl-netcheck`.
    pub binary: &'static str,
    /// As it is typed after kubectl: `netcheck`.
    pub plugin: &'static str,
    /// Without a leading `v`.
    pub version: &'static str,
    /// The command that runs where none is named; its flags may then be given all the same.
    pub usual: &'static str,
    /// What removes the leftovers of a run, to be printed when a run is abandoned.
    pub cleanup_command: &'static str,
    /// The examples of its commands, table by table.
    pub examples: &'static [&'static [Examples]],
    /// The ids that `--check` takes, each with the claim that is checked.
    pub checks: fn() -> Vec<(&'static str, &'static str)>,
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
    let words = cluster::normalize_args(std::env::args_os());
    let words = usually(&program, || commands::<A>(&program), words);
    let fail = |failure: &Failure| {
        let format = wanted_format(commands::<A>(&program), &words);
        // What cannot be written cannot be told either.
        let _ = print::failure(failure, format);
        fail(failure)
    };
    let args = match parse::<A>(&program, &words) {
        Ok(args) => args,
        Err(Ended::With(code)) => return code,
        Err(Ended::Failed(failure)) => return fail(&failure),
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

/// The format that the line asks for, whatever else is wrong with it: the last one that is known.
fn wanted_format(mut root: Command, args: &[OsString]) -> OutputFormat {
    root.build();
    let given = complete::values(&root, args.get(1..).unwrap_or_default(), "output");
    let known = |text: &String| OutputFormat::from_str(text, true).ok();
    given.iter().rev().find_map(known).unwrap_or_default()
}

/// Why there is nothing to run.
enum Ended {
    /// It is done already.
    With(ExitCode),
    /// The line cannot be understood, or a command that every plugin has could not do its work.
    Failed(Failure),
}

/// What was typed, unless a command that every plugin has was meant, which is then done.
fn parse<A: CommandFactory + FromArgMatches>(program: &Program, args: &[OsString]) -> Result<A, Ended> {
    let typed = typed(program, args.first());
    let mut command = commands::<A>(program).bin_name(typed.clone());
    if let Some(answer) = complete::asked(program, &command, args) {
        return Err(ended(print::write(&answer)));
    }
    let matches = command.try_get_matches_from_mut(args);
    if let Ok(matches) = &matches {
        match matches.subcommand() {
            Some(("completion", wanted)) => return Err(ended(shim::run(program, wanted, args.first()))),
            Some(("man", wanted)) => {
                return Err(ended(manual::run(program.binary, commands::<A>(program), wanted)));
            }
            _ => {}
        }
    }
    let parsed = matches.and_then(|matches| A::from_arg_matches(&matches));
    parsed.map_err(|error| {
        use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
        if matches!(
            error.kind(),
            DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
        ) {
            // A closed pipe is the reader's decision.
            let _ = error.print();
            return Ended::With(ExitCode::SUCCESS);
        }
        let words = args.get(1..).unwrap_or_default();
        Ended::Failed(Failure::new(refusal(
            &error,
            words,
            commands::<A>(program),
            &typed,
        )))
    })
}

/// The words with the usual command before them, where none is named and its flags are given.
fn usually(program: &Program, command: impl Fn() -> Command, words: Vec<OsString>) -> Vec<OsString> {
    use clap::error::ErrorKind::UnknownArgument;
    let is_unknown = |words: &[OsString]| {
        let matches = command().try_get_matches_from(words);
        matches.is_err_and(|error| error.kind() == UnknownArgument)
    };
    let begins_with_flag = words
        .get(1)
        .is_some_and(|word| word.to_string_lossy().starts_with('-'));
    if !begins_with_flag || !is_unknown(&words) {
        return words;
    }
    let mut longer = words.clone();
    longer.insert(1, program.usual.into());
    // What that command does not know either is better said of what was typed.
    if is_unknown(&longer) { words } else { longer }
}

/// What is wrong with these words, by the command that they name.
fn refusal(error: &clap::Error, words: &[OsString], root: Command, typed: &str) -> String {
    let mut root = root.bin_name(typed);
    root.build();
    let command = complete::innermost(&root, words);
    let refused = usage::Refused {
        words,
        command,
        typed: command.get_bin_name().unwrap_or(typed),
    };
    usage::explain(error, &refused)
}

/// How the program is called in texts: kubectl starts a plugin by its file's name; people type it as a subcommand.
fn typed(program: &Program, called: Option<&OsString>) -> String {
    let name = called
        .and_then(|path| std::path::Path::new(path).file_stem())
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    if name.starts_with("kubectl-") || name.starts_with("kubectl_") {
        format!("kubectl {}", program.plugin)
    } else {
        name
    }
}

/// All commands of a plugin: its own, those that every plugin has, and the examples.
pub fn commands<A: CommandFactory>(program: &Program) -> Command {
    let command = switches(A::command())
        .version(program.version)
        .args_override_self(true)
        .subcommand(shim::command())
        .subcommand(manual::command());
    examples::add(command, program)
}

/// Lets every switch take the words that kubectl takes for true and false.
fn switches(command: Command) -> Command {
    let is_switch = |argument: &clap::Arg| {
        argument.get_action().takes_values() && argument.get_value_parser().type_id() == TypeId::of::<bool>()
    };
    command
        .mut_args(|argument| {
            if is_switch(&argument) {
                argument.value_parser(cluster::parse_bool)
            } else {
                argument
            }
        })
        .mut_subcommands(switches)
}

/// Arguments whose values completion would not know what to do with, as `COMMAND ARGUMENT`: a plugin has none.
pub fn unclassified<A: CommandFactory>(program: &Program) -> Vec<String> {
    complete::unclassified(&commands::<A>(program))
}

fn ended(outcome: Result<(), Failure>) -> Ended {
    match outcome {
        Ok(()) => Ended::With(ExitCode::SUCCESS),
        Err(failure) => Ended::Failed(failure),
    }
}

/// Could not run: see [`report::ExitStatus`].
fn fail(failure: &Failure) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{}", failure.text());
    ExitCode::from(2)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const PROGRAM: Program = Program {
        binary: "kubectl-netcheck",
        plugin: "netcheck",
        version: "0.0.0",
        usual: "diagnose",
        cleanup_command: "kubectl netcheck cleanup",
        examples: &[],
        checks: Vec::new,
    };

    #[test]
    fn flags_of_the_usual_command_need_no_command() {
        let output = || clap::Arg::new("output").short('o').long("output");
        let command = Command::new("kubectl-netcheck")
            .arg(clap::Arg::new("context").long("context").global(true))
            .subcommand(Command::new("diagnose").arg(output()))
            .subcommand(Command::new("checks").arg(clap::Arg::new("ID")));
        for (typed, meant) in [
            ("-o json", "diagnose -o json"),
            ("--context x -o json", "diagnose --context x -o json"),
            ("--context x", "--context x"),
            ("checks x", "checks x"),
            // No command knows it, and neither is guessed what was meant.
            ("--bogus", "--bogus"),
            ("--bogus checks", "--bogus checks"),
            ("bogus -o json", "bogus -o json"),
            ("", ""),
        ] {
            let words = |line: &str| -> Vec<OsString> {
                let words = line.split_whitespace().map(OsString::from);
                std::iter::once("kubectl-netcheck".into()).chain(words).collect()
            };
            assert_eq!(
                usually(&PROGRAM, || command.clone(), words(typed)),
                words(meant),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_plugin_is_called_as_it_is_typed() {
        for (called, wanted) in [
            ("/home/jane/.krew/bin/kubectl-netcheck", "kubectl netcheck"),
            ("kubectl-netcheck.exe", "kubectl netcheck"),
            ("kubectl_complete-netcheck", "kubectl netcheck"),
            ("/opt/netcheck", "netcheck"),
        ] {
            assert_eq!(typed(&PROGRAM, Some(&called.into())), wanted);
        }
    }
}
