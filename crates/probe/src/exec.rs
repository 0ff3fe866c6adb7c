//! One exec per node: a plan in, answers out.
//!
//! The pipes of an exec have traps. Closing the input closes the whole socket under protocol v4, so the plan says its own
//! length and the input stays open. Output that nobody drains stops the status. A broken connection ends no pipe. And a
//! status can be lost or lie, so that only the agent's last line says that everything arrived.

mod gap;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use netprobe::{Answer, End, Hello, ReadAnswer};
use report::Observed;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::answers::Answers;
use crate::pod::{AGENT, CONTAINER};
use crate::trouble::{Trouble, chain};

/// What one agent came to.
#[derive(Clone, Debug)]
pub struct Executed {
    /// Who answered, if anybody did.
    pub hello: Option<Hello>,
    /// The answers that arrived, in any order. Those of a source that was cut off count.
    pub answers: Vec<Answer>,
    /// What was read, where that was asked for instead of probes.
    pub reads: Vec<ReadAnswer>,
    /// The agent's last line, if it arrived.
    pub end: Option<End>,
    /// Whether everything arrived, or why not.
    pub seen: Observed<()>,
    /// Whether nobody got through to the agent at all, over as long as is waited for that.
    pub(crate) is_silent: bool,
}

/// Bytes that went over execs, which the client does not count by itself.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
}

/// How long the API server may take to connect us with the container. A node that is down makes it wait for 30 s; that
/// is said sooner.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the agent may take to say who it is, once it is connected. It does so before anything else; a node that takes
/// no new connections can leave us waiting here, behind an API server that has answered already.
const HELLO: Duration = Duration::from_secs(6);
/// What the agent may take beyond the deadline of its plan.
const GRACE: Duration = Duration::from_secs(5);
/// How long what is already under way may take after the status, or after the connection ended.
const DRAIN: Duration = Duration::from_secs(1);
/// An exec that failed without any answer is tried again after so long.
const AGAIN: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];
/// What is kept of the agent's standard error.
const STDERR: usize = 2048;

/// Where to execute.
pub(crate) struct Place<'a> {
    pub(crate) api: Api<Pod>,
    pub(crate) namespace: &'a str,
    pub(crate) node: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) run: &'a str,
    /// The agent's command that takes the plan: `run` or `read`.
    pub(crate) command: &'static str,
    /// The uid of a pod of the node in whose network the plan is run, instead of the probe pod's.
    pub(crate) inside: Option<&'a str>,
    pub(crate) streamed: &'a Arc<Streamed>,
}

/// What one exec gave.
struct Once {
    answers: Answers,
    stderr: String,
    trouble: Option<Trouble>,
}

/// Runs a plan. `plan` is encoded; `deadline` is the plan's own.
pub(crate) async fn execute(place: &Place<'_>, plan: &[u8], deadline: Duration) -> Executed {
    let mut pauses = AGAIN.iter();
    loop {
        let once = once(place, plan, deadline).await;
        let nothing = once.answers.is_empty();
        let passing = once.trouble.as_ref().is_some_and(is_passing);
        if nothing
            && passing
            && let Some(pause) = pauses.next()
        {
            tokio::time::sleep(*pause).await;
            continue;
        }
        return executed(place, once);
    }
}

/// A connection that hung is not tried again: the wait was long enough.
fn is_passing(trouble: &Trouble) -> bool {
    !matches!(trouble, Trouble::TimedOut(_)) && trouble.is_passing()
}

fn executed(place: &Place<'_>, once: Once) -> Executed {
    let lacking = once.answers.lacking();
    let passing = once.trouble.as_ref().is_some_and(Trouble::is_passing);
    let is_silent = passing && once.answers.hello.is_none();
    let seen = match lacking {
        None => Observed::Seen(()),
        Some(lacking) => Observed::Unseen(gap::gap(place, &once, &lacking)),
    };
    Executed {
        hello: once.answers.hello,
        answers: once.answers.arrived,
        reads: once.answers.reads,
        end: once.answers.end,
        seen,
        is_silent,
    }
}

async fn once(place: &Place<'_>, plan: &[u8], deadline: Duration) -> Once {
    let failed = |trouble| Once {
        answers: Answers::default(),
        stderr: String::new(),
        trouble: Some(trouble),
    };
    let params = AttachParams::default()
        .container(CONTAINER)
        .stdin(true)
        .stdout(true)
        .stderr(true)
        .max_stdin_buf_size(64 * 1024)
        .max_stdout_buf_size(1024 * 1024)
        .max_stderr_buf_size(64 * 1024);
    let mut command = vec![AGENT, place.command, "--name", place.node, "--run", place.run];
    command.extend(place.inside.iter().flat_map(|uid| ["--pod", uid]));
    let process = tokio::time::timeout(CONNECT, place.api.exec(place.pod, command, &params)).await;
    match process {
        Err(_elapsed) => failed(Trouble::TimedOut(CONNECT)),
        Ok(Err(error)) => failed(Trouble::from(&error)),
        Ok(Ok(process)) => converse(process, plan, deadline, place.streamed).await,
    }
}

