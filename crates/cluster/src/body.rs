//! Response bodies on their way to whoever reads them: counted, watched by a clock, and shown where `-v` asks for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kube::client::Body;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::BoxError;

use crate::log::Log;
use crate::transport_error::TransportError;
use crate::usage::Counters;

/// How long the reader of a body waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    /// As long as it takes: a stream.
    Endless,
    /// The whole body has to be there by then; the duration is the limit of the request.
    Until(Instant, Duration),
    /// No pause may be longer.
    Pause(Duration),
}

/// The body of a response.
pub(crate) struct MeteredBody {
    inner: Body,
    counters: Arc<Counters>,
    patience: Patience,
    clock: Option<Pin<Box<Sleep>>>,
    log: Log,
    shown: Vec<u8>,
    total: u64,
}

impl MeteredBody {
    pub(crate) fn new(inner: Body, counters: Arc<Counters>, patience: Patience, log: Log) -> Self {
        let clock = match patience {
            Patience::Endless => None,
            Patience::Until(end, _) => Some(Box::pin(sleep_until(end))),
            Patience::Pause(longest) => Some(Box::pin(sleep_until(Instant::now() + longest))),
        };
        Self {
            inner,
            counters,
            patience,
            clock,
            log,
            shown: Vec::new(),
            total: 0,
        }
    }

    fn take(&mut self, data: &Bytes) {
        let length = data.remaining() as u64;
        self.counters.add_received(length);
        self.total += length;
        let room = self.log.body_limit().saturating_sub(self.shown.len());
        if room > 0 {
            self.shown.extend_from_slice(&data[..data.len().min(room)]);
        }
        if let (Patience::Pause(longest), Some(clock)) = (self.patience, &mut self.clock) {
            clock.as_mut().reset(Instant::now() + longest);
        }
    }
}

impl HttpBody for MeteredBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            if let Some(Ok(frame)) = &frame {
                if let Some(data) = frame.data_ref() {
                    self.take(data);
                }
            } else {
                self.log.body("Response", &self.shown, self.total);
                self.total = 0;
            }
            return Poll::Ready(
                frame.map(|frame| frame.map_err(|error| TransportError::CutOff(error.into()).into())),
            );
        }
        let patience = self.patience;
        let (Some(clock), Patience::Until(_, limit) | Patience::Pause(limit)) = (&mut self.clock, patience)
        else {
            return Poll::Pending;
        };
        match clock.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let error = TransportError::TimedOut {
                    after: limit,
                    awaiting: "reading body",
                };
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
