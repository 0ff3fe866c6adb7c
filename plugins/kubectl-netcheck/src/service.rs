//! `kubectl netcheck service`: whether Services answer, from each node, by each way in.

use checks::{ReachOptions, ServiceDepth, Wanted};
use cluster::{Cluster, ConnectionArgs, ServiceScope};
use observation::{EndpointSlice, Node, Observation, Reach, Service, Topic};
use plugin::{Failure, Run, Spinner};
use report::{Observed, Subject};

use crate::inside::{self, FromPod};
use crate::look::Look;
use crate::session::Session;
use crate::tries::{Probers, joined, try_all};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ServiceArgs {
    /// Services, as NAME, svc/NAME or NAME.NAMESPACE. Without one: service/kubernetes, the cluster's DNS, and a sample.
    #[arg(value_name = "SERVICE")]
    names: Vec<String>,
    /// How often each ClusterIP is tried from each node; a backend is chosen anew each time.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// How many endpoints of a Service are tried by themselves from each node.
    #[arg(long, default_value_t = 10, value_name = "N")]
    endpoints: usize,
    /// How many Services are tried when none is named.
    #[arg(long, default_value_t = 5, value_name = "N")]
    sample: usize,
    /// The domain of the cluster's names.
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    #[command(flatten)]
    from: FromPod,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &ServiceArgs, run: &Run) -> Result<u8, Failure> {
    wanted
        .look
        .conclude("service", run, Box::pin(observe(connection, wanted, run)))
        .await
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &ServiceArgs,
    run: &Run,
) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let cluster = session.cluster.clone();
    let read = read(&cluster, wanted);
    let facts = session
        .observe("reading Services and EndpointSlices", read)
        .await??;
    let own = wanted.from.find(&cluster).await?;
    let options = ReachOptions {
        count: wanted.count,
        endpoints: wanted.endpoints,
        timeout_ms: look.timeout_ms(),
        cluster_domain: wanted.cluster_domain.trim_matches('.').to_owned(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..ReachOptions::default()
    };
    session.options.twins = false;
    let nodes = session.nodes();
    let work = async |probers: Probers<'_>, spinner: &Spinner| {
        let places = probers.places();
        let (mut wanted, left_out) = facts.plan(&nodes, &places, &options);
        wanted.extend(checks::plan_controls(&places, &options));
        let plan = checks::assemble(&probers.pods.placement().run, &places, &wanted, &options);
        (try_all(probers, &plan, spinner).await, left_out)
    };
    let tried = inside::with_from(&mut session, look.choice(), own.as_ref(), work).await?;
    let mut observation = session.finish(Some(tried.placement))?;
    let mut reach = facts.reach(vec![Topic::Service], &options);
    if let Some(((sources, attempts), left_out)) = tried.value {
        (reach.sources, reach.attempts) = (sources, attempts);
        reach.left_out.extend(left_out);
    }
    inside::note(
        &mut observation,
        &mut reach,
        tried.read,
        own.as_ref(),
        tried.is_inside,
    );
    observation.reach = Some(reach);
    Ok(observation)
}

/// What was read of Services.
pub(crate) struct ServiceFacts {
    pub(crate) services: Observed<Vec<Service>>,
    pub(crate) slices: Observed<Vec<EndpointSlice>>,
    /// Those that are asked about.
    asked: Vec<Subject>,
    left_out: Vec<String>,
}

impl ServiceFacts {
    pub(crate) fn plan(
        &self,
        nodes: &[Node],
        places: &[checks::ReachPlace],
        options: &ReachOptions,
    ) -> (Vec<Wanted>, Vec<String>) {
        let none = (Vec::new(), Vec::new());
        let (Observed::Seen(services), Observed::Seen(slices)) = (&self.services, &self.slices) else {
            return none;
        };
        let depths: Vec<(&Service, ServiceDepth)> = services
            .iter()
            .map(|service| {
                let depth = if self.asked.contains(&service.subject()) {
                    ServiceDepth::Full
                } else {
                    ServiceDepth::Address
                };
                (service, depth)
            })
            .collect();
        let dns = checks::dns_service(services);
        checks::plan_services(&depths, slices, dns, nodes, places, options)
    }

