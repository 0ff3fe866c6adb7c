//! A report as text. Pure: what the terminal can do is an option, and the result is a string.

mod dots;
mod grid;
mod html;
mod junit;
mod machine;
mod names;
mod page;
mod pen;
mod prometheus;
mod sanitize;
mod stanza;
mod summary;
mod tables;
mod tried;
mod wrap;

pub use pen::ascii;
pub use sanitize::sanitize;
pub use wrap::wrap;

use crate::{FailOn, Report};

/// In which form a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For people, with each protocol, each check and the probe pods.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// The names of the objects that a warning or an error is about, one per line, as `node/node3`. A problem of the
    /// cluster as a whole has no name.
    Name,
    /// JUnit XML, for build servers: one suite for the run, one case for each check. A check that fails is a `failure`; one
    /// that could not see enough is an `error`, never a pass; one that was not made is `skipped`. Warnings pass and are
    /// printed, unless they count as failures by [`RenderOptions::fail_on`].
    Junit,
    /// One page for a browser, whole in itself: it loads nothing, and works without a network and without scripts.
    Html,
    /// Prometheus' text format, for the textfile collector of its node exporter.
    Prometheus,
}

/// What a terminal can show, and what the reader wants to see. Formats for machines ignore it, except for what counts as
/// a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each of them a flag of the command line"
)]
pub struct RenderOptions {
    /// Whether colour may be used. It is never the only carrier of meaning.
    pub colour: bool,
    /// Whether characters beyond ASCII may be used.
    pub unicode: bool,
    /// Columns of the terminal; `None` when there is none.
    pub width: Option<usize>,
    /// Leave out the headers of tables.
    pub no_headers: bool,
    /// Say what the run cost.
    pub stats: bool,
    /// What counts as a failure, where the format says which check failed.
    pub fail_on: FailOn,
}

impl Default for RenderOptions {
    /// Unicode without colour, as for a file.
    fn default() -> Self {
        Self {
            colour: false,
            unicode: true,
            width: None,
            no_headers: false,
            stats: false,
            fail_on: FailOn::Error,
        }
    }
}

/// The report in this form. Ends with a line feed unless it is empty.
pub fn render(report: &Report, format: Format, options: &RenderOptions) -> String {
    match format {
        Format::Text => page::page(report, options, false),
        Format::Wide => page::page(report, options, true),
        Format::Json => machine::json(report),
        Format::Yaml => machine::yaml(report),
        Format::Name => machine::names(report),
        Format::Junit => junit::junit(report, options),
        Format::Html => html::html(report),
        Format::Prometheus => prometheus::prometheus(report),
    }
}

#[cfg(test)]
mod terminal_tests;
#[cfg(test)]
mod tests;
