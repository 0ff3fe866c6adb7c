//! One fault from beginning to end: green, broken, looked at, healed, green again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::board::Entry;
use crate::compare::{Outcome, Said, compare};
use crate::facts::Facts;
use crate::fault::{Condition, Fault, Step};
use crate::interrupt::Interrupt;
use crate::output::note;
use crate::stage::{Look, Stage};
use crate::state_of_node::States;

/// How long a healed cluster may take to be green.
const GREEN: Duration = Duration::from_mins(1);
/// How soon after the look the symptoms must show once more.
const STILL: Duration = Duration::from_secs(6);
/// How many times healing is tried: what others write as a whole can bring back what was removed.
const ATTEMPTS: u32 = 4;

/// What to do with each fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan<'a> {
    /// Instead of the command that the fault names.
    pub(crate) command: Option<&'a str>,
    /// Break and heal, and ask nobody.
    pub(crate) inject_only: bool,
    /// The round before this one has seen that everything reaches everything.
    pub(crate) green: bool,
    /// Where bundles and reports are kept.
    pub(crate) record: Option<&'a Path>,
    /// How often the plugin is asked about a healthy cluster.
    pub(crate) looks: u32,
}

/// What a round came to.
#[derive(Debug)]
pub(crate) struct Round {
    /// One for each look; at least one.
    pub(crate) entries: Vec<Entry>,
    /// Why the lab is not what it was, if it is not.
    pub(crate) not_green: Option<String>,
}

/// Plays one fault. The lab is healed however it ends.
///
/// # Errors
/// When the lab is not green before anything is broken, or cannot be asked.
pub(crate) fn play(stage: &Stage, fault: &Fault, plan: &Plan<'_>, interrupt: &Interrupt) -> Result<Round> {
    stage.apply(&fault.workloads).context("bring the workloads")?;
    let facts = stage.facts()?;
    let before = stage.states()?;
    if !plan.green {
        stage
            .await_green(Some(&before), GREEN)
            .context("the lab is not green before anything is broken")?;
    }
    if let Err(error) = shows_nothing(stage, fault, &facts) {
        return Ok(Round {
            entries: vec![not_injected(
                fault,
                format!("before anything is broken: {error:#}"),
            )],
            not_green: None,
        });
    }
    let injection = Injection {
        stage,
        fault,
        facts: &facts,
        healed: false,
    };
    let mut entries = Vec::new();
    if let Err(error) = broken(&injection, plan, interrupt, &mut entries) {
        // What was said about something that did not last says nothing.
        entries = vec![not_injected(fault, one_line(&format!("{error:#}")))];
    }
    let not_green = injection.heal(&before).err().map(|error| format!("{error:#}"));
    for workload in fault.workloads.iter().filter(|name| *name != "web") {
        stage.remove(workload)?;
    }
    Ok(Round { entries, not_green })
}

/// Breaks, waits until it shows, looks, and sees whether it still shows.
fn broken(
    injection: &Injection<'_>,
    plan: &Plan<'_>,
    interrupt: &Interrupt,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    let Injection {
        stage, fault, facts, ..
    } = injection;
    injection.inject()?;
    for condition in &fault.settle {
        hold(stage, facts, condition, None).context("not settled")?;
    }
    for condition in &fault.symptom {
        hold(stage, facts, condition, None).context("no symptom")?;
        if interrupt.came() {
            bail!("interrupted");
        }
    }
    if plan.inject_only {
        let mut entry = Entry::new(fault);
        entry.outcome = Outcome::Injected;
        entries.push(entry);
        return Ok(());
    }
    let looks = if fault.is_control() { plan.looks.max(1) } else { 1 };
    for _ in 0..looks {
        entries.push(look(injection, plan)?);
        if interrupt.came() {
            bail!("interrupted");
        }
    }
    if fault.lasts {
        for condition in &fault.symptom {
            hold(stage, facts, condition, Some(STILL)).context("gone after the look")?;
        }
    }
    Ok(())
}

fn not_injected(fault: &Fault, why: String) -> Entry {
    let mut entry = Entry::new(fault);
    entry.outcome = Outcome::NotInjected { why };
    entry
}

