use std::sync::Mutex;

use report::GapReason;
use serde::Deserialize;

use super::*;
use crate::exec::{ExecCredential, ExecPlugin};
use crate::kubeconfig::{ClusterEntry, ExecEntry};
use crate::scripted::{Scripted, Step, answer};
use crate::{Cluster, ConnectionArgs, Environment, Identity, ListQuery, StderrWarnings, Usage, WarningSink};

#[derive(Debug, Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

#[derive(Default)]
struct Collected(Mutex<Vec<String>>);

impl WarningSink for Collected {
    fn warning(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

async fn connect(server: &Scripted, change: impl FnOnce(&mut ConnectionArgs)) -> (Cluster, Arc<Collected>) {
    let mut args = ConnectionArgs {
        server: Some(server.url()),
        ..ConnectionArgs::default()
    };
    change(&mut args);
    let sink = Arc::new(Collected::default());
    let identity = Identity::new("kubectl-test", "1.2.3");
    let cluster = Cluster::connect_in(&args, &identity, &Environment::empty(), sink.clone())
        .await
        .unwrap();
    (cluster, sink)
}

fn pods() -> ListQuery {
    ListQuery::new("", "v1", "pods")
}

async fn names(cluster: &Cluster) -> Result<Vec<String>, kube::Error> {
    let listed: Vec<Named> = cluster.try_list(&pods()).await?;
    Ok(listed.into_iter().map(|item| item.metadata.name).collect())
}

fn page(names: &[&str], next: &str) -> String {
    let items: Vec<_> = names
        .iter()
        .map(|name| serde_json::json!({"metadata": {"name": name}}))
        .collect();
    serde_json::json!({"kind": "PodList", "metadata": {"continue": next}, "items": items}).to_string()
}

#[test]
fn the_limit_is_told_to_the_server_once() {
    let with = |text: &str| {
        let mut uri: Uri = text.parse().unwrap();
        add_timeout(&mut uri, Duration::from_secs(5));
        uri.to_string()
    };
    assert_eq!(with("/api/v1/pods"), "/api/v1/pods?timeout=5s");
    assert_eq!(
        with("/api/v1/pods?limit=500"),
        "/api/v1/pods?limit=500&timeout=5s"
    );
    assert_eq!(with("/api/v1/pods?timeout=1s"), "/api/v1/pods?timeout=1s");
}

#[test]
fn only_what_may_pass_is_sent_again() {
    let wait = |code: u16, after: Option<&'static str>| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(code).unwrap();
        if let Some(after) = after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static(after));
        }
        wait_before_retry(&response, 1)
    };
    assert_eq!(wait(500, Some("1")), None);
    assert_eq!(wait(404, None), None);
    assert_eq!(wait(429, Some("2")), Some(Duration::from_secs(2)));
    assert_eq!(wait(503, None), Some(Duration::from_millis(250)));
    assert_eq!(wait(429, Some("3600")), Some(LONGEST_WAIT));
}

#[test]
fn streams_are_recognised() {
    let shape = |uri: &str| Shape::of(&Request::get(uri).body(Body::empty()).unwrap());
    assert!(shape("/api/v1/pods") == Shape::Unary);
    assert!(shape("/api/v1/pods?watch=true&limit=1") == Shape::Stream);
    assert!(shape("/api/v1/namespaces/a/pods/b/log?follow=true") == Shape::Follow);
    let exec = Request::get("/exec")
        .header(UPGRADE, "websocket")
        .body(Body::empty())
        .unwrap();
    assert!(Shape::of(&exec) == Shape::Stream);
}

#[tokio::test]
async fn the_users_limit_never_ends_a_stream() {
    let limits = Limits::of(Shape::Stream, Some(Duration::from_secs(1)));
    assert!(limits.end.is_none());
    assert!(matches!(limits.patience(Shape::Stream), Patience::Endless));
    let unary = Limits::of(Shape::Unary, Some(Duration::from_secs(1)));
    assert!(matches!(unary.patience(Shape::Unary), Patience::Until(..)));
    assert!(Limits::of(Shape::Unary, Some(Duration::ZERO)).attempt().is_none());
}

#[tokio::test]
async fn a_read_that_is_refused_for_a_while_is_sent_again() {
    let server = Scripted::start(|index, _| match index {
        0 => answer(429, "Retry-After: 0\r\n", "{}"),
        1 => answer(503, "Retry-After: 0\r\n", "{}"),
        _ => answer(200, "", &page(&["a"], "")),
    });
    let (cluster, _) = connect(&server, |_| ()).await;
    assert_eq!(names(&cluster).await.unwrap(), ["a"]);
    assert_eq!(cluster.usage().calls, 3);
}

