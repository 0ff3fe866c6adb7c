//! Single objects, by name.

use std::collections::BTreeMap;

use http::Request;
use report::Observed;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;

#[derive(Deserialize)]
struct ConfigMapItem {
    #[serde(default)]
    data: BTreeMap<String, String>,
}

impl Cluster {
    /// What a ConfigMap holds; `None` where there is none of this name.
    pub(crate) async fn config_map(
        &self,
        namespace: &str,
        name: &str,
    ) -> Observed<Option<BTreeMap<String, String>>> {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
        let what = format!("configmap/{name} -n {namespace}");
        let found = self
            .found::<ConfigMapItem>(&what, &path, "configmaps", Some(namespace))
            .await;
        found.map(|found| found.map(|item| item.data))
    }

    /// One object; `None` where there is none of this name, and where the API server knows no such kind.
    pub(crate) async fn found<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Observed<Option<T>> {
        let request = match Request::get(path).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => {
                let error = kube::Error::HttpError(error);
                return Observed::Unseen(self.gap(what, &error, "get", resource, namespace));
            }
        };
        match self.client().request::<T>(request).await {
            Ok(object) => Observed::Seen(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Observed::Seen(None),
            Err(error) => Observed::Unseen(self.gap(what, &error, "get", resource, namespace)),
        }
    }
}
