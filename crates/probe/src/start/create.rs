//! Creates pods in namespaces that may be too new.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::refusal::{self, Refusal};
use crate::trouble::{Trouble, patiently};

/// How long a new namespace may take to get its service account.
const NEW_NAMESPACE: Duration = Duration::from_secs(8);

/// Creates a pod, again and again while its namespace is too new.
pub(super) async fn create(
    api: &Api<Pod>,
    pod: &Pod,
    node: &str,
    namespace: &str,
    cancel: &CancellationToken,
) -> Result<(), Trouble> {
    let until = Instant::now() + NEW_NAMESPACE;
    let mut pause = Duration::from_millis(20);
    loop {
        if cancel.is_cancelled() {
            return Err(Trouble::Lost("interrupted".to_owned()));
        }
        match patiently(cancel, api.create(&PostParams::default(), pod)).await {
            Ok(_) => return Ok(()),
            Err(Trouble::Refused(status)) => {
                let soon = refusal::judge(&status, node, namespace, false) == Refusal::Soon;
                if !soon || Instant::now() > until {
                    return Err(Trouble::Refused(status));
                }
            }
            Err(trouble) => return Err(trouble),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
