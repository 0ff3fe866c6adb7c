use std::ffi::OsString;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A line that cannot be understood: what was typed, and the command that its words name.
pub(crate) struct Refused<'a> {
    /// The words after the program's name.
    pub(crate) words: &'a [OsString],
    /// The innermost command that they name.
    pub(crate) command: &'a Command,
    /// As it is typed: `kubectl netcheck pod-to-pod`.
    pub(crate) typed: &'a str,
}

/// What a user of kubectl expects to read about a command line that cannot be understood: pflag's words instead of
/// clap's.
pub(crate) fn explain(error: &clap::Error, refused: &Refused<'_>) -> String {
    let typed = refused.typed;
    let see = format!("See '{typed} --help' for usage.");
    let argument = text(error, ContextKind::InvalidArg);
    let value = text(error, ContextKind::InvalidValue);
    let sentence = match (error.kind(), argument) {
        (ErrorKind::UnknownArgument, Some(flag)) if flag.starts_with("--") => format!("unknown flag: {flag}"),
        (ErrorKind::UnknownArgument, Some(flag)) if flag.starts_with('-') => {
            format!(
                "unknown shorthand flag: '{0}' in -{0}",
                flag.trim_start_matches('-')
            )
        }
        (ErrorKind::UnknownArgument, Some(word)) => {
            return format!("error: unexpected arguments: [{word}]\nSee '{typed} -h' for help and examples");
        }
        (ErrorKind::InvalidSubcommand, _) => match text(error, ContextKind::InvalidSubcommand) {
            Some(word) => format!("unknown command {word:?} for {typed:?}"),
            None => first_line(error),
        },
        (ErrorKind::InvalidValue, Some(flag)) if value.as_deref() == Some("") && is_last(refused, &flag) => {
            format!("flag needs an argument: {}", unfinished(refused, &flag))
        }
        (ErrorKind::InvalidValue, Some(flag)) if long_of(&flag) == "--output" => {
            let (value, allowed) = (value.unwrap_or_default(), allowed(error).unwrap_or_default());
            return format!(
                "error: unable to match a printer suitable for the output format {value:?}, allowed formats are: {allowed}"
            );
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(flag)) => {
            let why = std::error::Error::source(error).map(ToString::to_string);
            let why = why
                .or_else(|| allowed(error).map(|values| format!("allowed values are: {values}")))
                .unwrap_or_else(|| "not understood".into());
            let value = value.unwrap_or_default();
            format!(
                "invalid argument {value:?} for {:?} flag: {why}",
                named(refused, &flag)
            )
        }
        (ErrorKind::ArgumentConflict, _) if conflicts_with_all(error) => {
            return "error: a resource cannot be retrieved by name across all namespaces".to_owned();
        }
        (ErrorKind::MissingRequiredArgument, Some(argument)) => {
            format!("required argument not given: {argument}")
        }
        _ => first_line(error),
    };
    if let Some(command) = text(error, ContextKind::SuggestedSubcommand) {
        return format!("error: {sentence}\n\nDid you mean this?\n\t{command}\n\n{see}");
    }
    match text(error, ContextKind::SuggestedArg) {
        Some(tip) => format!("error: {sentence}\nDid you mean {tip}?\n{see}"),
        None => format!("error: {sentence}\n{see}"),
    }
}

/// Whether a name stands beside `--all-namespaces`.
fn conflicts_with_all(error: &clap::Error) -> bool {
    let names =
        [ContextKind::InvalidArg, ContextKind::PriorArg].map(|kind| text(error, kind).unwrap_or_default());
    names.iter().any(|name| long_of(name) == "--all-namespaces")
        && names.iter().any(|name| !name.starts_with('-'))
}

/// `--output` of `--output <OUTPUT>`, as clap names an argument.
fn long_of(argument: &str) -> &str {
    let end = argument.find([' ', '[', '=']).unwrap_or(argument.len());
    &argument[..end]
}

fn short_of(refused: &Refused<'_>, argument: &str) -> Option<char> {
    let long = long_of(argument).strip_prefix("--")?;
    let flags = refused.command.get_arguments();
    flags
        .filter(|flag| flag.get_long() == Some(long))
        .find_map(clap::Arg::get_short)
}

/// A flag with its short name, as pflag has it: `-n, --namespace`.
fn named(refused: &Refused<'_>, argument: &str) -> String {
    match short_of(refused, argument) {
        Some(short) => format!("-{short}, {}", long_of(argument)),
        None => long_of(argument).to_owned(),
    }
}

