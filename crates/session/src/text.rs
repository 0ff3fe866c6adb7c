//! Texts that users name.

use std::io::Read as _;
use std::path::Path;

use plugin::Failure;

/// Reads a file, or standard input for `-`. What is no UTF-8 is replaced.
///
/// # Errors
/// When it cannot be read.
pub fn contents(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|error| Failure::new(format!("error: could not read {}: {error}", path.display())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
