//! Where something stands, and what CoreDNS would refuse there.

use std::fmt;
use std::sync::Arc;

/// A line of a file, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The name that [`crate::Sources::name`] gives the Corefile, or the path of an imported file.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Something that CoreDNS does not start with. Prints as `Corefile:LINE: what; what to do`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}; {next}")]
pub struct Refusal {
    /// Where it stands.
    pub place: Place,
    /// What is refused, as a lower-case fragment.
    pub what: String,
    /// What to do about it, as a lower-case fragment.
    pub next: String,
    /// Which rule it breaks.
    pub rule: Rule,
}

/// The kinds of rules that a Corefile can break.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Braces, commas, imports, snippets: what comes before any plugin is asked.
    Grammar,
    /// The zones, ports and schemes at the head of a server block.
    Address,
    /// A directive that this version of CoreDNS does not have.
    Directive,
    /// A property that its plugin does not have, in this version.
    Property {
        /// The plugin.
        plugin: Box<str>,
        /// The word that it does not know.
        property: Box<str>,
    },
    /// The number or the form of arguments.
    Argument {
        /// The plugin.
        plugin: Box<str>,
        /// The property whose arguments they are, if they are not those of the plugin itself.
        property: Option<Box<str>>,
    },
    /// A plugin that may stand in a server block once.
    Once {
        /// The plugin.
        plugin: Box<str>,
    },
}
