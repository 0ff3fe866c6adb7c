use netmodel::rules::{Decider, Hook, Match, Stop, StopKind, Test, View, protocol};

use super::flows::Flow;
use super::{Firewall, Way};

/// A rule or policy that ends what a node has to forward, and all that it ends.
#[derive(Debug)]
pub(crate) struct Stopping<'f> {
    pub(crate) by: Decider<'f>,
    pub(crate) kind: StopKind<'f>,
    /// What must hold for it and is not known; none for a rule that stops all.
    pub(crate) conditions: Vec<&'f Match>,
    pub(crate) way: Way,
    tcp: bool,
    udp: bool,
}

/// All that ends something of what a node has to forward.
#[derive(Debug)]
pub(crate) struct Stops<'f> {
    pub(crate) found: Vec<Stopping<'f>>,
    /// Why there may be more, if the rules could not be followed to their end.
    pub(crate) broken_off: Option<String>,
}

/// How something is stopped, which is also which check tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// An ICMP error or a reset comes back at once.
    Rejected,
    /// It vanishes, in a back end of iptables in which nothing of the cluster lives, while the other one accepts it.
    OtherBackEnd,
    /// It vanishes.
    Dropped,
}

impl Stopping<'_> {
    /// As `TCP packets`; all kinds where both are stopped.
    pub(crate) fn packets(&self) -> &'static str {
        match (self.tcp, self.udp) {
            (true, false) => "TCP packets",
            (false, true) => "UDP packets",
            (true, true) | (false, false) => "packets",
        }
    }

    pub(crate) fn manner(&self, firewall: &Firewall<'_>) -> Manner {
        let other = match self.by.view {
            View::IptablesNft => View::IptablesLegacy,
            View::IptablesLegacy => View::IptablesNft,
            View::Nft => return self.plain(),
        };
        let is_stray = !firewall.rules.is_home(self.by.view) && firewall.rules.is_home(other);
        match self.plain() {
            Manner::Dropped if is_stray => Manner::OtherBackEnd,
            plain => plain,
        }
    }

    fn plain(&self) -> Manner {
        match self.kind {
            StopKind::Rejected(_) => Manner::Rejected,
            StopKind::Dropped | StopKind::Unknown(_) => Manner::Dropped,
        }
    }
}

impl Firewall<'_> {
    /// What ends all of some flow that the node has to forward, whatever else is in the packets.
    pub(crate) fn stopping(&self) -> Stops<'_> {
        self.collect(|stops| {
            stops
                .iter()
                .find(|stop| stop.is_certain())
                .cloned()
                .into_iter()
                .collect()
        })
    }

    /// What ends a part of some flow and is neither the cluster's own nor what a NetworkPolicy asks for.
    pub(crate) fn thinning(&self) -> Stops<'_> {
        self.collect(|stops| {
            let strange = |stop: &&Stop<'_>| {
                let owner = stop.by.owner();
                !stop.is_certain()
                    && !stop.conditions.is_empty()
                    && !owner.is_cluster()
                    && !owner.enforces_policies()
            };
            stops.iter().filter(strange).cloned().collect()
        })
    }

    fn collect<'f>(&'f self, pick: impl Fn(&[Stop<'f>]) -> Vec<Stop<'f>>) -> Stops<'f> {
        let mut found: Vec<Stopping<'f>> = Vec::new();
        let mut broken_off = None;
        for Flow { leg, packet } in self.forwarded() {
            let walk = self.rules.walk(Hook::Forward, &packet);
            broken_off = broken_off.or(walk.broken_off);
            for stop in pick(&walk.stops) {
                let at = found
                    .iter()
                    .position(|known| known.by == stop.by)
                    .unwrap_or_else(|| {
                        found.push(Stopping {
                            by: stop.by,
                            kind: stop.kind,
                            conditions: stop.conditions,
                            way: Way::default(),
                            tcp: false,
                            udp: false,
                        });
                        found.len() - 1
                    });
                found[at].way.add(leg);
                found[at].tcp |= packet.protocol == protocol::TCP;
                found[at].udp |= packet.protocol == protocol::UDP;
            }
        }
        Stops { found, broken_off }
    }
}

/// The share of packets that a stop takes, if that is all that decides over it.
pub(crate) fn share(conditions: &[&Match]) -> Option<f64> {
    match conditions {
        [
            Match {
                negated,
                test: Test::Share(share),
            },
        ] => Some(if *negated { 1.0 - share } else { *share }),
        _ => None,
    }
}

/// The sizes of packets that a stop takes, if that is all that decides over it.
pub(crate) fn sizes(conditions: &[&Match]) -> Option<Vec<std::ops::RangeInclusive<u32>>> {
    match conditions {
        [
            Match {
                negated: false,
                test: Test::Length(ranges),
            },
        ] => Some(ranges.clone()),
        [
            Match {
                negated: true,
                test: Test::Length(ranges),
            },
        ] => complement(ranges),
        _ => None,
    }
}

/// What is outside of one range; of several it is not told.
fn complement(ranges: &[std::ops::RangeInclusive<u32>]) -> Option<Vec<std::ops::RangeInclusive<u32>>> {
    let [range] = ranges else {
        return None;
    };
    let below = range.start().checked_sub(1).map(|last| 0..=last);
    let above = range.end().checked_add(1).map(|first| first..=u32::MAX);
    Some(below.into_iter().chain(above).collect())
}
