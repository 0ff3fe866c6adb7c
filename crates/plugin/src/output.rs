use std::io::IsTerminal as _;

use clap::ValueEnum;

/// In which form the report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
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
            && color_allowed(self.color, std::io::stdout().is_terminal(), |name| {
                std::env::var_os(name).is_some_and(|value| name != "TERM" || value == "dumb")
            })
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

/// kubectl's rule: a terminal, `TERM` other than `dumb`, and `NO_COLOR` absent (even an empty one forbids colour).
/// `set` says whether a variable is set to something that matters.
fn color_allowed(choice: ColorChoice, terminal: bool, set: impl Fn(&str) -> bool) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            if set("NO_COLOR") {
                false
            } else {
                set("CLICOLOR_FORCE") || (terminal && !set("TERM"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_forbids_colour_unless_it_is_asked_for_by_flag() {
        let no_color = |name: &str| name == "NO_COLOR";
        assert!(!color_allowed(ColorChoice::Auto, true, no_color));
        assert!(color_allowed(ColorChoice::Always, false, no_color));
    }

    #[test]
    fn a_pipe_gets_no_colour() {
        assert!(!color_allowed(ColorChoice::Auto, false, |_| false));
        assert!(color_allowed(ColorChoice::Auto, true, |_| false));
    }

    #[test]
    fn a_dumb_terminal_gets_no_colour() {
        assert!(!color_allowed(ColorChoice::Auto, true, |name| name == "TERM"));
    }
}
