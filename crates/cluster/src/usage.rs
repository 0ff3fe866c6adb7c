//! What a run asked of the API server.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was asked of the API server so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests sent, retries and upgrades included.
    pub calls: u64,
    /// Bytes of response bodies, after decompression, and what was reported for streams.
    pub bytes_received: u64,
    /// Bytes of request bodies, and what was reported for streams.
    pub bytes_sent: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Counters {
    pub(crate) fn add_call(&self, sent: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.add_sent(sent);
    }

    pub(crate) fn add_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn add_sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            bytes_received: self.received.load(Ordering::Relaxed),
            bytes_sent: self.sent.load(Ordering::Relaxed),
        }
    }
}
