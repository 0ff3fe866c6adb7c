use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use observation::PolicyPod;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::nodes::pod_cidrs;
use crate::scene::{Objects, lint};
use crate::shell::word;
use crate::view::View;

/// A pod that is told to use a proxy sends what is meant for the cluster there as well, unless `NO_PROXY` names it: names
/// of Services, the API server's address, which clients of the API are given as an address, and the pods' own network.
pub(crate) static CHECK: Check = Check {
    id: "net-egr-proxy",
    claim: "pods that use a proxy do not use it within the cluster",
    needs: &[Need::Policies],
    judge,
};

const PROXIES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
const EXCEPTIONS: &[&str] = &["NO_PROXY", "no_proxy"];
/// What kubelets are told where nobody chose another.
const DOMAIN: &str = "cluster.local";

fn judge(view: &View<'_>) -> Judgement {
    // The namespace of a policy that was asked about has nothing to do with it.
    if view.observation.node_reading.is_none() {
        return Judgement::not_asked();
    }
    let cluster = Cluster::of(view);
    lint(view, &[Objects::Pods], |scene| {
        let mut groups: BTreeMap<(&str, &BTreeMap<String, String>), Vec<&PolicyPod>> = BTreeMap::new();
        for pod in scene.facts.pods.seen().into_iter().flatten() {
            if PROXIES.iter().any(|name| is_set(&pod.proxy_settings, name)) {
                let key = (pod.namespace.as_str(), &pod.proxy_settings);
                groups.entry(key).or_default().push(pod);
            }
        }
        let findings = groups
            .into_iter()
            .filter_map(|((_, settings), pods)| finding(&cluster, settings, &pods));
        findings.collect()
    })
}

fn is_set(settings: &BTreeMap<String, String>, name: &str) -> bool {
    settings.get(name).is_some_and(|value| !value.trim().is_empty())
}

/// What belongs to the cluster.
struct Cluster {
    domain: String,
    /// The API server's ClusterIP, where it was read.
    api: Option<IpAddr>,
    pods: Vec<IpNet>,
}

impl Cluster {
    fn of(view: &View<'_>) -> Self {
        let reach = view.observation.reach.as_ref();
        let services = reach.and_then(|reach| reach.services.as_ref()?.seen());
        let api = services.and_then(|services| {
            let is_api = |name: &str, namespace: &str| name == "kubernetes" && namespace == "default";
            let service = services
                .iter()
                .find(|service| is_api(&service.name, &service.namespace))?;
            service.cluster_ips.first().copied()
        });
        Self {
            domain: reach
                .and_then(|reach| reach.cluster_domain.clone())
                .unwrap_or_else(|| DOMAIN.to_owned()),
            api,
            pods: view.nodes().values().flat_map(|node| pod_cidrs(node)).collect(),
        }
    }
}

/// `NO_PROXY` as clients read it: domains with all below them, addresses, networks, or `*`.
struct Exceptions<'a>(Vec<&'a str>);

impl<'a> Exceptions<'a> {
    fn of(settings: &'a BTreeMap<String, String>) -> Self {
        let lists = EXCEPTIONS.iter().filter_map(|name| settings.get(*name));
        let words = lists.flat_map(|list| list.split([',', ' ']));
        Self(words.map(str::trim).filter(|word| !word.is_empty()).collect())
    }

    fn has_name(&self, name: &str) -> bool {
        self.0.iter().any(|word| {
            let domain = word.trim_start_matches('*').trim_start_matches('.');
            *word == "*" || name == domain || (!domain.is_empty() && name.ends_with(&format!(".{domain}")))
        })
    }

    fn has_network(&self, network: &IpNet) -> bool {
        self.0.iter().any(|word| {
            *word == "*"
                || word.parse::<IpNet>().is_ok_and(|net| net.contains(network))
                || word
                    .parse::<IpAddr>()
                    .is_ok_and(|address| IpNet::from(address) == *network)
        })
    }
}

