//! Short aligned lines on standard error, each with the seconds since the start.

use std::fmt::Display;
use std::io::Write;
use std::time::Instant;

/// Tells the person at the terminal what happens. Results go to standard output instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    start: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// One line, as `  3.4 s  apiserver     ready`.
    pub(crate) fn line(&self, what: &str, state: impl Display) {
        let seconds = self.start.elapsed().as_secs_f64();
        // A terminal that is gone must not end the work.
        let _ = writeln!(std::io::stderr(), "{seconds:6.1} s  {what:<14} {state}");
    }
}

/// A line on standard error without a time.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A line on standard output: a result.
pub(crate) fn result(text: impl Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
