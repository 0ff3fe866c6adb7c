//! One Service that was asked about, and what stands behind it.

use std::collections::BTreeSet;

use observation::{BackendPod, Endpoint, EndpointSlice, Service};

use super::expected::{CONTROLLER, expected, flags};
use super::lack::Lack;

/// A Service that was asked about.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) service: &'a Service,
    /// Its slices; empty where slices were not seen.
    pub(super) slices: Vec<&'a EndpointSlice>,
    /// The pods that its selector selects, those that have ended left out; empty where pods were not seen.
    pub(super) candidates: Vec<&'a BackendPod>,
    /// Why nothing behind it gets traffic; `None` where something does, and where that is not known.
    pub(super) lack: Option<Lack<'a>>,
    slices_seen: bool,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        service: &'a Service,
        slices: Option<Vec<&'a EndpointSlice>>,
        candidates: Vec<&'a BackendPod>,
    ) -> Self {
        Self {
            service,
            slices_seen: slices.is_some(),
            slices: slices.unwrap_or_default(),
            candidates,
            lack: None,
        }
    }

    /// Whether endpoints are its matter at all: an ExternalName has none.
    pub(super) fn has_endpoints(&self) -> bool {
        self.service.kind != "ExternalName"
    }

    /// Whether the controller finds its pods, rather than somebody writes its slices.
    pub(super) fn is_selecting(&self) -> bool {
        self.has_endpoints() && !self.service.selector.is_empty()
    }

    /// The endpoints of all its slices that hold addresses.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = &'a Endpoint> + '_ {
        self.slices
            .iter()
            .filter(|slice| slice.address_type != "FQDN")
            .flat_map(|slice| &slice.endpoints)
    }

    /// Endpoints that get traffic: the ready ones, or where there is none those that still serve while they end.
    pub(super) fn used(&self) -> Vec<&'a Endpoint> {
        let ready: Vec<&Endpoint> = self.endpoints().filter(|it| it.ready).collect();
        if ready.is_empty() {
            self.endpoints()
                .filter(|it| it.serving && it.terminating)
                .collect()
        } else {
            ready
        }
    }

    /// Whether anything behind it gets traffic, by its slices; where those were not seen, by its pods.
    pub(super) fn is_backed(&self) -> bool {
        if self.slices_seen {
            return self
                .endpoints()
                .any(|it| it.ready || (it.serving && it.terminating));
        }
        expected(self.service, &self.candidates)
            .iter()
            .any(|it| it.flags.ready || (it.flags.serving && it.flags.terminating))
    }

    /// The candidates that stay: those that are being deleted left out.
    pub(super) fn staying(&self) -> Vec<&'a BackendPod> {
        let stays = |pod: &&&BackendPod| pod.deleted.is_none();
        self.candidates.iter().filter(stays).copied().collect()
    }

    /// How many of the candidates would get traffic.
    pub(super) fn ready_pods(&self) -> usize {
        let ready = |pod: &&&BackendPod| flags(self.service, pod).ready && !pod.addresses.is_empty();
        self.candidates.iter().filter(ready).count()
    }

    /// Its slices that the controller did not write.
    pub(super) fn foreign(&self) -> impl Iterator<Item = &'a EndpointSlice> + '_ {
        self.slices
            .iter()
            .filter(|slice| slice.managed_by.as_deref() != Some(CONTROLLER))
            .copied()
    }

    /// The names of the nodes that have an endpoint which gets traffic.
    pub(super) fn nodes(&self) -> BTreeSet<&'a str> {
        let used = self.used();
        used.into_iter().filter_map(|it| it.node.as_deref()).collect()
    }
}
