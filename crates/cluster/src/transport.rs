//! One request to the API server and everything that happens to it: credentials, limits of time, retries, warnings,
//! counting, logging. The client library's own defaults for these are switched off.

use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, RETRY_AFTER, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use kube::client::Body;
use tokio::time::{Instant, sleep, timeout_at};
use tower::{BoxError, Service};

use crate::body::{MeteredBody, Patience};
use crate::client::connections;
use crate::credentials::{Credentials, Fresh};
use crate::duration::go_text;
use crate::log::Log;
use crate::transport_error::TransportError;
use crate::usage::Counters;
use crate::warning::Warnings;

#[cfg(test)]
mod tests;

/// How long a request may go without an answer, and an answer without a further byte, when the user set no limit.
pub(crate) const DEFAULT_PATIENCE: Duration = Duration::from_secs(30);

/// How often one request is sent at most.
const ATTEMPTS: u32 = 4;

/// The longest time to wait before a request is sent again, whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The part of a client that is shared by all its clones.
pub(crate) struct Transport {
    /// Connections; replaced when a credential plugin gives a new client certificate.
    pub(crate) connections: RwLock<kube::Client>,
    /// What they are made with.
    pub(crate) config: kube::Config,
    pub(crate) credentials: Credentials,
    /// On every request: the user agent, whom to act as.
    pub(crate) headers: HeaderMap,
    /// `--request-timeout`; zero is no limit.
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) server: Uri,
    pub(crate) counters: Arc<Counters>,
    pub(crate) warnings: Warnings,
    pub(crate) log: Log,
}

/// [`Transport`] as the service that a client is made of.
#[derive(Clone)]
pub(crate) struct TransportService(pub(crate) Arc<Transport>);

impl Service<Request<Body>> for TransportService {
    type Response = Response<MeteredBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let transport = self.0.clone();
        Box::pin(async move { transport.send(request).await })
    }
}

/// What kind of answer a request gets, for its limits of time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One answer, then the end.
    Unary,
    /// A protocol upgrade or a watch: the answer begins at once and has no end.
    Stream,
    /// A log that is followed: its answer begins when the container writes something.
    Follow,
}

impl Shape {
    fn of(request: &Request<Body>) -> Self {
        let is_true = |name: &str| {
            request.uri().query().is_some_and(|query| {
                query
                    .split('&')
                    .filter_map(|pair| pair.split_once('='))
                    .any(|(key, value)| key == name && matches!(value, "true" | "1"))
            })
        };
        if request.headers().contains_key(UPGRADE) || is_true("watch") {
            Self::Stream
        } else if is_true("follow") {
            Self::Follow
        } else {
            Self::Unary
        }
    }
}

/// The limits of one request, over all its attempts.
#[derive(Clone, Copy)]
struct Limits {
    /// When the user's own limit ends, and how long it is.
    end: Option<(Instant, Duration)>,
    /// How long an answer may take to begin.
    header: Option<Duration>,
}

impl Limits {
    fn of(shape: Shape, request_timeout: Option<Duration>) -> Self {
        let chosen = request_timeout.filter(|limit| !limit.is_zero());
        match (shape, request_timeout) {
            (Shape::Unary, None) => Self {
                end: None,
                header: Some(DEFAULT_PATIENCE),
            },
            (Shape::Unary, Some(_)) => Self {
                end: chosen.map(|limit| (Instant::now() + limit, limit)),
                header: None,
            },
            // A stream may last; only its beginning is waited for, and a longer limit is respected there.
            (Shape::Stream, Some(limit)) if limit.is_zero() => Self {
                end: None,
                header: None,
            },
            (Shape::Stream, chosen) => Self {
                end: None,
                header: Some(chosen.unwrap_or(DEFAULT_PATIENCE).max(DEFAULT_PATIENCE)),
            },
            (Shape::Follow, _) => Self {
                end: None,
                header: None,
            },
        }
    }

    /// When the next attempt is given up, and the limit to name then.
    fn attempt(self) -> Option<(Instant, Duration)> {
        self.end
            .or_else(|| self.header.map(|limit| (Instant::now() + limit, limit)))
    }

    fn patience(self, shape: Shape) -> Patience {
        match (shape, self.end, self.header) {
            (Shape::Unary, Some((end, limit)), _) => Patience::Until(end, limit),
            (Shape::Unary, None, Some(limit)) => Patience::Pause(limit),
            _ => Patience::Endless,
        }
    }

    /// Whether a wait still leaves time for another attempt.
    fn allow(self, wait: Duration) -> bool {
        self.end.is_none_or(|(end, _)| Instant::now() + wait < end)
    }
}

