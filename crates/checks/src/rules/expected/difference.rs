//! In what the rules of a node for a port of a Service are not what the API says.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use observation::{Service, ServicePort};
use report::Evidence;

use super::api::Asked;
use super::made::Made;
use super::place::Place;
use super::wanted::Wanted;
use crate::endpoints::show_slices;
use crate::firewall::joined;

/// How the rules of a node for a port of a Service differ from its EndpointSlices.
#[derive(Clone, Debug)]
pub(in crate::rules) struct Difference<'a> {
    pub(in crate::rules) service: &'a Service,
    pub(in crate::rules) port: &'a ServicePort,
    pub(in crate::rules) place: Place,
    pub(in crate::rules) kind: Kind,
}

/// In what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Kind {
    /// No rule is for it, though it has endpoints.
    Missing,
    /// It is turned away, though it has endpoints.
    Refused {
        /// By this rule.
        rule: String,
        /// Whether rules lead it to endpoints all the same: then the rule is not of kube-proxy's last look at the API.
        is_led: bool,
        /// Whether they lead it wherever they should, so that a rule which comes after them meets no packet.
        is_moot: bool,
    },
    /// Nothing turns it away, though it has no endpoint.
    Open,
    /// Its rules lead to other addresses.
    Led {
        /// Endpoints that no rule leads to.
        lacks: Vec<SocketAddr>,
        /// What rules lead to and is no endpoint.
        extra: Vec<SocketAddr>,
        /// Whether they lead it to anything at all.
        anywhere: bool,
    },
}

impl Difference<'_> {
    /// As kube-proxy names it: `shop/web:http`.
    pub(in crate::rules) fn name(&self) -> String {
        self.service.port_name(self.port)
    }

    /// As `Service port shop/web:http`, or `NodePort 30080 of Service port shop/web:http`.
    pub(in crate::rules) fn what(&self) -> String {
        match &self.place {
            Place::ClusterIp(_) => format!("Service port {}", self.name()),
            place => format!("{place} of Service port {}", self.name()),
        }
    }

    /// As `10.99.43.77 port 80`, `NodePort 30080`.
    pub(in crate::rules) fn at(&self) -> String {
        self.place.key(0, self.port.port).to_string()
    }

    /// Whether the rules were right once, and did not follow: only time makes that.
    pub(super) fn is_behind(&self) -> bool {
        match &self.kind {
            Kind::Led { lacks, extra, .. } => !lacks.is_empty() && !extra.is_empty(),
            Kind::Refused { is_led, .. } => !is_led,
            Kind::Missing | Kind::Open => false,
        }
    }

    /// What the API has, and the command that shows it.
    pub(in crate::rules) fn slices(&self) -> Evidence {
        let fact = match &self.kind {
            Kind::Led { lacks, extra, .. } => {
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
        Evidence::command(fact, show_slices(self.service))
    }
}

/// Addresses in a few words.
pub(in crate::rules) fn addresses(some: &[SocketAddr]) -> String {
    let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
    joined(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A rule that turns packets away hides nothing of where others lead them; what they lack besides is the same thing said twice.
pub(super) fn differs(wanted: &[Wanted], made: &[Made], asked: &Asked<'_>, is_whole: bool) -> Vec<Kind> {
    let led = led(wanted, made, asked, is_whole);
    let Some(rule) = refusal(wanted, made, asked) else {
        return led.into_iter().collect();
    };
    let is_led = made.iter().all(|made| made.endpoints.contains_key(&asked.key));
    let lacks = |kind: &Kind| !matches!(kind, Kind::Led { lacks, .. } if lacks.is_empty());
    let refused = Kind::Refused {
        rule,
        is_led,
        is_moot: is_led && !led.as_ref().is_some_and(lacks),
    };
    let extra = led.filter(|kind| !lacks(kind));
    std::iter::once(refused).chain(extra).collect()
}

/// The rule that turns it away in every look, though the API has endpoints.
fn refusal(wanted: &[Wanted], made: &[Made], asked: &Asked<'_>) -> Option<String> {
    let has_endpoints = wanted.iter().all(|wanted| !wanted.allowed.is_empty());
    if !has_endpoints || wanted.iter().any(Wanted::may_refuse) {
        return None;
    }
    let refusals: Option<Vec<&String>> = made.iter().map(|made| made.refused.get(&asked.key)).collect();
    refusals?.first().map(ToString::to_string)
}

fn led(wanted: &[Wanted], made: &[Made], asked: &Asked<'_>, is_whole: bool) -> Option<Kind> {
    let key = &asked.key;
    let may_miss = !is_whole || !asked.is_required;
    // What every look has, and the API in none.
    let extra = || -> Vec<SocketAddr> {
        let leads = |made: &Made, endpoint| made.endpoints.get(key).is_some_and(|it| it.contains(endpoint));
        let first = made.first().and_then(|made| made.endpoints.get(key));
        first
            .into_iter()
            .flatten()
            .filter(|endpoint| made.iter().all(|made| leads(made, endpoint)))
            .filter(|endpoint| wanted.iter().all(|wanted| !wanted.allowed.contains(endpoint)))
            .copied()
            .collect()
    };
    if wanted.iter().all(|wanted| !wanted.allowed.is_empty()) {
        if !made.iter().any(|made| made.endpoints.contains_key(key)) {
            return (!may_miss).then_some(Kind::Missing);
        }
        let mut lacks = lacking(
            wanted.iter().map(|wanted| Some(&wanted.required)),
            made.iter().map(|made| made.endpoints.get(key)),
        );
        // Rules that only the node's own connections pass are no way for those from outside.
        lacks.extend(lacking(
            wanted.iter().map(|wanted| wanted.own.as_ref()),
            made.iter().map(|made| made.for_outsiders.get(key)),
        ));
        let extra = extra();
        return (!lacks.is_empty() || !extra.is_empty()).then(|| Kind::Led {
            lacks: lacks.into_iter().collect(),
            extra,
            anywhere: made
                .iter()
                .any(|made| made.endpoints.get(key).is_some_and(|all| !all.is_empty())),
        });
    }
    if wanted.iter().all(|wanted| wanted.allowed.is_empty()) {
        let extra = extra();
        if !extra.is_empty() {
            return Some(Kind::Led {
                lacks: Vec::new(),
                extra,
                anywhere: true,
            });
        }
        let is_refused = made.iter().any(|made| made.refused.contains_key(key));
        let is_nowhere = wanted.iter().all(|wanted| !wanted.is_anywhere);
        // A port of the node itself the kernel refuses without a rule.
        let is_port = key.address.is_none();
        return (!is_refused && is_nowhere && !may_miss && !is_port).then_some(Kind::Open);
    }
    None
}

/// What is wanted in every look and there in none.
fn lacking<'w>(
    wanted: impl Iterator<Item = Option<&'w BTreeSet<SocketAddr>>>,
    made: impl Iterator<Item = Option<&'w BTreeSet<SocketAddr>>>,
) -> BTreeSet<SocketAddr> {
    let mut wanted = wanted.map(|set| set.cloned().unwrap_or_default());
    let first = wanted.next().unwrap_or_default();
    let always = wanted.fold(first, |all, set| &all & &set);
    made.flatten().fold(always, |left, there| &left - there)
}
