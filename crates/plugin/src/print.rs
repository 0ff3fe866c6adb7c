use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use probe::Removal;
use report::{FailOn, Format, RenderOptions, Report, render};

use crate::failure::Failure;
use crate::file::{Readers, replace};
use crate::output::{OutputArgs, OutputFormat};

/// Prints a report to stdout, or to the file that was named, in the format that was asked for. `fail_on` is what counts as a failure: JUnit says which
/// check failed, and must agree with the exit status.
///
/// # Errors
/// When it cannot be rendered or written. A reader that went away (`| head`) is not an error.
pub fn print(report: &Report, output: &OutputArgs, fail_on: FailOn) -> Result<(), Failure> {
    let format = match output.output {
        OutputFormat::Text => Format::Text,
        OutputFormat::Wide => Format::Wide,
        OutputFormat::Json => Format::Json,
        OutputFormat::Yaml => Format::Yaml,
        OutputFormat::Name => Format::Name,
        OutputFormat::Junit => Format::Junit,
        OutputFormat::Html => Format::Html,
        OutputFormat::Prometheus => Format::Prometheus,
    };
    let options = RenderOptions {
        colour: output.color_on_stdout(),
        unicode: output.unicode(),
        width: output.width(),
        no_headers: output.no_headers,
        stats: output.stats,
        fail_on,
    };
    deliver(&render(report, format, &options), output)
}

/// Writes a finished text to where the user wants it: to stdout, or to a file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn deliver(text: &str, output: &OutputArgs) -> Result<(), Failure> {
    match &output.output_file {
        Some(path) if path != Path::new("-") => {
            let named = |error| Failure::new(format!("error: could not write {}: {error}", path.display()));
            replace(path, text.as_bytes(), Readers::Umask).map_err(named)
        }
        Some(_) | None => write(text),
    }
}

/// Whether anything went to stdout: what fails afterwards must not add a second document.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// The document for whoever asked for one and cannot have the report; nothing where something was printed already.
pub(crate) fn failure(failure: &Failure, format: OutputFormat) -> Result<(), Failure> {
    if WRITTEN.load(Ordering::Relaxed) {
        return Ok(());
    }
    let document = failure.document();
    match format {
        OutputFormat::Json => write(&json(&document)?),
        OutputFormat::Yaml => write(&yaml(&document)?),
        _ => Ok(()),
    }
}

/// Whether the reader has gone away, which is its own decision.
fn is_closed(error: &std::io::Error) -> bool {
    // ERROR_PIPE_NOT_CONNECTED, which Rust has no kind for.
    let is_disconnected = cfg!(windows) && error.raw_os_error() == Some(233);
    error.kind() == ErrorKind::BrokenPipe || is_disconnected
}

/// Writes a finished text to stdout.
///
/// # Errors
/// As [`print`].
pub fn write(text: &str) -> Result<(), Failure> {
    WRITTEN.store(true, Ordering::Relaxed);
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if !is_closed(&error) => Err(Failure::new(format!(
            "error: could not write the result: {error}"
        ))),
        _ => Ok(()),
    }
}

/// A document as JSON, indented, with a line feed at its end.
///
/// # Errors
/// When it holds what JSON cannot say.
pub fn json(document: &serde_json::Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(document)
        .map(|text| text + "\n")
        .map_err(|error| Failure::of(&error))
}

/// A document as YAML.
///
/// # Errors
/// When it holds what YAML cannot say.
pub fn yaml(document: &serde_json::Value) -> Result<String, Failure> {
    let text = serde_saphyr::to_string(document).map_err(|error| Failure::new(format!("error: {error}")))?;
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

/// Says on stderr what is still in the cluster, if anything is.
pub fn report_removal(removal: &Removal) {
    if *removal != Removal::Done {
        // Nothing can be done about a closed stderr.
        let _ = writeln!(std::io::stderr(), "note: {removal}");
    }
}
