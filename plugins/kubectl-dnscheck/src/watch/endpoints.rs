//! Who stands behind the DNS Service, as its EndpointSlices say round after round.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cluster::{Cluster, ServiceScope};
use observation::{EndpointSlice, Service};
use report::Observed;

/// The endpoints as they were when they were last read.
#[derive(Debug)]
pub(super) struct Endpoints {
    namespace: String,
    name: String,
    /// Whether each is ready.
    last: Option<Observed<BTreeMap<String, bool>>>,
    /// Whether at any time none was ready.
    pub(super) was_empty: bool,
    /// Whether at any time they could not be read.
    pub(super) was_unseen: bool,
}

impl Endpoints {
    /// Of this Service, none of them known yet.
    pub(super) fn of(service: &Service) -> Self {
        Self {
            namespace: service.namespace.clone(),
            name: service.name.clone(),
            last: None,
            was_empty: false,
            was_unseen: false,
        }
    }

    /// As kubectl prints it.
    pub(super) fn subject(&self) -> String {
        format!("service/{} -n {}", self.name, self.namespace)
    }

    /// Reads them again.
    pub(super) async fn read(&self, cluster: &Cluster) -> Observed<Vec<EndpointSlice>> {
        let scope = ServiceScope::One {
            namespace: &self.namespace,
            name: &self.name,
        };
        cluster.endpoint_slices(scope).await
    }

    /// Notes what was read, and says what changed and whether it is well. The first time that is nothing where one is ready.
    pub(super) fn note(&mut self, slices: &Observed<Vec<EndpointSlice>>) -> Option<(bool, String)> {
        let now = slices.clone().map(|slices| ready(&slices));
        self.was_unseen |= now.gap().is_some();
        let is_empty = now
            .seen()
            .is_some_and(|now| !now.values().any(|&is_ready| is_ready));
        self.was_empty |= is_empty;
        let told = match (self.last.as_ref(), &now) {
            (Some(Observed::Unseen(_)), Observed::Unseen(_)) => None,
            (_, Observed::Unseen(gap)) => Some((false, format!("could not be read: {}", gap.message))),
            (Some(Observed::Seen(before)), Observed::Seen(now)) if before == now => None,
            (None, Observed::Seen(_)) if !is_empty => None,
            (before, Observed::Seen(now)) => {
                let before = before.and_then(Observed::seen);
                Some((!is_empty, sentence(before, now)))
            }
        };
        self.last = Some(now);
        told
    }
}

/// By pods, or where an endpoint is none, by addresses.
fn ready(slices: &[EndpointSlice]) -> BTreeMap<String, bool> {
    let endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    endpoints
        .flat_map(|endpoint| {
            let pod = endpoint.pod.as_ref().map(|pod| format!("pod/{pod}"));
            let addresses = endpoint.addresses.iter();
            addresses.map(move |address| (pod.clone().unwrap_or_else(|| address.to_string()), endpoint.ready))
        })
        .collect()
}

fn sentence(before: Option<&BTreeMap<String, bool>>, now: &BTreeMap<String, bool>) -> String {
    let names = |of: &BTreeMap<String, bool>, other: &BTreeMap<String, bool>| {
        let ready = of.iter().filter(|(_, is_ready)| **is_ready);
        let only = ready.filter(|(name, _)| other.get(*name) != Some(&true));
        only.map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ")
    };
    let count = now.values().filter(|&&is_ready| is_ready).count();
    let mut text = format!("{count} of {} endpoints are ready", now.len());
    let Some(before) = before else { return text };
    for (word, names) in [("no more", names(before, now)), ("now", names(now, before))] {
        if !names.is_empty() {
            let _ = write!(text, ", {word} {names}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use observation::Endpoint;
    use report::{Gap, GapReason};

    use super::*;

    fn slices(pods: &[(&str, bool)]) -> Observed<Vec<EndpointSlice>> {
        let endpoint = |(name, ready): &(&str, bool)| -> Endpoint {
            serde_json::from_value(serde_json::json!({
                "addresses": ["10.244.1.5"], "ready": ready, "serving": ready, "terminating": false,
                "node": "node1", "pod": name,
            }))
            .unwrap()
        };
        Observed::Seen(vec![EndpointSlice {
            name: "kube-dns-abc".into(),
            namespace: "kube-system".into(),
            service: Some("kube-dns".into()),
            address_type: "IPv4".into(),
            ports: Vec::new(),
            endpoints: pods.iter().map(endpoint).collect(),
            managed_by: None,
            triggered: None,
        }])
    }

    fn endpoints() -> Endpoints {
        Endpoints {
            namespace: "kube-system".into(),
            name: "kube-dns".into(),
            last: None,
            was_empty: false,
            was_unseen: false,
        }
    }

    #[test]
    fn pods_that_come_and_go_are_told_and_none_that_is_ready_is_a_problem() {
        let mut endpoints = endpoints();
        assert_eq!(endpoints.note(&slices(&[("a", true), ("b", true)])), None);
        assert_eq!(endpoints.note(&slices(&[("b", true), ("a", true)])), None);
        assert_eq!(
            endpoints.note(&slices(&[("a", true), ("b", false)])),
            Some((true, "1 of 2 endpoints are ready, no more pod/b".into()))
        );
        assert!(!endpoints.was_empty);
        assert_eq!(
            endpoints.note(&slices(&[])),
            Some((false, "0 of 0 endpoints are ready, no more pod/a".into()))
        );
        assert!(endpoints.was_empty);
        assert_eq!(
            endpoints.note(&slices(&[("c", true)])),
            Some((true, "1 of 1 endpoints are ready, now pod/c".into()))
        );
    }

    #[test]
    fn none_from_the_beginning_is_told_and_what_could_not_be_read_once() {
        assert_eq!(
            endpoints().note(&slices(&[])),
            Some((false, "0 of 0 endpoints are ready".into()))
        );
        let mut endpoints = endpoints();
        let refused = Observed::Unseen(Gap {
            what: "EndpointSlices".into(),
            why: GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        assert_eq!(
            endpoints.note(&refused),
            Some((false, "could not be read: no".into()))
        );
        assert_eq!(endpoints.note(&refused), None);
        assert!(endpoints.was_unseen && !endpoints.was_empty);
    }
}
