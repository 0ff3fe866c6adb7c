//! Why a request got no answer: found in the chain of causes that the HTTP client hands up, and said in kubectl's words.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::duration::go_text;
use crate::error::ClusterError;

/// A failure that our own transport adds to those of the HTTP client.
#[derive(Debug, Error)]
pub(crate) enum TransportError {
    /// No answer, or no further part of one, in time.
    #[error("no answer within {} (Client.Timeout exceeded while {awaiting})", go_text(*after))]
    TimedOut { after: Duration, awaiting: &'static str },
    /// The answer began and ended too early.
    #[error("unexpected EOF: the answer was cut off")]
    CutOff(#[source] tower::BoxError),
    /// The credentials could not be had.
    #[error("getting credentials: {0}")]
    Credentials(String),
}

/// The first link of the chain of causes for which `pick` has an answer. It also looks into the errors that
/// `io::Error` wraps, which `source()` passes over.
pub(crate) fn find_cause<'a, T>(
    error: &'a (dyn StdError + 'static),
    pick: impl Fn(&'a (dyn StdError + 'static)) -> Option<T>,
) -> Option<T> {
    let mut queue = vec![error];
    while let Some(link) = queue.pop() {
        if let Some(found) = pick(link) {
            return Some(found);
        }
        if let Some(source) = link.source() {
            queue.push(source);
        }
        if let Some(inner) = link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            queue.push(inner as &(dyn StdError + 'static));
        }
    }
    None
}

/// How long was waited, if the request was given up by our own clock.
pub(crate) fn timed_out(error: &(dyn StdError + 'static)) -> Option<Duration> {
    find_cause(error, |link| match link.downcast_ref::<TransportError>() {
        Some(TransportError::TimedOut { after, .. }) => Some(*after),
        Some(TransportError::CutOff(_) | TransportError::Credentials(_)) | None => None,
    })
}

/// Whether the answer began and ended too early.
pub(crate) fn was_cut_off(error: &(dyn StdError + 'static)) -> bool {
    let cut_off = |link: &(dyn StdError + 'static)| match link.downcast_ref::<TransportError>() {
        Some(TransportError::CutOff(_)) => Some(()),
        Some(TransportError::TimedOut { .. } | TransportError::Credentials(_)) | None => None,
    };
    find_cause(error, cut_off).is_some()
}

/// What the failure of a connection means. `host` is the server's, as in its URL.
pub(crate) fn classify(error: &(dyn StdError + 'static), host: &str) -> ClusterError {
    if let Some(own) = find_cause(error, |link| link.downcast_ref::<TransportError>()) {
        return match own {
            TransportError::Credentials(reason) => ClusterError::Credentials(reason.clone()),
            other @ (TransportError::TimedOut { .. } | TransportError::CutOff(_)) => {
                ClusterError::Unreachable {
                    cause: other.to_string(),
                }
            }
        };
    }
    let refused = find_cause(error, |link| {
        let io = link.downcast_ref::<io::Error>()?;
        (io.kind() == io::ErrorKind::ConnectionRefused).then_some(())
    });
    if refused.is_some() {
        return ClusterError::Refused {
            host: host.to_owned(),
        };
    }
    let cause = find_cause(error, |link| link.downcast_ref::<rustls::Error>())
        .map(tls_cause)
        .or_else(|| {
            find_cause(error, |link| {
                link.downcast_ref::<io::Error>().and_then(|io| io_cause(io, host))
            })
        })
        .unwrap_or_else(|| innermost(error));
    ClusterError::Unreachable { cause }
}

fn tls_cause(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return format!("tls: {error}");
    };
    let reason = match certificate {
        Certificate::UnknownIssuer => "certificate signed by unknown authority".to_owned(),
        Certificate::Expired
        | Certificate::ExpiredContext { .. }
        | Certificate::NotValidYet
        | Certificate::NotValidYetContext { .. } => {
            format!("certificate has expired or is not yet valid: {certificate}")
        }
        other => other.to_string(),
    };
    format!("tls: failed to verify certificate: x509: {reason}")
}

fn io_cause(error: &io::Error, host: &str) -> Option<String> {
    let text = error.to_string();
    if text.starts_with("failed to lookup address information") {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        return Some(format!("dial tcp: lookup {name}: no such host"));
    }
    let reason = match error.kind() {
        io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        io::ErrorKind::ConnectionReset => "read: connection reset by peer".to_owned(),
        io::ErrorKind::UnexpectedEof => return Some("EOF".to_owned()),
        _ => return None,
    };
    Some(format!("dial tcp {host}: {reason}"))
}

fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut link = error;
    loop {
        let inner = link.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let next = match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => link.source(),
        };
        match next {
            Some(next) => link = next,
            None => break,
        }
    }
    let text = link.to_string();
    if text == "connection closed before message completed" {
        "EOF".to_owned()
    } else {
        text
    }
}
