//! The two streams: the board on standard output, what happens meanwhile on standard error.

use std::fmt::Display;
use std::io::Write;

/// What happens. A terminal that is gone must not end the work: a lab would stay broken.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A result.
pub(crate) fn result(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
