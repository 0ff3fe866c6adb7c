//! Cases for checks: folders with what was seen, and what should be said about it.

use std::path::{Path, PathBuf};

/// One folder: an observation and the report that it should give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The name of the folder.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// `observation.json`, as text.
    pub observation: String,
    /// `report.json`, as text, where there is one.
    pub report_json: Option<String>,
    /// `report.txt`, where there is one.
    pub report_text: Option<String>,
}

impl Case {
    /// Where the expected report of this form is, or would be: `json` or `txt`.
    pub fn report_path(&self, form: &str) -> PathBuf {
        self.folder.join(format!("report.{form}"))
    }
}

/// What is wrong with a directory of cases. All of it, so that one run of the tests names everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct CaseErrors {
    /// One sentence each, with the path.
    pub problems: Vec<String>,
}

/// Reads all cases below a directory, by name. Each folder in it is a case, with `observation.json` and at least one
/// of `report.json` and `report.txt`; anything else is an error, and so is a directory without cases.
pub fn cases(directory: &Path) -> Result<Vec<Case>, CaseErrors> {
    let mut problems = Vec::new();
    let mut folders = Vec::new();
    match std::fs::read_dir(directory) {
        Ok(entries) => {
            for entry in entries {
                match entry {
                    Ok(entry) if entry.path().is_dir() => folders.push(entry.path()),
                    Ok(entry) => problems.push(format!(
                        "{}: not a folder: a case is a folder with observation.json",
                        entry.path().display()
                    )),
                    Err(error) => problems.push(format!("{}: {error}", directory.display())),
                }
            }
            if folders.is_empty() {
                problems.push(format!("{}: no cases in it", directory.display()));
            }
        }
        Err(error) => problems.push(format!("{}: {error}", directory.display())),
    }
    folders.sort();
    let cases: Vec<Case> = folders
        .iter()
        .filter_map(|folder| case(folder, &mut problems))
        .collect();
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(CaseErrors { problems })
    }
}

fn case(folder: &Path, problems: &mut Vec<String>) -> Option<Case> {
    let before = problems.len();
    let mut json = |name: &str| {
        let text = read(folder, name, problems)?;
        if let Err(error) = serde_json::from_str::<serde_json::Value>(&text) {
            problems.push(format!("{}: not JSON: {error}", folder.join(name).display()));
        }
        Some(text)
    };
    let observation = json("observation.json");
    let report_json = json("report.json");
    let report_text = read(folder, "report.txt", problems);
    if observation.is_none() {
        problems.push(format!("{}: no observation.json", folder.display()));
    }
    if report_json.is_none() && report_text.is_none() {
        problems.push(format!(
            "{}: neither report.json nor report.txt",
            folder.display()
        ));
    }
    let known = ["observation.json", "report.json", "report.txt", "README.md"];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !known.iter().any(|known| name == *known) {
            problems.push(format!(
                "{}: belongs to no case: expected {}",
                entry.path().display(),
                known.join(", ")
            ));
        }
    }
    if problems.len() > before {
        return None;
    }
    Some(Case {
        name: folder.file_name()?.to_string_lossy().into_owned(),
        folder: folder.to_owned(),
        observation: observation?,
        report_json,
        report_text,
    })
}

/// The text of a file, or `None` when there is no such file.
fn read(folder: &Path, name: &str, problems: &mut Vec<String>) -> Option<String> {
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            problems.push(format!("{}: {error}", path.display()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str, text: &str) {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn whole_cases_come_in_the_order_of_their_names() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "b/observation.json", "{}");
        write(directory.path(), "b/report.json", "{}");
        write(directory.path(), "a/observation.json", "{}");
        write(directory.path(), "a/report.txt", "all well\n");
        let found = cases(directory.path()).unwrap();
        assert_eq!(
            found.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(found[0].report_text.as_deref(), Some("all well\n"));
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("empty")).unwrap();
        write(directory.path(), "broken/observation.json", "{");
        write(directory.path(), "broken/report.txt", "");
        write(directory.path(), "broken/notes", "");
        let problems = cases(directory.path()).unwrap_err().problems;
        for part in [
            "empty: no observation.json",
            "empty: neither",
            "observation.json: not JSON",
            "notes: belongs",
        ] {
            assert!(
                problems.iter().any(|problem| problem.contains(part)),
                "{part} is not in {problems:?}"
            );
        }
    }

    #[test]
    fn a_directory_without_cases_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(
            cases(directory.path())
                .unwrap_err()
                .to_string()
                .contains("no cases in it")
        );
        assert!(cases(&directory.path().join("gone")).is_err());
    }
}
