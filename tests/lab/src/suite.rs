//! Everything that is checked, in one command.

mod packages;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};

use crate::cargo::{self, PLUGINS, cargo};
use crate::progress::{Progress, note, result};
use crate::requirements::{self, Missing};
use crate::state::{Options, StateDir};
use crate::{User, build, down, leftovers, up};

/// Lets the test of `up` and `down` start labs of its own; without it, it says that it was skipped.
const LIFECYCLE: &str = "NETCHECK_LAB_LIFECYCLE";

/// Tells the end-to-end tests where the plugin lies that they are to run.
const PLUGIN_DIRECTORY: &str = "NETCHECK_PLUGIN_DIR";

/// Tells the tests that compare with kubectl of one more, beside those of the machine.
const NEWER_KUBECTL: &str = "NETCHECK_NEWER_KUBECTL";

/// Tells tests where the plugins lie as a release packs them.
const ARCHIVES: &str = "NETCHECK_ARCHIVES";

/// Faults that are found within seconds, one of each layer, and two clusters that are healthy. All of them take minutes:
/// `cargo lab faults`.
const QUICK_FAULTS: &str = "N-01,N-05,N-07,N-09,N-27,K-03,K-04,OK-01,OK-05";

/// What came of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    name: String,
    failed: bool,
    tests: Tally,
    failures: Failures,
}

impl Outcome {
    /// Of a step that runs no tests; says at once why it failed.
    fn of<T>(name: &str, result: &Result<T>) -> Self {
        if let Err(error) = result {
            note(format_args!("error: {error:#}"));
        }
        Self {
            name: name.to_owned(),
            failed: result.is_err(),
            ..Self::default()
        }
    }
}

/// What failed tests printed, to be told again at the end: thousands of lines lie between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Failures {
    is_within: bool,
    lines: Vec<String>,
    of_this: usize,
}

impl Failures {
    /// So many lines of one test tell what it is about.
    const LINES: usize = 60;

    fn read(&mut self, line: &str) {
        if line == "failures:" {
            self.is_within = true;
        } else if line.starts_with("test result: ") {
            self.is_within = false;
        } else if self.is_within && line.starts_with("---- ") {
            self.of_this = 1;
            self.lines.push(line.to_owned());
        } else if self.is_within && (1..Self::LINES).contains(&self.of_this) {
            self.of_this += 1;
            self.lines.push(line.to_owned());
        }
        if line == "failures:" || !self.is_within {
            self.of_this = 0;
        }
    }
}

/// How many tests did what, as cargo prints it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    /// Counts one line of what cargo and the tests print. A test that prints `skipped:` has passed for cargo,
    /// which knows no third way.
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.trim_start().strip_prefix("test result: ") {
            self.passed += count_before(counts, " passed");
            self.failed += count_before(counts, " failed");
            self.skipped += count_before(counts, " ignored");
        } else if line.contains("skipped: ") {
            self.skipped += 1;
            self.passed = self.passed.saturating_sub(1);
        }
    }
}

