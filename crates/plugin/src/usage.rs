use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What a user of kubectl expects to read about a command line that cannot be understood: pflag's words instead of
/// clap's.
///
/// `command` is what is typed to get help, as `kubectl netcheck pod-to-pod`.
pub(crate) fn explain(error: &clap::Error, command: &str) -> String {
    let see = format!("See '{command} --help' for usage.");
    let argument = text(error, ContextKind::InvalidArg);
    let value = text(error, ContextKind::InvalidValue);
    let sentence = match error.kind() {
        ErrorKind::UnknownArgument => match argument {
            Some(flag) if flag.starts_with("--") => format!("unknown flag: {flag}"),
            Some(flag) if flag.starts_with('-') => {
                format!(
                    "unknown shorthand flag: '{0}' in -{0}",
                    flag.trim_start_matches('-')
                )
            }
            Some(word) => format!("unknown argument {word:?}"),
            None => first_line(error),
        },
        ErrorKind::InvalidSubcommand => match text(error, ContextKind::InvalidSubcommand) {
            Some(word) => format!("unknown command {word:?} for {command:?}"),
            None => first_line(error),
        },
        ErrorKind::InvalidValue if value.as_deref() == Some("") => match argument {
            Some(flag) => format!(
                "flag needs an argument: {}",
                flag.split(' ').next().unwrap_or(&flag)
            ),
            None => first_line(error),
        },
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => match (argument, value) {
            (Some(flag), Some(value)) => {
                let why = std::error::Error::source(error).map(ToString::to_string);
                let why = why
                    .or_else(|| allowed(error))
                    .unwrap_or_else(|| "not understood".into());
                let flag = flag.split(' ').next().unwrap_or(&flag).to_owned();
                format!("invalid argument {value:?} for {flag:?} flag: {why}")
            }
            _ => first_line(error),
        },
        ErrorKind::MissingRequiredArgument => match argument {
            Some(argument) => format!("required argument not given: {argument}"),
            None => first_line(error),
        },
        _ => first_line(error),
    };
    let tip =
        text(error, ContextKind::SuggestedArg).or_else(|| text(error, ContextKind::SuggestedSubcommand));
    match tip {
        Some(tip) => format!("error: {sentence}\nDid you mean {tip}?\n{see}"),
        None => format!("error: {sentence}\n{see}"),
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
            let mut values = values.clone();
            values.sort();
            Some(format!("allowed values are: {}", values.join(",")))
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
        let command = Command::new("netcheck").arg(Arg::new("node").long("node")).arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_parser(["json", "yaml", "name"]),
        );
        explain(
            &command.try_get_matches_from(args).unwrap_err(),
            "kubectl netcheck",
        )
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
        assert!(of(&["netcheck", "--node"]).starts_with("error: flag needs an argument: --node\n"));
    }

    #[test]
    fn an_argument_that_is_missing_is_named() {
        let command = Command::new("explain").arg(Arg::new("TEXT").required(true));
        let error = command.try_get_matches_from(["explain"]).unwrap_err();
        let text = explain(&error, "kubectl netcheck explain");
        assert!(
            text.starts_with("error: required argument not given: <TEXT>\n"),
            "{text}"
        );
    }

    #[test]
    fn a_value_that_is_not_allowed_lists_those_that_are() {
        let text = of(&["netcheck", "-o", "bogus"]);
        assert!(
            text.contains("\"bogus\"") && text.contains("json,name,yaml"),
            "{text}"
        );
    }
}
