use std::io::IsTerminal as _;

use clap::ValueEnum;

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
    /// Whether what goes to stdout may be coloured. Machine formats never are.
    pub fn color_on_stdout(&self) -> bool {
        matches!(self.output, OutputFormat::Text | OutputFormat::Wide)
            && color_allowed(
                self.color,
                std::io::stdout().is_terminal(),
                cfg!(windows),
                |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
            )
    }

    /// Whether progress may be shown on stderr.
    pub fn progress_on_stderr(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
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
