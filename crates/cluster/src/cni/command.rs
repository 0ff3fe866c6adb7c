//! Commands in pods that run already, which only look.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::AttachParams;
use observation::CniAgent;
use report::{Gap, GapReason};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::cluster::Cluster;
use crate::gap::late;

/// How long the API server may take to connect us with the container.
const CONNECT: Duration = Duration::from_secs(10);
/// Of what is printed, so much is kept.
const MOST: usize = 8 * 1024 * 1024;
/// What is still in the pipes when the command has ended may take so long.
const DRAIN: Duration = Duration::from_secs(1);

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// What it printed, sanitized line by line.
    pub(super) stdout: String,
    /// With which status it ended, by what the server says; `None` where it was not started, or the server says something else. A server
    /// may say 0 of one that did not end so: whoever reads the output has to understand it to believe it.
    pub(super) code: Option<i32>,
    /// Why it did not end well, in the server's words; empty where it did.
    pub(super) message: String,
}

impl Output {
    /// Whether the container has no such program.
    pub(super) fn is_missing(&self) -> bool {
        let message = self.message.to_lowercase();
        matches!(self.code, Some(126 | 127)) || message.contains("executable file not found")
    }
}

impl Cluster {
    /// Runs a command in the container of an agent that does its work, and waits for its end for at most `limit`.
    pub(super) async fn run_in(
        &self,
        agent: &CniAgent,
        command: &[&str],
        limit: Duration,
    ) -> Result<Output, Gap> {
        let what = format!("`{}` in {}", command.join(" "), agent.subject());
        let api: Api<Pod> = Api::namespaced(self.client(), &agent.namespace);
        let params = AttachParams::default()
            .container(&agent.container)
            .stdin(false)
            .stdout(true)
            .stderr(true)
            .max_stdout_buf_size(256 * 1024);
        let opened =
            tokio::time::timeout(CONNECT, api.exec(&agent.name, command.iter().copied(), &params)).await;
        let mut process = match opened {
            Err(_elapsed) => return Err(late(what, CONNECT)),
            Ok(Err(error)) => {
                return Err(self.gap(what, &error, "create", "pods/exec", Some(&agent.namespace)));
            }
            Ok(Ok(process)) => process,
        };
        let (out, err, status) = (process.stdout(), process.stderr(), process.take_status());
        let ended = async {
            let status = async {
                match status {
                    Some(status) => status.await,
                    None => None,
                }
            };
            let (stdout, _, status) = tokio::join!(kept(out), kept(err), status);
            (stdout, status)
        };
        let Ok((stdout, status)) = tokio::time::timeout(limit + DRAIN, ended).await else {
            return Err(late(what, limit));
        };
        let Some(status) = status else {
            return Err(Gap {
                what,
                why: GapReason::Truncated,
                message: "the connection ended before the command said how it ended".to_owned(),
                hint: None,
            });
        };
        let text = String::from_utf8_lossy(&stdout);
        let lines: Vec<_> = text.lines().map(crate::sanitize).collect();
        Ok(Output {
            stdout: lines.join("\n"),
            code: code(&status),
            message: failure(&status),
        })
    }
}

/// Where a command ended with another status than 0, the API has it as a cause.
fn code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let exit = causes
        .iter()
        .find(|it| it.reason.as_deref() == Some("ExitCode"))?;
    exit.message.as_ref()?.parse().ok()
}

fn failure(status: &Status) -> String {
    if status.status.as_deref() == Some("Success") {
        return String::new();
    }
    let message = status.message.as_deref().unwrap_or("it failed");
    crate::sanitize(message).into_owned()
}

async fn kept(reader: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut all = Vec::new();
    let Some(mut reader) = reader else { return all };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = reader.read(&mut buffer).await {
        let room = MOST.saturating_sub(all.len());
        all.extend_from_slice(&buffer[..read.min(room)]);
    }
    all
}
