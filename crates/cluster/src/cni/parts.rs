//! How custom resources are listed: which API serves them, and what an absent one means.

use std::collections::BTreeMap;

use http::Request;
use report::{Gap, GapReason, Observed};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::list::ListQuery;

/// Where the objects of a product are.
#[derive(Clone, Debug)]
pub(super) struct Served {
    /// Group and version; `None` where the API server has none of them.
    pub(super) api: Option<(&'static str, &'static str)>,
    /// What it means that there are none, as a clause.
    pub(super) otherwise: &'static str,
}

/// A custom object with its name and what it is to be, or is.
#[derive(Deserialize)]
pub(super) struct Object<S, T = serde::de::IgnoredAny> {
    pub(super) metadata: Named,
    #[serde(default = "Option::default")]
    pub(super) spec: Option<S>,
    #[serde(default = "Option::default")]
    pub(super) status: Option<T>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) creation_timestamp: Option<String>,
}

/// Only that it is there.
#[derive(Deserialize)]
pub(super) struct Anything {}

/// Only in which namespace it is.
#[derive(Deserialize)]
pub(super) struct Placed {
    pub(super) metadata: Placement,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Placement {
    pub(super) namespace: String,
}

impl Served {
    /// As `crd.projectcalico.org/v1`.
    pub(super) fn name(&self) -> Option<String> {
        self.api.map(|(group, version)| format!("{group}/{version}"))
    }
}

/// The beginning of a list, and how much of it there is.
#[derive(Deserialize)]
struct Beginning {
    #[serde(default)]
    metadata: Rest,
    #[serde(default)]
    items: Vec<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rest {
    remaining_item_count: Option<u64>,
    #[serde(rename = "continue")]
    next: String,
}

impl Cluster {
    /// How many objects of a resource there are, by one of them and what the server says of the rest.
    pub(super) async fn count_custom(&self, served: &Served, resource: &str) -> Observed<u64> {
        let all = async || {
            let listed = self.custom::<Anything>(served, resource).await;
            listed.map(|all| u64::try_from(all.len()).unwrap_or(u64::MAX))
        };
        let Some((group, version)) = served.api else {
            return all().await;
        };
        let path = format!("/apis/{group}/{version}/{resource}?limit=1");
        let qualified = format!("{resource}.{group}");
        let request = match Request::get(path).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => {
                let error = kube::Error::HttpError(error);
                return Observed::Unseen(self.gap(&qualified, &error, "list", &qualified, None));
            }
        };
        match self.client().request::<Beginning>(request).await {
            Ok(list) => match (list.metadata.remaining_item_count, list.metadata.next.is_empty()) {
                (Some(rest), _) => Observed::Seen(rest + u64::try_from(list.items.len()).unwrap_or(u64::MAX)),
                (None, true) => Observed::Seen(u64::try_from(list.items.len()).unwrap_or(u64::MAX)),
                // A server does not have to say it.
                (None, false) => all().await,
            },
            Err(error) => Observed::Unseen(self.gap(&qualified, &error, "list", &qualified, None)),
        }
    }

    /// Lists all objects of a resource, item by item.
    pub(super) async fn custom<T: DeserializeOwned>(
        &self,
        served: &Served,
        resource: &str,
    ) -> Observed<Vec<T>> {
        let Some((group, version)) = served.api else {
            return Observed::Unseen(Gap {
                what: resource.to_owned(),
                why: GapReason::NotServed,
                message: served.otherwise.to_owned(),
                hint: None,
            });
        };
        let query = ListQuery::new(group, version, resource);
        self.list(&format!("{resource}.{group}"), &query).await
    }

    /// As [`Cluster::custom`], of a resource that older and newer versions of the product do not have: then there are none.
    pub(super) async fn custom_or_none<T: DeserializeOwned>(
        &self,
        served: &Served,
        resource: &str,
    ) -> Observed<Vec<T>> {
        let listed = self.custom(served, resource).await;
        match listed {
            Observed::Unseen(gap) if gap.why == GapReason::NotServed && served.api.is_some() => {
                Observed::Seen(Vec::new())
            }
            listed => listed,
        }
    }
}
