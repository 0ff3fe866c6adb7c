//! Why there was no run.

use report::Gap;

use crate::Removal;

/// Why a run could not do its work. Whatever it had made was removed as far as [`Self::removal`] says.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The caller's token was cancelled before the work was done.
    #[error("interrupted")]
    Cancelled {
        /// What became of the run's objects.
        removal: Removal,
    },
    /// What every probe pod needs could not be made: the namespace or a ConfigMap.
    #[error("{}", gap.message)]
    NotPrepared {
        /// What was refused, in the server's words.
        gap: Gap,
        /// What became of the run's objects.
        removal: Removal,
    },
}

impl ProbeError {
    /// What became of the objects that the run had made.
    pub fn removal(&self) -> &Removal {
        match self {
            Self::Cancelled { removal } | Self::NotPrepared { removal, .. } => removal,
        }
    }

    /// What the reader can do next, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Cancelled { .. } => None,
            Self::NotPrepared { gap, .. } => gap.hint.as_deref(),
        }
    }
}