    /// Nothing of Services: something else is asked about.
    pub(crate) fn none() -> Self {
        Self {
            services: Observed::Seen(Vec::new()),
            slices: Observed::Seen(Vec::new()),
            asked: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Asks only about so many of those that are such, and keeps what is needed to compare with.
    pub(crate) fn keep(&mut self, most: usize, is_such: impl Fn(&Service) -> bool) {
        let such: Vec<Subject> = self
            .asked()
            .into_iter()
            .filter(|service| is_such(service))
            .map(Service::subject)
            .collect();
        let left = such.len().saturating_sub(most);
        self.left_out = (left > 0)
            .then(|| format!("{left} more Services: name one to try it, or raise --sample"))
            .into_iter()
            .collect();
        self.asked = such.into_iter().take(most).collect();
        let (asked, api) = (self.asked.clone(), "kubernetes");
        if let Observed::Seen(services) = &mut self.services {
            services.retain(|it| asked.contains(&it.subject()) || it.is_dns || it.name == api);
        }
    }

    /// The Services that are asked about.
    pub(crate) fn asked(&self) -> Vec<&Service> {
        let all = self.services.seen().into_iter().flatten();
        all.filter(|service| self.asked.contains(&service.subject()))
            .collect()
    }

    pub(crate) fn reach(self, topics: Vec<Topic>, options: &ReachOptions) -> Reach {
        Reach {
            topics,
            asked: self.asked,
            services: Some(self.services),
            slices: Some(self.slices),
            webhooks: None,
            api_services: None,
            pods: Vec::new(),
            cluster_domain: Some(options.cluster_domain.clone()),
            sources: Vec::new(),
            attempts: Vec::new(),
            left_out: self.left_out,
        }
    }
}

async fn read(cluster: &Cluster, wanted: &ServiceArgs) -> Result<ServiceFacts, Failure> {
    if wanted.names.is_empty() {
        Ok(sampled(cluster, wanted.sample).await)
    } else {
        named(cluster, &wanted.names).await
    }
}

/// The Services of these names, and those to compare with: that of the API and that of the DNS.
pub(crate) async fn named(cluster: &Cluster, names: &[String]) -> Result<ServiceFacts, Failure> {
    let mut facts = ServiceFacts {
        services: Observed::Seen(Vec::new()),
        slices: Observed::Seen(Vec::new()),
        asked: Vec::new(),
        left_out: Vec::new(),
    };
    for text in names {
        let (name, namespace) = parse_name(text, cluster.namespace())?;
        let scope = ServiceScope::One {
            namespace: &namespace,
            name: &name,
        };
        let (services, slices) = tokio::join!(cluster.services(scope), cluster.endpoint_slices(scope));
        if let Observed::Seen(found) = &services
            && found.is_empty()
        {
            return Err(Failure::new(format!(
                "Error from server (NotFound): services {name:?} not found"
            ))
            .with_hint(Some(format!("kubectl get services -n {namespace}"))));
        }
        facts
            .asked
            .extend(services.seen().into_iter().flatten().map(Service::subject));
        facts.services = joined(facts.services, services);
        facts.slices = joined(facts.slices, slices);
    }
    let kubernetes = ServiceScope::One {
        namespace: "default",
        name: "kubernetes",
    };
    for (what, scope) in [
        ("service/kubernetes", kubernetes),
        ("the DNS Service", ServiceScope::Dns),
    ] {
        let (services, slices) = tokio::join!(cluster.services(scope), cluster.endpoint_slices(scope));
        // Only to compare with: that it cannot be read is no gap in what was asked.
        match (services, slices) {
            (Observed::Seen(services), Observed::Seen(slices)) => {
                let known: Vec<Subject> = facts
                    .services
                    .seen()
                    .into_iter()
                    .flatten()
                    .map(Service::subject)
                    .collect();
                let new: Vec<Service> = services
                    .into_iter()
                    .filter(|service| !known.contains(&service.subject()))
                    .collect();
                if !new.is_empty() {
                    facts.services = joined(facts.services, Observed::Seen(new));
                    facts.slices = joined(facts.slices, Observed::Seen(slices));
                }
            }
            (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => {
                facts
                    .left_out
                    .push(format!("{what}, to compare with: {}", gap.message));
            }
        }
    }
    Ok(facts)
}

/// A few Services of all: that of the API, that of the DNS, some that have endpoints, and one that has none.
pub(crate) async fn sampled(cluster: &Cluster, most: usize) -> ServiceFacts {
    let (services, slices) = tokio::join!(
        cluster.services(ServiceScope::All),
        cluster.endpoint_slices(ServiceScope::All)
    );
    let (services, slices) = match (services, slices) {
        (Observed::Seen(services), Observed::Seen(slices)) => (services, slices),
        (services, slices) => {
            return ServiceFacts {
                services: services.map(|_| Vec::new()),
                slices: slices.map(|_| Vec::new()),
                asked: Vec::new(),
                left_out: Vec::new(),
            };
        }
    };
    let has_endpoint = |service: &&Service| {
        service
            .ports
            .iter()
            .any(|port| port.protocol == "TCP" && !checks::ready_endpoints(service, port, &slices).is_empty())
    };
    let is_kubernetes =
        |service: &&Service| (service.namespace.as_str(), service.name.as_str()) == ("default", "kubernetes");
    let mut asked: Vec<&Service> = services.iter().filter(is_kubernetes).collect();
    asked.extend(checks::dns_service(&services));
    let others: Vec<&Service> = services
        .iter()
        .filter(|service| !asked.contains(service) && !service.cluster_ips.is_empty())
        .filter(has_endpoint)
        .collect();
    // Evenly over the list, which is ordered by namespace and name.
    let step = others.len().div_ceil(most.max(1)).max(1);
    let room = most.saturating_sub(asked.len());
    asked.extend(others.iter().step_by(step).take(room).copied());
    let empty = services.iter().find(|service| {
        !service.cluster_ips.is_empty()
            && service.ports.iter().any(|port| port.protocol == "TCP")
            && service
                .ports
                .iter()
                .all(|port| checks::ready_endpoints(service, port, &slices).is_empty())
    });
    let left = services.len().saturating_sub(asked.len());
    let subjects: Vec<Subject> = asked.iter().map(|service| service.subject()).collect();
    let kept: Vec<Service> = asked.into_iter().chain(empty).cloned().collect();
    let belongs = |slice: &EndpointSlice| {
        kept.iter()
            .any(|it| it.namespace == slice.namespace && slice.service.as_ref() == Some(&it.name))
    };
    let slices = slices.iter().filter(|slice| belongs(slice)).cloned().collect();
    ServiceFacts {
        services: Observed::Seen(kept),
        slices: Observed::Seen(slices),
        asked: subjects,
        left_out: (left > 0)
            .then(|| format!("{left} more Services: name one to try it, or raise --sample"))
            .into_iter()
            .collect(),
    }
}

/// Reads `web`, `svc/web`, `service/web`, `services/web`, `web.shop`, `web.shop.svc…` as name and namespace.
fn parse_name(text: &str, namespace: &str) -> Result<(String, String), Failure> {
    let name = match text.split_once('/') {
        Some(("svc" | "service" | "services", name)) => name,
        Some((kind, _)) => {
            return Err(Failure::new(format!(
                "error: {kind}/… is not a Service: expected NAME, svc/NAME or NAME.NAMESPACE"
            )));
        }
        None => text,
    };
    let mut parts = name.trim_end_matches('.').split('.');
    let name = parts.next().filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(Failure::new(format!("error: {text:?} names no Service")));
    };
    let namespace = parts.next().unwrap_or(namespace);
    Ok((name.to_owned(), namespace.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_as_kubectl_and_as_dns_name_it() {
        for (text, expected) in [
            ("web", ("web", "shop")),
            ("svc/web", ("web", "shop")),
            ("services/web", ("web", "shop")),
            ("web.prod", ("web", "prod")),
            ("web.prod.svc.cluster.local.", ("web", "prod")),
        ] {
            let (name, namespace) = parse_name(text, "shop").unwrap();
            assert_eq!((name.as_str(), namespace.as_str()), expected, "{text}");
        }
        for text in ["pod/web", "svc/", ""] {
            assert!(parse_name(text, "shop").is_err(), "{text}");
        }
    }
}
