//! What becomes of the endpoints of Services while somebody watches: who comes and goes, who cannot make up their mind, and how long
//! it takes until nodes know.
//!
//! Times are milliseconds since the watching began, and all of one clock: ours.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use checks::Led;
use observation::{BackendPod, EndpointSlice, Service};
use report::Observed;

/// Rules that do not follow for so long have a problem: kube-proxy writes within a second or two, on very large nodes within ten.
pub(crate) const LONGEST_MS: u64 = 30_000;
/// Who stops being ready so often cannot make up its mind.
const FLAPS: u32 = 3;

/// Namespace and name.
type Name = (String, String);

/// Something that people want to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// As `service/web -n shop`.
    pub(crate) service: String,
    pub(crate) what: What,
    /// Endpoints of the Service that are ready then.
    pub(crate) ready: usize,
    /// All endpoints of it.
    pub(crate) all: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An endpoint is ready; so long after its pod was seen to be, where that was seen.
    Ready {
        endpoint: String,
        after_pod_ms: Option<u64>,
    },
    /// An endpoint is in the slices, and not ready.
    NotReady { endpoint: String },
    /// An endpoint is not in the slices any more.
    Gone { endpoint: String },
    /// The rules of a node follow a change, so long after it.
    Followed { node: String, after_ms: u64 },
    /// The rules of a node do not, though there was time.
    Behind { node: String, after_ms: u64 },
}

/// An endpoint as slices have it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    /// As `pod/web-1 on node2`, else its address.
    endpoint: String,
    is_ready: bool,
    pod: Option<Name>,
}

/// What the rules of nodes have yet to follow.
#[derive(Clone, Debug)]
struct Pending {
    service: Name,
    since_ms: u64,
    /// Rules must lead there.
    added: BTreeSet<IpAddr>,
    /// Rules must not lead there any more.
    gone: BTreeSet<IpAddr>,
    nodes: BTreeSet<String>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    services: BTreeMap<Name, Service>,
    slices: BTreeMap<Name, EndpointSlice>,
    endpoints: BTreeMap<Name, BTreeMap<IpAddr, Known>>,
    /// When pods were seen to become ready.
    ready_pods: BTreeMap<Name, u64>,
    pods: BTreeMap<Name, bool>,
    is_listed: bool,
    nodes: BTreeSet<String>,
    pending: Vec<Pending>,
    pub(crate) tally: BTreeMap<String, Tally>,
    /// How long after a change of the slices the rules of a node followed.
    pub(crate) followed: BTreeMap<String, Vec<u64>>,
    pub(crate) behind: BTreeSet<String>,
}

/// What happened to one Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) came: u32,
    pub(crate) went: u32,
    /// How often endpoints that stayed stopped being ready.
    pub(crate) stopped: BTreeMap<String, u32>,
    /// Whether it had endpoints, and then none that was ready.
    pub(crate) was_empty: bool,
    /// From a pod that is ready to an endpoint that is.
    pub(crate) after_pod_ms: Vec<u64>,
}

impl Tally {
    /// The endpoints that cannot make up their mind, and how often they stopped being ready.
    pub(crate) fn flapping(&self) -> impl Iterator<Item = (&str, u32)> {
        let often = self.stopped.iter().filter(|(_, times)| **times >= FLAPS);
        often.map(|(endpoint, times)| (endpoint.as_str(), *times))
    }
}

impl Ledger {
    /// Of these Services, and with the rules of these nodes.
    pub(crate) fn new(services: &[Service], nodes: BTreeSet<String>) -> Self {
        let named = |service: &Service| ((service.namespace.clone(), service.name.clone()), service.clone());
        Self {
            services: services.iter().map(named).collect(),
            nodes,
            ..Self::default()
        }
    }

    /// What was there at the beginning is no news.
    pub(crate) fn listed(&mut self) {
        self.is_listed = true;
    }

    /// How many Services there are, their endpoints, and how many of those are ready.
    pub(crate) fn count(&self) -> (usize, usize, usize) {
        let all = || self.endpoints.values().flat_map(BTreeMap::values);
        let ready = all().filter(|known| known.is_ready).count();
        (self.services.len(), all().count(), ready)
    }

