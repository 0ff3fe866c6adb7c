//! The ends of a path, as they are typed.

use std::net::{IpAddr, SocketAddr};

use checks::EgressTarget;
use plugin::Failure;
use report::Subject;

/// Where a path ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Pod { name: String, port: Option<u16> },
    Node { name: String, port: Option<u16> },
    Service { name: String, port: Option<u16> },
    Outside(EgressTarget),
}

impl End {
    /// The port that was named, where one was.
    pub(super) fn port(&self) -> Option<u16> {
        match self {
            Self::Pod { port, .. } | Self::Node { port, .. } | Self::Service { port, .. } => *port,
            Self::Outside(EgressTarget::Address(address)) => Some(address.port()),
            Self::Outside(EgressTarget::Name { port, .. }) => Some(*port),
            Self::Outside(EgressTarget::Upstream) => None,
        }
    }

    /// What it is, where this namespace is asked about.
    pub(super) fn subject(&self, namespace: &str) -> Subject {
        let object = |kind: &str, name: &str, namespace: Option<&str>| Subject::Object {
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
        };
        match self {
            Self::Pod { name, .. } => object("pod", name, Some(namespace)),
            Self::Node { name, .. } => Subject::node(name),
            Self::Service { name, .. } => {
                let (name, namespace) = service(name, namespace);
                object("service", name, Some(namespace))
            }
            Self::Outside(EgressTarget::Address(address)) => {
                object("outside", &address.ip().to_string(), None)
            }
            Self::Outside(EgressTarget::Name { host, .. }) => object("outside", host, None),
            Self::Outside(EgressTarget::Upstream) => Subject::Cluster,
        }
    }
}

/// Name and namespace of a Service, which may be named as `web.shop`.
pub(super) fn service<'a>(name: &'a str, namespace: &'a str) -> (&'a str, &'a str) {
    match name.split_once('.') {
        Some((name, rest)) => (name, rest.split('.').next().unwrap_or(namespace)),
        None => (name, namespace),
    }
}

/// Reads an end of a path.
pub(super) fn parse(text: &str) -> Result<End, Failure> {
    let wrong = || {
        Failure::new(format!(
            "error: {text:?} is no end of a path: expected service/NAME, pod/NAME:PORT, node/NAME:PORT, HOST:PORT or a URL"
        ))
    };
    if let Some((scheme, rest)) = text.split_once("://") {
        let default = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(wrong()),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let with_port = match authority.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, default).to_string(),
            Err(_)
                if authority
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok()) =>
            {
                authority.to_owned()
            }
            Err(_) => format!("{authority}:{default}"),
        };
        return Ok(End::Outside(crate::egress::parse_target(&with_port)?));
    }
    if !text.contains('/') {
        return Ok(End::Outside(
            crate::egress::parse_target(text).map_err(|_| wrong())?,
        ));
    }
    let (Some(kind), rest) = session::type_and_name(text)? else {
        return Err(wrong());
    };
    let (name, port) = match rest.split_once(':') {
        Some((name, port)) => {
            let port = port.parse::<u16>().ok().filter(|port| *port > 0);
            (name, Some(port.ok_or_else(wrong)?))
        }
        None => (rest, None),
    };
    if name.is_empty() {
        return Err(wrong());
    }
    let name = name.to_owned();
    match kind {
        "pod" | "pods" | "po" => Ok(End::Pod { name, port }),
        "node" | "nodes" | "no" => Ok(End::Node { name, port }),
        "service" | "services" | "svc" => Ok(End::Service { name, port }),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_an_object_an_address_or_a_url() {
        let name = |name: &str| name.to_owned();
        for (text, expected) in [
            (
                "pod/web-1:8080",
                End::Pod {
                    name: name("web-1"),
                    port: Some(8080),
                },
            ),
            (
                "svc/web",
                End::Service {
                    name: name("web"),
                    port: None,
                },
            ),
            (
                "node/node1:10250",
                End::Node {
                    name: name("node1"),
                    port: Some(10250),
                },
            ),
            (
                "198.51.100.80:80",
                End::Outside(EgressTarget::Address("198.51.100.80:80".parse().unwrap())),
            ),
            (
                "http://198.51.100.80/index.html",
                End::Outside(EgressTarget::Address("198.51.100.80:80".parse().unwrap())),
            ),
            (
                "https://www.example.com/",
                End::Outside(crate::egress::parse_target("www.example.com:443").unwrap()),
            ),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for text in ["pod/", "pod/a:0", "deploy/web", "web", "ftp://a"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
