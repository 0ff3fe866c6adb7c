//! Follows the pods of a run, by one watch for all of them.

use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::sync::mpsc::UnboundedSender;

use crate::start::Event;

/// Between two attempts to watch, or to list where watching is not allowed.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends what happens to the pods until nobody listens. Version `0` begins with what is there, so that neither a list
/// before the watch nor one after a lost connection is needed; what a stale cache misses comes as an event.
pub(crate) async fn follow(api: Api<Pod>, selector: String, events: UnboundedSender<Event>) {
    loop {
        let params = WatchParams::default().labels(&selector);
        match api.watch(&params, "0").await {
            Ok(stream) => {
                let mut stream = Box::pin(stream);
                while let Ok(Some(event)) = stream.try_next().await {
                    let event = match event {
                        WatchEvent::Added(pod) | WatchEvent::Modified(pod) => Event::Seen(Box::new(pod)),
                        WatchEvent::Deleted(pod) => Event::Gone(Box::new(pod)),
                        WatchEvent::Bookmark(_) => continue,
                        WatchEvent::Error(_) => break,
                    };
                    if events.send(event).is_err() {
                        return;
                    }
                }
            }
            Err(kube::Error::Api(status)) if status.code == 403 => return list(api, selector, events).await,
            Err(_) => {}
        }
        if events.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// For roles without the verb `watch`.
async fn list(api: Api<Pod>, selector: String, events: UnboundedSender<Event>) {
    let params = ListParams::default().labels(&selector);
    loop {
        if let Ok(pods) = api.list(&params).await {
            for pod in pods.items {
                if events.send(Event::Seen(Box::new(pod))).is_err() {
                    return;
                }
            }
        }
        if events.is_closed() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
