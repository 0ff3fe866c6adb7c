//! What EndpointSlices say that kube-proxy's rules should be, and where those of a node differ.
//!
//! Both are looked at twice. What differs in one pair of looks only is a change on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use netmodel::rules::{NodeRules, proxy_modes, refused_ports, service_ports};
use observation::{Backends, Endpoint, EndpointSlice, Service, ServicePort};
use report::{Evidence, Gap, Observed};

use crate::check::Judgement;
use crate::firewall::{Firewall, gaps, joined, skipped};
use crate::reach::belongs;
use crate::shell::{on_node, word};
use crate::view::View;

/// A port of a Service at one of its ClusterIPs.
type Key = (IpAddr, u8, u16);

/// What rules must and may make of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Endpoints {
    /// Connections must be able to come to these.
    required: BTreeSet<SocketAddr>,
    /// And may come to these too: where hints choose among endpoints, any of them is right.
    allowed: BTreeSet<SocketAddr>,
    /// Whether the Service has an endpoint anywhere, though perhaps none that this node may use.
    is_anywhere: bool,
}

/// What rules make of it.
#[derive(Clone, Debug, Default)]
struct Made {
    endpoints: BTreeMap<Key, BTreeSet<SocketAddr>>,
    /// What is turned away, with the rule.
    refused: BTreeMap<Key, String>,
    /// The Service port, as rules name it.
    names: BTreeMap<Key, String>,
}

/// How the rules of a node for a port of a Service differ from its EndpointSlices.
#[derive(Clone, Debug)]
pub(super) struct Difference<'a> {
    pub(super) service: &'a Service,
    pub(super) port: &'a ServicePort,
    pub(super) address: IpAddr,
    pub(super) kind: Kind,
}

/// In what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No rule is for it, though it has endpoints.
    Missing,
    /// It is turned away, though it has endpoints.
    Refused {
        /// By this rule.
        rule: String,
        /// Whether rules lead it to endpoints all the same: then the rule is not of kube-proxy's last look at the API.
        is_led: bool,
    },
    /// Nothing turns it away, though it has no endpoint.
    Open,
    /// Its rules lead to other addresses.
    Led {
        /// Endpoints that no rule leads to.
        lacks: Vec<SocketAddr>,
        /// What rules lead to and is no endpoint.
        extra: Vec<SocketAddr>,
    },
}

/// A rule for a port that no Service has.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) name: Option<String>,
    /// The Service that has this address now.
    pub(super) taken: Option<String>,
}

/// The rules of one node, held against the API.
#[derive(Debug)]
pub(super) struct Compared<'v, 'a> {
    pub(super) firewall: &'v Firewall<'a>,
    pub(super) differences: Vec<Difference<'a>>,
    pub(super) leftovers: Vec<Leftover>,
}

impl Difference<'_> {
    /// As kube-proxy names it: `shop/web:http`.
    pub(super) fn name(&self) -> String {
        let (service, port) = (self.service, self.port);
        if port.name.is_empty() {
            format!("{}/{}", service.namespace, service.name)
        } else {
            format!("{}/{}:{}", service.namespace, service.name, port.name)
        }
    }

    /// Whether the rules were right once, and did not follow: only time makes that.
    fn is_behind(&self) -> bool {
        match &self.kind {
            Kind::Led { lacks, extra } => !lacks.is_empty() && !extra.is_empty(),
            Kind::Refused { is_led, .. } => !is_led,
            Kind::Missing | Kind::Open => false,
        }
    }

    /// What the API has, and the command that shows it.
    pub(super) fn slices(&self) -> Evidence {
        let service = self.service;
        let selector = word(&format!("kubernetes.io/service-name={}", service.name));
        let fact = match &self.kind {
            Kind::Led { lacks, extra } => {
                let mut facts = Vec::new();
                if !extra.is_empty() {
                    facts.push(format!("no EndpointSlice of it has {}", addresses(extra)));
                }
                if !lacks.is_empty() {
                    facts.push(format!("EndpointSlices have {}, ready", addresses(lacks)));
                }
                facts.join("; ")
            }
            Kind::Missing | Kind::Refused { .. } => "EndpointSlices have ready endpoints for it".to_owned(),
            Kind::Open => "no EndpointSlice has a ready endpoint for it".to_owned(),
        };
        Evidence::command(
            fact,
            format!(
                "kubectl get endpointslices -n {} -l {selector} -o yaml",
                word(&service.namespace)
            ),
        )
    }
}

