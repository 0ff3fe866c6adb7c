use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio_util::sync::CancellationToken;

/// The user's wish to stop.
///
/// The first signal cancels the token, and whoever created something in the cluster removes it; the process then ends
/// with 128 + the signal's number, as shells do. A second signal ends the process at once, and says how to clean up.
#[derive(Clone, Debug)]
pub struct Interrupt {
    token: CancellationToken,
    signal: Arc<AtomicI32>,
}

impl Interrupt {
    /// Begins to listen. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// When the process may not install signal handlers.
    pub fn listen(cleanup_command: &'static str) -> std::io::Result<Self> {
        let interrupt = Self {
            token: CancellationToken::new(),
            signal: Arc::new(AtomicI32::new(0)),
        };
        let mut source = Source::new()?;
        let own = interrupt.clone();
        tokio::spawn(async move {
            let first = source.next().await;
            own.signal.store(first, Ordering::SeqCst);
            own.token.cancel();
            let second = source.next().await;
            abandon(second, cleanup_command);
        });
        Ok(interrupt)
    }

    /// Cancelled at the first signal.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// The exit status to end with, once a signal came.
    pub fn exit_code(&self) -> Option<u8> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => u8::try_from(128 + signal).ok(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the user asked twice: nothing may delay the end"
)]
fn abandon(signal: i32, cleanup_command: &str) {
    eprintln!("error: stopped before cleaning up; remove what is left with: {cleanup_command}");
    std::process::exit(128 + signal);
}

#[cfg(unix)]
struct Source {
    signals: Vec<(i32, tokio::signal::unix::Signal)>,
}

#[cfg(unix)]
impl Source {
    fn new() -> std::io::Result<Self> {
        use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].map(|kind| kind as i32);
        let signals = kinds
            .iter()
            .map(|kind| Ok((*kind, signal(SignalKind::from_raw(*kind))?)));
        Ok(Self {
            signals: signals.collect::<std::io::Result<_>>()?,
        })
    }

    async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.signals {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Windows has no signals, but three events that mean the same: Ctrl-C, Ctrl-Break, and the console's window that is
/// closed, after which the system leaves a few seconds for cleaning up. `TerminateProcess` cannot be heard, as SIGKILL.
#[cfg(windows)]
struct Source {
    interrupt: tokio::signal::windows::CtrlC,
    stop: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Source {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close};
        Ok(Self {
            interrupt: ctrl_c()?,
            stop: ctrl_break()?,
            close: ctrl_close()?,
        })
    }

    /// The number that the event has where there are signals: that of SIGINT, of SIGHUP for a window that is closed.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.stop.recv() => 2,
            _ = self.close.recv() => 1,
        }
    }
}
