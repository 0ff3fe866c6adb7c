//! Completion through kubectl: the protocol of cobra, which kubectl speaks with `kubectl_complete-NAME`.
//!
//! kubectl runs that program with the words of the line after the plugin's name, the last of them still being typed, and reads
//! lines `VALUE<tab>DESCRIPTION` and, as the last one, `:` with a number that says what the shell may do besides.

mod kind;
mod line;
mod names;
pub(crate) mod shim;

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, Command};

use crate::entry::Program;
use kind::{Kind, Type};
use line::{Line, Place};

/// What kubectl's shim calls: `kubectl netcheck __complete WORD…`.
const COMMAND: &str = "__complete";
/// The same without descriptions.
const PLAIN: &str = "__completeNoDesc";

/// What the shell may do besides, in cobra's numbers.
mod directive {
    /// The candidate is the beginning of a word: no space after it.
    pub(super) const NO_SPACE: u8 = 2;
    /// Files are no candidates.
    pub(super) const NO_FILES: u8 = 4;
    /// Files are candidates, and nothing else is.
    pub(super) const FILES: u8 = 0;
    /// Directories are.
    pub(super) const DIRECTORIES: u8 = 16;
}

/// The candidates for the word that is being typed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    /// Each with a description, which may be empty.
    candidates: Vec<(String, String)>,
    directive: u8,
}

impl Answer {
    fn of(candidates: Vec<(String, String)>) -> Self {
        Self {
            candidates,
            directive: directive::NO_FILES,
        }
    }

    fn with(directive: u8) -> Self {
        Self {
            directive,
            ..Self::default()
        }
    }

    fn text(&self, described: bool) -> String {
        let lines = self.candidates.iter().map(|(value, description)| {
            let value = cluster::sanitize(value);
            match description.lines().next().filter(|_| described) {
                Some(description) => format!("{value}\t{description}\n"),
                None => format!("{value}\n"),
            }
        });
        lines.collect::<String>() + &format!(":{}\n", self.directive)
    }
}

/// The answer, where the program was asked for one: by the first word, or by the name that it was started under.
pub(crate) fn asked(program: &Program, command: &Command, args: &[OsString]) -> Option<String> {
    let called = args.first().and_then(|path| Path::new(path).file_stem());
    let (words, described) = match args.get(1).and_then(|word| word.to_str()) {
        _ if called.is_some_and(|name| name.to_string_lossy().starts_with("kubectl_complete-")) => {
            (text(&args[1..]), true)
        }
        Some(COMMAND) => (text(&args[2..]), true),
        Some(PLAIN) => (text(&args[2..]), false),
        _ => return None,
    };
    let mut command = command.clone();
    command.build();
    Some(answer(program, &line::read(&command, &words)).text(described))
}

fn text(words: &[OsString]) -> Vec<String> {
    words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// These words as a line that is written to its end: what is being typed is a word after them.
fn finished<'a>(root: &'a Command, words: &[OsString]) -> Line<'a> {
    let mut words = text(words);
    words.push(String::new());
    line::read(root, &words)
}

/// The command that these words name, of a command that is built.
pub(crate) fn innermost<'a>(root: &'a Command, words: &[OsString]) -> &'a Command {
    finished(root, words).command
}

/// The values that these words give to a flag, in their order.
pub(crate) fn values(root: &Command, words: &[OsString], flag: &str) -> Vec<String> {
    let given = finished(root, words)
        .flags
        .into_iter()
        .filter(|(known, _)| known.get_long() == Some(flag));
    given.filter_map(|(_, value)| value).collect()
}

fn answer(program: &Program, line: &Line<'_>) -> Answer {
    match &line.place {
        Place::Flag { typed } => Answer::of(flags(line, typed)),
        Place::Value { typed, argument } => value(program, line, argument, typed),
        Place::Word {
            typed,
            argument,
            command,
        } => {
            let commands = if *command {
                subcommands(line.command, typed)
            } else {
                Vec::new()
            };
            match argument {
                _ if !commands.is_empty() => Answer::of(commands),
                Some(argument) => value(program, line, argument, typed),
                None => Answer::of(Vec::new()),
            }
        }
        Place::Unknown => Answer::of(Vec::new()),
    }
}

fn subcommands(command: &Command, typed: &str) -> Vec<(String, String)> {
    let visible = command.get_subcommands().filter(|one| !one.is_hide_set());
    visible
        .filter(|one| one.get_name().starts_with(typed))
        .map(|one| (one.get_name().to_owned(), described(one.get_about())))
        .collect()
}

/// The names of flags, long ones and short ones, without those that were given and count only once.
fn flags(line: &Line<'_>, typed: &str) -> Vec<(String, String)> {
    let is_spent = |flag: &Arg| {
        let repeats = matches!(flag.get_action(), ArgAction::Append | ArgAction::Count);
        !repeats
            && line
                .flags
                .iter()
                .any(|(given, _)| given.get_id() == flag.get_id())
    };
    let known = line.command.get_arguments().filter(|flag| !flag.is_hide_set());
    let mut found = Vec::new();
    for flag in known.filter(|flag| !flag.is_positional() && !is_spent(flag)) {
        let long = flag.get_long().map(|long| format!("--{long}"));
        let short = flag.get_short().map(|short| format!("-{short}"));
        let names = long
            .into_iter()
            .chain(short)
            .filter(|name| name.starts_with(typed));
        found.extend(names.map(|name| (name, described(flag.get_help()))));
    }
    found
}

