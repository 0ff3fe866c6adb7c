//! Looking for everything by which a lab could show on this machine.

use std::fs;

use crate::cgroups;
use crate::command::{program, run};
use crate::plan::LINK_PREFIX;
use crate::state::{Settings, StateDir};

/// One line per thing that exists: processes, mounts, links, routes, rules, control groups, files.
///
/// Without `settings` the lab's index is not known, and so neither is its link.
pub(crate) fn of(state: &StateDir, settings: Option<&Settings>) -> Vec<String> {
    let mut found = Vec::new();
    match cgroups::existing(state) {
        Ok(groups) => found.extend(
            groups
                .iter()
                .map(|group| format!("control group {}", group.display())),
        ),
        Err(error) => found.push(format!("control groups could not be read: {error:#}")),
    }
    found.extend(processes(state));
    found.extend(own_mounts(state));
    let path = state.path();
    if path.exists() {
        found.push(format!("directory {}", path.display()));
    }
    if let Some(leg) = settings.and_then(|settings| settings.leg().ok()) {
        found.extend(lines_with("link", &["ip", "-oneline", "link"], &leg.link()));
        let network = leg.network();
        found.extend(lines_with(
            "route",
            &["ip", "-4", "route", "show", "table", "all"],
            &network,
        ));
        let end = leg.lab_end().to_string();
        for tool in ["iptables-save", "ip6tables-save"] {
            found.extend(lines_with("rule", &[tool], &end));
        }
    }
    found.extend(orphaned_links());
    found
}

/// Links into labs of which nothing else is left.
fn orphaned_links() -> Vec<String> {
    let known: Vec<String> = StateDir::all()
        .unwrap_or_default()
        .iter()
        .filter_map(|name| StateDir::of(name).ok()?.settings().ok()??.leg().ok())
        .map(crate::plan::Leg::link)
        .collect();
    let links = run(&mut program("ip", ["-oneline", "link"])).unwrap_or_default();
    links
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1)?.split([':', '@']).next())
        .filter(|link| link.starts_with(LINK_PREFIX) && !known.iter().any(|name| name == link))
        .map(|link| format!("link {link}, which belongs to no lab"))
        .collect()
}

/// The processes whose program is one of the lab's, wherever they run.
pub(crate) fn programs(state: &StateDir) -> Vec<i32> {
    let runs_one = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.starts_with(state.path()))
    };
    all_processes().into_iter().filter(runs_one).collect()
}

/// Processes in the lab's groups, and those that run a program of the lab or see its files mounted.
fn processes(state: &StateDir) -> Vec<String> {
    let path = format!("{}/", state.path().display());
    let members = cgroups::processes(state).unwrap_or_default();
    let programs = programs(state);
    all_processes()
        .into_iter()
        .filter_map(|pid| {
            let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let belongs =
                members.contains(&pid) || programs.contains(&pid) || read("mountinfo").contains(&path);
            belongs.then(|| format!("process {pid} {}", read("cmdline").replace('\0', " ").trim()))
        })
        .collect()
}

/// The pids of all processes but this one.
fn all_processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|&pid| u32::try_from(pid) != Ok(own))
        .collect()
}

/// Mounts of this process's own namespace.
fn own_mounts(state: &StateDir) -> Vec<String> {
    let path = state.path().display().to_string();
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines()
        .filter(|line| line.contains(&path))
        .map(|line| format!("mount {line}"))
        .collect()
}

fn lines_with(kind: &str, words: &[&str], wanted: &str) -> Vec<String> {
    let Some((name, arguments)) = words.split_first() else {
        return Vec::new();
    };
    match run(&mut program(name, arguments)) {
        Ok(text) => text
            .lines()
            .filter(|line| has_word(line, wanted))
            .map(|line| format!("{kind} {line}"))
            .collect(),
        Err(error) => vec![format!("{kind}s could not be read: {error:#}")],
    }
}

/// Whether the line has the word itself and not only a longer one that starts with it.
fn has_word(line: &str, wanted: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || matches!(c, ':' | '@' | ','))
        .any(|word| word == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_of_lab_1_is_not_taken_for_that_of_lab_10() {
        assert!(has_word("7: nclab1@if2: <BROADCAST> mtu 1500", "nclab1"));
        assert!(!has_word("7: nclab10@if2: <BROADCAST> mtu 1500", "nclab1"));
    }

    #[test]
    fn a_lab_that_never_was_leaves_nothing() {
        let state = StateDir::of("never-started").unwrap();
        assert_eq!(of(&state, None), Vec::<String>::new());
    }
}
