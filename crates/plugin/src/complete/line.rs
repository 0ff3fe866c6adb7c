//! A command line that is still being typed, read by the definitions of clap.
//!
//! clap itself refuses a line that is not finished, and its own engine for completion knows neither kubectl's `_` in the names
//! of flags nor booleans that take a value only after `=`.

use clap::{Arg, Command};

/// What is being typed, and what stands before it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// The command that the words name.
    pub(super) command: &'a Command,
    /// The flags so far, by their definitions; `None` where no value was given.
    pub(super) flags: Vec<(&'a Arg, Option<String>)>,
    /// What the last word is to become.
    pub(super) place: Place<'a>,
}

/// What the last word is to become.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// A command, or the positional argument that is next, if there is one.
    Word {
        typed: String,
        argument: Option<&'a Arg>,
        /// Whether a subcommand may stand here.
        command: bool,
    },
    /// The name of a flag: it begins with a dash.
    Flag { typed: String },
    /// The value of a flag.
    Value { typed: String, argument: &'a Arg },
    /// Nothing that is known here.
    Unknown,
}

/// Reads the words after the program's name; the last one is the one that is being typed, and may be empty. `root` must be
/// built, so that it knows its global flags everywhere.
pub(super) fn read<'a>(root: &'a Command, words: &[String]) -> Line<'a> {
    let (typed, before) = match words.split_last() {
        Some((typed, before)) => (typed.as_str(), before),
        None => ("", &[][..]),
    };
    let mut reader = Reader {
        command: root,
        flags: Vec::new(),
        positionals: 0,
        flags_ended: false,
        owed: None,
    };
    for word in before {
        reader.word(word);
    }
    let place = reader.place(typed);
    Line {
        command: reader.command,
        flags: reader.flags,
        place,
    }
}

struct Reader<'a> {
    command: &'a Command,
    flags: Vec<(&'a Arg, Option<String>)>,
    positionals: usize,
    flags_ended: bool,
    /// A flag whose value is the next word.
    owed: Option<&'a Arg>,
}

impl<'a> Reader<'a> {
    fn word(&mut self, word: &str) {
        if let Some(flag) = self.owed.take() {
            self.flags.push((flag, Some(word.to_owned())));
        } else if self.flags_ended {
            self.positionals += 1;
        } else if word == "--" {
            self.flags_ended = true;
        } else if let Some(long) = word.strip_prefix("--") {
            self.long(long);
        } else if let Some(shorts) = word.strip_prefix('-').filter(|shorts| !shorts.is_empty()) {
            self.shorts(shorts);
        } else if let Some(command) = self.subcommand(word) {
            self.command = command;
        } else {
            self.positionals += 1;
        }
    }

    fn subcommand(&self, word: &str) -> Option<&'a Command> {
        let is_first = self.positionals == 0;
        is_first.then(|| self.command.find_subcommand(word)).flatten()
    }

    fn long(&mut self, text: &str) {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if let Some(flag) = by_long(self.command, name) {
            self.take(flag, value);
        }
    }

    /// `-n`, `-nv`, `-n=v`, and several of one letter each as `-Aq`.
    fn shorts(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(letter) = rest.next() {
            let Some(flag) = by_short(self.command, letter) else {
                return;
            };
            let after = rest.as_str();
            match after.strip_prefix('=') {
                Some(value) => return self.take(flag, Some(value.to_owned())),
                None if wants_next(flag) && !after.is_empty() => {
                    return self.take(flag, Some(after.to_owned()));
                }
                None => self.take(flag, None),
            }
        }
    }

    fn take(&mut self, flag: &'a Arg, value: Option<String>) {
        if value.is_none() && wants_next(flag) {
            self.owed = Some(flag);
        } else {
            self.flags.push((flag, value));
        }
    }

    fn place(&self, typed: &str) -> Place<'a> {
        let value = |argument, typed: &str| Place::Value {
            typed: typed.to_owned(),
            argument,
        };
        if let Some(argument) = self.owed {
            return value(argument, typed);
        }
        if !self.flags_ended && typed.starts_with('-') {
            if let Some((name, so_far)) = typed.split_once('=') {
                let flag = match name.strip_prefix("--") {
                    Some(name) => by_long(self.command, name),
                    None => name
                        .chars()
                        .last()
                        .and_then(|letter| by_short(self.command, letter)),
                };
                return flag.map_or(Place::Unknown, |flag| value(flag, so_far));
            }
            return Place::Flag {
                typed: typed.to_owned(),
            };
        }
        Place::Word {
            typed: typed.to_owned(),
            argument: positional(self.command, self.positionals),
            command: !self.flags_ended && self.positionals == 0,
        }
    }
}