#[tokio::test]
async fn a_read_that_stays_refused_is_given_up() {
    let server = Scripted::start(|_, _| answer(429, "Retry-After: 0\r\n", "{}"));
    let (cluster, _) = connect(&server, |_| ()).await;
    assert!(names(&cluster).await.is_err());
    assert_eq!(server.heads().len(), 4);
}

#[tokio::test]
async fn a_write_is_never_sent_again() {
    let server = Scripted::start(|_, _| answer(429, "Retry-After: 0\r\n", "{}"));
    let (cluster, _) = connect(&server, |_| ()).await;
    assert!(cluster.can_i("list", "", "nodes", "", None).await.gap().is_some());
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_after_the_users_limit() {
    let server = Scripted::start(|_, _| vec![Step::Wait(Duration::from_mins(1))]);
    let (cluster, _) = connect(&server, |args| args.request_timeout = Some("300ms".into())).await;
    let began = Instant::now();
    let listed = cluster.list::<Named>("pods", &pods()).await;
    assert_eq!(listed.gap().unwrap().why, GapReason::TimedOut { after_ms: 300 });
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(server.heads()[0].starts_with("GET /api/v1/pods?limit=500&timeout=300ms "));
}

#[tokio::test]
async fn an_answer_that_stops_in_the_middle_is_given_up_as_well() {
    let server = Scripted::start(|_, _| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{\"items\":[".to_owned();
        vec![Step::Write(head), Step::Wait(Duration::from_mins(1))]
    });
    let (cluster, _) = connect(&server, |args| args.request_timeout = Some("300ms".into())).await;
    let listed = cluster.list::<Named>("pods", &pods()).await;
    assert_eq!(listed.gap().unwrap().why, GapReason::TimedOut { after_ms: 300 });
}

#[tokio::test]
async fn a_list_that_is_cut_off_is_not_seen() {
    let whole = page(&["a", "b"], "");
    let server = Scripted::start(move |_, _| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", whole.len());
        vec![Step::Write(head + &whole[..whole.len() - 9])]
    });
    let (cluster, _) = connect(&server, |_| ()).await;
    let listed = cluster.list::<Named>("pods", &pods()).await;
    assert_eq!(listed.gap().unwrap().why, GapReason::Truncated);
}

#[tokio::test]
async fn a_watch_outlives_the_users_limit() {
    let server = Scripted::start(|_, _| {
        vec![
            Step::Write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned()),
            Step::Wait(Duration::from_millis(700)),
            Step::Write("late".to_owned()),
        ]
    });
    let (cluster, _) = connect(&server, |args| args.request_timeout = Some("200ms".into())).await;
    let request = Request::get("/api/v1/pods?watch=true").body(Vec::new()).unwrap();
    assert_eq!(cluster.client().request_text(request).await.unwrap(), "late");
    assert!(server.heads()[0].starts_with("GET /api/v1/pods?watch=true "));
}

#[tokio::test]
async fn pages_are_followed_and_an_expired_one_starts_the_list_anew() {
    let server = Scripted::start(|_, head| {
        let expired = r#"{"kind":"Status","code":410,"reason":"Expired","message":"too old"}"#;
        match head {
            _ if head.contains("continue=two") => answer(410, "", expired),
            _ if head.contains("continue=one") => answer(200, "", &page(&["b"], "two")),
            _ if head.contains("limit=500") => answer(200, "", &page(&["a"], "one")),
            _ => answer(200, "", &page(&["x", "y"], "")),
        }
    });
    let (cluster, _) = connect(&server, |_| ()).await;
    assert_eq!(names(&cluster).await.unwrap(), ["x", "y"]);
    assert_eq!(server.heads().len(), 4);
}

#[tokio::test]
async fn a_refused_list_is_a_gap_that_names_the_right() {
    let server = Scripted::start(|_, _| {
        answer(
            403,
            "",
            r#"{"kind":"Status","code":403,"reason":"Forbidden","message":"nodes is forbidden: no"}"#,
        )
    });
    let (cluster, _) = connect(&server, |_| ()).await;
    let nodes = cluster.nodes().await;
    let gap = nodes.gap().unwrap();
    assert!(
        matches!(&gap.why, GapReason::Forbidden { verb, resource, namespace: None } if verb == "list" && resource == "nodes")
    );
    assert_eq!(
        gap.hint.as_deref(),
        Some("check with `kubectl auth can-i list nodes`")
    );
}

