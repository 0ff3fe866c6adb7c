//! The subcommand `man`: a page for each command, for packages that install manuals. It stands in no help.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::failure::Failure;
use crate::print::write;

/// The subcommand as clap knows it.
pub(crate) fn command() -> Command {
    let directory = Arg::new("directory")
        .value_name("DIR")
        .required(true)
        .value_parser(value_parser!(PathBuf));
    Command::new("man")
        .about("Write the manual, a page for each command, into a directory")
        .hide(true)
        .arg(directory)
}

/// Writes the pages of `root` and says which.
pub(crate) fn run(binary: &str, root: Command, matches: &ArgMatches) -> Result<(), Failure> {
    let Some(directory) = matches.get_one::<PathBuf>("directory") else {
        return Err(Failure::new("error: required argument not given: <DIR>"));
    };
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::new(format!("error: could not write {}: {error}", path.display()))
    };
    fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let mut written = String::new();
    for (name, text) in pages(binary, root) {
        let path = directory.join(format!("{name}.1"));
        fs::write(&path, text).map_err(|error| failed(&path, &error))?;
        let _ = writeln!(written, "{}", path.display());
    }
    write(&written)
}

/// The pages by their names, as `kubectl-netcheck-path`.
fn pages(binary: &str, root: Command) -> Vec<(String, Vec<u8>)> {
    let mut root = root
        .bin_name(binary.replacen('-', " ", 1))
        .disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    let version = root.get_version().unwrap_or_default().to_owned();
    collect(binary, &version, &root, &mut pages);
    pages
}

fn collect(name: &str, version: &str, command: &Command, pages: &mut Vec<(String, Vec<u8>)>) {
    pages.push((name.to_owned(), page(name, version, command)));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        collect(&format!("{name}-{}", inner.get_name()), version, inner, pages);
    }
}

fn page(name: &str, version: &str, command: &Command) -> Vec<u8> {
    let after = command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let command = command
        .clone()
        .display_name(name.to_owned())
        // The manual is where everything is told.
        .mut_args(|argument| argument.hide_short_help(false));
    let command_has_parts = command.get_subcommands().any(|inner| !inner.is_hide_set());
    let man = clap_mangen::Man::new(command);
    // No date, so that the same source gives the same page.
    let title = name.to_ascii_uppercase();
    let mut text = format!(".TH {title} 1 \"\" \"{version}\" \"kubectl plugins\"\n").into_bytes();
    let sections = [
        clap_mangen::Man::render_name_section,
        clap_mangen::Man::render_synopsis_section,
        clap_mangen::Man::render_description_section,
        clap_mangen::Man::render_options_section,
    ];
    for render in sections {
        // Writing to memory does not fail.
        let _ = render(&man, &mut text);
    }
    if command_has_parts {
        let _ = man.render_subcommands_section(&mut text);
    }
    text.extend_from_slice(sections_of(&after).as_bytes());
    text
}

/// What help ends with: each of its parts is a heading, which may go on to a sentence, and lines that stay as they are.
fn sections_of(after: &str) -> String {
    let mut text = String::new();
    for line in after.lines() {
        match line.split_once([',', ':']) {
            Some((heading, _)) if !line.starts_with(' ') => {
                let end = if text.is_empty() { "" } else { ".fi\n" };
                let _ = write!(text, "{end}.SH {}\n.nf\n", heading.to_uppercase());
            }
            _ => {
                let _ = writeln!(text, "{}", verbatim(line));
            }
        }
    }
    if !text.is_empty() {
        text.push_str(".fi\n");
    }
    text
}

/// A line that roff prints as it is.
fn verbatim(line: &str) -> String {
    let line = line
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq");
    if line.starts_with('.') {
        format!("\\&{line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_help_ends_with_has_sections_of_its_own() {
        assert_eq!(
            sections_of("Exit status, always:\n  0  well\n\nExamples:\n  # One\n  kubectl netcheck -n 'a b'"),
            ".SH EXIT STATUS\n.nf\n  0  well\n\n.fi\n.SH EXAMPLES\n.nf\n  # One\n  kubectl netcheck \\-n \\(aqa b\\(aq\n.fi\n"
        );
    }

    #[test]
    fn every_command_that_help_shows_has_a_page() {
        let root = Command::new("netcheck")
            .subcommand(
                Command::new("path").arg(
                    Arg::new("token")
                        .long("token")
                        .hide_short_help(true)
                        .help("A secret"),
                ),
            )
            .subcommand(command());
        let pages = pages("kubectl-netcheck", root);
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["kubectl-netcheck", "kubectl-netcheck-path"]);
        let path = String::from_utf8_lossy(&pages[1].1).into_owned();
        assert!(
            path.contains("kubectl netcheck path") && path.contains("A secret"),
            "{path}"
        );
    }
}
