//! The `Authorization` header of each request, and what happens when the server refuses it.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use tokio::sync::Mutex;

use crate::connection::{Authentication, ClientIdentity};
use crate::exec::{ExecCredential, ExecPlugin};

/// Where the header comes from.
pub(crate) enum Credentials {
    /// There is none, or the client library adds it (OpenID Connect).
    None,
    Fixed(HeaderValue),
    /// A token in a file that somebody else keeps fresh.
    File {
        path: String,
        current: Mutex<(Instant, HeaderValue)>,
    },
    Exec {
        plugin: Box<ExecPlugin>,
        current: Mutex<ExecCredential>,
    },
}

/// How old a token read from a file may get.
const FILE_TOKEN_AGE: Duration = Duration::from_mins(1);

impl Credentials {
    /// For everything but a credential plugin.
    ///
    /// # Errors
    /// A clause; the token cannot be written in a header.
    pub(crate) fn new(authentication: &Authentication) -> Result<Self, String> {
        Ok(match authentication {
            Authentication::Nothing | Authentication::Provider(_) | Authentication::Exec(_) => Self::None,
            Authentication::Token(token) => Self::Fixed(bearer(token)?),
            Authentication::TokenFile(path, token) => Self::File {
                path: path.clone(),
                current: Mutex::new((Instant::now(), bearer(token)?)),
            },
            Authentication::Basic(name, password) => Self::Fixed(header(format!(
                "Basic {}",
                BASE64.encode(format!("{name}:{password}"))
            ))?),
        })
    }

    /// For a credential plugin that has just run.
    pub(crate) fn of_plugin(plugin: ExecPlugin, credential: ExecCredential) -> Self {
        Self::Exec {
            plugin: Box::new(plugin),
            current: Mutex::new(credential),
        }
    }

    /// The header, and a new client certificate when the plugin had to be run again and gave one.
    pub(crate) async fn current(&self) -> Result<Fresh, String> {
        match self {
            Self::None => Ok(Fresh::default()),
            Self::Fixed(header) => Ok(Fresh {
                authorization: Some(header.clone()),
                identity: None,
            }),
            Self::File { path, current } => {
                let mut current = current.lock().await;
                if current.0.elapsed() > FILE_TOKEN_AGE {
                    // A file that has gone leaves the last token in use: some delete it once it was read.
                    if let Ok(text) = tokio::fs::read_to_string(path).await
                        && !text.trim().is_empty()
                    {
                        current.1 = bearer(text.trim())?;
                    }
                    current.0 = Instant::now();
                }
                Ok(Fresh {
                    authorization: Some(current.1.clone()),
                    identity: None,
                })
            }
            Self::Exec { plugin, current } => {
                let mut current = current.lock().await;
                if current.is_expiring() {
                    return replace(&mut current, plugin.run().await?);
                }
                Ok(Fresh {
                    authorization: current.token.as_deref().map(bearer).transpose()?,
                    identity: None,
                })
            }
        }
    }

    /// After the server refused `used`: what to send instead, or `None` when there is nothing else.
    pub(crate) async fn renew(&self, used: Option<&HeaderValue>) -> Result<Option<Fresh>, String> {
        let Self::Exec { plugin, current } = self else {
            return Ok(None);
        };
        let mut current = current.lock().await;
        let header = current.token.as_deref().map(bearer).transpose()?;
        if header.as_ref() != used {
            // Another request was refused as well and has already renewed it.
            return Ok(Some(Fresh {
                authorization: header,
                identity: None,
            }));
        }
        let renewed = plugin.run().await?;
        if (&renewed.token, &renewed.identity) == (&current.token, &current.identity) {
            return Ok(None);
        }
        replace(&mut current, renewed).map(Some)
    }
}

/// What the next request shows.
#[derive(Default)]
pub(crate) struct Fresh {
    pub(crate) authorization: Option<HeaderValue>,
    /// A client certificate, where connections have to be made anew with it.
    pub(crate) identity: Option<ClientIdentity>,
}

fn replace(current: &mut ExecCredential, renewed: ExecCredential) -> Result<Fresh, String> {
    let authorization = renewed.token.as_deref().map(bearer).transpose()?;
    let identity = renewed
        .identity
        .clone()
        .filter(|identity| current.identity.as_ref() != Some(identity));
    *current = renewed;
    Ok(Fresh {
        authorization,
        identity,
    })
}

fn bearer(token: &str) -> Result<HeaderValue, String> {
    header(format!("Bearer {token}"))
}

fn header(text: String) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| "the token holds characters that no header may hold".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
