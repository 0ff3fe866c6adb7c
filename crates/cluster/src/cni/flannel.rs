//! What configures flannel.

use observation::{CniController, CniProduct, ConfigDocument, FlannelConfig};
use report::Observed;
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::cluster::Cluster;

/// How its manifest, its chart and Canal's call the ConfigMap.
const CONFIG_MAPS: [&str; 2] = ["kube-flannel-cfg", "canal-config"];
/// The keys that hold it, as flannel's and as Canal's manifests write them.
const KEYS: [&str; 2] = ["net-conf.json", "net_conf.json"];

#[derive(Deserialize)]
struct ConfigMapItem {
    metadata: Metadata,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    creation_timestamp: Option<String>,
    #[serde(default)]
    managed_fields: Vec<ManagedFields>,
}

#[derive(Deserialize)]
struct ManagedFields {
    time: Option<String>,
}

impl Cluster {
    /// flannel's configuration, where one of the controllers is flannel.
    pub(super) async fn flannel_config(
        &self,
        controllers: &[CniController],
    ) -> Observed<Option<FlannelConfig>> {
        let is_flannel = |it: &&CniController| matches!(it.product, CniProduct::Flannel | CniProduct::Canal);
        for controller in controllers.iter().filter(is_flannel) {
            let namespace = controller.namespace.as_str();
            for name in CONFIG_MAPS {
                let what = format!("configmap/{name} -n {namespace}");
                let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
                let found = self
                    .found::<ConfigMapItem>(&what, &path, "configmaps", Some(namespace))
                    .await;
                match found {
                    Observed::Seen(Some(item)) => {
                        let Some(text) = KEYS.iter().find_map(|key| item.data.get(*key)) else {
                            continue;
                        };
                        return Observed::Seen(Some(FlannelConfig {
                            namespace: namespace.to_owned(),
                            name: name.to_owned(),
                            net_conf: document(text),
                            changed: changed(item.metadata),
                        }));
                    }
                    Observed::Seen(None) => {}
                    Observed::Unseen(gap) => return Observed::Unseen(gap),
                }
            }
        }
        Observed::Seen(None)
    }
}

/// When somebody last wrote to it.
fn changed(metadata: Metadata) -> Option<String> {
    let times = metadata.managed_fields.into_iter().filter_map(|it| it.time);
    times.max().or(metadata.creation_timestamp)
}

fn document(text: &str) -> ConfigDocument {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => ConfigDocument::Read { value },
        Err(error) => ConfigDocument::Broken {
            message: crate::sanitize(&error.to_string()).into_owned(),
        },
    }
}