/// Ends its tasks when it is dropped: the run may be cancelled at any moment.
struct Tasks(Vec<AbortHandle>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

async fn converse(
    mut process: AttachedProcess,
    plan: &[u8],
    deadline: Duration,
    streamed: &Arc<Streamed>,
) -> Once {
    let answers = Arc::new(Mutex::new(Answers::default()));
    let stderr = Arc::new(Mutex::new(Vec::new()));
    let ended = Arc::new(Notify::new());
    let mut tasks = Tasks(Vec::new());
    let out = process.stdout().map(|stdout| {
        let (answers, ended) = (Arc::clone(&answers), Arc::clone(&ended));
        let streamed = Arc::clone(streamed);
        tokio::spawn(drain(stdout, move |bytes| {
            streamed.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            if lock(&answers).push(bytes) {
                ended.notify_one();
            }
        }))
    });
    let err = process.stderr().map(|reader| {
        let stderr = Arc::clone(&stderr);
        tokio::spawn(drain(reader, move |bytes| {
            let mut kept = lock(&stderr);
            let room = STDERR.saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }))
    });
    // Beside the rest: a plan larger than the pipes would wait for an agent that waits for its output to be read. The
    // writer is given back, not closed.
    let input = process.stdin().map(|mut stdin| {
        let plan = plan.to_vec();
        streamed.sent.fetch_add(plan.len() as u64, Ordering::Relaxed);
        tokio::spawn(async move {
            let written = async {
                stdin.write_all(&plan).await?;
                stdin.flush().await
            };
            (written.await, stdin)
        })
    });
    tasks
        .0
        .extend(out.iter().map(tokio::task::JoinHandle::abort_handle));
    tasks
        .0
        .extend(err.iter().map(tokio::task::JoinHandle::abort_handle));
    tasks
        .0
        .extend(input.iter().map(tokio::task::JoinHandle::abort_handle));

    let silent = {
        let answers = Arc::clone(&answers);
        async move {
            tokio::time::sleep(HELLO).await;
            if lock(&answers).hello.is_some() {
                std::future::pending::<()>().await;
            }
        }
    };
    let status = process.take_status();
    let limit = deadline + GRACE;
    let trouble = tokio::select! {
        biased;
        () = ended.notified() => None,
        status = async { match status { Some(status) => status.await, None => None } } => {
            // Everything that the server sent before the status is in the pipes.
            let both = async {
                if let Some(out) = out { let _ = out.await; }
                if let Some(err) = err { let _ = err.await; }
            };
            if status.is_some() {
                let _ = tokio::time::timeout(DRAIN, both).await;
            } else {
                // A broken connection does not end the pipes; what is in them is read at once.
                let _ = tokio::time::timeout(Duration::from_millis(100), both).await;
            }
            match status {
                Some(status) => failure(&status),
                None => Some(cause(process).await),
            }
        }
        () = silent => Some(Trouble::TimedOut(HELLO)),
        () = tokio::time::sleep(limit) => Some(Trouble::TimedOut(limit)),
    };
    drop(tasks);
    let answers = std::mem::take(&mut *lock(&answers));
    let stderr = String::from_utf8_lossy(&lock(&stderr)).trim().to_owned();
    Once {
        answers,
        stderr,
        trouble,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn drain(mut reader: impl AsyncRead + Unpin, mut take: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = reader.read(&mut buffer).await {
        take(&buffer[..read]);
    }
}

/// Why the connection ended without a status.
async fn cause(process: AttachedProcess) -> Trouble {
    match tokio::time::timeout(DRAIN, process.join()).await {
        Ok(Err(error)) => Trouble::Lost(format!("the connection broke: {}", chain(&error))),
        Ok(Ok(())) => Trouble::Lost("the connection was closed before the agent had ended".to_owned()),
        Err(_elapsed) => Trouble::Lost("the connection was lost before the agent had ended".to_owned()),
    }
}

/// What a status says went wrong; `Success` says nothing about the answers.
fn failure(status: &Status) -> Option<Trouble> {
    if status.status.as_deref() == Some("Success") {
        return None;
    }
    let mut refused = kube::core::Status::failure(
        status.message.as_deref().unwrap_or_default(),
        status.reason.as_deref().unwrap_or_default(),
    );
    refused.code = status
        .code
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or_default();
    Some(Trouble::Refused(Box::new(refused)))
}
