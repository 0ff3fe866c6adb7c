//! Signals that ask for the end: what is broken is healed first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody wants this to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on SIGINT, SIGTERM and SIGHUP no longer end this process.
    pub(crate) fn watch() -> Result<Self> {
        let interrupt = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("start a runtime for signals")?;
        let guard = runtime.enter();
        let mut interrupts = signal(SignalKind::interrupt()).context("watch SIGINT")?;
        let mut terminations = signal(SignalKind::terminate()).context("watch SIGTERM")?;
        let mut hangups = signal(SignalKind::hangup()).context("watch SIGHUP")?;
        drop(guard);
        let seen = interrupt.clone();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminations.recv() => {}
                    _ = hangups.recv() => {}
                }
                seen.0.store(true, Ordering::Relaxed);
                // The handlers stay, so that a second Ctrl-C does not cut the healing short.
                std::future::pending::<()>().await;
            });
        });
        Ok(interrupt)
    }

    /// Whether one has come.
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
