//! What kubelets give to pods, by the configuration that they run with.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use observation::KubeletDns;
use report::{Gap, GapReason, Observed};

use super::objects::Configz;
use crate::cluster::Cluster;

/// Kubelets asked at once.
const ASKING: usize = 8;
/// Of more nodes only so many are asked: kubelets of a cluster are configured alike, and each takes a request.
const MOST: usize = 100;

impl Cluster {
    /// By the names of the nodes, and how many were left out.
    pub(super) async fn kubelets_dns(
        &self,
        nodes: &[String],
    ) -> (BTreeMap<String, Observed<KubeletDns>>, usize) {
        let asked = nodes.iter().take(MOST);
        let said = stream::iter(asked.map(|node| self.kubelet_dns(node)))
            .buffered(ASKING)
            .collect()
            .await;
        (said, nodes.len().saturating_sub(MOST))
    }

    async fn kubelet_dns(&self, node: &str) -> (String, Observed<KubeletDns>) {
        let what = format!("the configuration of the kubelet of {node}");
        let path = format!("/api/v1/nodes/{node}/proxy/configz");
        let found = self.found::<Configz>(&what, &path, "nodes/proxy", None).await;
        let said = match found {
            Observed::Seen(Some(configz)) => Observed::Seen(KubeletDns::from(configz)),
            Observed::Seen(None) => Observed::Unseen(Gap {
                what,
                why: GapReason::NotServed,
                message: "the kubelet does not serve /configz".to_owned(),
                hint: None,
            }),
            Observed::Unseen(gap) => Observed::Unseen(gap),
        };
        (node.to_owned(), said)
    }
}
