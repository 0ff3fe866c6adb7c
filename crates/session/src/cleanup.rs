//! The subcommand `cleanup`: what dead runs left, found and removed.

use std::fmt::Write as _;

use cluster::{Cluster, ConnectionArgs, Identity};
use plugin::{Failure, OutputFormat, Run, Spinner};
use probe::{Action, CleanupOptions, CleanupReport, FoundRun, Life};
use report::ExitStatus;
use serde_json::{Value, json};

use crate::args::Cleanup;

/// Runs the subcommand and returns its exit status: 1 when something could not be removed, 3 when not every place could
/// be looked at.
pub async fn run(connection: &ConnectionArgs, wanted: &Cleanup, run: &Run) -> Result<u8, Failure> {
    let spinner = Spinner::new(wanted.output.progress_on_stderr());
    let cluster = Cluster::connect(
        connection,
        &Identity::new(run.program.binary, run.program.version),
    )
    .await?;
    if let report::Observed::Unseen(gap) = cluster.server_version().await {
        return Err(Failure::new(gap.message).with_hint(gap.hint));
    }
    spinner.say("looking for what earlier runs left");
    let options = CleanupOptions {
        tool: run.program.plugin.to_owned(),
        dry_run: wanted.is_dry(),
        run: wanted.run.clone(),
        probe_namespace: wanted.probe_namespace.clone(),
        force: wanted.force,
    };
    let report = tokio::select! {
        report = probe::cleanup(&cluster, &options) => report,
        () = run.interrupt.token().cancelled() => return Err(Failure::new("error: interrupted")),
    };
    spinner.clear();
    let text = match wanted.output.output {
        OutputFormat::Json => machine(&document(&report))?,
        OutputFormat::Yaml => plugin::yaml(&document(&report))?,
        OutputFormat::Name => names(&report),
        format @ (OutputFormat::Junit | OutputFormat::Html | OutputFormat::Prometheus) => {
            return Err(Failure::format_is_for_reports(format));
        }
        OutputFormat::Text | OutputFormat::Wide => table(
            &report,
            wanted.output.no_headers,
            wanted.output.output == OutputFormat::Wide,
        ),
    };
    plugin::deliver(&text, &wanted.output)?;
    cluster.check_warnings()?;
    Ok(status(&report).into())
}

fn status(report: &CleanupReport) -> ExitStatus {
    if report
        .runs
        .iter()
        .any(|(_, action)| matches!(action, Action::Failed(_)))
    {
        ExitStatus::ProblemFound
    } else if report.gaps.is_empty() {
        ExitStatus::NoProblem
    } else {
        ExitStatus::Inconclusive
    }
}

/// What became of a run, in one word, and why.
fn outcome(run: &FoundRun, action: &Action) -> (&'static str, String) {
    let (Life::Live(known_by) | Life::Dead(known_by)) = &run.life;
    match action {
        Action::Removed => ("deleted", known_by.clone()),
        Action::WouldRemove => ("would delete", known_by.clone()),
        Action::Spared => ("live", known_by.clone()),
        Action::Going => ("deleting", "its deletion was accepted before".to_owned()),
        Action::Failed(failures) => ("failed", failures.join("; ")),
    }
}

fn place(run: &FoundRun) -> String {
    run.objects.last().map(ToString::to_string).unwrap_or_default()
}

fn table(report: &CleanupReport, no_headers: bool, wide: bool) -> String {
    let mut rows: Vec<[String; 5]> = Vec::new();
    if !no_headers && !report.runs.is_empty() {
        rows.push(["RUN", "WHERE", "OBJECTS", "STATE", "WHY"].map(str::to_owned));
    }
    for (run, action) in &report.runs {
        let (state, why) = outcome(run, action);
        rows.push([
            run.id.clone(),
            place(run),
            run.objects.len().to_string(),
            state.to_owned(),
            why,
        ]);
    }
    let mut text = String::new();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..4).map(width).collect();
    for (index, row) in rows.iter().enumerate() {
        for (column, width) in widths.iter().enumerate() {
            let _ = write!(text, "{:<width$}   ", row[column]);
        }
        let _ = writeln!(text, "{}", row[4]);
        let run = index
            .checked_sub(usize::from(!no_headers))
            .and_then(|index| report.runs.get(index));
        if let (true, Some((run, _))) = (wide, run) {
            for object in &run.objects {
                let _ = writeln!(text, "  {object}");
            }
        }
    }
    if report.runs.is_empty() && report.gaps.is_empty() {
        text.push_str("Nothing is left of earlier runs.\n");
    }
    for gap in &report.gaps {
        let _ = writeln!(text, "? could not look for {}: {}", gap.what, gap.message);
        if let Some(hint) = &gap.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
    text
}

fn names(report: &CleanupReport) -> String {
    let mut text = String::new();
    for object in report.runs.iter().flat_map(|(run, _)| &run.objects) {
        let _ = writeln!(text, "{object}");
    }
    text
}

fn document(report: &CleanupReport) -> Value {
    let runs = report.runs.iter().map(|(run, action)| {
        let (state, why) = outcome(run, action);
        json!({
            "run": run.id,
            "state": state,
            "why": why,
            "live": matches!(run.life, Life::Live(_)),
            "objects": run.objects.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    json!({
        "apiVersion": "netcheck.dev/cleanup/v1",
        "kind": "CleanupReport",
        "runs": runs.collect::<Vec<_>>(),
        "gaps": report.gaps,
    })
}

fn machine(document: &Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(document)
        .map(|text| text + "\n")
        .map_err(|error| Failure::of(&error))
}
