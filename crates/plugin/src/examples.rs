//! Examples at the end of `--help`, in kubectl's look, and in the manual.

use std::fmt::Write as _;

use clap::Command;

use crate::entry::Program;

/// The examples of one command: its words after the plugin's name (none for the plugin itself), and for each example what it
/// does and the line to type. `PLUGIN` in a line stands for the plugin's name.
pub type Examples = (&'static str, &'static [(&'static str, &'static str)]);

/// The commands with their examples behind whatever their help ended with.
pub(crate) fn add(command: Command, program: &Program) -> Command {
    let tables = program.examples.iter().copied().chain([OWN]);
    tables.flatten().fold(command, |command, (words, lines)| {
        let words: Vec<&str> = words.split_whitespace().collect();
        at(command, &words, &block(program, lines))
    })
}

fn at(command: Command, words: &[&str], text: &str) -> Command {
    let Some((first, rest)) = words.split_first() else {
        let before = command.get_after_help().map(ToString::to_string);
        let joined = match before {
            Some(before) => format!("{before}\n\n{text}"),
            None => text.to_owned(),
        };
        return command.after_help(joined);
    };
    if command.find_subcommand(first).is_none() {
        // A shared example of a command that this plugin does not have.
        return command;
    }
    command.mut_subcommand(*first, |inner| at(inner, rest, text))
}

fn block(program: &Program, lines: &[(&str, &str)]) -> String {
    let mut text = "Examples:".to_owned();
    for (index, (what, line)) in lines.iter().enumerate() {
        let gap = if index > 0 { "\n" } else { "" };
        let line = line.replace("PLUGIN", program.plugin);
        let _ = write!(text, "{gap}\n  # {what}\n  {line}");
    }
    text
}

/// The examples of `completion`, which every plugin has.
pub(crate) const OWN: &[Examples] = &[(
    "completion",
    &[
        (
            "Put the file beside the plugin, and complete with the Tab key from then on",
            "kubectl PLUGIN completion --install",
        ),
        (
            "Put it into another directory of the PATH",
            "kubectl PLUGIN completion --install=/usr/local/bin",
        ),
        ("Only print it", "kubectl PLUGIN completion"),
    ],
)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::tests::PROGRAM;

    #[test]
    fn examples_stand_behind_what_help_ended_with() {
        let program = Program {
            examples: &[&[
                ("", &[("Look", "kubectl PLUGIN")]),
                (
                    "path",
                    &[
                        ("One", "kubectl PLUGIN path a b"),
                        ("Two", "kubectl PLUGIN path c d"),
                    ],
                ),
                ("elsewhere", &[("Nothing", "kubectl PLUGIN elsewhere")]),
            ]],
            ..PROGRAM
        };
        let command = Command::new("netcheck").subcommand(Command::new("path").after_help("Exit status: 0"));
        let mut command = add(command, &program);
        assert!(
            command
                .render_help()
                .to_string()
                .ends_with("Examples:\n  # Look\n  kubectl netcheck\n")
        );
        let path = command.find_subcommand("path").and_then(Command::get_after_help);
        assert_eq!(
            path.map(ToString::to_string).as_deref(),
            Some(
                "Exit status: 0\n\nExamples:\n  # One\n  kubectl netcheck path a b\n\n  # Two\n  kubectl netcheck path c d"
            )
        );
    }
}