/// Whether the flag's value is the next word, as opposed to one that takes a value only after `=`, or none.
fn wants_next(flag: &Arg) -> bool {
    let takes = flag.get_num_args().is_none_or(|range| range.takes_values());
    takes && flag.get_action().takes_values() && !flag.is_require_equals_set()
}

fn by_long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let name = name.replace('_', "-");
    command.get_arguments().find(|flag| {
        flag.get_long() == Some(&name)
            || flag
                .get_all_aliases()
                .is_some_and(|aliases| aliases.contains(&name.as_str()))
    })
}

fn by_short(command: &Command, letter: char) -> Option<&Arg> {
    command
        .get_arguments()
        .find(|flag| flag.get_short() == Some(letter))
}

/// The positional argument that takes the word of this number; the last one may take several.
fn positional(command: &Command, index: usize) -> Option<&Arg> {
    let last = command.get_positionals().last()?;
    let many = last.get_num_args().is_some_and(|range| range.max_values() > 1)
        || matches!(last.get_action(), clap::ArgAction::Append);
    command
        .get_positionals()
        .nth(index)
        .or(Some(last).filter(|_| many))
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn command() -> Command {
        let all = Arg::new("all").short('A').long("all-namespaces").num_args(0..=1);
        let mut command = Command::new("netcheck")
            .arg(Arg::new("namespace").short('n').long("namespace").global(true))
            .arg(Arg::new("timeout").long("request-timeout").global(true))
            .subcommand(
                Command::new("service")
                    .visible_alias("svc")
                    .arg(all.require_equals(true).default_missing_value("true"))
                    .arg(Arg::new("SERVICE").action(ArgAction::Append)),
            )
            .subcommand(Command::new("path").arg(Arg::new("SRC")).arg(Arg::new("DST")));
        command.build();
        command
    }

    /// The command, its flags, and what is being typed, as one text.
    fn shown(words: &[&str]) -> String {
        let command = command();
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let line = read(&command, &words);
        let flags = line
            .flags
            .iter()
            .map(|(flag, value)| format!("{}={} ", flag.get_id(), value.as_deref().unwrap_or("-")));
        let place = match line.place {
            Place::Word {
                typed,
                argument,
                command,
            } => format!(
                "{}:{typed}{}",
                argument.map_or("-", |argument| argument.get_id().as_str()),
                if command { " or command" } else { "" }
            ),
            Place::Flag { typed } => format!("flag:{typed}"),
            Place::Value { typed, argument } => format!("{} is:{typed}", argument.get_id()),
            Place::Unknown => "unknown".to_owned(),
        };
        format!("{} {}{place}", line.command.get_name(), flags.collect::<String>())
    }

    #[test]
    fn the_words_before_say_what_the_last_one_is() {
        for (words, wanted) in [
            (&[][..], "netcheck -: or command"),
            (&["se"], "netcheck -:se or command"),
            (&["service", "we"], "service SERVICE:we or command"),
            (&["svc", "a", "we"], "service SERVICE:we"),
            (&["path", "pod/a", "svc/"], "path DST:svc/"),
            (&["path", "pod/a", "svc/b", ""], "path -:"),
            (&["service", "--name"], "service flag:--name"),
            (&["service", "--", "-x"], "service SERVICE:-x"),
        ] {
            assert_eq!(shown(words), wanted, "{words:?}");
        }
    }

    #[test]
    fn flags_are_known_in_every_spelling() {
        for (words, wanted) in [
            (&["-n", "sh"][..], "netcheck namespace is:sh"),
            (
                &["service", "-n", "shop", "we"],
                "service namespace=shop SERVICE:we or command",
            ),
            (
                &["-nshop", "service", ""],
                "service namespace=shop SERVICE: or command",
            ),
            (
                &["-n=shop", "service", ""],
                "service namespace=shop SERVICE: or command",
            ),
            (&["service", "--namespace=sh"], "service namespace is:sh"),
            (&["service", "-n=sh"], "service namespace is:sh"),
            (&["service", "--request_timeout", "5"], "service timeout is:5"),
            (&["service", "-A", "we"], "service all=- SERVICE:we or command"),
            (
                &["service", "-A=false", "-n", "a", ""],
                "service all=false namespace=a SERVICE: or command",
            ),
            (&["service", "--bogus=x"], "service unknown"),
            (&["service", "--bogus", "we"], "service SERVICE:we or command"),
        ] {
            assert_eq!(shown(words), wanted, "{words:?}");
        }
    }
}