fn finding(cluster: &Cluster, settings: &BTreeMap<String, String>, pods: &[&PolicyPod]) -> Option<Finding> {
    let exceptions = Exceptions::of(settings);
    let mut missing = Vec::new();
    // Names are written short or in full, and a list that has one form does not have the other.
    if !exceptions.has_name("web.shop.svc") {
        missing.push(".svc".to_owned());
    }
    if !exceptions.has_name(&format!("web.shop.svc.{}", cluster.domain)) {
        missing.push(format!(".{}", cluster.domain));
    }
    if let Some(api) = cluster
        .api
        .filter(|api| !exceptions.has_network(&IpNet::from(*api)))
    {
        missing.push(format!("{api}, or the whole range of Services"));
    }
    // Few programs are given the address of a pod: alone it is only told.
    let severity = if missing.is_empty() {
        Severity::Note
    } else {
        Severity::Warning
    };
    let networks = cluster
        .pods
        .iter()
        .filter(|network| !exceptions.has_network(network));
    let networks: Vec<String> = networks.map(ToString::to_string).collect();
    match networks.as_slice() {
        [] => {}
        [one] => missing.push(format!("the pods' network {one}")),
        [first, others @ ..] => missing.push(format!("the pods' networks {first} and {} more", others.len())),
    }
    let first = pods.first()?;
    if missing.is_empty() {
        return None;
    }
    let named = |names: &[&str]| {
        let shown = names
            .iter()
            .filter_map(|name| Some(format!("{name}={}", settings.get(*name)?)));
        shown.collect::<Vec<_>>().join(" ")
    };
    let exceptions = match named(EXCEPTIONS) {
        none if none.is_empty() => "there is no NO_PROXY".to_owned(),
        some => some,
    };
    let namespace = first.namespace.as_str();
    let others = match pods.len() {
        1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::Object {
            kind: "namespace".to_owned(),
            name: namespace.to_owned(),
            namespace: None,
        },
        format!(
            "pod/{} -n {namespace}{others} would ask a proxy for what is in the cluster: NO_PROXY lacks {}",
            first.name,
            missing.join("; ")
        ),
        Evidence::field(
            format!("{}; {exceptions}", named(PROXIES)),
            format!("pod/{} -n {namespace} .spec.containers[*].env", first.name),
        ),
    );
    finding.hint = Some(format!(
        "add it to NO_PROXY in the template that these pods are made from; what is set now: `kubectl set env pod/{} -n {} \
         --list`",
        word(&first.name),
        word(namespace)
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::Scene;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;
    use observation::Observation;
    use report::Observed;

    /// A cluster in which one pod is told this of proxies.
    fn told(settings: &[(&str, &str)]) -> Observation {
        let mut observation = Scene::healthy(2).observation();
        observation.policy = Fixture::shop().everywhere().observe().policy;
        let facts = observation.policy.as_mut().unwrap();
        if let Observed::Seen(pods) = &mut facts.pods {
            pods[0].proxy_settings = settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
        }
        observation
    }

    const PROXY: (&str, &str) = ("HTTPS_PROXY", "http://proxy.example.com:3128");

    #[test]
    fn a_proxy_without_exceptions_is_found() {
        let findings = shown::finds(&CHECK, &told(&[PROXY]));
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0]
                .summary
                .contains("lacks .svc; .cluster.local; the pods' networks")
        );
        assert!(findings[0].evidence[0].fact.contains("there is no NO_PROXY"));
    }

    #[test]
    fn pods_networks_alone_are_only_told() {
        let findings = shown::finds(&CHECK, &told(&[PROXY, ("no_proxy", ".svc,.cluster.local")]));
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn what_covers_the_cluster_passes_and_so_do_pods_without_a_proxy() {
        let all = (
            "NO_PROXY",
            "localhost, .svc, cluster.local, 10.244.0.0/16, 10.96.0.0/12",
        );
        shown::passes(&CHECK, &told(&[PROXY, all]));
        shown::passes(&CHECK, &told(&[PROXY, ("NO_PROXY", "*")]));
        shown::passes(&CHECK, &told(&[]));
        shown::passes(&CHECK, &told(&[("HTTPS_PROXY", "")]));
    }

    #[test]
    fn without_pods_it_is_not_known_what_they_are_told() {
        shown::cannot_tell(&CHECK, &without_pods(told(&[PROXY])));
    }

    #[test]
    fn a_domain_covers_what_is_below_it_and_nothing_that_ends_alike() {
        let settings = BTreeMap::from([("NO_PROXY".to_owned(), "*.svc,local,10.0.0.7".to_owned())]);
        let exceptions = Exceptions::of(&settings);
        assert!(exceptions.has_name("web.shop.svc") && exceptions.has_name("a.cluster.local"));
        assert!(!exceptions.has_name("websvc") && !exceptions.has_name("a.notlocal"));
        assert!(exceptions.has_network(&"10.0.0.7/32".parse().unwrap()));
        assert!(!exceptions.has_network(&"10.0.0.0/24".parse().unwrap()));
    }
}
