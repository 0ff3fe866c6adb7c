//! The table: one file for each part of a cluster that writes such texts.

mod api;
mod coredns;
mod encryption;
mod flannel;
mod kernel;
mod kubelet;
mod lookup;
mod products;
mod proxy;
mod sandbox;
mod socket;

use crate::{Cause, Text};

/// Every text that is known, in no particular order.
pub fn texts() -> impl Iterator<Item = &'static Text> {
    [
        socket::TEXTS,
        encryption::TEXTS,
        lookup::TEXTS,
        coredns::TEXTS,
        sandbox::TEXTS,
        flannel::TEXTS,
        products::TEXTS,
        kubelet::TEXTS,
        api::TEXTS,
        proxy::TEXTS,
        kernel::TEXTS,
    ]
    .into_iter()
    .flatten()
}

/// A cause, and what decides that it is this one.
const fn cause(what: &'static str, decided_by: &'static str) -> Cause {
    Cause { what, decided_by }
}
