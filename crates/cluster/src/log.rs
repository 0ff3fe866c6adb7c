//! What `-v` shows on stderr: lines in the format of kubectl's log, with credentials left out.

use std::fmt::Display;
use std::io::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};

/// How much is logged. Level 6 shows requests, 7 their headers, 8 the beginning of bodies, 9 more of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Log {
    level: i32,
}

impl Log {
    pub(crate) fn new(level: i32) -> Self {
        Self { level }
    }

    pub(crate) fn shows(self, level: i32) -> bool {
        self.level >= level
    }

    /// One line, if the level is shown.
    pub(crate) fn line(self, level: i32, text: impl Display) {
        if !self.shows(level) {
            return;
        }
        let now = jiff::Zoned::now();
        let stamp = now.strftime("%m%d %H:%M:%S.%6f");
        // Nobody can be told that stderr is closed.
        let _ = writeln!(
            std::io::stderr().lock(),
            "I{stamp} {:>7} transport.rs] {text}",
            std::process::id()
        );
    }

    pub(crate) fn request_headers(self, headers: &HeaderMap) {
        if self.shows(7) {
            self.line(7, "Request Headers:");
            for (name, value) in headers {
                self.line(7, format_args!("    {name}: {}", shown(name, value)));
            }
        }
    }

    pub(crate) fn response_headers(self, headers: &HeaderMap) {
        if self.shows(8) {
            self.line(8, "Response Headers:");
            for (name, value) in headers {
                self.line(8, format_args!("    {name}: {}", shown(name, value)));
            }
        }
    }

    /// How many bytes of a body are kept to be shown.
    pub(crate) fn body_limit(self) -> usize {
        match self.level {
            ..8 => 0,
            8 => 1024,
            9 => 10 * 1024,
            10.. => usize::MAX,
        }
    }

    pub(crate) fn body(self, which: &str, kept: &[u8], total: u64) {
        if !self.shows(8) || total == 0 {
            return;
        }
        let text = String::from_utf8_lossy(kept);
        let safe = crate::sanitize(&text);
        let left = total.saturating_sub(kept.len() as u64);
        let cut = if left > 0 {
            format!(" [truncated {left} bytes]")
        } else {
            String::new()
        };
        self.line(8, format_args!("{which} Body: {safe}{cut}"));
    }
}

/// The value of a header, without what would let a reader of the log act as the user.
fn shown(name: &HeaderName, value: &HeaderValue) -> String {
    if name == http::header::AUTHORIZATION
        || name == http::header::PROXY_AUTHORIZATION
        || name == http::header::COOKIE
    {
        let kind = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .map(|(kind, _)| format!("{kind} "));
        return format!("{}<masked>", kind.unwrap_or_default());
    }
    crate::sanitize(&String::from_utf8_lossy(value.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_masked() {
        let value = HeaderValue::from_static("Bearer secret");
        assert_eq!(shown(&http::header::AUTHORIZATION, &value), "Bearer <masked>");
        assert_eq!(
            shown(&http::header::AUTHORIZATION, &HeaderValue::from_static("secret")),
            "<masked>"
        );
        assert_eq!(shown(&http::header::ACCEPT, &HeaderValue::from_static("x")), "x");
    }
}
