//! Services, their EndpointSlices, and what of the control plane is served by Services.

mod pod;
mod served;
mod service;
mod slice;

use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{ApiService, EndpointSlice, PathPod, Service, Webhook};
use report::Observed;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::list::ListQuery;
use pod::PodObject;
use served::{ApiServiceObject, WebhookConfiguration};
use service::ServiceObject;
pub(crate) use slice::SliceObject;

/// Which Services, or the EndpointSlices of which Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceScope<'a> {
    /// Of all namespaces.
    All,
    /// Of this namespace.
    Namespace(&'a str),
    /// Of all namespaces, with the label that the cluster's DNS has.
    Dns,
    /// Of all namespaces, with this name.
    Named(&'a str),
    /// This one.
    One {
        /// `metadata.namespace`.
        namespace: &'a str,
        /// `metadata.name`.
        name: &'a str,
    },
}

const DNS_LABEL: &str = "k8s-app=kube-dns";

impl Cluster {
    /// Services, by namespace and name. That there is none of the name that was asked for is an empty list.
    pub async fn services(&self, scope: ServiceScope<'_>) -> Observed<Vec<Service>> {
        let query = ListQuery::new("", "v1", "services");
        let (what, query) = match scope {
            ServiceScope::All => ("Services".to_owned(), query),
            ServiceScope::Namespace(namespace) => (
                format!("Services of namespace {namespace}"),
                query.in_namespace(namespace),
            ),
            ServiceScope::Dns => ("the DNS Service".to_owned(), query.with_labels(DNS_LABEL)),
            ServiceScope::Named(name) => (
                format!("Services with the name {name}"),
                query.with_fields(format!("metadata.name={name}")),
            ),
            ServiceScope::One { namespace, name } => (
                format!("service/{name} -n {namespace}"),
                query
                    .in_namespace(namespace)
                    .with_fields(format!("metadata.name={name}")),
            ),
        };
        self.listed_services(&what, &query).await
    }

    pub(crate) async fn listed_services(&self, what: &str, query: &ListQuery) -> Observed<Vec<Service>> {
        self.list::<ServiceObject>(what, query).await.map(|objects| {
            let mut services: Vec<Service> = objects.into_iter().map(Service::from).collect();
            services.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
            services
        })
    }

    /// EndpointSlices, by namespace and name.
    pub async fn endpoint_slices(&self, scope: ServiceScope<'_>) -> Observed<Vec<EndpointSlice>> {
        let query = ListQuery::new("discovery.k8s.io", "v1", "endpointslices");
        let (what, query) = match scope {
            ServiceScope::All => ("EndpointSlices".to_owned(), query),
            ServiceScope::Namespace(namespace) => (
                format!("EndpointSlices of namespace {namespace}"),
                query.in_namespace(namespace),
            ),
            ServiceScope::Named(name) => (
                format!("EndpointSlices of Services with the name {name}"),
                query.with_labels(format!("kubernetes.io/service-name={name}")),
            ),
            // The controller copies the labels of the Service.
            ServiceScope::Dns => (
                "EndpointSlices of the DNS Service".to_owned(),
                query.with_labels(DNS_LABEL),
            ),
            ServiceScope::One { namespace, name } => (
                format!("EndpointSlices of service/{name} -n {namespace}"),
                query
                    .in_namespace(namespace)
                    .with_labels(format!("kubernetes.io/service-name={name}")),
            ),
        };
        self.listed_slices(&what, &query).await
    }

    pub(crate) async fn listed_slices(&self, what: &str, query: &ListQuery) -> Observed<Vec<EndpointSlice>> {
        self.list::<SliceObject>(what, query).await.map(|objects| {
            let mut slices: Vec<EndpointSlice> = objects.into_iter().map(EndpointSlice::from).collect();
            slices.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
            slices
        })
    }

    /// Admission webhooks of both kinds. Unseen when either kind cannot be read.
    pub async fn webhooks(&self) -> Observed<Vec<Webhook>> {
        let group = "admissionregistration.k8s.io";
        let query = |resource| ListQuery::new(group, "v1", resource);
        let (validating, mutating) = (
            query("validatingwebhookconfigurations"),
            query("mutatingwebhookconfigurations"),
        );
        let (validating, mutating) = tokio::join!(
            self.list::<WebhookConfiguration>("validating webhooks", &validating),
            self.list::<WebhookConfiguration>("mutating webhooks", &mutating),
        );
        let of = |kind: &str, configurations: Vec<WebhookConfiguration>| -> Vec<Webhook> {
            let each = configurations
                .into_iter()
                .flat_map(|configuration| configuration.webhooks(kind));
            each.collect()
        };
        match (validating, mutating) {
            (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Observed::Unseen(gap),
            (Observed::Seen(validating), Observed::Seen(mutating)) => {
                let mut webhooks = of("validatingwebhookconfiguration", validating);
                webhooks.extend(of("mutatingwebhookconfiguration", mutating));
                Observed::Seen(webhooks)
            }
        }
    }

    /// APIServices that a Service serves; those that the API server serves itself are left out.
    pub async fn api_services(&self) -> Observed<Vec<ApiService>> {
        let query = ListQuery::new("apiregistration.k8s.io", "v1", "apiservices");
        let listed = self.list::<ApiServiceObject>("APIServices", &query).await;
        listed.map(|objects| {
            objects
                .into_iter()
                .filter_map(ApiServiceObject::into_served)
                .collect()
        })
    }
}

impl Cluster {
    /// A pod at an end of a path. That there is none of that name is an empty list.
    pub async fn path_pods(&self, namespace: &str, name: &str) -> Observed<Vec<PathPod>> {
        let query = ListQuery::new("", "v1", "pods")
            .in_namespace(namespace)
            .with_fields(format!("metadata.name={name}"));
        let listed = self
            .list::<PodObject>(&format!("pod/{name} -n {namespace}"), &query)
            .await;
        listed.map(|objects| objects.into_iter().map(PathPod::from).collect())
    }
}

// In the API an absent list or string of these is an empty one: the server leaves out what is empty.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    finalizers: Vec<String>,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
}

fn addresses(texts: &[String]) -> Vec<IpAddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn tcp() -> String {
    "TCP".to_owned()
}