impl Compared<'_, '_> {
    /// Whether kube-proxy of the node no longer follows what the API says: its rules are those of another time. What a hand
    /// bent looks alike, and is told by the two rules of the endpoint's chain.
    pub(super) fn is_stale(&self) -> bool {
        let bent: BTreeSet<String> = self
            .firewall
            .rules
            .sets
            .iter()
            .flat_map(netmodel::rules::bent_endpoints)
            .filter_map(|bent| bent.service)
            .collect();
        self.differences
            .iter()
            .any(|difference| difference.is_behind() && !bent.contains(&difference.name()))
    }

    /// Where the rules stand.
    pub(super) fn rules(&self, fact: String) -> Evidence {
        use netmodel::rules::ProxyMode;
        let looks: &[&str] = match proxy_modes(&self.firewall.rules.sets).first() {
            Some(ProxyMode::Nftables) => &["nft list table ip kube-proxy"],
            Some(ProxyMode::Iptables(_)) | None => &["iptables-save"],
        };
        Evidence::command(fact, on_node(self.firewall.name(), looks))
    }
}

/// Addresses in a few words.
pub(super) fn addresses(some: &[SocketAddr]) -> String {
    let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
    joined(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// What a check says by the rules alone, and what it says by the API.
pub(super) fn both(mut own: Judgement, by_api: Judgement) -> Judgement {
    if by_api.skipped.is_none() {
        own.findings.extend(by_api.findings);
        for gap in by_api.gaps {
            if !own.gaps.contains(&gap) {
                own.gaps.push(gap);
            }
        }
    }
    own
}

/// Judges the rules of every node beside the API; not asked where the API's side was not read for this.
pub(super) fn compared(
    view: &View<'_>,
    judge: impl FnOnce(&[Compared<'_, '_>], &mut Judgement),
) -> Judgement {
    let Some(backends) = &view.observation.backends else {
        return Judgement::not_asked();
    };
    if view.observation.node_reading.is_none() {
        return Judgement::not_asked();
    }
    if let Some(judgement) = skipped(view) {
        return judgement;
    }
    let mut judgement = Judgement {
        gaps: gaps(view),
        ..Judgement::default()
    };
    let first = sides(&backends.services, &backends.slices);
    let (services, slices) = match first {
        Ok(sides) => sides,
        Err(gap) => {
            judgement.gaps.push(gap.clone());
            return judgement;
        }
    };
    let later = backends.second_look.as_ref().and_then(|look| look.slices.seen());
    let looks: Vec<&[EndpointSlice]> = std::iter::once(slices).chain(later.map(Vec::as_slice)).collect();
    let mut all = Vec::new();
    // A node without any rule beside others that have some has a finding of its own: ep-rule-missing.
    let has_rules = |firewall: &&Firewall<'_>| !proxy_modes(&firewall.rules.sets).is_empty();
    for firewall in view.firewalls.iter().filter(has_rules) {
        all.push(compare(firewall, backends, services, &looks));
    }
    if all.is_empty() && judgement.gaps.is_empty() {
        return Judgement::skipped("no node has rules of kube-proxy: something else does its work");
    }
    judge(&all, &mut judgement);
    judgement
}

fn sides<'a>(
    services: &'a Observed<Vec<Service>>,
    slices: &'a Observed<Vec<EndpointSlice>>,
) -> Result<(&'a [Service], &'a [EndpointSlice]), &'a Gap> {
    match (services, slices) {
        (Observed::Seen(services), Observed::Seen(slices)) => Ok((services, slices)),
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Err(gap),
    }
}

