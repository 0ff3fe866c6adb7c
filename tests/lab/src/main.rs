//! `cargo lab`: a real Kubernetes cluster on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    lab::cli::main()
}
