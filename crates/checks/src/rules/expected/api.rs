//! The ports of Services with the places at which rules are for them, held against the rules of a node.

use std::collections::{BTreeSet, HashMap, HashSet};

use observation::{Backends, Service, ServicePort};

use super::Leftover;
use super::difference::{Difference, Kind, differs};
use super::made::Made;
use super::place::{Key, Place, number as protocol_number};
use super::wanted::{Slices, is_proxied, places};
use crate::firewall::Firewall;

/// A port of a Service at a place.
pub(super) struct Asked<'a> {
    service: &'a Service,
    port: &'a ServicePort,
    place: Place,
    pub(super) key: Key,
    pub(super) is_required: bool,
}

/// The API's side, indexed.
pub(super) struct Api<'a> {
    backends: &'a Backends,
    services: &'a [Service],
    looks: Vec<Slices<'a>>,
    asked: Vec<Asked<'a>>,
    known: HashSet<Key>,
}

impl<'a> Api<'a> {
    pub(super) fn new(backends: &'a Backends, services: &'a [Service], looks: Vec<Slices<'a>>) -> Self {
        let mut asked = Vec::new();
        let mut owners: HashMap<Key, usize> = HashMap::new();
        for service in services.iter().filter(|service| is_proxied(service)) {
            for port in &service.ports {
                let Some(protocol) = protocol_number(&port.protocol) else {
                    continue;
                };
                for (place, is_required) in places(service, port) {
                    let key = place.key(protocol, port.port);
                    *owners.entry(key).or_default() += 1;
                    asked.push(Asked {
                        service,
                        port,
                        place,
                        key,
                        is_required,
                    });
                }
            }
        }
        // Of two Services that share an address and port, one gets the traffic, and nothing says which.
        asked.retain(|it| owners.get(&it.key) == Some(&1) && backends.question.is_about(it.service));
        Self {
            backends,
            services,
            looks,
            asked,
            known: owners.into_keys().collect(),
        }
    }

    pub(super) fn compare(
        &self,
        firewall: &Firewall<'_>,
        is_ipvs: bool,
    ) -> (Vec<Difference<'a>>, Vec<Leftover>) {
        let made = if is_ipvs {
            by_ipvs(firewall)
        } else {
            let after = firewall.rules_after().map(Made::by_rules);
            std::iter::once(Made::by_rules(&firewall.rules))
                .chain(after)
                .collect()
        };
        if made.is_empty() {
            return (Vec::new(), Vec::new());
        }
        // Where a part of the rules was not read, what is missing may be in it.
        let is_whole = firewall.gaps.is_empty();
        let mut differences: Vec<Difference<'a>> = Vec::new();
        for asked in &self.asked {
            let wanted = self.looks.iter().map(|slices| {
                let wanted = slices.wanted(asked.service, asked.port, &asked.place, firewall.name());
                if is_ipvs { wanted.by_ipvs() } else { wanted }
            });
            let kinds = differs(&wanted.collect::<Vec<_>>(), &made, asked, is_whole);
            // A virtual server without destinations turns away by itself.
            for kind in kinds.into_iter().filter(|kind| !(is_ipvs && *kind == Kind::Open)) {
                // What is so at the ClusterIP is so everywhere, and said once; so is a chain that several places lead to.
                let is_told = |known: &Difference<'_>| {
                    let says_all =
                        matches!(known.place, Place::ClusterIp(_)) || matches!(kind, Kind::Led { .. });
                    says_all && known.place.is_ipv4() == asked.place.is_ipv4() && is_alike(&known.kind, &kind)
                };
                let of_port = differences
                    .iter()
                    .rev()
                    .take_while(|known| is_same_port(known, asked));
                let is_told = of_port.into_iter().any(is_told);
                if !is_told {
                    differences.push(Difference {
                        service: asked.service,
                        port: asked.port,
                        place: asked.place.clone(),
                        kind,
                    });
                }
            }
        }
        let leftovers = if is_ipvs {
            Vec::new()
        } else {
            self.leftovers(&made)
        };
        (differences, leftovers)
    }

    /// Rules of Services that are gone, of the namespaces that were read.
    fn leftovers(&self, made: &[Made]) -> Vec<Leftover> {
        let first = &made[0];
        let keys: BTreeSet<&Key> = first.endpoints.keys().chain(first.refused.keys()).collect();
        let has = |made: &Made, key: &Key| made.endpoints.contains_key(key) || made.refused.contains_key(key);
        let question = &self.backends.question;
        keys.into_iter()
            .filter(|key| !self.known.contains(key) && made.iter().all(|made| has(made, key)))
            .filter_map(|key| {
                let name = first.names.get(key).cloned();
                let namespace = name.as_deref().and_then(|name| name.split('/').next());
                // A Service of a namespace that was not read is not known to be gone.
                let was_read = match namespace {
                    Some(namespace) => question.reads_all_of(namespace),
                    None => question.namespaces().is_none() && question.selector.is_none(),
                };
                let taken = key
                    .address
                    .and_then(|address| self.services.iter().find(|it| it.cluster_ips.contains(&address)));
                was_read.then(|| Leftover {
                    at: key.to_string(),
                    name,
                    taken: taken.map(|service| service.subject().to_string()),
                })
            })
            .collect()
    }
}

fn is_same_port(known: &Difference<'_>, asked: &Asked<'_>) -> bool {
    std::ptr::eq(known.service, asked.service) && std::ptr::eq(known.port, asked.port)
}

fn is_alike(one: &Kind, other: &Kind) -> bool {
    match (one, other) {
        (Kind::Refused { .. }, Kind::Refused { .. }) => true,
        (one, other) => one == other,
    }
}

/// The kernel's virtual servers in each look; nothing where they were not read.
fn by_ipvs(firewall: &Firewall<'_>) -> Vec<Made> {
    let links = firewall.reads.links.seen().into_iter().flatten();
    let held: HashSet<_> = links
        .flat_map(|link| &link.addresses)
        .map(|it| it.address.to_canonical())
        .chain(
            firewall
                .node
                .internal_ips
                .iter()
                .map(std::net::IpAddr::to_canonical),
        )
        .collect();
    let servers = firewall.virtual_servers();
    servers
        .iter()
        .map(|servers| Made::by_ipvs(servers, |address| held.contains(&address)))
        .collect()
}
