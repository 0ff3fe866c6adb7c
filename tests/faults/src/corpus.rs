//! The folders of the corpus.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::fault::Fault;

/// Where the corpus lies.
pub(crate) fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The manifest of a workload.
pub(crate) fn workload(name: &str) -> PathBuf {
    home().join("workloads").join(name).with_extension("yaml")
}

/// Every fault, in the order of their ids.
///
/// # Errors
/// When one cannot be read or says what cannot be meant; the error names it.
pub(crate) fn load() -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for entry in fs::read_dir(home()).context("read the corpus")? {
        let path = entry?.path().join("fault.yaml");
        if path.exists() {
            faults.push(read(&path)?);
        }
    }
    faults.sort_by_key(|fault| order(&fault.id));
    Ok(faults)
}

fn read(path: &Path) -> Result<Fault> {
    let show = || path.display().to_string();
    let text = fs::read_to_string(path).with_context(show)?;
    let fault = Fault::parse(&text).with_context(show)?;
    let folder = path
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    ensure!(fault.id == folder, "{}: its id is {}", show(), fault.id);
    for name in &fault.workloads {
        ensure!(workload(name).exists(), "{}: there is no workload {name}", show());
    }
    Ok(fault)
}

/// The group of an id in the order in which they are shown, then the id itself.
fn order(id: &str) -> (usize, String) {
    let groups = ["N-", "K-", "P-", "S-", "D-", "C-", "OK-"];
    let group = groups.iter().position(|group| id.starts_with(group));
    (group.unwrap_or(groups.len()), id.to_owned())
}

/// Whether an id is meant by one of these patterns, in which `*` stands for anything. No pattern means all.
pub(crate) fn selects(patterns: &[String], id: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, id))
}

/// Whether the text fits the pattern, in which `*` stands for anything.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::tests::cluster;

    /// How many faults of each group there are.
    const GROUPS: [(&str, u32); 7] = [
        ("N", 34),
        ("K", 12),
        ("P", 7),
        ("S", 12),
        ("D", 15),
        ("C", 6),
        ("OK", 34),
    ];

    #[test]
    fn every_folder_loads() {
        assert!(!load().unwrap().is_empty());
    }

    #[test]
    fn every_fault_is_there_or_the_readme_says_why_not() {
        let readme = fs::read_to_string(home().join("README.md")).unwrap();
        let ids: Vec<String> = load().unwrap().into_iter().map(|fault| fault.id).collect();
        for (group, count) in GROUPS {
            for number in 1..=count {
                let id = format!("{group}-{number:02}");
                let there = ids.contains(&id);
                let excused = readme.lines().any(|line| line.starts_with(&format!("| {id} |")));
                assert!(there || excused, "{id} is neither there nor excused in README.md");
                assert!(
                    !(there && excused),
                    "{id} is there, and README.md says that it is not"
                );
            }
        }
    }

    #[test]
    fn every_placeholder_is_a_fact() {
        for fault in load().unwrap() {
            for script in fault.scripts() {
                cluster()
                    .fill(script)
                    .unwrap_or_else(|error| panic!("{}: {error}", fault.id));
            }
            fault
                .expected
                .filled(&cluster())
                .unwrap_or_else(|error| panic!("{}: {error}", fault.id));
        }
    }

    #[test]
    fn no_fault_forbids_what_it_expects() {
        for fault in load().unwrap() {
            for cause in &fault.expected.causes {
                for id in [&cause.check].into_iter().chain(&cause.acceptable) {
                    for forbidden in &fault.expected.forbidden {
                        assert!(!matches(forbidden, id), "{}: {forbidden} and {id}", fault.id);
                    }
                }
            }
        }
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("N-01", "N-01", true),
            ("N-01", "N-011", false),
            ("N-*", "N-01", true),
            ("*", "", true),
            ("*-01", "N-01", true),
            ("node/* → node/node2", "node/node1 → node/node2", true),
            ("node/* → node/node2", "node/node1 → node/node3", false),
            ("a*b*c", "axbxbxc", true),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn faults_are_shown_before_what_is_made_of_them_and_before_controls() {
        let mut ids = ["OK-01", "C-01", "D-02", "N-02", "N-01"];
        ids.sort_by_key(|id| order(id));
        assert_eq!(ids, ["N-01", "N-02", "D-02", "C-01", "OK-01"]);
    }
}
