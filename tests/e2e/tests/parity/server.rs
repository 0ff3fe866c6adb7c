//! An HTTPS (and HTTP) server that writes down what reaches it and answers what the bearer token asks for.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::pki::Pki;

/// One request, as far as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) line: String,
    /// Lower-case names; several values of one name in their order.
    pub(crate) headers: BTreeMap<String, Vec<String>>,
    pub(crate) client_certificate: bool,
    pub(crate) server_name: Option<String>,
}

/// The server: its ports, and what has reached it.
pub(crate) struct Server {
    pub(crate) https: u16,
    pub(crate) http: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(crate) fn start(pki: &Pki) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let mut roots = RootCertStore::empty();
        roots.add(pki.authority.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let key = PrivateKeyDer::try_from(pki.server_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![pki.server.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let https = listen(seen.clone(), move |stream, seen| {
            let mut tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            let Some(mut request) = read(&mut tls) else { return };
            request.client_certificate = tls.conn.peer_certificates().is_some();
            request.server_name = tls.conn.server_name().map(str::to_owned);
            reply(&mut tls, request, seen);
            tls.conn.send_close_notify();
            let _ = tls.flush();
        });
        let http = listen(seen.clone(), |mut stream, seen| {
            if let Some(request) = read(&mut stream) {
                reply(&mut stream, request, seen);
            }
        });
        Self { https, http, seen }
    }

    /// What reached the server since this was last asked.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn listen(
    seen: Arc<Mutex<Vec<Seen>>>,
    serve: impl Fn(TcpStream, &Mutex<Vec<Seen>>) + Clone + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (serve, seen) = (serve.clone(), seen.clone());
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    port
}

fn read(stream: &mut impl Read) -> Option<Seen> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut seen = Seen {
        line: lines.next()?.trim_end_matches(" HTTP/1.1").to_owned(),
        ..Seen::default()
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        seen.headers
            .entry(name.to_ascii_lowercase())
            .or_default()
            .push(value.trim().to_owned());
    }
    Some(seen)
}

/// Discovery for kubectl, and pods; a token such as `answer-403` asks for another answer.
fn reply(stream: &mut impl Write, request: Seen, seen: &Mutex<Vec<Seen>>) {
    let token = request
        .headers
        .get("authorization")
        .map(|values| values[0].clone())
        .unwrap_or_default();
    let path = request
        .line
        .split([' ', '?'])
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    let is_pods = path.ends_with("/pods");
    let first = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        seen.iter().filter(|one| one.line.contains("/pods")).count() == 1
    };
    let status = |code: u16, reason: &str, message: &str| {
        format!(
            r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{message}","reason":"{reason}","code":{code}}}"#
        )
    };
    let namespace = path.split('/').rev().nth(1).unwrap_or_default();
    let list = format!(
        r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"one","namespace":"{namespace}"}}}}]}}"#
    );
    let mut extra = "";
    let (code, body) = match path.as_str() {
        _ if path.starts_with("proxied:") || !path.starts_with('/') => (502, String::new()),
        "/api" => (200, r#"{"kind":"APIVersions","versions":["v1"]}"#.to_owned()),
        "/apis" => (200, r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#.to_owned()),
        "/api/v1" => (200, r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get","list"],"shortNames":["po"]}]}"#.to_owned()),
        _ if is_pods && token.ends_with("answer-403") => (403, status(403, "Forbidden", r#"pods is forbidden: User \"jane\" cannot list resource \"pods\""#)),
        _ if is_pods && token.ends_with("answer-401") => (401, status(401, "Unauthorized", "Unauthorized")),
        _ if is_pods && token.ends_with("answer-bare-401") => (401, "who are you?".to_owned()),
        _ if is_pods && token.ends_with("answer-404") => (404, status(404, "NotFound", r#"namespaces \"x\" not found"#)),
        _ if is_pods && token.ends_with("answer-bare-404") => (404, "404 page not found".to_owned()),
        _ if is_pods && token.ends_with("answer-500") => (500, status(500, "InternalError", "Internal error occurred: etcd")),
        _ if is_pods && token.ends_with("answer-429-once") && first => {
            extra = "Retry-After: 1\r\n";
            (429, status(429, "TooManyRequests", "later"))
        }
        _ if is_pods && token.ends_with("answer-warning") => {
            extra = "Warning: 299 - \"use something else\"\r\nWarning: 299 - \"and soon\"\r\nWarning: 299 - \"use something else\"\r\n";
            (200, list)
        }
        _ if is_pods => (200, list),
        _ => (404, "404 page not found".to_owned()),
    };
    let kind = if body.starts_with('{') {
        "application/json"
    } else {
        "text/plain"
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\n{extra}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.flush();
}
