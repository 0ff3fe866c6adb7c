//! Bundles: an observation in a file.

use std::io::{Read as _, Write as _};
use std::path::Path;

use observation::Observation;
use plugin::Failure;

/// Reads a bundle; `-` is standard input.
pub fn read(path: &Path) -> Result<Observation, Failure> {
    let named =
        |error: &dyn std::fmt::Display| Failure::new(format!("error: bundle {}: {error}", path.display()));
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .map_err(|error| named(&error))?;
    } else {
        text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    }
    Observation::from_bundle(&text)
        .map_err(|error| named(&error).with_hint(Some("a bundle is what --save-bundle writes".to_owned())))
}

/// Writes a bundle, whole or not at all: what was there before stays when the disk is full.
pub fn write(path: &Path, observation: &Observation) -> Result<(), Failure> {
    let named = |error: &dyn std::fmt::Display| {
        Failure::new(format!(
            "error: could not write bundle {}: {error}",
            path.display()
        ))
    };
    let text = serde_json::to_string_pretty(observation).map_err(|error| named(&error))?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(|error| named(&error))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .map_err(|error| named(&error))?;
    file.persist(path).map_err(|error| named(&error.error))?;
    Ok(())
}
