use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::failure::Failure;

/// In which form the report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    // An empty value is a flag that was not given, as for kubectl.
    #[value(alias = "")]
    Text,
    /// For people, with everything.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// The names of the objects that have a problem, one per line.
    Name,
    /// JUnit XML, for build servers.
    Junit,
    /// One self-contained page for a browser.
    Html,
    /// Text for the textfile collector of Prometheus' node exporter.
    Prometheus,
}

impl OutputFormat {
    /// As it is typed.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The flags about what is printed, the same for every plugin.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Output format.
    #[arg(
        short,
        long,
        value_enum,
        ignore_case = true,
        default_value = "text",
        hide_default_value = true
    )]
    pub output: OutputFormat,
    /// Write the result to this file instead of stdout, whole or not at all.
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// When using the text or wide output format, don't print headers.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub no_headers: bool,
    /// When to use colour.
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorChoice,
    /// Also print what the run cost: API calls, bytes, and the time of each phase.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub stats: bool,
    /// Print nothing but the result: no progress on stderr.
    #[arg(short, long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub quiet: bool,
}

impl OutputArgs {
    /// Whether the result goes to a terminal.
    fn is_terminal(&self) -> bool {
        self.output_file.is_none() && std::io::stdout().is_terminal()
    }

    /// Whether the result may be coloured. Machine formats never are.
    pub fn color_on_stdout(&self) -> bool {
        matches!(self.output, OutputFormat::Text | OutputFormat::Wide)
            && color_allowed(self.color, self.is_terminal(), cfg!(windows), |name| {
                std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
            })
    }

    /// Columns that the result may take: what `COLUMNS` says, as POSIX has it, else what the terminal says. Nothing for a
    /// file or a pipe without it.
    pub fn width(&self) -> Option<usize> {
        let wish = std::env::var("COLUMNS").ok();
        let terminal = || {
            let size = console::Term::stdout().size_checked();
            size.map(|(_, columns)| usize::from(columns))
        };
        columns(wish.as_deref()).or_else(|| self.is_terminal().then(terminal).flatten())
    }

    /// Refuses `--output-file` and formats of whole reports, for what prints as it goes.
    ///
    /// # Errors
    /// When one of them was given.
    pub fn refuse_whole(&self, command: &str) -> Result<(), Failure> {
        let is_report = matches!(
            self.output,
            OutputFormat::Junit | OutputFormat::Html | OutputFormat::Prometheus
        );
        if is_report {
            return Err(Failure::format_is_for_reports(self.output));
        }
        match &self.output_file {
            Some(_) => Err(Failure::new(format!(
                "error: {command} has no --output-file: it prints what changes as it changes"
            ))
            .with_hint(Some("redirect stdout instead".to_owned()))),
            None => Ok(()),
        }
    }

    /// Whether progress may be shown on stderr.
    pub fn progress_on_stderr(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// A page as the terminal can show it.
    pub fn shown(&self, page: String) -> String {
        if self.unicode() {
            page
        } else {
            report::ascii(&page)
        }
    }

    /// Whether glyphs beyond ASCII will be understood, by the locale's word.
    pub fn unicode(&self) -> bool {
        if cfg!(windows) {
            return std::env::var_os("WT_SESSION").is_some();
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
    }
}

/// What `COLUMNS` asks for; what is no number, or zero, asks for nothing.
fn columns(wish: Option<&str>) -> Option<usize> {
    wish?.trim().parse().ok().filter(|columns| *columns > 0)
}

/// kubectl's rule: a terminal, `TERM` other than `dumb`, `NO_COLOR` absent (even an empty one forbids colour), and on Windows
/// `WT_SESSION`. Besides, a `CLICOLOR_FORCE` that is neither empty nor 0 stands for a terminal, and `CLICOLOR=0` forbids.
fn color_allowed(
    choice: ColorChoice,
    terminal: bool,
    windows: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> bool {
    let is = |name: &str, value: &str| variable(name).as_deref() == Some(value);
    let filled = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if variable("NO_COLOR").is_some() => false,
        ColorChoice::Auto if filled("CLICOLOR_FORCE") && !is("CLICOLOR_FORCE", "0") => true,
        ColorChoice::Auto => {
            terminal && !is("TERM", "dumb") && !is("CLICOLOR", "0") && (!windows || filled("WT_SESSION"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(choice: ColorChoice, terminal: bool, windows: bool, variables: &[(&str, &str)]) -> bool {
        color_allowed(choice, terminal, windows, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn columns_is_a_number_of_columns_or_nothing() {
        assert_eq!(columns(Some("80")), Some(80));
        for nothing in [None, Some(""), Some("0"), Some("-1"), Some("wide")] {
            assert_eq!(columns(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_prints_as_it_goes_refuses_what_needs_an_end() {
        let with = |output, output_file| OutputArgs {
            output,
            output_file,
            ..OutputArgs::default()
        };
        assert!(with(OutputFormat::Json, None).refuse_whole("watch").is_ok());
        assert!(
            with(OutputFormat::Json, Some("x".into()))
                .refuse_whole("watch")
                .is_err()
        );
        let html = with(OutputFormat::Html, None).refuse_whole("watch").unwrap_err();
        assert_eq!(
            html.text(),
            "error: -o html is for reports on a cluster; use text, wide, json, yaml or name here"
        );
    }

    #[test]
    fn a_terminal_gets_colour_and_a_pipe_none() {
        assert!(allowed(ColorChoice::Auto, true, false, &[("TERM", "xterm")]));
        assert!(!allowed(ColorChoice::Auto, false, false, &[("TERM", "xterm")]));
    }

    #[test]
    fn variables_are_heard_in_their_order() {
        for (variables, terminal, wanted) in [
            (&[("NO_COLOR", "")][..], true, false),
            (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, false),
            (&[("TERM", "dumb")], true, false),
            (&[("CLICOLOR", "0")], true, false),
            (&[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], false, true),
            (&[("CLICOLOR_FORCE", "0")], false, false),
            (&[("CLICOLOR_FORCE", "")], false, false),
        ] {
            assert_eq!(
                allowed(ColorChoice::Auto, terminal, false, variables),
                wanted,
                "{variables:?}"
            );
        }
    }

    #[test]
    fn the_flag_is_heard_first() {
        assert!(allowed(ColorChoice::Always, false, false, &[("NO_COLOR", "1")]));
        assert!(!allowed(
            ColorChoice::Never,
            true,
            false,
            &[("CLICOLOR_FORCE", "1")]
        ));
    }

    #[test]
    fn a_console_of_windows_is_asked_whether_it_understands() {
        assert!(!allowed(ColorChoice::Auto, true, true, &[]));
        assert!(allowed(ColorChoice::Auto, true, true, &[("WT_SESSION", "x")]));
    }
}
