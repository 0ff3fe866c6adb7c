//! Probe pods that are started while something else is still under way.

use std::pin::pin;

use cluster::Cluster;
use futures::future::{Either, select};
use plugin::Spinner;
use probe::{Gate, Launched, NodeTarget, ProbeOptions};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Where they can be asked for, once.
#[derive(Debug)]
pub(crate) struct Early {
    options: ProbeOptions,
    targets: Vec<NodeTarget>,
    wanted: oneshot::Sender<oneshot::Sender<Launched>>,
}

impl Early {
    /// The pods, when they are those that are needed.
    pub(crate) async fn take(self, options: &ProbeOptions, targets: &[NodeTarget]) -> Option<Launched> {
        if self.options != *options || self.targets != targets {
            return None;
        }
        let (reply, launched) = oneshot::channel();
        self.wanted.send(reply).ok()?;
        launched.await.ok()
    }
}

/// Where pods can be asked for, and what starts them, each as soon as `gate` lets it, keeps them, and takes them away again when it is
/// dropped unasked.
pub(crate) fn early(
    cluster: Cluster,
    options: ProbeOptions,
    targets: Vec<NodeTarget>,
    gate: Gate,
    cancel: &CancellationToken,
    spinner: Spinner,
) -> (Early, impl Future<Output = ()>) {
    let (wanted, asked) = oneshot::channel::<oneshot::Sender<Launched>>();
    let early = Early {
        options: options.clone(),
        targets: targets.clone(),
        wanted,
    };
    let unwanted = cancel.child_token();
    let making = async move {
        let asked = pin!(async {
            let asked = asked.await;
            if asked.is_err() {
                unwanted.cancel();
            }
            asked
        });
        let starting = pin!(async {
            // What is under way meanwhile says so itself.
            let prepared = probe::prepare(&cluster, &options, &targets, &unwanted, &()).await;
            prepared.start(gate, &unwanted, &spinner).await
        });
        let (launched, reply) = match select(starting, asked).await {
            Either::Left((launched, asked)) => {
                let reply = launched.until(asked).await;
                (launched, reply)
            }
            Either::Right((reply, starting)) => (starting.await, reply),
        };
        let unused = match reply {
            Ok(reply) => reply.send(launched).err(),
            Err(_) => Some(launched),
        };
        if let Some(unused) = unused {
            plugin::report_removal(&unused.remove().await);
        }
    };
    (early, making)
}