impl Transport {
    async fn send(&self, mut request: Request<Body>) -> Result<Response<MeteredBody>, BoxError> {
        let shape = Shape::of(&request);
        let limits = Limits::of(shape, self.request_timeout);
        if let (Shape::Unary, Some((_, limit))) = (shape, limits.end) {
            add_timeout(request.uri_mut(), limit);
        }
        request.headers_mut().extend(self.headers.clone());
        let (parts, mut body) = request.into_parts();
        let mut fresh = self
            .credentials
            .current()
            .await
            .map_err(TransportError::Credentials)?;
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            self.use_identity(&fresh)?;
            let copy = body.try_clone();
            let mut again = Request::from_parts(parts.clone(), body);
            if let Some(authorization) = &fresh.authorization {
                again.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
            let response = self.attempt(again, limits).await?;
            self.warnings.take(response.headers());
            let Some(copy) = copy else {
                return Ok(self.metered(response, limits.patience(shape)));
            };
            if response.status() == StatusCode::UNAUTHORIZED && !renewed {
                renewed = true;
                let used = fresh.authorization.as_ref();
                if let Some(next) = self
                    .credentials
                    .renew(used)
                    .await
                    .map_err(TransportError::Credentials)?
                {
                    fresh = next;
                    body = copy;
                    continue;
                }
            } else if attempt < ATTEMPTS
                && shape == Shape::Unary
                && parts.method == Method::GET
                && let Some(wait) = wait_before_retry(&response, attempt)
                && limits.allow(wait)
            {
                self.log.line(
                    6,
                    format_args!("sending again in {} after {}", go_text(wait), response.status()),
                );
                sleep(wait).await;
                attempt += 1;
                body = copy;
                continue;
            }
            return Ok(self.metered(response, limits.patience(shape)));
        }
    }

    /// Sends once and waits for the beginning of the answer.
    async fn attempt(&self, request: Request<Body>, limits: Limits) -> Result<Response<Body>, BoxError> {
        self.counters
            .add_call(request.body().size_hint().exact().unwrap_or(0));
        let line = self
            .log
            .shows(6)
            .then(|| format!("{} {}", request.method(), self.full_url(request.uri())));
        self.log.request_headers(request.headers());
        let began = Instant::now();
        let connections = self
            .connections
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let sent = connections.send(request);
        let answer = match limits.attempt() {
            None => sent.await,
            Some((end, after)) => timeout_at(end, sent)
                .await
                .map_err(|_| TransportError::TimedOut {
                    after,
                    awaiting: "awaiting headers",
                })?,
        };
        if let Some(line) = line {
            let result = match &answer {
                Ok(response) => response.status().to_string(),
                Err(error) => format!("failed: {error}"),
            };
            self.log.line(
                6,
                format_args!("{line} {result} in {} milliseconds", began.elapsed().as_millis()),
            );
        }
        let response = answer?;
        self.log.response_headers(response.headers());
        Ok(response)
    }

    fn use_identity(&self, fresh: &Fresh) -> Result<(), BoxError> {
        if let Some(identity) = &fresh.identity {
            let client = connections(&self.config, Some(identity))
                .map_err(|error| TransportError::Credentials(error.to_string()))?;
            *self.connections.write().unwrap_or_else(PoisonError::into_inner) = client;
        }
        Ok(())
    }

    fn metered(&self, response: Response<Body>, patience: Patience) -> Response<MeteredBody> {
        response.map(|body| MeteredBody::new(body, self.counters.clone(), patience, self.log))
    }

    fn full_url(&self, uri: &Uri) -> String {
        let base = self.server.to_string();
        let path = uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        format!("{}{path}", base.trim_end_matches('/'))
    }
}

/// Tells the server the limit, as kubectl does, so that it gives up at the same time.
fn add_timeout(uri: &mut Uri, limit: Duration) {
    let path = uri.path();
    let text = match uri.query() {
        Some(query) if query.split('&').any(|pair| pair.starts_with("timeout=")) => return,
        Some(query) if !query.is_empty() => format!("{path}?{query}&timeout={}", go_text(limit)),
        _ => format!("{path}?timeout={}", go_text(limit)),
    };
    let mut parts = uri.clone().into_parts();
    if let Ok(path_and_query) = text.parse() {
        parts.path_and_query = Some(path_and_query);
        if let Ok(changed) = Uri::from_parts(parts) {
            *uri = changed;
        }
    }
}

/// How long to wait before a request is sent again, or `None` when its answer stands.
fn wait_before_retry(response: &Response<Body>, attempt: u32) -> Option<Duration> {
    let may_pass = matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    );
    if !may_pass {
        return None;
    }
    let asked = response.headers().get(RETRY_AFTER).and_then(seconds);
    Some(
        asked
            .unwrap_or(Duration::from_millis(250) * 2_u32.pow(attempt - 1))
            .min(LONGEST_WAIT),
    )
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
