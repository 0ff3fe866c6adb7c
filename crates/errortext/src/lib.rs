//! What an error text of an event, a log or an application says about the network, and what it does not.
//!
//! Pure: text in, [`Reading`] out. The table of texts is data; each row is shown to match what it is for, and not to match
//! what looks like it.

mod page;
mod pattern;
mod read;
mod rows;

pub use page::page;
pub use read::{Match, Reading, read};
pub use rows::texts;

/// How much an error text says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It names a cause, or a place with few causes.
    Cause,
    /// It says how something ended; several causes end so.
    Ending,
    /// It says what was being done when something else went wrong.
    Frame,
}

/// One error text, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Unique and kebab-case.
    pub name: &'static str,
    /// The id of the check that looks for what it means.
    pub check: &'static str,
    /// How much it says by itself.
    pub rank: Rank,
    /// What it looks like: see [`pattern`]. One that matches is enough.
    pub(crate) patterns: &'static [&'static str],
    /// What it means, in one or two sentences.
    pub means: &'static str,
    /// What cannot be the cause where this is read, one clause each.
    pub excludes: &'static [&'static str],
    /// What it can be, and what decides between them; the likeliest first.
    pub causes: &'static [Cause],
    /// What to run next. Words in capitals are to be replaced.
    pub next: &'static [&'static str],
}

impl Text {
    /// What it looks like, most usual first: literal text, with `*` for anything and `{name}` for a word.
    pub fn looks_like(&self) -> &'static [&'static str] {
        self.patterns
    }
}

/// One of several causes that end in the same text.
#[derive(Clone, Copy, Debug)]
pub struct Cause {
    /// The cause, as a clause.
    pub what: &'static str,
    /// What decides that it is this one, as a clause.
    pub decided_by: &'static str,
}

#[cfg(test)]
mod tests;
