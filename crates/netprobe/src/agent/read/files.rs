//! Files and directories by pattern.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use netprobe::FileText;

/// More paths than this are not followed: a pattern that matches more was not meant so.
const MOST_PATHS: usize = 20_000;

/// The texts of the files that match.
pub(super) fn texts(pattern: &str, most: u64) -> BTreeMap<String, FileText> {
    let files = paths(pattern).into_iter().filter(|path| !path.is_dir());
    files
        .map(|path| (path.to_string_lossy().into_owned(), text(&path, most)))
        .collect()
}

/// The paths that match, in order.
pub(super) fn matching(pattern: &str) -> Vec<String> {
    let paths = paths(pattern);
    paths
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}

fn paths(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        let mut next = Vec::new();
        for path in found {
            match component.split_once('*') {
                None => next.push(path.join(component)),
                Some((before, after)) => next.extend(entries(&path, before, after)),
            }
        }
        next.retain(|path| path.symlink_metadata().is_ok());
        next.truncate(MOST_PATHS);
        found = next;
    }
    found.sort();
    found
}

fn entries(directory: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let Ok(entries) = directory.read_dir() else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let matches = |name: &String| {
        let hidden = name.starts_with('.') && before.is_empty();
        !hidden
            && name.len() >= before.len() + after.len()
            && name.starts_with(before)
            && name.ends_with(after)
    };
    names.filter(matches).map(|name| directory.join(name)).collect()
}

fn text(path: &Path, most: u64) -> FileText {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    match read() {
        Ok(mut bytes) => {
            let truncated = u64::try_from(bytes.len()).is_ok_and(|length| length > most);
            bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            FileText::Text {
                text: String::from_utf8_lossy(&bytes).into_owned(),
                truncated,
            }
        }
        Err(error) => FileText::Failed {
            message: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_names_by_what_surrounds_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["10-flannel.conflist", "99-loopback.conf", ".hidden", "notes.txt"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let at = |pattern: &str| {
            let base = dir.path().to_string_lossy().into_owned();
            let found = matching(&format!("{base}/{pattern}"));
            found
                .into_iter()
                .map(|path| path[base.len() + 1..].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(at("*"), ["10-flannel.conflist", "99-loopback.conf", "notes.txt"]);
        assert_eq!(at("*.conf*"), Vec::<String>::new(), "one star in a component");
        assert_eq!(at("*.conf"), ["99-loopback.conf"]);
        assert_eq!(at("10-*"), ["10-flannel.conflist"]);
        assert_eq!(at("nothing/*"), Vec::<String>::new());
        assert_eq!(at("notes.txt"), ["notes.txt"]);
    }

    #[test]
    fn a_long_file_is_cut_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long");
        std::fs::write(&path, "0123456789").unwrap();
        let texts = texts(path.to_str().unwrap(), 4);
        let expected = FileText::Text {
            text: "0123".to_owned(),
            truncated: true,
        };
        assert_eq!(texts.into_values().collect::<Vec<_>>(), [expected]);
    }
}