#[tokio::test]
async fn warnings_reach_the_sink_once_and_calls_and_bytes_are_counted() {
    let body = page(&[], "");
    let size = body.len() as u64;
    let server = Scripted::start(move |_, _| answer(200, "Warning: 299 - \"old\u{9b}31m API\"\r\n", &body));
    let (cluster, sink) = connect(&server, |args| args.warnings_as_errors = Some(true)).await;
    for _ in 0..2 {
        names(&cluster).await.unwrap();
    }
    assert_eq!(*sink.0.lock().unwrap(), ["old\\u{9b}31m API"]);
    assert_eq!(
        cluster.usage(),
        Usage {
            calls: 2,
            bytes_received: 2 * size,
            bytes_sent: 0
        }
    );
    assert_eq!(
        cluster.check_warnings().unwrap_err().to_string(),
        "error: 1 warning received"
    );
    let user_agent = format!(
        "user-agent: {}",
        Identity::new("kubectl-test", "1.2.3").user_agent()
    );
    assert!(server.heads()[0].contains(&user_agent), "{}", server.heads()[0]);
}

/// A transport whose credentials come from a plugin that counts its runs in a file.
fn with_plugin(
    server: &Scripted,
    directory: &std::path::Path,
    first: &str,
    expires: Option<&str>,
) -> Transport {
    let script = r#"echo x >> "$1"; n=$(wc -l < "$1"); printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"run-%d"}}' "$n""#;
    let entry = ExecEntry {
        api_version: Some("client.authentication.k8s.io/v1".into()),
        command: Some("sh".into()),
        args: ["-c", script, "sh", directory.join("runs").to_str().unwrap()]
            .map(str::to_owned)
            .into(),
        interactive_mode: Some("Never".into()),
        ..ExecEntry::default()
    };
    let environment = Environment::empty().with("PATH", "/usr/bin:/bin");
    let plugin = ExecPlugin::new(entry, &ClusterEntry::default(), None, environment);
    let credential = ExecCredential {
        token: Some(first.to_owned()),
        identity: None,
        expires: expires.map(|text| text.parse().unwrap()),
    };
    let mut config = kube::Config::new(server.url().parse().unwrap());
    config.root_cert = Some(Vec::new());
    Transport {
        connections: RwLock::new(connections(&config, None).unwrap()),
        server: config.cluster_url.clone(),
        config,
        credentials: Credentials::of_plugin(plugin, credential),
        headers: HeaderMap::new(),
        request_timeout: None,
        counters: Arc::default(),
        warnings: Warnings::new(Arc::new(StderrWarnings::new())),
        log: Log::default(),
    }
}

async fn statuses(transport: &Transport, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        let request = Request::post("/x").body(Body::from(b"body".to_vec())).unwrap();
        statuses.push(transport.send(request).await.unwrap().status().as_u16());
    }
    statuses
}

fn runs(directory: &std::path::Path) -> usize {
    std::fs::read_to_string(directory.join("runs")).map_or(0, |text| text.lines().count())
}

#[cfg(unix)]
#[tokio::test]
async fn a_plugin_is_run_again_when_its_token_is_refused_and_then_once() {
    let directory = tempfile::tempdir().unwrap();
    let server = Scripted::start(|_, head| {
        if head.contains("Bearer run-1") {
            answer(200, "", "{}")
        } else {
            answer(401, "", "{}")
        }
    });
    let transport = with_plugin(&server, directory.path(), "stale", None);
    assert_eq!(statuses(&transport, 2).await, [200, 200]);
    assert_eq!((runs(directory.path()), server.heads().len()), (1, 3));
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_that_refuses_every_token_is_not_asked_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let server = Scripted::start(|_, _| answer(401, "", "{}"));
    let transport = with_plugin(&server, directory.path(), "stale", None);
    assert_eq!(statuses(&transport, 1).await, [401]);
    assert_eq!((runs(directory.path()), server.heads().len()), (1, 2));
}

#[cfg(unix)]
#[tokio::test]
async fn a_plugin_is_run_again_before_its_token_expires() {
    let directory = tempfile::tempdir().unwrap();
    let server = Scripted::start(|_, _| answer(200, "", "{}"));
    let transport = with_plugin(&server, directory.path(), "old", Some("2020-01-01T00:00:00Z"));
    assert_eq!(statuses(&transport, 2).await, [200, 200]);
    assert_eq!(runs(directory.path()), 1);
    assert!(server.heads()[0].contains("Bearer run-1"));
}
