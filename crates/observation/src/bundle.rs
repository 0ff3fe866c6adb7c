use serde::Deserialize;

use crate::{BUNDLE_VERSION, Observation};

/// Why a text is not a bundle that can be judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not JSON at all, or cut off.
    #[error("not a bundle: not JSON")]
    NotJson(#[source] serde_json::Error),
    /// JSON, but nothing that says of itself that it is a bundle.
    #[error("not a bundle: it has no apiVersion, which in a bundle begins with netcheck.dev/bundle/")]
    NotABundle,
    /// A document of something else, or of a version that this program does not know.
    #[error("a document of {found}, not of {BUNDLE_VERSION}")]
    OtherVersion {
        /// Its `apiVersion`, escaped, at most 80 characters of it.
        found: String,
    },
    /// A bundle by its own word, that does not hold what a bundle holds.
    #[error("a damaged bundle")]
    Damaged(#[source] serde_json::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    api_version: String,
}

impl Observation {
    /// Reads a bundle. The version is looked at before anything else, so that a newer bundle is called newer and not
    /// damaged.
    pub fn from_bundle(text: &str) -> Result<Self, BundleError> {
        // Only the header is kept: as a tree of values a bundle of a large cluster takes ten times its text.
        let header = serde_json::from_str::<Header>(text).map_err(|error| {
            if error.is_data() {
                BundleError::NotABundle
            } else {
                BundleError::NotJson(error)
            }
        })?;
        if header.api_version != BUNDLE_VERSION {
            let found = header
                .api_version
                .chars()
                .take(80)
                .flat_map(char::escape_debug)
                .collect();
            return Err(BundleError::OtherVersion { found });
        }
        serde_json::from_str(text).map_err(BundleError::Damaged)
    }

    /// Writes a bundle: indented, and closed with a line feed, so that two of them can be compared line by line.
    pub fn to_bundle(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("an observation holds nothing that JSON cannot say");
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use report::{Gap, GapReason, Observed};

    fn empty() -> Observation {
        let gap = Gap {
            what: "nodes".into(),
            why: GapReason::NotServed,
            message: "none".into(),
            hint: None,
        };
        Observation::new(
            "test",
            "2026-01-01T00:00:00Z",
            Observed::Unseen(gap.clone()),
            Observed::Unseen(gap),
        )
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = empty().to_bundle();
        assert_eq!(Observation::from_bundle(&text).ok(), Some(empty()));
    }

    #[test]
    fn each_kind_of_wrong_file_has_its_own_error() {
        let error = |text: &str| Observation::from_bundle(text).map_err(|error| error.to_string());
        assert_eq!(error("kind: Pod"), Err("not a bundle: not JSON".into()));
        assert!(error("{}").is_err_and(|error| error.starts_with("not a bundle: it has no apiVersion")));
        assert!(error("[1]").is_err_and(|error| error.starts_with("not a bundle: it has no apiVersion")));
        assert_eq!(
            error(r#"{"apiVersion":"netcheck.dev/bundle/v9\u001b"}"#),
            Err("a document of netcheck.dev/bundle/v9\\u{1b}, not of netcheck.dev/bundle/v1".into())
        );
        assert_eq!(
            error(r#"{"apiVersion":"netcheck.dev/bundle/v1"}"#),
            Err("a damaged bundle".into())
        );
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in ".{0,400}") {
            let _ = Observation::from_bundle(&text);
        }

        #[test]
        fn a_bundle_cut_off_or_changed_anywhere_never_panics(at in 0_usize..2000, with in any::<char>()) {
            let text = empty().to_bundle();
            let at = (0..=at % text.len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let (head, tail) = text.split_at(at);
            let _ = Observation::from_bundle(head);
            let _ = Observation::from_bundle(&format!("{head}{with}{tail}"));
        }
    }
}
