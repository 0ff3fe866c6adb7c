//! What was seen of Services, as the checks of Services read it.

use std::collections::{HashMap, HashSet};

use observation::{
    BackendEvent, BackendPod, BackendWorkload, Backends, EndpointSlice, Observation, Service, ServiceCaller,
};
use report::{Gap, Observed, Subject};

use super::case::Case;
use super::lack::{Lack, lack};
use observation::selects;

/// Services, indexed. It is made once, for clusters with thousands of them.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(super) facts: &'a Backends,
    /// Those that were asked about, in the order of the list.
    pub(super) cases: Vec<Case<'a>>,
    services: HashMap<(&'a str, &'a str), &'a Service>,
    /// One pod of each controller, by namespace: pods of one controller have the same labels but for those that number them.
    kinds: HashMap<&'a str, Vec<&'a BackendPod>>,
    workloads: HashMap<&'a str, Vec<&'a BackendWorkload>>,
    events: HashMap<(&'a str, &'a str, &'a str), Vec<&'a BackendEvent>>,
    callers: HashMap<(&'a str, &'a str), Vec<&'a ServiceCaller>>,
}

/// A list that a check cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Slices,
    Pods,
    Workloads,
    Events,
    Callers,
    Endpoints,
    LoadBalancers,
    Nodes,
}

impl<'a> Scene<'a> {
    /// `None` when Services were not asked about.
    pub(crate) fn of(observation: &'a Observation) -> Option<Self> {
        let facts = observation.backends.as_deref()?;
        let pods = seen(&facts.pods);
        let services = seen(&facts.services);
        let mut kinds: HashMap<&str, Vec<&BackendPod>> = HashMap::new();
        let mut known: HashSet<(&str, &str)> = HashSet::new();
        for pod in pods.iter().filter(|pod| !pod.has_ended()) {
            let maker = pod.controller.as_deref().unwrap_or(&pod.uid);
            if known.insert((&pod.namespace, maker)) {
                kinds.entry(&pod.namespace).or_default().push(pod);
            }
        }
        let mut workloads: HashMap<&str, Vec<&BackendWorkload>> = HashMap::new();
        for workload in seen(&facts.workloads) {
            workloads.entry(&workload.namespace).or_default().push(workload);
        }
        let mut events: HashMap<(&str, &str, &str), Vec<&BackendEvent>> = HashMap::new();
        for event in seen(&facts.events) {
            let key = (event.kind.as_str(), event.namespace.as_str(), event.name.as_str());
            events.entry(key).or_default().push(event);
        }
        let mut callers: HashMap<(&str, &str), Vec<&ServiceCaller>> = HashMap::new();
        for caller in calls(facts) {
            let key = (caller.service_namespace.as_str(), caller.service.as_str());
            let known = callers.entry(key).or_default();
            if !known.contains(&caller) {
                known.push(caller);
            }
        }
        let mut scene = Self {
            facts,
            cases: cases(facts, services, pods),
            services: services
                .iter()
                .map(|service| ((service.namespace.as_str(), service.name.as_str()), service))
                .collect(),
            kinds,
            workloads,
            events,
            callers,
        };
        let lacks: Vec<Option<Lack<'a>>> = scene.cases.iter().map(|case| lack(&scene, case)).collect();
        for (case, lack) in scene.cases.iter_mut().zip(lacks) {
            case.lack = lack;
        }
        Some(scene)
    }

    /// Whether nothing is behind a Service because what makes its pods wants none: that is meant so.
    pub(crate) fn is_scaled_to_zero(&self, service: &Subject) -> bool {
        let mut cases = self.cases.iter();
        let case = cases.find(|case| case.service.subject() == *service);
        case.is_some_and(|case| matches!(case.lack, Some(Lack::ScaledToZero(_))))
    }

    /// Whether one Service was asked about by its name.
    pub(super) fn is_single(&self) -> bool {
        self.facts.question.single().is_some()
    }

    /// The first Service that was asked for by its name, as namespace and name, where none of those is there.
    pub(super) fn missing(&self) -> Option<(&'a str, &'a str)> {
        let first = self.named().next()?;
        let is_missing = self.facts.services.seen().is_some() && self.cases.is_empty();
        is_missing.then_some(first)
    }

