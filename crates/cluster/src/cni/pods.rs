//! What the containers of a CNI log.

use observation::{CniContainer, CniPod, LogTail};
use report::Observed;

use crate::cluster::Cluster;
use crate::pod_log::LogOf;

impl Cluster {
    /// The end of a container's log, and of the one before its last start. A container that never ran has none.
    pub(super) async fn logs_of(
        &self,
        pod: &CniPod,
        container: &CniContainer,
    ) -> (Option<Observed<LogTail>>, Option<Observed<LogTail>>) {
        if container.started.is_none() && container.ended.is_none() {
            return (None, None);
        }
        let of = |previous| LogOf {
            namespace: &pod.namespace,
            pod: &pod.name,
            container: &container.name,
            previous,
        };
        let log = Some(self.log_tail(of(false)).await);
        let previous = if container.restarts > 0 {
            Some(self.log_tail(of(true)).await)
        } else {
            None
        };
        (log, previous)
    }
}