    /// A pod as it is now.
    pub(crate) fn pod(&mut self, at_ms: u64, pod: &BackendPod) {
        let name = (pod.namespace.clone(), pod.name.clone());
        let before = self.pods.insert(name.clone(), pod.ready);
        if pod.ready && before == Some(false) && self.is_listed {
            self.ready_pods.insert(name, at_ms);
        } else if !pod.ready {
            self.ready_pods.remove(&name);
        }
    }

    /// A pod that is gone.
    pub(crate) fn pod_gone(&mut self, name: &Name) {
        self.pods.remove(name);
        self.ready_pods.remove(name);
    }

    /// A slice as it is now, and what that changes.
    pub(crate) fn slice(&mut self, at_ms: u64, slice: EndpointSlice) -> Vec<Change> {
        let name = (slice.namespace.clone(), slice.name.clone());
        let service = slice.service.clone();
        let namespace = slice.namespace.clone();
        let before = self.slices.insert(name, slice).and_then(|before| before.service);
        let mut changes = Vec::new();
        for of in before
            .iter()
            .chain(service.iter().filter(|it| before.as_ref() != Some(it)))
        {
            changes.extend(self.look(at_ms, &(namespace.clone(), of.clone())));
        }
        changes
    }

    /// A slice that is gone, and what that changes.
    pub(crate) fn slice_gone(&mut self, at_ms: u64, name: &Name) -> Vec<Change> {
        let Some(service) = self.slices.remove(name).and_then(|slice| slice.service) else {
            return Vec::new();
        };
        self.look(at_ms, &(name.0.clone(), service))
    }

    /// Compares the endpoints of a Service with those of before.
    fn look(&mut self, at_ms: u64, name: &Name) -> Vec<Change> {
        let Some(service) = self.services.get(name).cloned() else {
            return Vec::new();
        };
        let now = self.of_slices(name);
        let before = self
            .endpoints
            .insert(name.clone(), now.clone())
            .unwrap_or_default();
        if !self.is_listed {
            return Vec::new();
        }
        let subject = service.subject().to_string();
        let ready = now.values().filter(|known| known.is_ready).count();
        let tally = self.tally.entry(subject.clone()).or_default();
        let mut whats = Vec::new();
        let mut pending = Pending {
            service: name.clone(),
            since_ms: at_ms,
            added: BTreeSet::new(),
            gone: BTreeSet::new(),
            nodes: self.nodes.clone(),
        };
        for (address, known) in &now {
            let was = before.get(address).map(|before| before.is_ready);
            let endpoint = known.endpoint.clone();
            tally.came += u32::from(was.is_none());
            if known.is_ready && was != Some(true) {
                let since_pod = |pod: &Name| match self.pods.get(pod)? {
                    true => Some(at_ms.saturating_sub(*self.ready_pods.get(pod)?)),
                    // The two watches are not in step: the slice came first, and its pod is about to.
                    false => (!service.settings.publish_not_ready).then_some(0),
                };
                let after_pod_ms = known.pod.as_ref().and_then(since_pod);
                tally.after_pod_ms.extend(after_pod_ms);
                pending.added.insert(*address);
                whats.push(What::Ready {
                    endpoint,
                    after_pod_ms,
                });
            } else if !known.is_ready && was != Some(false) {
                if was == Some(true) {
                    *tally.stopped.entry(endpoint.clone()).or_default() += 1;
                    pending.gone.insert(*address);
                }
                whats.push(What::NotReady { endpoint });
            }
        }
        for (address, known) in before.iter().filter(|(address, _)| !now.contains_key(address)) {
            tally.went += 1;
            if known.is_ready {
                pending.gone.insert(*address);
            }
            whats.push(What::Gone {
                endpoint: known.endpoint.clone(),
            });
        }
        let had_some = before.values().any(|known| known.is_ready);
        tally.was_empty |= had_some && ready == 0;
        self.await_rules(&service, ready, pending);
        let change = |what| Change {
            service: subject.clone(),
            what,
            ready,
            all: now.len(),
        };
        whats.into_iter().map(change).collect()
    }

