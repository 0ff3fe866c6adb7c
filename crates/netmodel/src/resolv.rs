//! What a stub resolver makes of a name: which questions it asks, of whom, and how many.
//!
//! Two C libraries are modelled, because containers have either: glibc (`resolv/res_query.c`, resolv.conf(5) as of 2.26 and newer)
//! and musl (`src/network/lookup_name.c`, `resolvconf.c`, `res_msend.c`). They read the same file and do different things with it.

mod course;
mod file;

pub use course::{Answer, Asked, Course, Libc, Outcome, candidates, lookup, queries};
pub use file::{Ignored, Options, ResolvConf};

#[cfg(test)]
mod tests;
