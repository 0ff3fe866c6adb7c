//! The probe agent: a static program that runs on a node from whatever image is there.
//!
//! `netprobe serve` answers the probes of other agents, `netprobe run` reads a plan and writes answers. It must never
//! need a file, a name service, a capability or a writable disk: an empty root file system and an arbitrary user id
//! are all that it gets.

#[cfg(target_os = "linux")]
mod agent;

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    agent::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    use std::io::Write;

    // Nothing can be done about a closed standard error.
    let _ = writeln!(std::io::stderr(), "netprobe: the probe agent runs on Linux only");
    ExitCode::from(2)
}
