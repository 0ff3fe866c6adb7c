//! Lists of any size, read item by item: a hundred thousand pods pass through without ever being held at once.

use http::Request;
use http_body_util::BodyExt as _;
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use report::Observed;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::items::ItemScanner;

/// Which objects to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    group: String,
    version: String,
    resource: String,
    namespace: Option<String>,
    label_selector: Option<String>,
    field_selector: Option<String>,
    from_cache: bool,
}

impl ListQuery {
    /// All objects of a resource: `ListQuery::new("discovery.k8s.io", "v1", "endpointslices")`. The core group is `""`.
    pub fn new(group: impl Into<String>, version: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
            namespace: None,
            label_selector: None,
            field_selector: None,
            from_cache: false,
        }
    }

    /// Only those in this namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Only those that the label selector matches, as `app=web`.
    #[must_use]
    pub fn with_labels(mut self, selector: impl Into<String>) -> Self {
        self.label_selector = Some(selector.into());
        self
    }

    /// Only those that the field selector matches, as `spec.nodeName=node3`.
    #[must_use]
    pub fn with_fields(mut self, selector: impl Into<String>) -> Self {
        self.field_selector = Some(selector.into());
        self
    }

    /// What the API server has in memory, in one answer: cheap for it however much there is, and possibly a little
    /// behind. Without this the list is current, and comes in pages of 500 as kubectl asks for it.
    #[must_use]
    pub fn from_cache(mut self) -> Self {
        self.from_cache = true;
        self
    }

    /// The resource with its group, as RBAC errors write it: `endpointslices.discovery.k8s.io`.
    fn qualified_resource(&self) -> String {
        if self.group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    fn path(&self, paging: &Paging) -> String {
        let base = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        let namespace = self
            .namespace
            .as_ref()
            .map(|namespace| format!("/namespaces/{}", encode(namespace)));
        let mut query = Vec::new();
        if let Some(selector) = &self.label_selector {
            query.push(format!("labelSelector={}", encode(selector)));
        }
        if let Some(selector) = &self.field_selector {
            query.push(format!("fieldSelector={}", encode(selector)));
        }
        match paging {
            Paging::Cache => query.push("resourceVersion=0".to_owned()),
            Paging::First => query.push(format!("limit={PAGE}")),
            Paging::Next(token) => query.push(format!("limit={PAGE}&continue={}", encode(token))),
            Paging::Whole => {}
        }
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{}", query.join("&"))
        };
        format!("{base}{}/{}{query}", namespace.unwrap_or_default(), self.resource)
    }
}

/// kubectl's `--chunk-size`.
const PAGE: u32 = 500;

enum Paging {
    Cache,
    First,
    Next(String),
    /// Everything in one answer: after a page has expired, as `client-go` does it.
    Whole,
}

/// Everything but what never needs an escape in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

impl Cluster {
    /// Lists objects, each as a `T`: a small type with only the fields that are needed, so that the others are never
    /// stored. Unseen when any part of the list could not be had; a list that was cut off is never returned.
    ///
    /// `what` names the objects for the reader of a report: `nodes`, `EndpointSlices of service/web`.
    pub async fn list<T>(&self, what: &str, query: &ListQuery) -> Observed<Vec<T>>
    where
        T: DeserializeOwned,
    {
        match self.try_list(query).await {
            Ok(items) => Observed::Seen(items),
            Err(error) => {
                let resource = query.qualified_resource();
                Observed::Unseen(self.gap(what, &error, "list", &resource, query.namespace.as_deref()))
            }
        }
    }

    /// As [`Cluster::list`], for a run that cannot go on without the answer.
    ///
    /// # Errors
    /// Any page could not be had or understood.
    pub async fn try_list<T>(&self, query: &ListQuery) -> Result<Vec<T>, kube::Error>
    where
        T: DeserializeOwned,
    {
        let mut paging = if query.from_cache {
            Paging::Cache
        } else {
            Paging::First
        };
        let mut items = Vec::new();
        loop {
            match self.page(&query.path(&paging), &mut items).await {
                Ok(Some(token)) => paging = Paging::Next(token),
                Ok(None) => return Ok(items),
                // The version that the pages are of was compacted away in between. What was read is of no use: the
                // rest would be of another version.
                Err(kube::Error::Api(status)) if status.code == 410 && matches!(paging, Paging::Next(_)) => {
                    items.clear();
                    paging = Paging::Whole;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one answer and adds its items to those before; what to ask for the next page with, if there is one.
    async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        items: &mut Vec<T>,
    ) -> Result<Option<String>, kube::Error> {
        let request = Request::get(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(kube::Error::HttpError)?;
        let response = self.client().send(request).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await?);
        }
        let mut body = response.into_body();
        let mut scanner = ItemScanner::default();
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                scanner
                    .feed(&piece, |item| {
                        items.push(serde_json::from_slice(item)?);
                        Ok(())
                    })
                    .map_err(kube::Error::SerdeError)?;
            }
        }
        Ok(scanner.finish().map_err(kube::Error::SerdeError)?.next)
    }
}

/// The error that a response says, as the client library would have it.
async fn refusal(response: http::Response<Body>) -> Result<kube::Error, kube::Error> {
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await?;
    let status = serde_json::from_slice::<kube::core::Status>(&bytes).unwrap_or_else(|_| {
        // A proxy's page, or the router's line for a path that it does not know.
        let text = String::from_utf8_lossy(&bytes);
        kube::core::Status::failure(text.trim(), "").with_code(code)
    });
    Ok(kube::Error::Api(Box::new(status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_group_namespace_and_selectors() {
        let query = ListQuery::new("discovery.k8s.io", "v1", "endpointslices")
            .in_namespace("shop")
            .with_labels("app in (a,b)")
            .with_fields("metadata.name=x");
        assert_eq!(
            query.path(&Paging::First),
            "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices\
             ?labelSelector=app%20in%20%28a%2Cb%29&fieldSelector=metadata.name%3Dx&limit=500"
        );
        let nodes = ListQuery::new("", "v1", "nodes");
        assert_eq!(
            nodes.path(&Paging::Next("a=".into())),
            "/api/v1/nodes?limit=500&continue=a%3D"
        );
        assert_eq!(nodes.path(&Paging::Cache), "/api/v1/nodes?resourceVersion=0");
        assert_eq!(nodes.path(&Paging::Whole), "/api/v1/nodes");
    }
}