    /// The Services that were asked for by their names or through something that sends to them, as namespace and name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let question = &self.facts.question;
        let single = question.single().filter(|_| question.services.is_empty());
        let several = question.services.iter();
        let several = several.map(|it| (it.namespace.as_str(), it.name.as_str()));
        single.into_iter().chain(several)
    }

    /// Whether all Services of a namespace were read.
    pub(super) fn knows_services_of(&self, namespace: &str) -> bool {
        self.facts.services.seen().is_some() && self.facts.question.reads_all_of(namespace)
    }

    /// All that sends to Services and says so.
    pub(super) fn calls(&self) -> impl Iterator<Item = &'a ServiceCaller> + use<'a> {
        calls(self.facts)
    }

    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        self.services.get(&(namespace, name)).copied()
    }

    /// One pod of each controller of a namespace.
    pub(super) fn kinds_of(&self, namespace: &str) -> &[&'a BackendPod] {
        self.kinds.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Pods of other namespaces that have these labels, the first in the order of the list.
    pub(super) fn selected_elsewhere(&self, service: &Service) -> Option<&'a BackendPod> {
        let mut pods = seen(&self.facts.pods).iter();
        pods.find(|pod| {
            pod.namespace != service.namespace && !pod.has_ended() && selects(&service.selector, &pod.labels)
        })
    }

    pub(super) fn workloads_of(&self, namespace: &str) -> &[&'a BackendWorkload] {
        self.workloads.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// What refers to a Service.
    pub(super) fn callers_of<'s>(&'s self, service: &'s Service) -> &'s [&'a ServiceCaller] {
        let key = (service.namespace.as_str(), service.name.as_str());
        self.callers.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Warnings about an object.
    pub(super) fn events_of<'s>(
        &'s self,
        kind: &'s str,
        namespace: &'s str,
        name: &'s str,
    ) -> &'s [&'a BackendEvent] {
        self.events
            .get(&(kind, namespace, name))
            .map_or(&[], Vec::as_slice)
    }

    /// Why a part was not seen. Parts that were not called for are no gap.
    pub(super) fn gap<'s>(&self, observation: &'s Observation, part: Part) -> Option<&'s Gap>
    where
        'a: 's,
    {
        let facts = self.facts;
        match part {
            Part::Slices => facts.slices.gap(),
            Part::Pods => facts.pods.gap(),
            Part::Workloads => facts.workloads.gap(),
            Part::Events => facts.events.gap(),
            Part::Callers => facts.callers.gap(),
            Part::Endpoints => facts.endpoints.as_ref().and_then(Observed::gap),
            Part::LoadBalancers => facts.load_balancers.as_ref().and_then(Observed::gap),
            Part::Nodes => observation.nodes.gap(),
        }
    }
}

/// What was asked about comes first, and may be there twice.
fn calls(facts: &Backends) -> impl Iterator<Item = &ServiceCaller> {
    let asked = facts.asked_callers.iter().flat_map(|asked| &asked.calls);
    asked.chain(seen(&facts.callers))
}

/// The items of a list; none of one that was not seen. Only where the gap is told elsewhere.
pub(super) fn seen<T>(list: &Observed<Vec<T>>) -> &[T] {
    list.seen().map_or(&[], Vec::as_slice)
}

fn cases<'a>(facts: &'a Backends, services: &'a [Service], pods: &'a [BackendPod]) -> Vec<Case<'a>> {
    let asked = services.iter().filter(|service| facts.question.is_about(service));
    let asked: Vec<&Service> = asked.collect();
    let mut slices: HashMap<(&str, &str), Vec<&EndpointSlice>> = HashMap::new();
    for slice in seen(&facts.slices) {
        if let Some(service) = &slice.service {
            slices.entry((&slice.namespace, service)).or_default().push(slice);
        }
    }
    let selected = Selected::new(&asked, pods);
    asked
        .into_iter()
        .map(|service| {
            let key = (service.namespace.as_str(), service.name.as_str());
            let own = slices.remove(&key).unwrap_or_default();
            let own = facts.slices.seen().map(|_| own);
            Case::new(service, own, selected.of(service))
        })
        .collect()
}

/// The pods that have a label which some selector names: every Service then looks at a few pods, not at all.
struct Selected<'a> {
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<&'a BackendPod>>,
}

impl<'a> Selected<'a> {
    fn new(services: &[&'a Service], pods: &'a [BackendPod]) -> Self {
        let mut by_label: HashMap<(&str, &str, &str), Vec<&BackendPod>> = HashMap::new();
        for service in services {
            for (key, value) in &service.selector {
                by_label.entry((&service.namespace, key, value)).or_default();
            }
        }
        for pod in pods.iter().filter(|pod| !pod.has_ended()) {
            for (key, value) in &pod.labels {
                if let Some(of) = by_label.get_mut(&(pod.namespace.as_str(), key.as_str(), value.as_str())) {
                    of.push(pod);
                }
            }
        }
        Self { by_label }
    }

    fn of(&self, service: &Service) -> Vec<&'a BackendPod> {
        let terms = service.selector.iter();
        let of_terms = terms.filter_map(|(key, value)| {
            let label = (service.namespace.as_str(), key.as_str(), value.as_str());
            self.by_label.get(&label)
        });
        let fewest = of_terms.min_by_key(|pods| pods.len());
        let pods = fewest.map_or(&[][..], Vec::as_slice);
        let selected = pods.iter().filter(|pod| selects(&service.selector, &pod.labels));
        selected.copied().collect()
    }
}
