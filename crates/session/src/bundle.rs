//! Bundles: an observation in a file.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Read as _;
use std::path::Path;

use observation::Observation;
use plugin::{Failure, Readers};

/// What is hidden of the cluster from whoever reads what is written.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Redaction {
    /// Replace names of nodes, namespaces, pods, Services and hosts, and addresses, by aliases: in the report and in the bundle.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    pub redact: bool,
}

impl Redaction {
    /// The observation as it may be shown.
    ///
    /// # Errors
    /// When it cannot be rewritten. Then nothing of it is to be shown.
    pub fn apply(self, observation: Observation) -> Result<Observation, Failure> {
        if !self.redact {
            return Ok(observation);
        }
        // Another one in each process, and nobody knows it.
        let seed = RandomState::new().build_hasher().finish();
        observation.redacted(seed).map_err(|error| {
            Failure::of(&error).with_hint(Some(
                "nothing was written; without --redact the run works, and shows what it saw".to_owned(),
            ))
        })
    }

    /// Refuses to write what was read as it was read.
    ///
    /// # Errors
    /// When a bundle is to be read and another to be written, with nothing hidden.
    pub fn refuse_copy(self, from: Option<&Path>, to: Option<&Path>) -> Result<(), Failure> {
        match (from, to) {
            (Some(from), Some(to)) if !self.redact => Err(Failure::new(format!(
                "error: --save-bundle {} would be a copy of {}",
                to.display(),
                from.display()
            ))
            .with_hint(Some(
                "with --redact it is one that can be shown to others".to_owned(),
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses the flag, where nothing is hidden.
    ///
    /// # Errors
    /// When it was given.
    pub fn refuse(self, command: &str) -> Result<(), Failure> {
        if self.redact {
            return Err(Failure::new(format!(
                "error: {command} has no --redact: it shows names as they are"
            )));
        }
        Ok(())
    }
}

/// How a file begins that gzip made.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Reads a bundle; `-` is standard input.
pub fn read(path: &Path) -> Result<Observation, Failure> {
    let named =
        |error: &dyn std::fmt::Display| Failure::new(format!("error: bundle {}: {error}", path.display()));
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| named(&error))?;
    if bytes.starts_with(GZIP) {
        let hint = "unpack it on the way: `gunzip -c FILE | kubectl PLUGIN COMMAND --from-bundle -`";
        return Err(named(&"it is compressed").with_hint(Some(hint.to_owned())));
    }
    let text = String::from_utf8(bytes).map_err(|error| named(&error))?;
    if text.trim().is_empty() {
        return Err(named(&"it is empty"));
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
    // What a cluster looks like is nobody's business but its owner's.
    plugin::replace(path, format!("{text}\n").as_bytes(), Readers::Owner).map_err(|error| named(&error))
}
