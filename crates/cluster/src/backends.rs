//! Services and what stands behind them: everything that says why a Service has nobody behind it.

mod around;
mod caller;
mod named;
mod pod;
#[cfg(test)]
mod tests;
mod workload;

use std::collections::BTreeSet;

use observation::{
    AskedCaller, BackendPod, BackendWorkload, Backends, BackendsQuestion, EndpointSlice, EndpointsObject,
    ReferenceGrant, SecondLook, Service, ServiceCaller,
};
use report::{GapReason, Observed};

use self::caller::{GATEWAY, GrantItem, IngressItem, RouteItem, foreign};
pub use self::named::{CallerKind, RouteKind};
pub(crate) use self::pod::PodItem;
use self::workload::WorkloadItem;
use crate::cluster::Cluster;
use crate::list::ListQuery;

/// So many Services without a selector and without slices are asked for their Endpoints objects, one by one.
const MOST_ENDPOINTS: usize = 20;

impl Cluster {
    /// Reads Services and what stands behind them. `read_at` is the time now, RFC 3339, UTC. Services by their names cost the lists of
    /// their namespaces, never those of the cluster. `asked_callers` are those that the question comes from.
    pub async fn backends(
        &self,
        question: BackendsQuestion,
        asked_callers: Vec<AskedCaller>,
        read_at: String,
    ) -> Backends {
        let scopes = scopes(&question);
        let selector = question.selector.as_deref();
        let (services, slices, pods, workloads, events, controller_manager, callers) = tokio::join!(
            of_each(&scopes, async |it| self.asked_services(it, selector).await),
            of_each(&scopes, async |it| self
                .slices_behind(it, question.name.as_deref())
                .await),
            of_each(&scopes, async |it| self.pods_behind(it).await),
            of_each(&scopes, async |it| self.workloads_behind(it).await),
            of_each(&scopes, async |it| self.backend_events(it).await),
            self.controller_lease(),
            of_each(&scopes, async |it| self.service_callers(it).await),
        );
        let mut backends = Backends {
            question,
            read_at,
            services,
            elsewhere: None,
            slices,
            pods,
            workloads,
            events,
            controller_manager,
            callers,
            endpoints: None,
            load_balancers: None,
            asked_callers,
            grants: None,
            second_look: None,
        };
        self.complete(&mut backends).await;
        backends.grants = self.grants_for(&backends).await;
        backends
    }

    /// EndpointSlices and pods of all that was asked about, once more. `read_at` is the time now, RFC 3339, UTC.
    pub async fn look_again(&self, question: &BackendsQuestion, read_at: String) -> SecondLook {
        let scopes = scopes(question);
        let (slices, pods) = tokio::join!(
            of_each(&scopes, async |it| self
                .slices_behind(it, question.name.as_deref())
                .await),
            of_each(&scopes, async |it| self.pods_behind(it).await),
        );
        SecondLook {
            read_at,
            slices,
            pods,
        }
    }

    /// EndpointSlices and pods of these Services, by namespace and name, once more. `read_at` is the time now, RFC 3339, UTC.
    pub async fn second_look(&self, services: &BTreeSet<(String, String)>, read_at: String) -> SecondLook {
        let namespaces: BTreeSet<&str> = services.iter().map(|(namespace, _)| namespace.as_str()).collect();
        let mut slices = Observed::Seen(Vec::new());
        let mut pods = Observed::Seen(Vec::new());
        for namespace in namespaces {
            let mut of: Vec<&str> = services
                .iter()
                .filter(|(it, _)| it == namespace)
                .map(|(_, name)| name.as_str())
                .collect();
            of.sort_unstable();
            let only = match of.as_slice() {
                [one] => Some(*one),
                _ => None,
            };
            let (more_slices, more_pods) = tokio::join!(
                self.slices_behind(Some(namespace), only),
                self.pods_behind(Some(namespace))
            );
            let wanted = more_slices.map(|all| {
                let is_wanted =
                    |slice: &EndpointSlice| slice.service.as_deref().is_some_and(|it| of.contains(&it));
                all.into_iter().filter(is_wanted).collect()
            });
            slices = joined(slices, wanted);
            pods = joined(pods, more_pods);
        }
        SecondLook {
            read_at,
            slices,
            pods,
        }
    }