/// Whether the line ends with the flag itself.
fn is_last(refused: &Refused<'_>, argument: &str) -> bool {
    let last = refused
        .words
        .last()
        .and_then(|word| word.to_str())
        .unwrap_or_default();
    match last.strip_prefix("--") {
        Some(_) => last == long_of(argument),
        None => {
            last.starts_with('-') && short_of(refused, argument).is_some_and(|short| last.ends_with(short))
        }
    }
}

/// A flag whose value is missing, as pflag names it: `--namespace`, or `'n' in -n`.
fn unfinished(refused: &Refused<'_>, argument: &str) -> String {
    let last = refused
        .words
        .last()
        .and_then(|word| word.to_str())
        .unwrap_or_default();
    match short_of(refused, argument) {
        Some(short) if !last.starts_with("--") => format!("'{short}' in {last}"),
        _ => long_of(argument).to_owned(),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

fn allowed(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::ValidValue)? {
        ContextValue::Strings(values) => {
            let mut values: Vec<&str> = values
                .iter()
                .map(String::as_str)
                .filter(|value| !value.is_empty())
                .collect();
            values.sort_unstable();
            Some(values.join(","))
        }
        _ => None,
    }
}

fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let line = text
        .lines()
        .next()
        .unwrap_or("the command line could not be understood");
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    fn of(args: &[&str]) -> String {
        let command = Command::new("netcheck")
            .arg(Arg::new("node").long("node"))
            .arg(Arg::new("namespace").long("namespace").short('n'))
            .arg(
                Arg::new("all")
                    .long("all-namespaces")
                    .short('A')
                    .num_args(0..=1)
                    .require_equals(true)
                    .value_parser(cluster::parse_bool),
            )
            .arg(
                Arg::new("output")
                    .long("output")
                    .short('o')
                    .value_parser(["json", "yaml", "name"]),
            );
        let words: Vec<OsString> = args[1..].iter().map(OsString::from).collect();
        let refused = Refused {
            words: &words,
            command: &command.clone(),
            typed: "kubectl netcheck",
        };
        explain(&command.try_get_matches_from(args).unwrap_err(), &refused)
    }

    #[test]
    fn an_unknown_flag_is_reported_as_kubectl_does() {
        assert_eq!(
            of(&["netcheck", "--bogus"]),
            "error: unknown flag: --bogus\nSee 'kubectl netcheck --help' for usage."
        );
    }

    #[test]
    fn an_unknown_shorthand_is_reported_as_kubectl_does() {
        assert!(of(&["netcheck", "-Z"]).starts_with("error: unknown shorthand flag: 'Z' in -Z\n"));
    }

    #[test]
    fn a_missing_value_names_the_flag() {
        for (words, flag) in [
            (&["netcheck", "--node"][..], "--node"),
            (&["netcheck", "--namespace"], "--namespace"),
            (&["netcheck", "-n"], "'n' in -n"),
        ] {
            let text = of(words);
            assert!(
                text.starts_with(&format!("error: flag needs an argument: {flag}\n")),
                "{text}"
            );
        }
    }

    #[test]
    fn an_argument_that_is_missing_is_named() {
        let command = Command::new("explain").arg(Arg::new("TEXT").required(true));
        let error = command.clone().try_get_matches_from(["explain"]).unwrap_err();
        let refused = Refused {
            words: &[],
            command: &command,
            typed: "kubectl netcheck explain",
        };
        let text = explain(&error, &refused);
        assert!(
            text.starts_with("error: required argument not given: <TEXT>\n"),
            "{text}"
        );
    }

    #[test]
    fn a_value_that_is_not_allowed_lists_those_that_are() {
        assert_eq!(
            of(&["netcheck", "-o", "bogus"]),
            "error: unable to match a printer suitable for the output format \"bogus\", allowed formats are: json,name,yaml"
        );
    }

    #[test]
    fn a_flag_with_a_wrong_value_is_named_with_its_shorthand() {
        let text = of(&["netcheck", "-A=maybe"]);
        assert!(
            text.starts_with("error: invalid argument \"maybe\" for \"-A, --all-namespaces\" flag: "),
            "{text}"
        );
    }

    #[test]
    fn words_that_nobody_takes_are_unexpected() {
        assert_eq!(
            of(&["netcheck", "extra"]),
            "error: unexpected arguments: [extra]\nSee 'kubectl netcheck -h' for help and examples"
        );
    }
}
