use std::collections::BTreeMap;
use std::net::SocketAddr;

use observation::{Service, ServicePort, SpreadFrom, SpreadPort};
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity};

use super::lint::gaps;
use super::scene::Part;
use super::words::{about, count, field, show_slices};
use crate::check::{Check, Judgement, Need};
use crate::reach::ready_endpoints;
use crate::shell::on_node;
use crate::view::View;

/// Connections to a Service, counted by the endpoint that each came to: evenly, where nothing else was asked for; all of a client to the
/// same one with `ClientIP` affinity; to those of the node itself with the internal traffic policy `Local`.
pub(crate) static CHECK: Check = Check {
    id: "ep-spread",
    claim: "connections are spread over the endpoints as the Service asks",
    needs: &[Need::Backends, Need::NodeAccess],
    judge,
};

/// So unlikely is it that a share that far from an even one came about by chance: less than one in ten million.
const UNLIKELY: f64 = 1e-7;
/// In standard deviations, which is about as unlikely.
const FAR: f64 = 5.5;
/// What differs by less is nothing that anybody feels.
const MUCH: f64 = 1.5;
/// Of connections that were made, so many must have been found among those tracked.
const FOUND: f64 = 0.8;

fn judge(view: &View<'_>) -> Judgement {
    let (Some(scene), Some(spread)) = (&view.backends, &view.observation.spread) else {
        return Judgement::not_asked();
    };
    let mut judgement = Judgement {
        gaps: gaps(view, scene, &[Part::Slices]),
        ..Judgement::default()
    };
    let Some(slices) = scene.facts.slices.seen() else {
        return judgement;
    };
    for case in &scene.cases {
        for port in &case.service.ports {
            let of_port = spread.ports.iter().filter(|it| {
                it.namespace == case.service.namespace
                    && it.service == case.service.name
                    && it.port == port.name
            });
            for tried in of_port {
                let endpoints = ready_endpoints(case.service, port, slices);
                let family = endpoints
                    .into_iter()
                    .filter(|(address, _)| address.is_ipv4() == tried.address.is_ipv4());
                let endpoints: Vec<(SocketAddr, Option<&str>)> = family
                    .map(|(address, endpoint)| (address, endpoint.node.as_deref()))
                    .collect();
                let later = scene
                    .facts
                    .second_look
                    .as_ref()
                    .and_then(|look| look.slices.seen());
                let later = later.map(|slices| ready_endpoints(case.service, port, slices));
                let measured = Measured {
                    service: case.service,
                    port,
                    tried,
                    endpoints,
                    later: later.into_iter().flatten().map(|(address, _)| address).collect(),
                };
                measured.judge(&mut judgement);
            }
        }
    }
    judgement
}

struct Measured<'a> {
    service: &'a Service,
    port: &'a ServicePort,
    tried: &'a SpreadPort,
    /// The ready endpoints, and their nodes.
    endpoints: Vec<(SocketAddr, Option<&'a str>)>,
    /// Those that were ready afterwards, where it was looked at again.
    later: Vec<SocketAddr>,
}

