//! What every plugin's `main` does: arguments in, an exit status out, and between the two a run that is always cleaned
//! up after, whoever interrupts it.
//!
//! A plugin is its subcommands; everything around them is here, so that the four behave alike.

mod complete;
mod entry;
mod examples;
mod failure;
mod file;
mod manual;
mod output;
mod print;
mod progress;
mod signals;
mod usage;

pub use entry::{Program, Run, commands, run, unclassified};
pub use examples::Examples;
pub use failure::Failure;
pub use file::{Readers, replace};
pub use output::{ColorChoice, OutputArgs, OutputFormat};
pub use print::{deliver, json, print, report_removal, write, yaml};
pub use progress::Spinner;
pub use signals::Interrupt;