fn compare<'v, 'a>(
    firewall: &'v Firewall<'a>,
    backends: &'a Backends,
    services: &'a [Service],
    looks: &[&[EndpointSlice]],
) -> Compared<'v, 'a> {
    let before = made(&firewall.rules);
    let after = firewall.rules_after().map(|rules| made(&rules));
    let made: Vec<&Made> = std::iter::once(&before).chain(after.as_ref()).collect();
    let mut differences = Vec::new();
    let mut known = BTreeSet::new();
    for service in services.iter().filter(|service| is_proxied(service)) {
        for port in &service.ports {
            let Some(protocol) = number(&port.protocol) else {
                continue;
            };
            for address in &service.cluster_ips {
                let key = (address.to_canonical(), protocol, port.port);
                known.insert(key);
                let wanted: Vec<Endpoints> = looks
                    .iter()
                    .map(|slices| expected(service, port, *address, slices, firewall))
                    .collect();
                // Where a part of the rules was not read, what is missing may be in it.
                let kind = differs(&wanted, &made, key, firewall.gaps.is_empty());
                differences.extend(kind.map(|kind| Difference {
                    service,
                    port,
                    address: *address,
                    kind,
                }));
            }
        }
    }
    Compared {
        firewall,
        differences,
        leftovers: leftovers(&made, &known, services, backends),
    }
}

/// Whether kube-proxy makes rules for a Service.
fn is_proxied(service: &Service) -> bool {
    !service.headless && service.external_name.is_none() && service.settings.proxy_name.is_none()
}

fn differs(wanted: &[Endpoints], made: &[&Made], key: Key, is_whole: bool) -> Option<Kind> {
    let none = BTreeSet::new();
    let led = |made: &&Made| made.endpoints.get(&key).unwrap_or(&none).clone();
    if wanted.iter().all(|wanted| !wanted.allowed.is_empty()) {
        let refused = made.iter().map(|made| made.refused.get(&key));
        let is_led = |made: &&Made| made.endpoints.contains_key(&key);
        let refusals: Option<Vec<&String>> = refused.collect();
        if let Some(rule) = refusals.and_then(|rules| rules.first().map(|rule| (*rule).clone())) {
            return Some(Kind::Refused {
                rule,
                is_led: made.iter().all(is_led),
            });
        }
        if !made.iter().any(is_led) {
            return is_whole.then_some(Kind::Missing);
        }
        let lacks: Vec<SocketAddr> = wanted[0]
            .required
            .iter()
            .filter(|endpoint| wanted.iter().all(|wanted| wanted.required.contains(endpoint)))
            .filter(|endpoint| made.iter().all(|made| !led(made).contains(endpoint)))
            .copied()
            .collect();
        let extra: Vec<SocketAddr> = led(&made[0])
            .into_iter()
            .filter(|endpoint| made.iter().all(|made| led(made).contains(endpoint)))
            .filter(|endpoint| wanted.iter().all(|wanted| !wanted.allowed.contains(endpoint)))
            .collect();
        return (!lacks.is_empty() || !extra.is_empty()).then_some(Kind::Led { lacks, extra });
    }
    if wanted.iter().all(|wanted| wanted.allowed.is_empty()) {
        let extra: Vec<SocketAddr> = led(&made[0])
            .into_iter()
            .filter(|endpoint| made.iter().all(|made| led(made).contains(endpoint)))
            .collect();
        if !extra.is_empty() {
            return Some(Kind::Led {
                lacks: Vec::new(),
                extra,
            });
        }
        let is_refused = made.iter().any(|made| made.refused.contains_key(&key));
        let is_nowhere = wanted.iter().all(|wanted| !wanted.is_anywhere);
        return (!is_refused && is_nowhere && is_whole).then_some(Kind::Open);
    }
    None
}

/// Rules of Services that are gone, of the namespaces that were read.
fn leftovers(
    made: &[&Made],
    known: &BTreeSet<Key>,
    services: &[Service],
    backends: &Backends,
) -> Vec<Leftover> {
    let first = made[0];
    let keys = first.endpoints.keys().chain(first.refused.keys());
    let is_in_all = |key: &&Key| {
        made.iter()
            .all(|made| made.endpoints.contains_key(key) || made.refused.contains_key(key))
    };
    let mut found: Vec<Leftover> = keys
        .filter(|key| !known.contains(key))
        .filter(is_in_all)
        .filter_map(|key| {
            let name = first.names.get(key).cloned();
            let namespace = name.as_deref().and_then(|name| name.split('/').next());
            // A Service of a namespace that was not read is not known to be gone.
            let was_read = match (&backends.question.namespace, namespace) {
                (None, _) => backends.question.selector.is_none(),
                (Some(asked), Some(namespace)) => asked == namespace && backends.question.selector.is_none(),
                (Some(_), None) => false,
            };
            let taken = services.iter().find(|it| it.cluster_ips.contains(&key.0));
            was_read.then(|| Leftover {
                address: key.0,
                port: key.2,
                name,
                taken: taken.map(|service| service.subject().to_string()),
            })
        })
        .collect();
    found.dedup_by_key(|leftover| (leftover.address, leftover.port));
    found
}