impl Measured<'_> {
    fn judge(&self, judgement: &mut Judgement) {
        let mut all: BTreeMap<SocketAddr, u32> = BTreeMap::new();
        let mut is_even = true;
        for (node, from) in &self.tried.from {
            let from = match from {
                Observed::Seen(from) => from,
                Observed::Unseen(gap) => {
                    judgement.gaps.push(gap.clone());
                    continue;
                }
            };
            if from.made == 0 {
                // That nobody answers is for other checks to say.
                judgement.gaps.push(self.gap(node, "no connection was answered"));
                continue;
            }
            let to: BTreeMap<SocketAddr, u32> =
                from.to.iter().map(|it| (it.endpoint, it.connections)).collect();
            if let Some(why) = self.is_blind(from) {
                judgement.gaps.push(self.gap(node, why));
                continue;
            }
            let found = self.of_node(node, &to);
            is_even &= found.is_none();
            judgement.findings.extend(found);
            for (endpoint, connections) in to {
                *all.entry(endpoint).or_default() += connections;
            }
        }
        if is_even && self.is_plain() && !all.is_empty() {
            judgement.findings.extend(self.uneven("all nodes", &all));
        }
    }

    fn gap(&self, node: &str, why: &str) -> Gap {
        Gap {
            what: format!("connections to {} from {node}", self.service.subject()),
            why: GapReason::Failed,
            message: why.to_owned(),
            hint: None,
        }
    }

    /// Why what the node tracked does not tell where connections went.
    fn is_blind(&self, from: &SpreadFrom) -> Option<&'static str> {
        let tracked: u32 = from.to.iter().map(|it| it.connections).sum();
        if from.to.iter().any(|it| it.endpoint == self.tried.address) {
            Some(
                "the node does not translate them where it tracks them: something other than kube-proxy chooses the endpoint",
            )
        } else if f64::from(tracked) < FOUND * f64::from(from.made) {
            Some(
                "the node did not track them all: its table is full, or something else than kube-proxy leads them",
            )
        } else {
            None
        }
    }

    /// Whether all ready endpoints are to have the same share.
    fn is_plain(&self) -> bool {
        let settings = &self.service.settings;
        settings.affinity_seconds.is_none() && !self.service.internal_local && !settings.is_topology_aware()
    }

    fn of_node(&self, node: &str, to: &BTreeMap<SocketAddr, u32>) -> Option<Finding> {
        let is_known = |address: &SocketAddr| {
            self.later.contains(address) || self.endpoints.iter().any(|(known, _)| known == address)
        };
        if let Some((address, times)) = to.iter().find(|(address, _)| !is_known(address)) {
            return Some(self.finding(
                node,
                Severity::Error,
                &format!(
                    "sends {} to {address}, which is no ready endpoint of {}",
                    count(*times as usize, "connection"),
                    self.service.subject()
                ),
                to,
            ));
        }
        if self.service.settings.affinity_seconds.is_some() {
            return (to.len() > 1).then(|| {
                let what = format!(
                    "sends one client to {}, though {} keeps each with one",
                    count(to.len(), "endpoint"),
                    self.service.subject()
                );
                self.finding(node, Severity::Error, &what, to)
            });
        }
        if self.service.internal_local {
            let own = |address: &SocketAddr| {
                self.endpoints
                    .iter()
                    .any(|(known, of)| known == address && *of == Some(node))
            };
            let away = to.keys().find(|address| !own(address))?;
            let what = format!(
                "sends connections to {away} on another node, though {} wants endpoints of the node itself",
                self.service.subject()
            );
            return Some(self.finding(node, Severity::Error, &what, to));
        }
        self.is_plain().then(|| self.uneven(node, to)).flatten()
    }

    /// Whether the ready endpoints were the same before and after.
    fn is_settled(&self) -> bool {
        self.later.is_empty()
            || (self.later.len() == self.endpoints.len()
                && self
                    .endpoints
                    .iter()
                    .all(|(address, _)| self.later.contains(address)))
    }

    /// An endpoint with a share that chance does not give it.
    fn uneven(&self, from: &str, to: &BTreeMap<SocketAddr, u32>) -> Option<Finding> {
        let all: u32 = to.values().sum();
        let number = self.endpoints.len();
        if number < 2 || all == 0 || !self.is_settled() {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a Service has thousands of endpoints at most"
        )]
        let share = 1.0 / number as f64;
        let expected = f64::from(all) * share;
        let deviation = (expected * (1.0 - share)).sqrt();
        let of = |address: &SocketAddr| to.get(address).copied().unwrap_or_default();
        let starved = (1.0 - share).powf(f64::from(all)) < UNLIKELY;
        let none = self
            .endpoints
            .iter()
            .find(|(address, _)| starved && of(address) == 0);
        let what = if let Some((address, _)) = none {
            format!(
                "sends none of {all} connections to {} to {address}",
                self.service.subject()
            )
        } else {
            let (address, times) = self
                .endpoints
                .iter()
                .map(|(address, _)| (address, of(address)))
                .find(|(_, times)| {
                    let times = f64::from(*times);
                    (times - expected) / deviation > FAR && times > MUCH * expected
                })?;
            format!(
                "sends {times} of {all} connections to {} to {address}, where {expected:.0} would be an even share",
                self.service.subject()
            )
        };
        let mut finding = self.finding(from, Severity::Warning, &what, to);
        finding.hint = Some(format!(
            "the rules choose: `kubectl epcheck rules {} -n {} --node-access` compares them with the API",
            self.service.name, self.service.namespace
        ));
        Some(finding)
    }

    fn finding(&self, from: &str, severity: Severity, what: &str, to: &BTreeMap<SocketAddr, u32>) -> Finding {
        let counts: Vec<String> = to
            .iter()
            .map(|(address, times)| format!("{address} {times}"))
            .collect();
        let (ip, port) = (self.tried.address.ip(), self.port.port);
        let protocol = self.port.protocol.to_lowercase();
        let look = format!("conntrack -L -p {protocol} --orig-dst {ip} --orig-port-dst {port}");
        let nodes = self.tried.from.keys().map(String::as_str);
        let node = nodes.clone().find(|node| *node == from).or(nodes.min());
        let command = on_node(node.unwrap_or(from), &[&look]);
        let evidence = Evidence::command(format!("from {from}: {}", counts.join(", ")), command);
        let verb = if self.tried.from.contains_key(from) {
            what.to_owned()
        } else {
            what.replacen("sends", "send", 1)
        };
        let summary = format!("{from} {verb}");
        let mut finding = about(CHECK.id, severity, self.service, summary, evidence);
        finding.evidence.push(Evidence::command(
            format!(
                "{} ready for port {}",
                count(self.endpoints.len(), "endpoint"),
                self.port.port
            ),
            show_slices(self.service),
        ));
        if self.service.settings.affinity_seconds.is_some() {
            finding
                .evidence
                .push(field(self.service, "sessionAffinity: ClientIP"));
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use observation::{Observation, Spread, SpreadTo};

    use super::*;
    use crate::endpoints::fixture::Fixture;
    use crate::shown;

    /// Of hundred connections from each of three nodes to three endpoints, so many came to each.
    fn measured(fixture: Fixture, shares: [[u32; 3]; 3]) -> Observation {
        let mut observation = fixture.observe();
        let backends = observation.backends.as_ref().expect("Services");
        let slices = backends.slices.seen().expect("slices");
        let service = &backends.services.seen().expect("Services")[0];
        let endpoints: Vec<SocketAddr> = ready_endpoints(service, &service.ports[0], slices)
            .into_iter()
            .map(|(address, _)| address)
            .collect();
        let from = |shares: &[u32; 3]| {
            let to = endpoints.iter().zip(shares).filter(|(_, times)| **times > 0);
            Observed::Seen(SpreadFrom {
                made: shares.iter().sum(),
                to: to
                    .map(|(endpoint, times)| SpreadTo {
                        endpoint: *endpoint,
                        connections: *times,
                    })
                    .collect(),
            })
        };
        let named = |(index, shares): (usize, &[u32; 3])| (format!("node{}", index + 1), from(shares));
        observation.spread = Some(Spread {
            count: 100,
            ports: vec![SpreadPort {
                namespace: "shop".into(),
                service: "web".into(),
                port: service.ports[0].name.clone(),
                address: (service.cluster_ips[0], service.ports[0].port).into(),
                from: shares.iter().enumerate().map(named).collect(),
            }],
        });
        observation
    }

    const EVEN: [u32; 3] = [30, 33, 37];

    #[test]
    fn chance_is_no_fault() {
        shown::passes(
            &CHECK,
            &measured(Fixture::shop(), [EVEN, [40, 25, 35], [28, 28, 44]]),
        );
    }

    #[test]
    fn an_endpoint_that_gets_nothing_from_one_node_is_found_there() {
        let findings = shown::finds(&CHECK, &measured(Fixture::shop(), [EVEN, [50, 50, 0], EVEN]));
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].summary.starts_with("node2 sends none of 100"),
            "{}",
            findings[0].summary
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn an_endpoint_with_far_more_than_its_share_is_found() {
        let findings = shown::finds(&CHECK, &measured(Fixture::shop(), [EVEN, EVEN, [70, 15, 15]]));
        assert!(
            findings[0].summary.contains("70 of 100 connections"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn a_client_that_is_not_kept_with_one_endpoint_is_found_and_one_that_is_passes() {
        let sticky = || Fixture::shop().web(|service| service.settings.affinity_seconds = Some(10_800));
        shown::passes(
            &CHECK,
            &measured(sticky(), [[100, 0, 0], [0, 100, 0], [100, 0, 0]]),
        );
        let findings = shown::finds(
            &CHECK,
            &measured(sticky(), [[99, 1, 0], [0, 100, 0], [100, 0, 0]]),
        );
        assert_eq!(
            findings[0].summary,
            "node1 sends one client to 2 endpoints, though service/web -n shop keeps each with one"
        );
    }

    #[test]
    fn with_the_internal_policy_local_each_node_keeps_to_its_own() {
        let local = || Fixture::shop().web(|service| service.internal_local = true);
        shown::passes(
            &CHECK,
            &measured(local(), [[100, 0, 0], [0, 100, 0], [0, 0, 100]]),
        );
        let findings = shown::finds(
            &CHECK,
            &measured(local(), [[90, 10, 0], [0, 100, 0], [0, 0, 100]]),
        );
        assert!(
            findings[0].summary.contains("on another node"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn a_connection_to_who_is_no_endpoint_is_an_error() {
        let mut observation = measured(Fixture::shop(), [EVEN, EVEN, EVEN]);
        if let Some(spread) = &mut observation.spread
            && let Some(Observed::Seen(from)) = spread.ports[0].from.get_mut("node1")
        {
            from.to[0].endpoint = ([10, 244, 9, 9], 8080).into();
        }
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(
            findings[0].summary.contains("no ready endpoint"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn connections_that_the_node_did_not_track_are_a_gap() {
        let mut observation = measured(Fixture::shop(), [EVEN, EVEN, EVEN]);
        if let Some(spread) = &mut observation.spread
            && let Some(Observed::Seen(from)) = spread.ports[0].from.get_mut("node1")
        {
            from.to.clear();
        }
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn connections_that_are_not_translated_where_they_are_tracked_are_a_gap() {
        let mut observation = measured(Fixture::shop(), [EVEN, EVEN, EVEN]);
        if let Some(spread) = &mut observation.spread {
            let address = spread.ports[0].address;
            if let Some(Observed::Seen(from)) = spread.ports[0].from.get_mut("node1") {
                from.to = vec![SpreadTo {
                    endpoint: address,
                    connections: 100,
                }];
            }
        }
        shown::cannot_tell(&CHECK, &observation);
    }
}
