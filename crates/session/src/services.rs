//! Which Services are tried, and what was read of them.

use checks::{ReachOptions, ServiceDepth, Wanted};
use cluster::{Cluster, ServiceScope};
use observation::{EndpointSlice, Node, Reach, Service, Topic};
use plugin::Failure;
use report::{Observed, Subject};

use crate::tries::joined;
use crate::type_name::{after_type, type_and_name};

/// What was read of Services.
pub struct ServiceFacts {
    /// The Services, those to compare with among them.
    pub services: Observed<Vec<Service>>,
    /// Their slices.
    pub slices: Observed<Vec<EndpointSlice>>,
    /// Those that are asked about.
    asked: Vec<Subject>,
    left_out: Vec<String>,
}

impl ServiceFacts {
    /// What is to be tried of them from these places, and what is left out: of those that are asked about everything, of the
    /// others their addresses.
    pub fn plan(
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
    pub fn none() -> Self {
        Self {
            services: Observed::Seen(Vec::new()),
            slices: Observed::Seen(Vec::new()),
            asked: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Asks only about so many of those that are such, and keeps what is needed to compare with.
    pub fn keep(&mut self, most: usize, is_such: impl Fn(&Service) -> bool) {
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
    pub fn asked(&self) -> Vec<&Service> {
        let all = self.services.seen().into_iter().flatten();
        all.filter(|service| self.asked.contains(&service.subject()))
            .collect()
    }

    /// What was read, as a part of an observation that has nothing tried yet.
    pub fn reach(self, topics: Vec<Topic>, options: &ReachOptions) -> Reach {
        Reach {
            asked: self.asked,
            services: Some(self.services),
            slices: Some(self.slices),
            cluster_domain: Some(options.cluster_domain.clone()),
            left_out: self.left_out,
            ..Reach::about(topics)
        }
    }
}

/// The Services of these names, and those to compare with: that of the API and that of the DNS.
pub async fn named(cluster: &Cluster, names: &[String]) -> Result<ServiceFacts, Failure> {
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
            let hint = elsewhere(cluster, &name, &namespace).await;
            return Err(Failure::new(format!(
                "Error from server (NotFound): services {name:?} not found"
            ))
            .with_hint(Some(hint)));
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

/// What to ask instead of a Service that is not in this namespace: one of the same name in another, where there is one.
async fn elsewhere(cluster: &Cluster, name: &str, namespace: &str) -> String {
    let list = format!("kubectl get services -n {namespace}");
    let all = cluster.services(ServiceScope::Named(name)).await;
    let namespaces: Vec<&str> = all
        .seen()
        .into_iter()
        .flatten()
        .map(|service| service.namespace.as_str())
        .collect();
    match namespaces[..] {
        [] => list,
        [first, ..] => format!(
            "{name} without a namespace means {namespace}; there is one in {}: {name}.{first}",
            namespaces.join(", ")
        ),
    }
}

/// A few Services of all: that of the API, that of the DNS, some that have endpoints, and one that has none.
pub async fn sampled(cluster: &Cluster, most: usize) -> ServiceFacts {
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

/// Reads names as [`parse_name`] does, which must be of one namespace. Without any it is the given one.
///
/// # Errors
/// When one of them names no Service, and when they are of several namespaces.
pub fn parse_names(names: &[String], namespace: &str) -> Result<(Vec<String>, String), Failure> {
    let names = after_type(names, &SERVICE)?;
    let parsed = names.iter().map(|text| parse_name(text, namespace));
    let parsed: Vec<(String, String)> = parsed.collect::<Result<_, _>>()?;
    let namespace = parsed
        .first()
        .map_or(namespace, |(_, namespace)| namespace)
        .to_owned();
    if let Some((name, other)) = parsed.iter().find(|(_, other)| *other != namespace) {
        return Err(Failure::new(format!(
            "error: {name:?} is in namespace {other:?} and others in {namespace:?}: ask about one namespace at a time"
        )));
    }
    Ok((parsed.into_iter().map(|(name, _)| name).collect(), namespace))
}

/// The words that kubectl takes for the type.
pub const SERVICE: [&str; 3] = ["svc", "service", "services"];

/// Reads `web`, `svc/web`, `service/web`, `services/web`, `web.shop`, `web.shop.svc…` as name and namespace.
///
/// # Errors
/// When it names no Service.
pub fn parse_name(text: &str, namespace: &str) -> Result<(String, String), Failure> {
    let name = match type_and_name(text)? {
        (Some(kind), name) if SERVICE.contains(&kind) => name,
        (Some(kind), _) => {
            return Err(Failure::new(format!(
                "error: {kind}/… is not a Service: expected NAME, svc/NAME or NAME.NAMESPACE"
            )));
        }
        (None, name) => name,
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