    /// The endpoints that all slices of a Service have, by their first address: the others are ignored by kube-proxy too.
    fn of_slices(&self, name: &Name) -> BTreeMap<IpAddr, Known> {
        let mut all = BTreeMap::new();
        let of_service = |slice: &&EndpointSlice| {
            slice.namespace == name.0 && slice.service.as_deref() == Some(name.1.as_str())
        };
        for endpoint in self
            .slices
            .values()
            .filter(of_service)
            .flat_map(|slice| &slice.endpoints)
        {
            let Some(address) = endpoint.addresses.first() else {
                continue;
            };
            let node = endpoint
                .node
                .as_ref()
                .map_or_else(String::new, |node| format!(" on {node}"));
            let shown = match &endpoint.pod {
                Some(pod) => format!("pod/{pod}{node}"),
                None => format!("{address}{node}"),
            };
            let known = Known {
                endpoint: shown,
                is_ready: endpoint.ready,
                pod: endpoint.pod.clone().map(|pod| (name.0.clone(), pod)),
            };
            all.insert(address.to_canonical(), known);
        }
        all
    }

    /// Notes what rules have to follow. Where endpoints are chosen by the node, and where none is ready, so that those that end may
    /// stay, it is not known what they have to come to.
    fn await_rules(&mut self, service: &Service, ready: usize, pending: Pending) {
        // What changes again before it was followed is followed with the later change.
        for earlier in &mut self.pending {
            if earlier.service == pending.service {
                earlier.added.retain(|address| !pending.gone.contains(address));
                earlier.gone.retain(|address| !pending.added.contains(address));
            }
        }
        self.pending
            .retain(|pending| !pending.added.is_empty() || !pending.gone.is_empty());
        let settings = &service.settings;
        let is_chosen = service.internal_local || settings.is_topology_aware();
        let is_proxied = !service.cluster_ips.is_empty() && settings.proxy_name.is_none();
        let is_any = !pending.added.is_empty() || !pending.gone.is_empty();
        if is_proxied && !is_chosen && is_any && ready > 0 && !pending.nodes.is_empty() {
            self.pending.push(pending);
        }
    }

    /// The nodes whose rules have yet to follow something.
    pub(crate) fn awaited(&self) -> BTreeSet<String> {
        let nodes = self.pending.iter().flat_map(|pending| &pending.nodes);
        nodes.cloned().collect()
    }

    /// The rules of a node as they are now, and what they have followed by that. `None` where they could not be read.
    pub(crate) fn rules(&mut self, at_ms: u64, node: &str, led: &Observed<Led>) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut pending = std::mem::take(&mut self.pending);
        for one in pending.iter_mut().filter(|one| one.nodes.contains(node)) {
            let after_ms = at_ms.saturating_sub(one.since_ms);
            let is_done = led.seen().is_some_and(|led| self.is_followed(one, led));
            let what = if is_done {
                self.followed.entry(node.to_owned()).or_default().push(after_ms);
                What::Followed {
                    node: node.to_owned(),
                    after_ms,
                }
            } else if after_ms >= LONGEST_MS && led.seen().is_some() {
                self.behind.insert(node.to_owned());
                What::Behind {
                    node: node.to_owned(),
                    after_ms,
                }
            } else if after_ms >= LONGEST_MS {
                one.nodes.remove(node);
                continue;
            } else {
                continue;
            };
            one.nodes.remove(node);
            let endpoints = self.endpoints.get(&one.service);
            let known = || endpoints.into_iter().flat_map(BTreeMap::values);
            changes.push(Change {
                service: self.services[&one.service].subject().to_string(),
                what,
                ready: known().filter(|known| known.is_ready).count(),
                all: known().count(),
            });
        }
        pending.retain(|one| !one.nodes.is_empty());
        self.pending = pending;
        changes
    }

    fn is_followed(&self, pending: &Pending, led: &Led) -> bool {
        let Some(service) = self.services.get(&pending.service) else {
            return true;
        };
        let mut to = BTreeSet::new();
        for address in &service.cluster_ips {
            let endpoints = led.get(&address.to_canonical()).into_iter().flatten();
            to.extend(endpoints.map(|endpoint| endpoint.ip().to_canonical()));
        }
        pending.added.is_subset(&to) && pending.gone.is_disjoint(&to)
    }
}

#[cfg(test)]
mod tests;
