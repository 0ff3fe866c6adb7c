//! What is to be tried of a Service that the run made.

use std::net::{IpAddr, SocketAddr};

use netprobe::Kind;
use observation::{Expected, Purpose};
use report::Subject;

use super::{ReachOptions, Wanted};

/// The Service of the run's own by each of its addresses, from everywhere. Our own pods answer behind it.
pub fn plan_own_service(
    subject: &Subject,
    addresses: &[IpAddr],
    port: u16,
    options: &ReachOptions,
) -> Vec<Wanted> {
    let want = |address: &IpAddr| Wanted {
        source: None,
        purpose: Purpose::OwnService,
        subject: subject.clone(),
        address: SocketAddr::new(*address, port),
        kind: Kind::Tcp,
        expected: Expected::Answer,
        tries: options.count.min(5),
    };
    addresses.iter().map(want).collect()
}
