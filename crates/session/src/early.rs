//! A place for the pods of a run that is made while something else is still under way.

use cluster::Cluster;
use probe::{NodeTarget, Prepared, ProbeOptions};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Where the place can be asked for, once.
#[derive(Debug)]
pub(crate) struct Early {
    options: ProbeOptions,
    targets: Vec<NodeTarget>,
    wanted: oneshot::Sender<oneshot::Sender<Prepared>>,
}

impl Early {
    /// The place, when it is the one that is needed.
    pub(crate) async fn take(self, options: &ProbeOptions, targets: &[NodeTarget]) -> Option<Prepared> {
        if self.options != *options || self.targets != targets {
            return None;
        }
        let (reply, prepared) = oneshot::channel();
        self.wanted.send(reply).ok()?;
        prepared.await.ok()
    }
}

/// Where a place can be asked for, and what makes it, keeps it, and takes it away again when it is dropped unasked.
pub(crate) fn early(
    cluster: Cluster,
    options: ProbeOptions,
    targets: Vec<NodeTarget>,
    cancel: CancellationToken,
) -> (Early, impl Future<Output = ()>) {
    let (wanted, asked) = oneshot::channel::<oneshot::Sender<Prepared>>();
    let early = Early {
        options: options.clone(),
        targets: targets.clone(),
        wanted,
    };
    let making = async move {
        // What is under way meanwhile says so itself.
        let prepared = probe::prepare(&cluster, &options, &targets, &cancel, &()).await;
        let unused = match prepared.until(asked).await {
            Ok(reply) => reply.send(prepared).err(),
            Err(_) => Some(prepared),
        };
        if let Some(unused) = unused {
            plugin::report_removal(&unused.remove().await);
        }
    };
    (early, making)
}