/// Runs the plugin and judges what it says.
fn look(injection: &Injection<'_>, plan: &Plan<'_>) -> Result<Entry> {
    let Injection {
        stage, fault, facts, ..
    } = injection;
    let expected = fault.expected.filled(facts)?;
    let directory = tempfile::tempdir().context("make a directory for the bundle")?;
    let bundle = directory.path().join("observation.json");
    let bundle = bundle.to_string_lossy();
    let command = plan.command.unwrap_or_else(|| fault.command());
    let look = stage.look(command, &["--output=json", "--save-bundle", &bundle])?;
    let mut entry = Entry::new(fault);
    entry.took = Some(look.took);
    if let Some(record) = plan.record {
        keep(stage, fault, command, record, &look, &bundle).context("record")?;
    }
    let said = String::from_utf8_lossy(&look.output.stdout);
    entry.outcome = match Said::parse(&said) {
        Ok(said) => {
            entry.api_calls = said.stats.api_calls;
            compare(&expected, &said)
        }
        Err(_) => Outcome::NoReport {
            why: format!(
                "{}: {}",
                look.output.status,
                one_line(&String::from_utf8_lossy(&look.output.stderr))
            ),
        },
    };
    Ok(entry)
}

/// Keeps what was seen and what was said about it, in the fault's own folder.
fn keep(stage: &Stage, fault: &Fault, command: &str, record: &Path, look: &Look, bundle: &str) -> Result<()> {
    let folder = record.join(&fault.id);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("report.json"), &look.output.stdout)?;
    fs::write(folder.join("stderr.txt"), &look.output.stderr)?;
    if Path::new(bundle).exists() {
        fs::copy(bundle, folder.join("observation.json"))?;
        // The same as text. What was asked of nodes has been seen already.
        let words: Vec<&str> = command.split_whitespace().take(2).collect();
        let text = stage.look(&words.join(" "), &["--from-bundle", bundle])?;
        fs::write(folder.join("report.txt"), text.output.stdout)?;
    }
    Ok(())
}

/// A fault that may be in the lab. It is healed at the latest when this goes out of scope.
struct Injection<'a> {
    stage: &'a Stage,
    fault: &'a Fault,
    facts: &'a Facts,
    healed: bool,
}

impl Injection<'_> {
    fn inject(&self) -> Result<()> {
        for step in &self.fault.inject {
            self.step(step).context("inject")?;
        }
        Ok(())
    }

    fn step(&self, step: &Step) -> Result<()> {
        self.stage.run(&step.on, &self.facts.fill(&step.run)?)
    }

    /// Every step, also after one that fails; the first failure is returned.
    fn heal_once(&self) -> Result<()> {
        let mut result = Ok(());
        for step in &self.fault.heal {
            let healed = self.step(step);
            if result.is_ok() {
                result = healed;
            }
        }
        result
    }

    /// Heals until nodes are what they were and everything reaches everything.
    fn heal(mut self, before: &States) -> Result<()> {
        self.healed = true;
        let mut last = None;
        for attempt in 1..=ATTEMPTS {
            let healed = self.heal_once().context("heal");
            let patience = if attempt == ATTEMPTS { GREEN } else { GREEN / 6 };
            let green = healed.and_then(|()| {
                self.stage.await_green(Some(before), patience)?;
                shows_nothing(self.stage, self.fault, self.facts).context("after healing")
            });
            match green {
                Ok(()) => return Ok(()),
                Err(error) => {
                    note(format_args!("  healing, attempt {attempt}: {error:#}"));
                    last = Some(error);
                }
            }
        }
        last.map_or(Ok(()), Err)
    }
}

impl Drop for Injection<'_> {
    fn drop(&mut self) {
        if !self.healed
            && let Err(error) = self.heal_once()
        {
            note(format_args!("{}: not healed: {error:#}", self.fault.id));
        }
    }
}

/// Whether a condition comes true.
fn hold(stage: &Stage, facts: &Facts, condition: &Condition, within: Option<Duration>) -> Result<()> {
    let within = within.unwrap_or(Duration::from_secs(condition.within));
    stage.await_success(&condition.on, &facts.fill(&condition.run)?, within)
}

/// No symptom holds: otherwise it would say nothing about the fault.
fn shows_nothing(stage: &Stage, fault: &Fault, facts: &Facts) -> Result<()> {
    for condition in fault.symptom.iter().filter(|one| !one.also_when_healthy) {
        let script = facts.fill(&condition.run)?;
        if stage.run(&condition.on, &script).is_ok() {
            bail!("a symptom holds: {}", one_line(&script));
        }
    }
    Ok(())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
