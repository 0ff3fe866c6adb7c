//! Archives as krew takes them: the program and the licence at the root, and the same bytes whoever packs them.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// One file of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Without a directory.
    pub name: &'a str,
    /// What is in it.
    pub content: &'a [u8],
    /// `0o755` for programs.
    pub mode: u32,
}

/// Writes a `.tar.gz`. Nothing in it tells who packed it, where or when: every file carries `time`, in seconds since
/// 1970, and belongs to root.
///
/// # Errors
/// When the target cannot be written.
pub fn pack(entries: &[Entry<'_>], time: u64, to: impl Write) -> Result<()> {
    let compressed = GzBuilder::new().mtime(0).write(to, Compression::best());
    let mut archive = Builder::new(compressed);
    for entry in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(entry.content.len() as u64);
        header.set_mode(entry.mode);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_username("root")?;
        header.set_groupname("root")?;
        archive
            .append_data(&mut header, entry.name, entry.content)
            .with_context(|| format!("pack {}", entry.name))?;
    }
    archive.into_inner()?.finish()?.flush()?;
    Ok(())
}

/// The names, modes and sizes of what an archive holds, in its order.
///
/// # Errors
/// When it is none.
pub fn list(archive: impl Read) -> Result<Vec<(String, u32, u64)>> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    let mut found = Vec::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let header = entry.header();
        found.push((
            entry.path()?.to_string_lossy().into_owned(),
            header.mode()?,
            header.size()?,
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> Vec<u8> {
        let entries = [
            Entry {
                name: "kubectl-netcheck",
                content: b"program",
                mode: 0o755,
            },
            Entry {
                name: "LICENSE",
                content: b"licence",
                mode: 0o644,
            },
        ];
        let mut bytes = Vec::new();
        pack(&entries, 1_000_000_000, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_packed_lies_at_the_root_with_its_modes() {
        assert_eq!(
            list(packed().as_slice()).unwrap(),
            [
                ("kubectl-netcheck".to_owned(), 0o755, 7),
                ("LICENSE".to_owned(), 0o644, 7)
            ]
        );
    }

    #[test]
    fn the_same_files_give_the_same_bytes_at_any_time() {
        let first = packed();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert_eq!(packed(), first);
    }
}