/// The endpoints of a port, for connections to a ClusterIP from this node.
///
/// kube-proxy takes the endpoints that are ready; where none is, those that still serve while they end. With the internal traffic
/// policy `Local` it takes only those of the node itself. Where every one has hints, it may take those alone that are hinted for
/// the node or its zone.
fn expected(
    service: &Service,
    port: &ServicePort,
    address: IpAddr,
    slices: &[EndpointSlice],
    firewall: &Firewall<'_>,
) -> Endpoints {
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let mut all: Vec<(SocketAddr, &Endpoint)> = Vec::new();
    for slice in slices
        .iter()
        .filter(|slice| belongs(slice, service) && slice.address_type == family)
    {
        let number = slice
            .ports
            .iter()
            .find(|it| it.name == port.name && it.protocol == port.protocol)
            .and_then(|it| it.port)
            .filter(|number| *number > 0);
        let Some(number) = number else { continue };
        for endpoint in &slice.endpoints {
            if let Some(address) = endpoint.addresses.first() {
                all.push((SocketAddr::new(*address, number), endpoint));
            }
        }
    }
    let usable = |of: &[(SocketAddr, &Endpoint)]| -> BTreeSet<SocketAddr> {
        let ready: BTreeSet<SocketAddr> = addresses_of(of, |endpoint| endpoint.ready);
        if ready.is_empty() {
            addresses_of(of, |endpoint| endpoint.serving && endpoint.terminating)
        } else {
            ready
        }
    };
    let is_anywhere = !usable(&all).is_empty();
    if service.internal_local {
        let own = Some(firewall.name());
        all.retain(|(_, endpoint)| endpoint.node.as_deref() == own);
    }
    let allowed = usable(&all);
    let mut ready = all.iter().filter(|(_, endpoint)| endpoint.ready).peekable();
    let is_hinted = ready.peek().is_some()
        && ready.all(|(_, endpoint)| !endpoint.for_zones.is_empty() || !endpoint.for_nodes.is_empty());
    Endpoints {
        required: if is_hinted {
            BTreeSet::new()
        } else {
            allowed.clone()
        },
        allowed,
        is_anywhere,
    }
}

fn addresses_of(of: &[(SocketAddr, &Endpoint)], is: impl Fn(&Endpoint) -> bool) -> BTreeSet<SocketAddr> {
    of.iter()
        .filter(|(_, endpoint)| is(endpoint))
        .map(|(address, _)| *address)
        .collect()
}

fn made(rules: &NodeRules) -> Made {
    let mut made = Made::default();
    for set in &rules.sets {
        for port in service_ports(set) {
            let (Some(address), Some(protocol), Some(number)) = (port.address, port.protocol, port.port)
            else {
                continue;
            };
            let key = (address.first.to_canonical(), protocol, number);
            let endpoints = port
                .endpoints
                .iter()
                .filter_map(|text| text.parse::<SocketAddr>().ok());
            made.endpoints.entry(key).or_default().extend(endpoints);
            made.names.extend(port.name.map(|name| (key, name)));
        }
        for port in refused_ports(set) {
            let (Some(address), Some(protocol), Some(number)) = (port.address, port.protocol, port.port)
            else {
                continue;
            };
            let key = (address.first.to_canonical(), protocol, number);
            made.refused.insert(key, port.text);
            made.names.extend(port.name.map(|name| (key, name)));
        }
    }
    made
}

/// The IP protocol number of a Service's protocol.
fn number(protocol: &str) -> Option<u8> {
    match protocol {
        "TCP" => Some(6),
        "UDP" => Some(17),
        "SCTP" => Some(132),
        _ => None,
    }
}
