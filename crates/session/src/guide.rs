//! The subcommand `checks`: what there is to check, and what is behind an id. Needs no cluster.

use std::fmt::Write as _;

use checks::{Guide, Status, coverage, guide};
use plugin::{Failure, OutputArgs, OutputFormat, Program};
use serde_json::{Value, json};

/// Columns of an explanation, where the terminal's are not known.
const WIDTH: usize = 100;

/// The same questions as flags, for whoever looks for them there.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct GuideFlags {
    /// List the checks and end; as the command `checks`.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    list_checks: bool,
    /// Explain a check and end; as the command `checks ID`.
    #[arg(long, value_name = "ID")]
    explain_check: Option<String>,
}

/// What the subcommand `checks` is asked.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Checks {
    /// Explain these instead of listing all; an id as it stands in reports.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// List also what nothing decides yet, and why.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    all: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// The command that was typed, or the one that stands behind a flag, or `usual` where nothing was typed.
///
/// # Errors
/// When there are both.
pub fn command<C>(
    typed: Option<C>,
    flags: GuideFlags,
    program: &Program,
    checks: impl FnOnce(Checks) -> C,
    usual: impl FnOnce() -> Result<C, Failure>,
) -> Result<C, Failure> {
    let asks = flags.list_checks || flags.explain_check.is_some();
    match (typed, asks) {
        (Some(command), false) => Ok(command),
        (None, true) => Ok(checks(Checks {
            ids: flags.explain_check.into_iter().collect(),
            ..Checks::default()
        })),
        (Some(_), true) => Err(Failure::new(format!(
            "error: --list-checks and --explain-check stand alone, without a command\nSee 'kubectl {} --help' for usage.",
            program.plugin
        ))),
        (None, false) => usual(),
    }
}

/// Runs the subcommand and returns its exit status.
pub fn run(wanted: &Checks, program: &Program) -> Result<u8, Failure> {
    let mut guides = Vec::new();
    for id in &wanted.ids {
        let guide = guide(id).map_err(|error| {
            Failure::of(&error).with_hint(Some(format!(
                "`kubectl {} checks --all` lists every id",
                program.plugin
            )))
        })?;
        guides.push(guide);
    }
    let explains = !guides.is_empty();
    if !explains {
        let ids = coverage().filter_map(|row| guide(row.id).ok());
        guides = ids
            .filter(|guide| wanted.all || matches!(guide.status, Status::Check | Status::Lint))
            .collect();
    }
    let text = match wanted.output.output {
        OutputFormat::Json => plugin::json(&document(&guides))?,
        OutputFormat::Yaml => plugin::yaml(&document(&guides))?,
        OutputFormat::Name => guides.iter().map(|guide| guide.id.to_owned() + "\n").collect(),
        format @ (OutputFormat::Junit | OutputFormat::Html | OutputFormat::Prometheus) => {
            return Err(Failure::format_is_for_reports(format));
        }
        OutputFormat::Text | OutputFormat::Wide if explains => {
            let pages = guides.iter().map(|guide| wanted.output.shown(guide.page(WIDTH)));
            let pages: Vec<String> = pages.collect();
            pages.join("\n")
        }
        OutputFormat::Text | OutputFormat::Wide => wanted.output.shown(table(&guides, wanted)),
    };
    plugin::deliver(&text, &wanted.output)?;
    Ok(report::ExitStatus::NoProblem.into())
}

/// The ids that can be asked for, each with its claim.
pub fn ids() -> Vec<(&'static str, &'static str)> {
    let guides = coverage().filter_map(|row| guide(row.id).ok());
    guides
        .filter(|guide| matches!(guide.status, Status::Check | Status::Lint))
        .map(|guide| (guide.id, guide.claim))
        .collect()
}

fn status(guide: &Guide) -> (&'static str, Option<&'static str>) {
    match guide.status {
        Status::Check | Status::Lint => ("check", None),
        Status::Text => ("explained", None),
        Status::Held(by) => ("kept", Some(by)),
        Status::NotYet(why) => ("not yet", Some(why)),
    }
}

fn table(guides: &[Guide], wanted: &Checks) -> String {
    let mut rows = Vec::new();
    if !wanted.output.no_headers {
        rows.push(["ID", "COMMAND", "STATUS", "NEEDS", "CLAIM"].map(str::to_owned));
    }
    for guide in guides {
        let (status, why) = status(guide);
        let claim = match why.filter(|_| wanted.output.output == OutputFormat::Wide) {
            Some(why) => format!("{} ({why})", guide.claim),
            None => guide.claim.to_owned(),
        };
        rows.push([
            guide.id.to_owned(),
            guide.command.to_owned(),
            status.to_owned(),
            guide.needed(),
            claim,
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    let mut text = String::new();
    for [id, command, status, needs, claim] in &rows {
        let _ = write!(text, "{id:<0$}   {command:<1$}   ", widths[0], widths[1]);
        if wanted.all {
            let _ = write!(text, "{status:<0$}   ", widths[2]);
        }
        let _ = write!(text, "{needs:<0$}   ", widths[3]);
        let _ = writeln!(text, "{claim}");
    }
    text
}

fn document(guides: &[Guide]) -> Value {
    let items = guides.iter().map(|guide| {
        let (status, why) = status(guide);
        json!({
            "id": guide.id,
            "command": guide.command,
            "claim": guide.claim,
            "status": status,
            "needs": guide.needs.iter().map(|need| need.name()).collect::<Vec<_>>(),
            "reason": why,
            "text": guide.section,
        })
    });
    json!({
        "apiVersion": "netcheck.dev/checks/v1",
        "kind": "CheckList",
        "items": items.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program {
        binary: "kubectl-netcheck",
        plugin: "netcheck",
        version: "0.0.0",
        usual: "diagnose",
        cleanup_command: "kubectl netcheck cleanup",
        examples: &[],
        checks: ids,
    };

    #[test]
    fn a_flag_stands_for_the_command() {
        let flags = GuideFlags {
            explain_check: Some("net-mtu".into()),
            ..GuideFlags::default()
        };
        let checks =
            command(None, flags.clone(), &PROGRAM, |checks| checks, || unreachable!()).expect("a command");
        assert_eq!(checks.ids, ["net-mtu"]);
        let both = command(
            Some(Checks::default()),
            flags,
            &PROGRAM,
            |checks| checks,
            || unreachable!(),
        );
        assert!(both.is_err());
    }

    #[test]
    fn only_what_is_decided_is_listed_unless_all_is_asked_for() {
        let undecided = coverage().find(|row| matches!(row.status(), Some(Status::NotYet(_))));
        let ids = ["net-mtu"].into_iter().chain(undecided.map(|row| row.id));
        let guides: Vec<Guide> = ids.filter_map(|id| guide(id).ok()).collect();
        let all = Checks {
            all: true,
            ..Checks::default()
        };
        assert_eq!(
            table(&guides, &all).contains("not yet"),
            guides.len() > 1,
            "as long as there is something that nobody decides"
        );
        let first = table(&guides[..1], &Checks::default());
        assert!(
            first.starts_with(
                "ID        COMMAND            NEEDS        CLAIM\nnet-mtu   kubectl netcheck   probe pods   "
            ),
            "{first}"
        );
    }
}
