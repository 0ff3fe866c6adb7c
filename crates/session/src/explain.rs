//! The subcommand `explain`: what an error text says about the network. Needs no cluster.

use std::path::{Path, PathBuf};

use errortext::{Match, Rank, Reading};
use plugin::{Failure, OutputArgs, OutputFormat, Program};
use report::ExitStatus;
use serde_json::{Value, json};

use crate::contents;

/// Columns of an explanation.
const WIDTH: usize = 100;

const AFTER: &str = "\
Exit status, the same for every output format:
  0  the text was recognized
  2  could not run: usage, or a file that cannot be read
  3  nothing in the text is known";

/// What the subcommand `explain` is asked.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = AFTER)]
pub struct Explain {
    /// The text; several words are taken together. `-` reads standard input.
    #[arg(
        value_name = "TEXT",
        required_unless_present = "filename",
        conflicts_with = "filename"
    )]
    text: Vec<String>,
    /// Read the text from this file. `-` reads standard input.
    #[arg(short, long, value_name = "FILE")]
    filename: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand and returns its exit status.
pub fn run(wanted: &Explain, program: &Program) -> Result<u8, Failure> {
    let text = match (&wanted.filename, wanted.text.as_slice()) {
        (Some(path), _) => contents(path)?,
        (None, [only]) if only == "-" => contents(Path::new("-"))?,
        (None, words) => words.join(" "),
    };
    let reading = errortext::read(&text);
    let text = match wanted.output.output {
        OutputFormat::Json => plugin::json(&document(&reading))?,
        OutputFormat::Yaml => plugin::yaml(&document(&reading))?,
        OutputFormat::Name => reading
            .matches
            .iter()
            .map(|found| found.text.name.to_owned() + "\n")
            .collect(),
        format @ (OutputFormat::Junit | OutputFormat::Html | OutputFormat::Prometheus) => {
            return Err(Failure::format_is_for_reports(format));
        }
        OutputFormat::Text | OutputFormat::Wide => {
            wanted
                .output
                .shown(errortext::page(&reading, WIDTH, program.plugin))
        }
    };
    plugin::deliver(&text, &wanted.output)?;
    let status = if reading.matches.is_empty() {
        ExitStatus::Inconclusive
    } else {
        ExitStatus::NoProblem
    };
    Ok(status.into())
}

fn document(reading: &Reading) -> Value {
    json!({
        "apiVersion": "netcheck.dev/explanation/v1",
        "kind": "Explanation",
        "recognized": !reading.matches.is_empty(),
        "lines": reading.lines,
        "matches": reading.matches.iter().map(of_match).collect::<Vec<_>>(),
    })
}

fn of_match(found: &Match) -> Value {
    let text = found.text;
    let says = match text.rank {
        Rank::Cause => "cause",
        Rank::Ending => "ending",
        Rank::Frame => "frame",
    };
    let kept: serde_json::Map<String, Value> = found
        .kept
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
        .collect();
    json!({
        "name": text.name,
        "check": text.check,
        "says": says,
        "line": found.line,
        "count": found.count,
        "words": kept,
        "means": text.means,
        "excludes": text.excludes,
        "causes": text.causes.iter().map(|cause| json!({"what": cause.what, "decidedBy": cause.decided_by})).collect::<Vec<_>>(),
        "next": text.next,
    })
}
