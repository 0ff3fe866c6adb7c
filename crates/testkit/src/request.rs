//! What a handler is given, and what it gives back.

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use crate::failure::Failure;
use crate::resource::Route;

/// Bodies of responses; an error ends the connection.
pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A request to a resource, after authorization.
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) query: Query,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

impl Call {
    /// The body as an object, from JSON or YAML.
    pub(crate) fn object(&self) -> Result<Value, Failure> {
        // kubectl from 1.32 on sends some kinds so.
        if self.content_type.contains("protobuf") {
            return Err(Failure::new(
                415,
                "this server reads JSON and YAML only, not protobuf",
            ));
        }
        let unreadable = |error: String| Failure::new(400, format!("the body could not be read: {error}"));
        let value: Value = match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) if !self.content_type.contains("yaml") => return Err(unreadable(error.to_string())),
            Err(_) => serde_saphyr::from_slice(&self.body).map_err(|error| unreadable(error.to_string()))?,
        };
        if value.is_object() {
            Ok(value)
        } else {
            Err(unreadable("it is not an object".to_owned()))
        }
    }

    pub(crate) fn is_dry_run(&self) -> bool {
        self.query.get("dryRun") == Some("All")
    }

    pub(crate) fn namespace(&self) -> &str {
        self.route.namespace.as_deref().unwrap_or("")
    }

    pub(crate) fn name(&self) -> &str {
        self.route.name.as_deref().unwrap_or("")
    }
}

/// The parameters of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        matches!(self.get(name), Some("true" | "1"))
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }
}

/// What a handler answers, unless it fails.
pub(crate) enum Answer {
    Whole { code: u16, body: Vec<u8> },
    Stream(Body),
}

impl Answer {
    pub(crate) fn json(code: u16, value: &Value) -> Self {
        Self::Whole {
            code,
            body: value.to_string().into_bytes(),
        }
    }
}

/// A body that is there at once.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
