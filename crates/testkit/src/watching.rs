//! Watches: the log of the store as a stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::delete::selector;
use crate::failure::Failure;
use crate::request::{Answer, Body, Call};
use crate::resource::Resource;
use crate::selector::Selector;
use crate::shared::{Shared, typed};
use crate::store::{Change, Entry, Key, Object};

/// How long a watch lasts whose client named no time.
const LONGEST: Duration = Duration::from_mins(30);

struct Watch {
    shared: Arc<Shared>,
    resource: Resource,
    namespace: Option<String>,
    name: Option<String>,
    selector: Selector,
    bookmarks: bool,
    /// What has been sent.
    version: u64,
    out: mpsc::Sender<Bytes>,
}

pub(crate) fn watch(shared: &Arc<Shared>, call: &Call) -> Result<Answer, Failure> {
    let selector = selector(call)?;
    let version = call.query.get("resourceVersion").unwrap_or("0");
    let version: u64 = version
        .parse()
        .map_err(|_| Failure::new(400, format!("resourceVersion: Invalid value: \"{version}\"")))?;
    let initial = call.query.is_set("sendInitialEvents");
    let lasts = call
        .query
        .number("timeoutSeconds")
        .map_or(LONGEST, Duration::from_secs);
    let (out, receiver) = mpsc::channel(64);
    let watch = Watch {
        shared: Arc::clone(shared),
        resource: call.route.resource.clone(),
        namespace: call.route.namespace.clone(),
        name: call.route.name.clone(),
        selector,
        bookmarks: call.query.is_set("allowWatchBookmarks"),
        version,
        out,
    };
    tokio::spawn(watch.run(initial || version == 0, initial, Instant::now() + lasts));
    Ok(Answer::Stream(receiver_body(receiver)))
}

fn receiver_body(receiver: mpsc::Receiver<Bytes>) -> Body {
    let frames = futures::stream::unfold(receiver, |mut receiver| async {
        let bytes = receiver.recv().await?;
        Some((Ok(Frame::data(bytes)), receiver))
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Watch {
    /// Ends when the client is gone, the time is over or the watch has expired.
    async fn run(mut self, from_present: bool, marks_initial: bool, end: Instant) {
        let mut wake = self.shared.store().subscribe();
        let mut expire = self.shared.expire.subscribe();
        if from_present && self.send_present(marks_initial).await.is_none() {
            return;
        }
        loop {
            let log = self.shared.store().since(self.version);
            let Some(entries) = log else {
                let oldest = self.shared.store().oldest();
                self.send(
                    "ERROR",
                    Failure::expired(self.version, oldest)
                        .status()
                        .to_string()
                        .into_bytes(),
                )
                .await;
                return;
            };
            for entry in entries {
                if self.send_entry(&entry).await.is_none() {
                    return;
                }
            }
            tokio::select! {
                _ = wake.changed() => {}
                _ = expire.changed() => {
                    let version = self.shared.store().version();
                    let failure = Failure::expired(self.version, version);
                    self.send("ERROR", failure.status().to_string().into_bytes()).await;
                    return;
                }
                () = self.out.closed() => return,
                () = tokio::time::sleep_until(end) => {
                    if self.bookmarks {
                        self.send_bookmark(json!({})).await;
                    }
                    return;
                }
            }
        }
    }

    async fn send_present(&mut self, marks: bool) -> Option<()> {
        let present: Vec<Object> = {
            let store = self.shared.store();
            self.version = store.version();
            let all = store.list(&self.resource, self.namespace.as_deref(), None);
            all.filter(|(key, object)| self.selects(key, object))
                .map(|(_, object)| Arc::clone(object))
                .collect()
        };
        for object in present {
            self.send("ADDED", typed(&self.resource, &object)).await?;
        }
        if marks {
            self.send_bookmark(json!({"k8s.io/initial-events-end": "true"}))
                .await?;
        }
        Some(())
    }

    /// What leaves the selection is deleted for this watch, what enters it is added.
    async fn send_entry(&mut self, entry: &Entry) -> Option<()> {
        self.version = entry.version;
        if entry.key.group != self.resource.group
            || entry.key.plural != self.resource.plural
            || self
                .namespace
                .as_ref()
                .is_some_and(|namespace| *namespace != entry.key.namespace)
        {
            return Some(());
        }
        let is = entry.change != Change::Deleted && self.selects(&entry.key, &entry.object);
        let was = entry
            .previous
            .as_ref()
            .is_some_and(|previous| self.selects(&entry.key, previous));
        let kind = match (was, is) {
            (false, false) => return Some(()),
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        self.send(kind, typed(&self.resource, &entry.object)).await
    }

    fn selects(&self, key: &Key, object: &Value) -> bool {
        self.name.as_ref().is_none_or(|name| *name == key.name) && self.selector.selects(object)
    }

    async fn send_bookmark(&self, annotations: Value) -> Option<()> {
        let version = self.shared.store().version().max(self.version);
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if annotations.as_object().is_some_and(|all| !all.is_empty()) {
            metadata["annotations"] = annotations;
        }
        let mut object = json!({"metadata": metadata});
        if self.resource.kind == "Pod" {
            // Typed clients cannot read a pod without them; a real server writes the zero value too.
            object["spec"] = json!({"containers": null});
            object["status"] = json!({});
        }
        self.send("BOOKMARK", typed(&self.resource, &object)).await
    }

    /// `None` when the client is gone.
    async fn send(&self, kind: &str, object: Vec<u8>) -> Option<()> {
        let mut line = format!("{{\"type\":\"{kind}\",\"object\":").into_bytes();
        line.extend_from_slice(&object);
        line.extend_from_slice(b"}\n");
        self.out.send(line.into()).await.ok()
    }
}