    /// What is read only where what was read calls for it.
    async fn complete(&self, backends: &mut Backends) {
        let Observed::Seen(services) = &backends.services else {
            return;
        };
        if let (Some(namespace), Some(name)) = (&backends.question.namespace, &backends.question.name) {
            match services.iter().find(|service| service.name == *name) {
                None => {
                    let found = self.namespaces_of_service(name).await;
                    backends.elsewhere = Some(found);
                }
                Some(service) => {
                    let more = self.selected_elsewhere(namespace, service, &backends.pods).await;
                    if let Observed::Seen(pods) = &mut backends.pods {
                        pods.extend(more);
                    }
                }
            }
        }
        let is_asked = |service: &&Service| backends.question.is_about(service);
        if services
            .iter()
            .filter(is_asked)
            .any(|service| service.kind == "LoadBalancer")
        {
            backends.load_balancers = Some(self.load_balancer_makers().await);
        }
        if let Observed::Seen(slices) = &backends.slices {
            let filled: BTreeSet<(&str, &str)> = slices
                .iter()
                .filter_map(|slice| Some((slice.namespace.as_str(), slice.service.as_deref()?)))
                .collect();
            let unfilled: Vec<(&str, &str)> = services
                .iter()
                .filter(is_asked)
                .filter(|service| service.selector.is_empty() && service.kind != "ExternalName")
                .map(|service| (service.namespace.as_str(), service.name.as_str()))
                .filter(|service| !filled.contains(service))
                .take(MOST_ENDPOINTS)
                .collect();
            if !unfilled.is_empty() {
                backends.endpoints = Some(self.endpoints_of(&unfilled).await);
            }
        }
    }

