//! The cache: directories named for a kind of thing and a hash of what it was made from.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

const DEFAULT: &str = "/var/cache/netcheck";

/// How many entries of a kind are kept, so that going back and forth between two branches builds nothing.
const KEPT: usize = 2;

/// Where built parts are kept between labs. Not in the clone: several clones share it.
#[derive(Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `$NETCHECK_CACHE`, else a fixed place.
    pub(super) fn open() -> Result<Self> {
        let base = std::env::var_os("NETCHECK_CACHE").map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from);
        Self::at(&base)
    }

    fn at(base: &Path) -> Result<Self> {
        let root = base.join("lab");
        fs::create_dir_all(&root).with_context(|| format!("create the cache {}", root.display()))?;
        Ok(Self { root })
    }

    /// Keeps others from building the same at the same time, until the file is dropped.
    pub(super) fn lock(&self) -> Result<File> {
        let directory = File::open(&self.root)?;
        directory
            .lock()
            .with_context(|| format!("lock {}", self.root.display()))?;
        Ok(directory)
    }

    /// The directory for this key. `build` fills it when it is not there yet; an unfinished one does not stay.
    pub(super) fn entry(
        &self,
        kind: &str,
        key: &Key,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let path = self.root.join(format!("{kind}-{}", key.text()));
        if path.exists() {
            return Ok(path);
        }
        let partial = self.root.join(format!("{kind}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir(&partial)?;
        build(&partial)?;
        fs::rename(&partial, &path)?;
        self.prune(kind)?;
        Ok(path)
    }

    /// Removes all but the newest entries of a kind. A running lab does not notice: it has its own links.
    fn prune(&self, kind: &str) -> Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            if name
                .to_string_lossy()
                .rsplit_once('-')
                .is_some_and(|(prefix, _)| prefix == kind)
            {
                entries.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        entries.sort();
        for (_, old) in entries.iter().rev().skip(KEPT) {
            fs::remove_dir_all(old).with_context(|| format!("remove {}", old.display()))?;
        }
        Ok(())
    }
}

/// A hash of inputs. The order in which they are added counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Key(Sha256);

impl Key {
    /// Adds a text.
    pub(super) fn text_input(mut self, text: &str) -> Self {
        // With its length, so that moving a letter from one input to the next gives another key.
        self.0.update(text.len().to_le_bytes());
        self.0.update(text);
        self
    }

    /// Adds the content of a file of the clone.
    pub(super) fn content(self, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Ok(self.text_input(&text))
    }

    /// Adds a file of this machine by what `stat` says: reading it would take longer than it is worth.
    pub(super) fn installed(self, path: &Path) -> Result<Self> {
        let meta = fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
        Ok(self.text_input(&format!("{} {} {}", path.display(), meta.size(), meta.mtime())))
    }

    /// The key as it stands in the name of an entry.
    fn text(&self) -> String {
        super::hex(&self.0.clone().finalize()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(inputs: &[&str]) -> Key {
        inputs
            .iter()
            .fold(Key::default(), |key, input| key.text_input(input))
    }

    #[test]
    fn the_same_inputs_give_the_same_key_and_others_give_another() {
        assert_eq!(key(&["a", "b"]).text(), key(&["a", "b"]).text());
        assert_ne!(key(&["a", "b"]).text(), key(&["b", "a"]).text());
        assert_ne!(key(&["ab", "c"]).text(), key(&["a", "bc"]).text());
        assert_eq!(key(&[]).text().len(), 16);
    }

    #[test]
    fn a_changed_file_changes_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("go.mod");
        fs::write(&file, "module a").unwrap();
        let before = Key::default().content(&file).unwrap().text();
        fs::write(&file, "module b").unwrap();
        assert_ne!(Key::default().content(&file).unwrap().text(), before);
        assert!(Key::default().content(&directory.path().join("absent")).is_err());
    }

    #[test]
    fn an_entry_is_built_once_and_a_failed_one_is_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path()).unwrap();
        let failed = cache.entry("thing", &key(&["1"]), |_| anyhow::bail!("no"));
        assert!(failed.is_err());
        let path = cache
            .entry("thing", &key(&["1"]), |path| Ok(fs::write(path.join("x"), "1")?))
            .unwrap();
        assert_eq!(fs::read_to_string(path.join("x")).unwrap(), "1");
        let again = cache
            .entry("thing", &key(&["1"]), |_| panic!("built again"))
            .unwrap();
        assert_eq!(again, path);
    }

    #[test]
    fn only_the_newest_entries_of_a_kind_stay() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::at(directory.path()).unwrap();
        let other = cache.entry("other", &key(&["1"]), |_| Ok(())).unwrap();
        let paths: Vec<_> = ["1", "2", "3"]
            .iter()
            .map(|input| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                cache.entry("thing", &key(&[input]), |_| Ok(())).unwrap()
            })
            .collect();
        assert_eq!(
            paths.iter().map(|path| path.exists()).collect::<Vec<_>>(),
            [false, true, true]
        );
        assert!(other.exists());
    }
}
