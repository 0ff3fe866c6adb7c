//! `cargo lab faults`: breaks a lab in known ways, asks the plugins what is wrong, and keeps the score.
//!
//! Each fault is a folder with a `fault.yaml`; `README.md` says what is in it.

use std::process::ExitCode;

mod board;
mod cli;
mod compare;
mod corpus;
mod facts;
mod fault;
mod interrupt;
mod labs;
mod output;
mod round;
mod stage;
mod state_of_node;

fn main() -> ExitCode {
    cli::main()
}
