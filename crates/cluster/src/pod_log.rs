//! The ends of logs.

use std::time::Duration;

use http::Request;
use observation::LogTail;
use report::Observed;

use crate::cluster::Cluster;
use crate::gap::late;

/// Of logs, the last so many seconds, lines and bytes. Without a number of lines kubectl shows ten of each pod where it selects by labels;
/// here the number is always said.
const SECONDS: u32 = 15 * 60;
const LINES: usize = 300;
const BYTES: usize = 64 * 1024;
/// The API server waits half a minute for a kubelet that is gone; whoever looks at a cluster with such a node waits for nothing.
const LIMIT: Duration = Duration::from_secs(10);

/// Which container's log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOf<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) pod: &'a str,
    pub(crate) container: &'a str,
    /// Of the container before, however long ago it ended; else of the one that runs, or that ran last.
    pub(crate) previous: bool,
}

impl Cluster {
    /// The end of a container's log.
    pub(crate) async fn log_tail(&self, of: LogOf<'_>) -> Observed<LogTail> {
        let LogOf {
            namespace,
            pod,
            container,
            previous,
        } = of;
        let which = if previous {
            "previous=true".to_owned()
        } else {
            format!("sinceSeconds={SECONDS}")
        };
        let path = format!(
            "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&{which}&tailLines={LINES}&limitBytes={BYTES}"
        );
        let before = if previous { " before its last start" } else { "" };
        let what = format!("the log of pod/{pod} -n {namespace}{before}");
        let gap = |error: &kube::Error| self.gap(what.clone(), error, "get", "pods/log", Some(namespace));
        let request = match Request::get(path).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => return Observed::Unseen(gap(&kube::Error::HttpError(error))),
        };
        let client = self.client();
        let read = tokio::time::timeout(LIMIT, client.request_text(request));
        match read.await {
            Err(_elapsed) => Observed::Unseen(late(what, LIMIT)),
            Ok(Ok(text)) => {
                let lines: Vec<String> = text
                    .lines()
                    .map(|line| crate::sanitize(line).into_owned())
                    .collect();
                Observed::Seen(LogTail {
                    more: lines.len() >= LINES || text.len() >= BYTES,
                    lines,
                })
            }
            Ok(Err(error)) => Observed::Unseen(gap(&error)),
        }
    }
}