fn described(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// The candidates for the value of an argument.
fn value(program: &Program, line: &Line<'_>, argument: &Arg, typed: &str) -> Answer {
    let possible: Vec<_> = argument.get_possible_values();
    if !possible.is_empty() {
        let fitting = possible.iter().filter(|value| {
            !value.is_hide_set() && value.get_name().starts_with(&typed.to_ascii_lowercase())
        });
        return Answer::of(
            fitting
                .map(|value| (value.get_name().to_owned(), described(value.get_help())))
                .collect(),
        );
    }
    let connection = || names::connection(&line.flags);
    let named = |names: Vec<String>| {
        Answer::of(beginning(
            typed,
            names.into_iter().map(|name| (name, String::new())),
        ))
    };
    match kind::of(argument, line.command.get_name()).unwrap_or(Kind::Anything) {
        Kind::Contexts => named(names::of_kubeconfig(&connection()).contexts),
        Kind::Clusters => named(names::of_kubeconfig(&connection()).clusters),
        Kind::Users => named(names::of_kubeconfig(&connection()).users),
        Kind::Objects(kinds) => objects(typed, kinds, |of| names::of_cluster(&connection(), program, of)),
        Kind::Switch => named(["true", "false"].map(str::to_owned).to_vec()),
        Kind::Checks => {
            let ids = (program.checks)();
            let ids = ids
                .into_iter()
                .map(|(id, claim)| (id.to_owned(), claim.to_owned()));
            Answer::of(beginning(typed, ids))
        }
        Kind::Files => Answer::with(directive::FILES),
        Kind::Directories => Answer::with(directive::DIRECTORIES),
        Kind::Anything => Answer::of(Vec::new()),
    }
}

/// Names of objects: after `TYPE/` of that type, else of the first type, and the types themselves.
fn objects(typed: &str, kinds: &[Type], list: impl Fn(&Type) -> Vec<String>) -> Answer {
    if let Some((prefix, _)) = typed.split_once('/') {
        let wanted = prefix.to_ascii_lowercase();
        let Some(of) = kinds.iter().find(|of| of.spellings.contains(&wanted.as_str())) else {
            return Answer::of(Vec::new());
        };
        let names = list(of)
            .into_iter()
            .map(|name| (format!("{prefix}/{name}"), String::new()));
        return Answer::of(beginning(typed, names));
    }
    let bare = kinds.first().filter(|of| of.bare).map(&list).unwrap_or_default();
    let mut found = beginning(typed, bare.into_iter().map(|name| (name, String::new())));
    if kinds.len() > 1 || kinds.first().is_some_and(|of| !of.bare) {
        let prefixes = kinds.iter().map(|of| (format!("{}/", of.name), String::new()));
        found.extend(beginning(typed, prefixes));
    }
    let unfinished = matches!(found.as_slice(), [(only, _)] if only.ends_with('/'));
    let space = if unfinished { directive::NO_SPACE } else { 0 };
    Answer {
        candidates: found,
        directive: directive::NO_FILES | space,
    }
}

fn beginning(typed: &str, candidates: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    candidates.filter(|(value, _)| value.starts_with(typed)).collect()
}

/// The arguments of a command and of those below it whose values nobody has classified, as `COMMAND ARGUMENT`: to be held empty
/// by a test of each plugin.
pub(crate) fn unclassified(command: &Command) -> Vec<String> {
    let mut found = Vec::new();
    for argument in command.get_arguments() {
        let is_switch = !argument.get_action().takes_values();
        if !is_switch
            && argument.get_possible_values().is_empty()
            && kind::of(argument, command.get_name()).is_none()
        {
            found.push(format!("{} {}", command.get_name(), argument.get_id()));
        }
    }
    found.extend(command.get_subcommands().flat_map(unclassified));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: Type = Type {
        name: "pod",
        spellings: &["pod", "po"],
        group: "",
        resource: "pods",
        namespaced: true,
        bare: true,
    };
    const NODE: Type = Type {
        name: "node",
        spellings: &["node", "no"],
        resource: "nodes",
        ..POD
    };

    fn offered(typed: &str, kinds: &[Type]) -> (Vec<String>, u8) {
        let list = |of: &Type| vec![format!("{}-a", of.name), format!("{}-b", of.name)];
        let answer = objects(typed, kinds, list);
        (
            answer.candidates.into_iter().map(|(value, _)| value).collect(),
            answer.directive,
        )
    }

    #[test]
    fn a_name_stands_alone_or_after_its_type() {
        assert_eq!(offered("", &[POD]), (vec!["pod-a".into(), "pod-b".into()], 4));
        assert_eq!(offered("po/pod-b", &[POD]), (vec!["po/pod-b".into()], 4));
        assert_eq!(
            offered("no/", &[POD, NODE]),
            (vec!["no/node-a".into(), "no/node-b".into()], 4)
        );
        assert_eq!(offered("svc/", &[POD]), (Vec::new(), 4));
    }

    #[test]
    fn a_type_alone_wants_no_space_behind_it() {
        assert_eq!(offered("n", &[POD, NODE]), (vec!["node/".into()], 6));
        let (all, directive) = offered("", &[POD, NODE]);
        assert_eq!((all.len(), directive), (4, 4));
    }

    #[test]
    fn a_description_is_one_line_and_may_be_left_out() {
        let answer = Answer::of(vec![
            ("a".into(), "first\nsecond".into()),
            ("b".into(), String::new()),
        ]);
        assert_eq!(answer.text(true), "a\tfirst\nb\n:4\n");
        assert_eq!(answer.text(false), "a\nb\n:4\n");
    }
}
