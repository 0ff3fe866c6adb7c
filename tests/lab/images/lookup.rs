//! Looks a name up as programs with musl do, and prints its addresses: the standard library asks the C library, which is linked in.

use std::net::ToSocketAddrs as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        eprintln!("which name?");
        return ExitCode::from(2);
    };
    // What sleeps is looked into from outside.
    if name == "-" {
        loop {
            std::thread::park();
        }
    }
    match (name.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => {
            for address in addresses {
                println!("{}", address.ip());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
