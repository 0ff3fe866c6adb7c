use std::fmt::Write as _;

use super::{Row, Status, coverage};

const INTRODUCTION: &str = "\
# Coverage

What the plugins are to decide, and how much of it they do. Written by a test from the table in `crates/checks/src/coverage` and from the
registries of what decides: `UPDATE_DOCS=1 cargo test -p checks coverage`.

- **check**: decided by a check; [checks.md](checks.md), or for alert rules [alerts.md](alerts.md), says how.
- **explained**: the meaning of error texts, which `kubectl netcheck explain` knows.
- **kept**: no claim about a cluster but a rule that the programs keep, and where.
- **not yet**: nobody decides it, and why.
";

const COMMANDS: [(&str, &str); 5] = [
    (
        "kubectl netcheck",
        "whether packets get from one place to another",
    ),
    ("kubectl dnscheck", "whether names resolve"),
    ("kubectl epcheck", "whether Services become packet rules"),
    ("kubectl cnicheck", "whether the pod network is built right"),
    ("kubectl netcheck alerts", "whether alerts can fire"),
];

/// The table as `docs/coverage.md` has it.
pub fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str("\n| | ids | check | explained | kept | not yet |\n|---|---|---|---|---|---|\n");
    for (command, _) in COMMANDS {
        count(&mut text, command, &of(command));
    }
    count(&mut text, "all", &coverage().collect::<Vec<_>>());
    for (command, question) in COMMANDS {
        let _ = write!(
            text,
            "\n## {command}: {question}\n\n| id | what it decides | |\n|---|---|---|\n"
        );
        for row in of(command) {
            let _ = writeln!(text, "| {} | {} | {} |", row.id, row.title, words(row));
        }
    }
    text
}

fn of(command: &str) -> Vec<&'static Row> {
    coverage().filter(|row| row.command() == command).collect()
}

fn count(text: &mut String, name: &str, rows: &[&Row]) {
    let statuses: Vec<Option<Status>> = rows.iter().map(|row| row.status()).collect();
    let of = |wanted: fn(Status) -> bool| {
        statuses
            .iter()
            .flatten()
            .filter(|status| wanted(**status))
            .count()
    };
    let _ = writeln!(
        text,
        "| {name} | {} | {} | {} | {} | {} |",
        rows.len(),
        of(|status| matches!(status, Status::Check | Status::Lint)),
        of(|status| status == Status::Text),
        of(|status| matches!(status, Status::Held(_))),
        of(|status| matches!(status, Status::NotYet(_))),
    );
}

fn words(row: &Row) -> String {
    match row.status() {
        Some(Status::Check) => format!("**check**: [how](checks.md#{})", row.id),
        Some(Status::Lint) => format!("**check**: [how](alerts.md#{})", row.id),
        Some(Status::Text) => "explained".to_owned(),
        Some(Status::Held(by)) => format!("kept: {by}"),
        Some(Status::NotYet(why)) => format!("not yet: {why}"),
        None => String::new(),
    }
}
