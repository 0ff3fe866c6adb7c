//! Files that are whole or not there.

use std::io::Write as _;
use std::path::Path;

/// Who may read a file that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Whoever the umask lets: another program is meant to read it.
    Umask,
}

/// Puts this in the place of what the file held. Whoever reads it finds the old or the new, never a part: it is written
/// beside the file and then takes its name. What is no regular file, as `/dev/stdout`, is written to as it is.
///
/// # Errors
/// When it cannot be written. Then the file is as it was.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> std::io::Result<()> {
    // A link stays one: its target is replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match std::fs::metadata(&target) {
        Ok(found) if found.is_dir() => return Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => {
            let mut device = std::fs::OpenOptions::new().write(true).open(&target)?;
            return device.write_all(bytes);
        }
        Ok(_) | Err(_) => {}
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = beside(folder, readers).map_err(|error| why(folder, &error))?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// Why no file can be made there, without the name of the file beside, which nobody has asked for.
fn why(folder: &Path, error: &std::io::Error) -> std::io::Error {
    match std::fs::read_dir(folder) {
        Err(error) => error,
        Ok(_) => error.kind().into(),
    }
}

#[cfg(unix)]
fn beside(folder: &Path, readers: Readers) -> std::io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Umask => 0o666,
    };
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(folder)
}

/// Who may read a file is not said by modes there.
#[cfg(not(unix))]
fn beside(folder: &Path, _: Readers) -> std::io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("netcheck.prom");
        replace(&path, b"old and long", Readers::Umask).unwrap();
        replace(&path, b"new", Readers::Umask).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_a_folder_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let error = replace(&folder.path().join("none/file"), b"x", Readers::Umask).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(!error.to_string().contains("none"), "{error}");
        assert!(replace(folder.path(), b"x", Readers::Umask).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_bundle_is_its_owner_s_and_a_result_is_for_others_to_read() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mode = |readers| {
            let path = folder.path().join("file");
            replace(&path, b"x", readers).unwrap();
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(Readers::Owner), 0o600);
        // The umask of whoever runs the tests decides about the rest; its owner always reads it.
        assert_eq!(mode(Readers::Umask) & 0o711, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"new", Readers::Umask).unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        replace(Path::new("/dev/null"), b"new", Readers::Umask).unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }
}
