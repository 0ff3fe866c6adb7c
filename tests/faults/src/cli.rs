//! The command line of `cargo lab faults`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;

use crate::board::{self, Entry};
use crate::compare::Outcome;
use crate::corpus::{self, selects};
use crate::fault::{Fault, Needs};
use crate::interrupt::Interrupt;
use crate::labs::Borrowed;
use crate::output::{note, result};
use crate::round::{self, Plan};
use crate::stage::Stage;

/// The package of the plugin that is built where no directory is given.
const PLUGINS: [&str; 4] = [
    "kubectl-netcheck",
    "kubectl-epcheck",
    "kubectl-dnscheck",
    "kubectl-cnicheck",
];

/// Break a lab in known ways, ask the plugins what is wrong, and keep the score.
#[derive(Debug, Parser)]
#[command(name = "cargo lab faults", bin_name = "cargo lab faults")]
struct Cli {
    /// Which lab. It is started if it is not up; faults that need another kind of lab get one beside it.
    #[arg(long, default_value = "lab", overrides_with = "name")]
    name: String,
    /// Only faults whose ids match, as N-01 or 'N-*'; may be repeated, or a list with commas.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    only: Vec<String>,
    /// Play each fault so many times.
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: u32,
    /// Ask so many times about each healthy cluster, which is set up once.
    #[arg(long, value_name = "N", default_value_t = 1)]
    looks: u32,
    /// List the faults and stop.
    #[arg(long)]
    list: bool,
    /// Go on after a fault that was not healed, on a lab that is started anew.
    #[arg(long)]
    keep_going: bool,
    /// Keep what was seen and said in a folder for each fault.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Also write the score to this file, after every fault.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Run this instead of what faults name, as 'netcheck pod-to-pod'.
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
    /// Break and heal, and ask nobody: shows that every fault can be injected.
    #[arg(long)]
    inject_only: bool,
    /// Where the plugins are; without it they are built.
    #[arg(long, value_name = "DIR")]
    plugin_dir: Option<PathBuf>,
}

pub(crate) fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Whether everything came out as well as it can.
fn run(cli: &Cli) -> Result<bool> {
    let faults: Vec<Fault> = corpus::load()?
        .into_iter()
        .filter(|fault| selects(&cli.only, &fault.id))
        .collect();
    ensure!(!faults.is_empty(), "no fault has such an id; --list shows them");
    if cli.list {
        for fault in &faults {
            let pending = fault
                .pending
                .as_ref()
                .map_or(String::new(), |why| format!("  (pending: {why})"));
            result(format_args!("{:<14} {}{pending}", fault.id, fault.title));
            if let Some(seen) = &fault.seen {
                result(format_args!("{:15}{}", "", seen.trim()));
            }
        }
        return Ok(true);
    }
    let plugin = match &cli.plugin_dir {
        Some(directory) => std::path::absolute(directory).context("find the plugins")?,
        None => build_plugin()?,
    };
    let interrupt = Interrupt::watch()?;
    let mut entries = Vec::new();
    let played = kinds(&faults)
        .into_iter()
        .try_for_each(|(needs, faults)| on_one_lab(cli, &plugin, &needs, &faults, &interrupt, &mut entries));
    result(format_args!("\n{}", board::totals(&entries).trim_end()));
    played?;
    ensure!(!interrupt.came(), "interrupted; what was broken is healed");
    Ok(entries.iter().all(|entry| entry.outcome.is_good()))
}

/// The faults by the lab that they need, in the order in which each kind is needed first.
fn kinds(faults: &[Fault]) -> Vec<(Needs, Vec<&Fault>)> {
    let mut kinds: Vec<(Needs, Vec<&Fault>)> = Vec::new();
    for fault in faults {
        match kinds.iter_mut().find(|(needs, _)| *needs == fault.lab) {
            Some((_, same)) => same.push(fault),
            None => kinds.push((fault.lab.clone(), vec![fault])),
        }
    }
    kinds
}

fn on_one_lab(
    cli: &Cli,
    plugin: &Path,
    needs: &Needs,
    faults: &[&Fault],
    interrupt: &Interrupt,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let mut score = |entry: Entry| -> Result<()> {
        result(entry.line());
        entries.push(entry);
        if let Some(file) = &cli.markdown {
            fs::write(file, board::markdown(entries)).with_context(|| file.display().to_string())?;
        }
        Ok(())
    };
    let mut borrowed: Option<Borrowed> = None;
    let mut plan = Plan {
        green: false,
        command: cli.command.as_deref(),
        inject_only: cli.inject_only,
        record: cli.record.as_deref(),
        looks: cli.looks,
    };
    let mut played = Ok(());
    'faults: for fault in faults {
        if let Some(why) = &fault.pending
            && !cli.inject_only
        {
            let mut entry = Entry::new(fault);
            entry.outcome = Outcome::Pending { why: why.clone() };
            score(entry)?;
            continue;
        }
        for _ in 0..cli.repeat {
            if interrupt.came() {
                break 'faults;
            }
            let lab = match borrowed.take() {
                Some(lab) => lab,
                None => Borrowed::get(&cli.name, needs)?,
            };
            let stage = Stage::new(lab.lab.clone(), plugin.to_owned());
            let round = round::play(&stage, fault, &plan, interrupt);
            let not_green = match round {
                Ok(round) => {
                    round.entries.into_iter().try_for_each(&mut score)?;
                    round.not_green
                }
                Err(error) => {
                    let why = format!("{error:#}");
                    let mut entry = Entry::new(fault);
                    entry.outcome = Outcome::NotInjected { why: why.clone() };
                    score(entry)?;
                    Some(why)
                }
            };
            plan.green = not_green.is_none();
            borrowed = Some(lab);
            if let Some(why) = not_green {
                note(format_args!("{}: the lab is not green: {why}", fault.id));
                if !cli.keep_going {
                    played = Err(anyhow::anyhow!(
                        "lab {} is not green after {}: {why}",
                        stage.lab().name(),
                        fault.id
                    ));
                    break 'faults;
                }
                borrowed = borrowed.take().map(Borrowed::restart).transpose()?;
            }
        }
    }
    if let Some(lab) = borrowed {
        lab.give_back()?;
    }
    played
}

/// Builds the plugin and returns where it lies.
fn build_plugin() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release"])
        .args(PLUGINS.iter().flat_map(|plugin| ["--package", plugin]))
        .current_dir(corpus::home())
        .status()
        .context("start cargo")?;
    if !status.success() {
        bail!("the plugin does not build");
    }
    // This program lies in TARGET/debug, the plugin in TARGET/release.
    let own = std::env::current_exe().context("find this program")?;
    let target = own.ancestors().nth(2).context("find the target directory")?;
    Ok(target.join("release"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_name_may_be_given_twice() {
        let cli = Cli::try_parse_from(["faults", "--name", "lab", "--name=two"]).unwrap();
        assert_eq!(cli.name, "two");
    }

    #[test]
    fn ids_may_be_a_list() {
        let cli = Cli::try_parse_from(["faults", "--only", "N-01,K-*", "--only=OK-01"]).unwrap();
        assert_eq!(cli.only, ["N-01", "K-*", "OK-01"]);
    }
}
