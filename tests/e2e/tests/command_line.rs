//! What a user types, with every kubectl at hand: how kubectl finds and calls the plugins, and whether they take flags, names and
//! mistakes as kubectl does, end as it does, and print where it prints. Where the two differ on purpose, the case says why.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says what it compared"
)]

#[path = "command_line/cases.rs"]
mod cases;
#[path = "command_line/completion.rs"]
mod completion;
#[path = "command_line/help.rs"]
mod help;
#[path = "command_line/world.rs"]
mod world;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use cases::{CASES, Case, Proof};
use e2e::kubectls;
use world::{Outcome, World};

const LIMIT: Duration = Duration::from_secs(30);

/// So many versions are compared at a time.
const AT_ONCE: usize = 4;

/// What a case came to: the two cells of the table, and what does not hold.
struct Shown {
    theirs: String,
    ours: String,
    wrong: Option<String>,
}

/// All that a line printed, and how it ended.
fn told(outcome: &Outcome) -> String {
    let streams = [outcome.stdout.as_str(), outcome.stderr.as_str()];
    let text: Vec<&str> = streams.into_iter().filter(|text| !text.is_empty()).collect();
    text.join("\n")
}

/// A text as a cell of a table, short enough to be read.
fn cell(line: &str, said: &str) -> String {
    let mut said: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    let cut = said.len() > 3;
    said.truncate(3);
    let quoted = |text: &str| format!("`{}`", text.replace('|', "\\|").replace('`', "'"));
    let mut cell = quoted(line);
    for line in said {
        let _ = write!(cell, "<br>→ {}", quoted(line));
    }
    if cut {
        cell.push_str(" …");
    }
    cell
}

/// Runs lines of a case. What the plugins do when they are called does not depend on who calls them, so that their lines are run
/// once, but for those about the call itself.
struct Runner<'a> {
    world: &'a World,
    kubectl: &'a Path,
    ours: &'a Mutex<HashMap<String, Outcome>>,
}

impl Runner<'_> {
    fn theirs(&self, line: &str) -> Outcome {
        self.world.run(self.kubectl, line, LIMIT)
    }

    fn ours(&self, line: &str) -> Outcome {
        if let Some(known) = self.ours.lock().unwrap().get(line) {
            return known.clone();
        }
        let outcome = self.world.run(self.kubectl, line, LIMIT);
        self.ours.lock().unwrap().insert(line.to_owned(), outcome.clone());
        outcome
    }

    fn show(&self, case: &Case) -> Shown {
        match &case.proof {
            Proof::Ours(line) if case.area == "Dispatch" => of_ours(line, &self.theirs(line)),
            Proof::Ours(line) => of_ours(line, &self.ours(line)),
            Proof::Lines { theirs, ours } => {
                let (their, our) = (told(&self.theirs(theirs)), told(&self.ours(ours)));
                Shown {
                    wrong: differing(case, their == our, &their, &our),
                    theirs: cell(theirs, &their),
                    ours: cell(ours, &our),
                }
            }
            Proof::Said { theirs, ours } => self.said(case, theirs, ours),
            Proof::Alike { theirs, ours } => {
                let their = alike(theirs, |line| self.theirs(line));
                let our = alike(ours, |line| self.ours(line));
                Shown {
                    wrong: their.1.or(our.1).map(|why| format!("{}: {why}", case.what)),
                    theirs: their.0,
                    ours: our.0,
                }
            }
        }
    }

    fn said(&self, case: &Case, theirs: &(&str, &str), ours: &(&str, &str)) -> Shown {
        let line = |(command, rest): &(&str, &str)| format!("kubectl {command} {rest}").replace("  ", " ");
        let (their_line, our_line) = (line(theirs), line(ours));
        let (their, our) = (self.theirs(&their_line), self.ours(&our_line));
        let plain = |outcome: &Outcome, (command, _): &(&str, &str)| {
            let text = outcome
                .stderr
                .replace(&format!("See 'kubectl {command} "), "See 'COMMAND ");
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("hint: ")).collect();
            (outcome.code == Some(0), lines.join("\n"))
        };
        Shown {
            wrong: differing(
                case,
                plain(&their, theirs) == plain(&our, ours),
                &told(&their),
                &told(&our),
            ),
            theirs: cell(&their_line, &told(&their)),
            ours: cell(&our_line, &told(&our)),
        }
    }
}