    async fn asked_services(
        &self,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Observed<Vec<Service>> {
        let mut query = within(ListQuery::new("", "v1", "services"), namespace);
        if let Some(selector) = selector {
            query = query.with_labels(selector);
        }
        self.listed_services("Services", &query).await
    }

    async fn slices_behind(
        &self,
        namespace: Option<&str>,
        service: Option<&str>,
    ) -> Observed<Vec<EndpointSlice>> {
        let query = within(
            ListQuery::new("discovery.k8s.io", "v1", "endpointslices"),
            namespace,
        );
        let (what, query) = match service {
            Some(name) => (
                format!("EndpointSlices of service/{name}"),
                query.with_labels(format!("kubernetes.io/service-name={name}")),
            ),
            None => ("EndpointSlices".to_owned(), query),
        };
        self.listed_slices(&what, &query).await
    }

    async fn pods_behind(&self, namespace: Option<&str>) -> Observed<Vec<BackendPod>> {
        let query = within(ListQuery::new("", "v1", "pods"), namespace);
        let listed = self.list::<PodItem>("pods", &query).await;
        listed.map(sorted_pods)
    }

    /// Pods of other namespaces that a Service's selector would select, where it selects none of its own.
    async fn selected_elsewhere(
        &self,
        namespace: &str,
        service: &Service,
        pods: &Observed<Vec<BackendPod>>,
    ) -> Vec<BackendPod> {
        let selects = |pod: &BackendPod| {
            let mut terms = service.selector.iter();
            terms.all(|(key, value)| pod.labels.get(key) == Some(value))
        };
        let own = pods.seen().map_or(&[][..], Vec::as_slice);
        if service.selector.is_empty() || own.iter().any(selects) {
            return Vec::new();
        }
        let terms: Vec<String> = service
            .selector
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let query = ListQuery::new("", "v1", "pods").with_labels(terms.join(","));
        // It only helps to guess what was meant: who may not list pods of other namespaces is told nothing of them.
        match self.list::<PodItem>("pods of other namespaces", &query).await {
            Observed::Seen(items) => {
                let mut more = sorted_pods(items);
                more.retain(|pod| pod.namespace != namespace);
                more
            }
            Observed::Unseen(_) => Vec::new(),
        }
    }

    async fn workloads_behind(&self, namespace: Option<&str>) -> Observed<Vec<BackendWorkload>> {
        let query = |resource| within(ListQuery::new("apps", "v1", resource), namespace);
        let (deployments, stateful, daemons) =
            (query("deployments"), query("statefulsets"), query("daemonsets"));
        let (deployments, stateful, daemons) = tokio::join!(
            self.list::<WorkloadItem>("Deployments", &deployments),
            self.list::<WorkloadItem>("StatefulSets", &stateful),
            self.list::<WorkloadItem>("DaemonSets", &daemons),
        );
        let mut all = Observed::Seen(Vec::new());
        for (kind, items) in [
            ("deployment", deployments),
            ("statefulset", stateful),
            ("daemonset", daemons),
        ] {
            let workloads = items.map(|items| items.into_iter().map(|item| item.workload(kind)).collect());
            all = joined(all, workloads);
        }
        all
    }

    /// Ingresses, and routes of the Gateway API where it is served.
    async fn service_callers(&self, namespace: Option<&str>) -> Observed<Vec<ServiceCaller>> {
        let ingresses = within(ListQuery::new("networking.k8s.io", "v1", "ingresses"), namespace);
        let route = |resource| within(ListQuery::new(GATEWAY, "v1", resource), namespace);
        let (http, grpc) = (route("httproutes"), route("grpcroutes"));
        let (ingresses, http, grpc) = tokio::join!(
            self.list::<IngressItem>("Ingresses", &ingresses),
            self.list::<RouteItem>("HTTPRoutes", &http),
            self.list::<RouteItem>("GRPCRoutes", &grpc),
        );
        let mut all = ingresses.map(|items| items.into_iter().flat_map(IngressItem::callers).collect());
        for (kind, routes) in [("httproute", http), ("grpcroute", grpc)] {
            // Most clusters do not have it.
            if routes.gap().is_some_and(|gap| gap.why == GapReason::NotServed) {
                continue;
            }
            let callers = routes.map(|items| items.into_iter().flat_map(|item| item.callers(kind)).collect());
            all = joined(all, callers);
        }
        all.map(|mut callers: Vec<ServiceCaller>| {
            callers.sort();
            callers.dedup();
            callers
        })
    }

    /// What allows routes to send to Services of other namespaces, where any does.
    async fn grants_for(&self, backends: &Backends) -> Option<Observed<Vec<ReferenceGrant>>> {
        let asked = backends.asked_callers.iter().flat_map(|asked| &asked.calls);
        let listed = backends.callers.seen().into_iter().flatten();
        let namespaces = foreign(asked.chain(listed));
        if namespaces.is_empty() {
            return None;
        }
        // Where there is no such kind, nothing is allowed.
        let version = match self.gateway_version("referencegrants").await {
            Ok(Some(version)) => version,
            Ok(None) => return Some(Observed::Seen(Vec::new())),
            // The list says why.
            Err(_) => "v1beta1".to_owned(),
        };
        let scopes: Vec<Option<&str>> = namespaces.into_iter().map(Some).collect();
        let grants = of_each(&scopes, async |namespace| {
            let query = within(
                ListQuery::new(GATEWAY, version.as_str(), "referencegrants"),
                namespace,
            );
            let items = self.list::<GrantItem>("ReferenceGrants", &query).await;
            items.map(|items| items.into_iter().flat_map(GrantItem::grants).collect())
        });
        Some(grants.await.map(|mut grants| {
            grants.sort();
            grants
        }))
    }

    async fn endpoints_of(&self, services: &[(&str, &str)]) -> Observed<Vec<EndpointsObject>> {
        let mut all = Observed::Seen(Vec::new());
        for (namespace, name) in services {
            let query = ListQuery::new("", "v1", "endpoints")
                .in_namespace(*namespace)
                .with_fields(format!("metadata.name={name}"));
            let what = format!("endpoints/{name} -n {namespace}");
            let listed = self.list::<around::EndpointsItem>(&what, &query).await;
            let objects = listed.map(|items| items.into_iter().map(EndpointsObject::from).collect());
            all = joined(all, objects);
        }
        all
    }
}

/// The namespaces to read for a question; `None` is all of the cluster.
fn scopes(question: &BackendsQuestion) -> Vec<Option<&str>> {
    match question.namespaces() {
        Some(namespaces) => namespaces.into_iter().map(Some).collect(),
        None => vec![None],
    }
}

/// The lists of these namespaces as one.
async fn of_each<'a, T>(
    scopes: &[Option<&'a str>],
    read: impl AsyncFn(Option<&'a str>) -> Observed<Vec<T>>,
) -> Observed<Vec<T>> {
    let mut all = Observed::Seen(Vec::new());
    for scope in scopes {
        all = joined(all, read(*scope).await);
    }
    all
}

fn sorted_pods(items: Vec<PodItem>) -> Vec<BackendPod> {
    let mut pods: Vec<BackendPod> = items.into_iter().map(BackendPod::from).collect();
    pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    pods
}

pub(crate) fn within(query: ListQuery, namespace: Option<&str>) -> ListQuery {
    match namespace {
        Some(namespace) => query.in_namespace(namespace),
        None => query,
    }
}

/// Both lists as one; unseen where either is.
pub(crate) fn joined<T>(all: Observed<Vec<T>>, more: Observed<Vec<T>>) -> Observed<Vec<T>> {
    match (all, more) {
        (Observed::Seen(mut all), Observed::Seen(more)) => {
            all.extend(more);
            Observed::Seen(all)
        }
        (Observed::Unseen(gap), _) | (Observed::Seen(_), Observed::Unseen(gap)) => Observed::Unseen(gap),
    }
}
