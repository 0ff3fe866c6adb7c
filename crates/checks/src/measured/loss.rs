//! Loss by direction, out of trains that each measure two.

use std::collections::BTreeMap;

use report::Evidence;

use super::trains;
use crate::view::View;

/// From here on connections suffer visibly.
pub(crate) const ERROR: f64 = 0.05;
/// Less than this is no loss to speak of.
pub(crate) const WARNING: f64 = 0.01;
/// So few samples say nothing.
const ENOUGH: u32 = 20;
/// One lost packet is noise.
const NOISE: u32 = 1;
/// What loses nearly everything of one length and little of another goes by length, not at random.
const ALL: f64 = 0.95;

/// Datagrams of one length in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Length {
    pub(crate) sent: u32,
    pub(crate) lost: u32,
}

impl Length {
    /// The share that was lost, if it is more than noise.
    pub(crate) fn share(self) -> Option<f64> {
        let share = f64::from(self.lost) / f64::from(self.sent.max(1));
        (self.sent >= ENOUGH && self.lost > NOISE && share > WARNING).then_some(share)
    }
}

/// What was lost on the way from one node's pods to another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Direction {
    pub(crate) small: Length,
    pub(crate) large: Length,
}

impl Direction {
    /// The share that is lost at random; `None` where that is noise, or where it goes by length.
    pub(crate) fn share(&self) -> Option<f64> {
        let large = self.large.share().filter(|share| *share < ALL);
        let shares = [self.small.share(), large].into_iter().flatten();
        shares.max_by(f64::total_cmp)
    }

    pub(crate) fn evidence(&self, from: &str, to: &str) -> Evidence {
        let length = |length: Length, name: &str| {
            (length.sent > 0).then(|| format!("{} of {} {name} ones", length.lost, length.sent))
        };
        let lost: Vec<String> = [length(self.small, "small"), length(self.large, "large")]
            .into_iter()
            .flatten()
            .collect();
        Evidence::probe(
            format!("{} did not arrive", lost.join(" and ")),
            format!("udp, many {from} → {to}"),
        )
    }
}

/// Whether more than noise is lost at random.
pub(crate) fn is_lossy(direction: &Direction) -> bool {
    direction.share().is_some()
}

/// Every direction of which something is known, all families together. What a train lost on its way there is the source's
/// direction; of what it lost on its way back, which is small, the target's.
pub(crate) fn directions<'a>(view: &View<'a>) -> BTreeMap<(&'a str, &'a str), Direction> {
    let mut found: BTreeMap<(&str, &str), Direction> = BTreeMap::new();
    for train in trains(view) {
        let loss = train.shown();
        let (Some(there), Some(back)) = (loss.lost_there, loss.lost_back) else {
            continue;
        };
        let direction = found.entry((train.source, train.target)).or_default();
        let length = if train.large {
            &mut direction.large
        } else {
            &mut direction.small
        };
        length.sent += loss.sent;
        length.lost += there;
        let answers = &mut found.entry((train.target, train.source)).or_default().small;
        answers.sent += loss.sent - there.min(loss.sent);
        answers.lost += back;
    }
    found
}