fn of_ours(line: &str, outcome: &Outcome) -> Shown {
    Shown {
        theirs: "—".to_owned(),
        ours: cell(line, &told(outcome)),
        wrong: None,
    }
}

/// All spellings of a line as a cell, and one that does something else, or that nothing can be told.
fn alike((line, spellings): &(&str, &[&str]), run: impl Fn(&str) -> Outcome) -> (String, Option<String>) {
    let lines: Vec<String> = spellings
        .iter()
        .map(|spelling| line.replace("{}", spelling))
        .collect();
    let outcomes: Vec<Outcome> = lines.iter().map(|line| run(line)).collect();
    let first = &outcomes[0];
    let odd = lines.iter().zip(&outcomes).find(|(_, outcome)| *outcome != first);
    let odd = odd.map(|(line, outcome)| format!("{line}: {outcome:?}\n  first: {first:?}"));
    let nothing = first.stdout.is_empty().then(|| {
        format!(
            "{}: nothing is printed, so nothing is compared: {first:?}",
            lines[0]
        )
    });
    let list: Vec<String> = spellings.iter().map(|one| format!("`{one}`")).collect();
    let said = first.stdout.lines().next().unwrap_or_default();
    let shown = format!(
        "`{line}`: {}<br>→ all `{}`",
        list.join(", "),
        said.replace('|', "\\|")
    );
    (shown, odd.or(nothing))
}

fn differing(case: &Case, same: bool, theirs: &str, ours: &str) -> Option<String> {
    match (same, case.on_purpose) {
        (true, None) | (false, Some(_)) => None,
        (false, None) => Some(format!(
            "{}:\n    kubectl {theirs:?}\n    ours    {ours:?}",
            case.what
        )),
        (true, Some(_)) => Some(format!("{}: no longer differs: {ours:?}", case.what)),
    }
}

fn table(runner: &Runner<'_>) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut wrong = Vec::new();
    for area in CASES {
        let name = area[0].area;
        let _ = write!(
            text,
            "\n### {name}\n| what | kubectl | the plugins | |\n|---|---|---|---|\n"
        );
        for case in *area {
            let shown = runner.show(case);
            wrong.extend(shown.wrong);
            let verdict = match (case.on_purpose, &case.proof) {
                (Some(why), _) => format!("on purpose: {why}"),
                (None, Proof::Ours(_)) => String::new(),
                (None, _) => "same".to_owned(),
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {verdict} |",
                case.what, shown.theirs, shown.ours
            );
        }
    }
    (text, wrong)
}

#[test]
fn lines_mean_what_they_mean_with_kubectl() {
    let kubectls = kubectls();
    if kubectls.is_empty() {
        println!("skipped: no kubectl to compare with");
        return;
    }
    let ours = Mutex::default();
    let compare = |kubectl: &Path| {
        let world = World::start()?;
        let runner = Runner {
            world: &world,
            kubectl,
            ours: &ours,
        };
        Some(table(&runner))
    };
    // The first one alone, so that the plugins' own lines are run once.
    let Some(first) = compare(&kubectls[0]) else {
        return;
    };
    let mut compared = vec![first];
    for several in kubectls[1..].chunks(AT_ONCE) {
        std::thread::scope(|scope| {
            let running: Vec<_> = several
                .iter()
                .map(|kubectl| scope.spawn(|| compare(kubectl)))
                .collect();
            compared.extend(running.into_iter().filter_map(|thread| thread.join().unwrap()));
        });
    }
    let mut wrong = Vec::new();
    let mut tables = Vec::new();
    for (kubectl, (text, differences)) in kubectls.iter().zip(compared) {
        wrong.extend(
            differences
                .iter()
                .map(|one| format!("{}: {one}", kubectl.display())),
        );
        tables.push(text);
    }
    let count: usize = CASES.iter().map(|area| area.len()).sum();
    println!("{count} cases with {} versions of kubectl", kubectls.len());
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    for (kubectl, text) in kubectls.iter().zip(&tables) {
        let odd: Vec<&str> = text
            .lines()
            .filter(|line| !tables[0].lines().any(|other| other == *line))
            .collect();
        assert!(
            odd.is_empty(),
            "{} does otherwise than {}:\n{}",
            kubectl.display(),
            kubectls[0].display(),
            odd.join("\n")
        );
    }
    e2e::assert_generated("parity.md", "command line", &tables[0]);
}
