//! Whether requests go through a proxy, decided as Go's `httpproxy` package decides it, which is what kubectl uses.
//! (The client library compares `NO_PROXY` with the proxy's own address, so it is never left to it.)

use std::net::IpAddr;

use http::Uri;
use ipnet::IpNet;

use crate::environment::Environment;
use crate::error::ClusterError;

/// The proxy of the environment for requests to `server`, if any.
///
/// # Errors
/// The variable holds no URL.
pub(crate) fn from_environment(server: &Uri, environment: &Environment) -> Result<Option<Uri>, ClusterError> {
    let names = if server.scheme_str() == Some("https") {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    let Some(proxy) = names.iter().find_map(|name| environment.variable(name)) else {
        return Ok(None);
    };
    let no_proxy = ["NO_PROXY", "no_proxy"]
        .iter()
        .find_map(|name| environment.variable(name))
        .unwrap_or("");
    if !uses_proxy(server, no_proxy) {
        return Ok(None);
    }
    parse_lenient(proxy).map(Some)
}

/// Reads a `proxy-url` of a kubeconfig, which must have a scheme that is known.
pub(crate) fn parse_strict(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|error| format!("could not parse: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https" | "socks5") => Ok(uri),
        Some(other) => Err(format!(
            "unsupported scheme {other:?}, must be http, https, or socks5"
        )),
        None => Err("unsupported scheme \"\", must be http, https, or socks5".to_owned()),
    }
}

/// Reads a proxy variable, where `host:port` means `http://host:port`.
fn parse_lenient(text: &str) -> Result<Uri, ClusterError> {
    let text = text.replacen("socks5h://", "socks5://", 1);
    if let Ok(uri) = parse_strict(&text) {
        return Ok(uri);
    }
    format!("http://{text}")
        .parse()
        .map_err(|error| ClusterError::Value(format!("invalid proxy address {text:?}: {error}")))
}

/// Whether `server` is to be reached through the proxy, given the value of `NO_PROXY`.
fn uses_proxy(server: &Uri, no_proxy: &str) -> bool {
    let host = server
        .host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase();
    let port = server
        .port_u16()
        .unwrap_or(if server.scheme_str() == Some("https") {
            443
        } else {
            80
        });
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return false;
    }
    !no_proxy
        .split(',')
        .any(|entry| excludes(entry.trim(), &host, port, address))
}

/// Whether one entry of `NO_PROXY` names the server: `*`, an address, a CIDR, a name with its subdomains, a name that
/// begins with a dot (the subdomains alone), each with a port or without. A CIDR never has a port.
fn excludes(entry: &str, host: &str, port: u16, address: Option<IpAddr>) -> bool {
    let entry = entry.to_ascii_lowercase();
    if entry.is_empty() {
        return false;
    }
    if entry == "*" {
        return true;
    }
    if let Ok(network) = entry.parse::<IpNet>() {
        return address.is_some_and(|address| network.contains(&address));
    }
    let (name, wanted_port) = split_port(&entry);
    if wanted_port.is_some_and(|wanted| wanted != port.to_string()) {
        return false;
    }
    if let Ok(wanted) = name.parse::<IpAddr>() {
        return address == Some(wanted);
    }
    if name.is_empty() {
        return false;
    }
    let suffix = name
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(name);
    match suffix.strip_prefix('.') {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
        None => host == suffix || host.strip_suffix(suffix).is_some_and(|sub| sub.ends_with('.')),
    }
}

/// `name:port`, `[address]:port`, or either alone.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some(bracketed) = entry.strip_prefix('[') {
        return match bracketed.split_once(']') {
            Some((address, rest)) => (address, rest.strip_prefix(':')),
            None => (bracketed, None),
        };
    }
    match entry.split_once(':') {
        // More than one colon is an IPv6 address without brackets.
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxied(server: &str, no_proxy: &str) -> bool {
        uses_proxy(&server.parse().unwrap(), no_proxy)
    }

    #[test]
    fn loopback_is_never_proxied() {
        for server in [
            "https://localhost:6443",
            "http://127.0.0.1:8080",
            "https://127.1.2.3",
            "https://[::1]:6443",
        ] {
            assert!(!proxied(server, ""), "{server}");
        }
        assert!(proxied("https://10.0.0.1:6443", ""));
    }

    #[test]
    fn entries_name_the_server_and_not_the_proxy() {
        let cases = [
            ("https://api.example.com:6443", "api.example.com", false),
            ("https://api.example.com:6443", "example.com", false),
            ("https://example.com:6443", "example.com", false),
            ("https://badexample.com:6443", "example.com", true),
            ("https://api.example.com:6443", ".example.com", false),
            ("https://example.com:6443", ".example.com", true),
            ("https://api.example.com:6443", "*.example.com", false),
            ("https://example.com:6443", "*.example.com", true),
            ("https://API.Example.com:6443", "api.EXAMPLE.com", false),
            ("https://api.example.com:6443", "api.example.com:6443", false),
            ("https://api.example.com:6443", "api.example.com:443", true),
            ("https://api.example.com", "api.example.com:443", false),
            ("https://10.1.2.3:6443", "10.0.0.0/8", false),
            ("https://11.1.2.3:6443", "10.0.0.0/8", true),
            ("https://10.1.2.3:6443", "10.1.2.3", false),
            ("https://10.1.2.3:6443", "10.1.2.3:6443", false),
            ("https://10.1.2.3:6443", "10.1.2.3:80", true),
            ("https://[fd00::1]:6443", "fd00::/8", false),
            ("https://[fd00::1]:6443", "[fd00::1]:6443", false),
            ("https://[fd00::1]:6443", "fd00::1", false),
            ("https://api.example.com:6443", "*", false),
            ("https://api.example.com:6443", "localhost,", true),
            ("https://api.example.com:6443", " x , api.example.com ", false),
            ("https://api.example.com:6443", ",,:6443,.,*.,[", true),
        ];
        for (server, no_proxy, expected) in cases {
            assert_eq!(
                proxied(server, no_proxy),
                expected,
                "{server} with NO_PROXY={no_proxy}"
            );
        }
    }

    #[test]
    fn the_scheme_of_the_server_chooses_the_variable() {
        let environment = Environment::empty()
            .with("HTTPS_PROXY", "http://secure:1")
            .with("http_proxy", "plain.example:2");
        let of = |server: &str| from_environment(&server.parse().unwrap(), &environment).unwrap();
        assert_eq!(of("https://a.example").unwrap().to_string(), "http://secure:1/");
        assert_eq!(
            of("http://a.example").unwrap().to_string(),
            "http://plain.example:2/"
        );
        assert_eq!(of("http://localhost:8080"), None);
    }

    proptest! {
        #[test]
        fn any_list_is_read(no_proxy in "\\PC*") {
            let _ = proxied("https://api.example.com:6443", &no_proxy);
            let _ = proxied("https://[fd00::1]:6443", &no_proxy);
        }
    }
}
