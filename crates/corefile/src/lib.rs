//! CoreDNS' configuration: its grammar, what each version of CoreDNS refuses, and what is unwise.
//!
//! Pure: texts in, values out. [`parse`] reads, [`check`] says what CoreDNS would not start with, [`lint`] says what
//! it would start with and should not.

mod address;
mod ast;
mod error;
mod lint;
mod parse;
mod regex;
mod setup;
mod sources;
mod stanza;
mod template;
mod token;
mod upstreams;
mod value;
mod version;

pub use address::Served;
pub use ast::{Corefile, Directive, Key, Property, ServerBlock, Swallowed, Unread};
pub use error::{Place, Refusal, Rule};
pub use lint::{Facts, Lint, Role, lint};
pub use parse::parse;
pub use setup::check;
pub use sources::Sources;
pub use upstreams::{Upstream, UpstreamAddress};
pub use version::{Span, Version, plugin_span, plugins, property_span};