fn count_before(counts: &str, word: &str) -> u32 {
    let number = counts
        .split_once(word)
        .and_then(|(before, _)| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The checks that need no cluster, then those on a lab that is started for them and ended again.
pub(crate) fn on_a_lab(state: &StateDir, options: &Options) -> Result<ExitCode> {
    requirements::ensure(Missing::Install)?;
    requirements::install_for_packages()?;
    let mut steps = Vec::new();
    steps.push(step("formatting", &mut cargo(&["fmt", "--all", "--check"])));
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny=warnings",
    ];
    steps.push(step("clippy", &mut cargo(&clippy)));
    steps.push(build_plugin());
    let plugin = cargo::release_directory()?;
    let (built, kubectl) = newer_kubectl();
    steps.push(built);
    let tests = [
        "test",
        "--workspace",
        "--locked",
        "--no-fail-fast",
        "--",
        "--show-output",
    ];
    let mut tests = cargo(&tests);
    tests
        .env(PLUGIN_DIRECTORY, &plugin)
        .envs(kubectl.map(|path| (NEWER_KUBECTL, path)));
    steps.push(step("unit tests", without_cluster(&mut tests)));

    let before = state.settings()?;
    let started = up::up(state, options);
    steps.push(Outcome::of("lab up", &started));
    let settings = state.settings()?.or(before);
    if started.is_ok() {
        let kubeconfig = state.kubeconfig(User::Admin.file());
        let lab_programs = state.path().join("bin");
        let archives = cargo::target_directory()?.join("packages");
        steps.push(packages::pack(&archives));
        let mut tests = end_to_end(&kubeconfig, &plugin, Some(&lab_programs))?;
        tests.env("NETCHECK_LAB", state.name()).env(ARCHIVES, &archives);
        steps.push(step("end to end", &mut tests));
        steps.push(step("faults", &mut quick_faults(state, &plugin)));
        steps.push(packages::install(&archives, &kubeconfig, &lab_programs));
    }
    steps.push(Outcome::of("lab down", &down::down(state)));
    let left = leftovers::of(state, settings.as_ref());
    for one in &left {
        note(format_args!("left over: {one}"));
    }
    steps.push(Outcome {
        name: "nothing left".to_owned(),
        failed: !left.is_empty(),
        ..Outcome::default()
    });
    let lifecycle = [
        "test",
        "--locked",
        "--package=lab",
        "--test=lifecycle",
        "--",
        "--test-threads=1",
        "--show-output",
    ];
    steps.push(step(
        "lab lifecycle",
        without_cluster(&mut cargo(&lifecycle)).env(LIFECYCLE, "1"),
    ));
    Ok(summary(&steps))
}

/// The end-to-end tests that need no access to nodes, on somebody's cluster.
pub(crate) fn on_a_cluster(kubeconfig: &Path) -> Result<ExitCode> {
    let kubeconfig = std::path::absolute(kubeconfig).context("find the kubeconfig")?;
    anyhow::ensure!(
        kubeconfig.is_file(),
        "there is no kubeconfig {}",
        kubeconfig.display()
    );
    let mut steps = vec![build_plugin()];
    let mut tests = end_to_end(&kubeconfig, &cargo::release_directory()?, None)?;
    steps.push(step("end to end", tests.env_remove("NETCHECK_LAB")));
    Ok(summary(&steps))
}

/// Breaks the lab in a few ways; the plugin must name each of them first, and nothing where nothing is wrong.
fn quick_faults(state: &StateDir, plugin: &Path) -> Command {
    let words = ["run", "--quiet", "--locked", "--package=faults", "--"];
    let mut command = cargo(&words);
    command
        .args(["--name", state.name(), "--only", QUICK_FAULTS, "--plugin-dir"])
        .arg(plugin);
    command
}

fn build_plugin() -> Outcome {
    let mut build = cargo(&["build", "--release", "--locked"]);
    build.args(PLUGINS.iter().flat_map(|plugin| ["--package", plugin]));
    step("plugin", &mut build)
}

fn newer_kubectl() -> (Outcome, Option<PathBuf>) {
    let built = build::newer_kubectl(&Progress::new());
    if let Err(error) = &built {
        note(format_args!("error: {error:#}"));
    }
    let outcome = Outcome {
        name: "kubectl".to_owned(),
        failed: built.is_err(),
        ..Outcome::default()
    };
    (outcome, built.ok())
}

fn end_to_end(kubeconfig: &Path, plugin: &Path, lab_programs: Option<&Path>) -> Result<Command> {
    let words = [
        "test",
        "--release",
        "--locked",
        "--no-fail-fast",
        "--package=e2e",
        "--",
        "--test-threads=1",
        "--show-output",
    ];
    let mut command = cargo(&words);
    command
        .env("KUBECONFIG", kubeconfig)
        .env(PLUGIN_DIRECTORY, plugin);
    command.env("PATH", cargo::path_with_plugin(plugin, lab_programs)?);
    Ok(command)
}

/// A test without a lab must not find one by the environment of whoever started us.
fn without_cluster(command: &mut Command) -> &mut Command {
    command
        .env_remove("KUBECONFIG")
        .env_remove("NETCHECK_LAB")
        .env_remove(LIFECYCLE)
}

/// Runs one step, passes on what it prints, and counts its tests.
fn step(name: &str, command: &mut Command) -> Outcome {
    Progress::new().line(name, "…");
    let mut outcome = Outcome {
        name: name.to_owned(),
        ..Outcome::default()
    };
    match watch(command, &mut outcome) {
        Ok(well) => outcome.failed = !well,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            outcome.failed = true;
        }
    }
    outcome
}

fn watch(command: &mut Command, outcome: &mut Outcome) -> Result<bool> {
    let mut child = command.stdout(Stdio::piped()).spawn().context("start cargo")?;
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line.context("read what cargo prints")?;
            outcome.tests.read(&line);
            outcome.failures.read(&line);
            result(&line);
        }
    }
    Ok(child.wait().context("wait for cargo")?.success())
}

/// Prints what failed tests said, then a line per step; the status says whether all went well.
fn summary(steps: &[Outcome]) -> ExitCode {
    result("");
    for line in steps.iter().flat_map(|step| &step.failures.lines) {
        result(line);
    }
    for step in steps {
        result(summary_line(step));
    }
    if steps.iter().any(|step| step.failed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn summary_line(step: &Outcome) -> String {
    let Outcome {
        name, failed, tests, ..
    } = step;
    let word = if *failed { "FAILED" } else { "ok" };
    if *tests == Tally::default() {
        return format!("{name:<14} {word}");
    }
    format!(
        "{name:<14} {word:<7} {} passed, {} failed, {} skipped",
        tests.passed, tests.failed, tests.skipped
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_over_several_programs() {
        let mut tally = Tally::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "skipped: KUBECONFIG names no cluster",
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ] {
            tally.read(line);
        }
        assert_eq!(
            tally,
            Tally {
                passed: 14,
                failed: 2,
                skipped: 2
            }
        );
    }

    #[test]
    fn a_skipped_test_is_not_counted_as_passed() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        tally.read("skipped: needs root");
        assert_eq!(
            tally,
            Tally {
                passed: 0,
                failed: 0,
                skipped: 1
            }
        );
    }

    #[test]
    fn what_failed_tests_print_is_kept_and_nothing_else() {
        let mut failures = Failures::default();
        for line in [
            "successes:",
            "---- healthy stdout ----",
            "all is well",
            "failures:",
            "",
            "---- broken stdout ----",
            "left: 1",
            "failures:",
            "    broken",
            "test result: FAILED. 1 passed; 1 failed; 0 ignored",
            "afterwards",
        ] {
            failures.read(line);
        }
        assert_eq!(failures.lines, ["---- broken stdout ----", "left: 1"]);
    }

    #[test]
    fn a_step_without_tests_shows_no_counts() {
        let step = Outcome {
            name: "clippy".to_owned(),
            failed: true,
            ..Outcome::default()
        };
        assert_eq!(summary_line(&step), "clippy         FAILED");
    }
}
