//! `checksums.txt`, as `sha256sum --check` reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The name of the file.
pub const FILE: &str = "checksums.txt";

/// SHA-256 of each archive, by its name.
pub type Checksums = BTreeMap<String, String>;

/// The checksums of all archives that lie in a directory.
///
/// # Errors
/// When one cannot be read.
pub fn of_directory(directory: &Path) -> Result<Checksums> {
    let mut sums = Checksums::new();
    for entry in fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.ends_with(".tar.gz") {
            sums.insert(name, of_file(&path)?);
        }
    }
    Ok(sums)
}

fn of_file(path: &Path) -> Result<String> {
    let content = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Sha256::digest(content)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }))
}

/// The content of [`FILE`].
pub fn text(sums: &Checksums) -> String {
    sums.iter().fold(String::new(), |mut text, (name, sum)| {
        let _ = writeln!(text, "{sum}  {name}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_summed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in [("b.tar.gz", "abc"), ("a.tar.gz", ""), ("notes.txt", "abc")] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        assert_eq!(
            text(&of_directory(directory.path()).unwrap()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a.tar.gz\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b.tar.gz\n"
        );
    }
}
