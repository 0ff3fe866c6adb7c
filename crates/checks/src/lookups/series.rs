//! How long answers took, where the same was asked again and again.

use std::collections::BTreeMap;

use observation::{LookupServer, NameClass, Source};

use super::table::Table;

/// What one series is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Of<'a> {
    pub(crate) server: &'a LookupServer,
    pub(crate) source: &'a Source,
    pub(crate) tcp: bool,
    pub(crate) class: NameClass,
}

/// How long answers took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) asked: usize,
    /// Round trips of those that were answered, in microseconds, in the order in which they were asked.
    pub(crate) times: Vec<u64>,
}

impl Figures {
    pub(crate) fn lost(&self) -> usize {
        self.asked - self.times.len()
    }

    /// The least time within which so many of a hundred answers came, in microseconds; `None` without an answer.
    pub(crate) fn percentile(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.times.extend(&other.times);
    }
}

/// All series that were measured.
pub(crate) fn series<'a>(table: &Table<'a>) -> BTreeMap<Of<'a>, Figures> {
    let mut all: BTreeMap<Of<'a>, Figures> = BTreeMap::new();
    for row in table.rows.iter().filter(|row| row.lookup.measured) {
        let lookup = row.lookup;
        let of = Of {
            server: &lookup.server,
            source: &lookup.source,
            tcp: lookup.is_tcp(),
            class: lookup.class,
        };
        let figures = all.entry(of).or_default();
        figures.asked += lookup.samples.len();
        let times = lookup.samples.iter().filter_map(|sample| sample.outcome.rtt_us());
        figures.times.extend(times);
    }
    all
}

/// Series put together by what the key says; those without one are left out.
pub(crate) fn together<'a, K: Ord>(
    series: &BTreeMap<Of<'a>, Figures>,
    key: impl Fn(&Of<'a>) -> Option<K>,
) -> BTreeMap<K, Figures> {
    let mut all: BTreeMap<K, Figures> = BTreeMap::new();
    for (of, figures) in series {
        if let Some(key) = key(of) {
            all.entry(key).or_default().add(figures);
        }
    }
    all
}

/// What answers take that never leave their pod; `None` where that was not measured.
pub(crate) fn floor(table: &Table<'_>) -> Option<Figures> {
    let samples: Vec<_> = table
        .lookups
        .floor
        .iter()
        .flat_map(|floor| &floor.samples)
        .collect();
    (!samples.is_empty()).then(|| Figures {
        asked: samples.len(),
        times: samples
            .iter()
            .filter_map(|sample| sample.outcome.rtt_us())
            .collect(),
    })
}

/// Upper ends of the classes of a histogram, in microseconds; the last class has none.
const ENDS: [u64; 12] = [
    250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000, 2_500_000,
];

/// What the columns of a histogram stand for.
pub(crate) const SCALE: &str = "0.25ms ‥ 2.5s";

/// The times as a row of bars, from under a quarter of a millisecond to beyond 2.5 s.
pub(crate) fn histogram(times: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut counts = [0_usize; ENDS.len() + 1];
    for time in times {
        let class = ENDS.iter().position(|end| time <= end).unwrap_or(ENDS.len());
        counts[class] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let bar = |count: &usize| match count {
        0 => '·',
        count => BARS[(count * BARS.len()).div_ceil(most) - 1],
    };
    counts.iter().map(bar).collect()
}

/// Microseconds as `0.3ms`, `12ms` or `4.0s`.
pub(crate) fn time(microseconds: u64) -> String {
    match microseconds {
        1_000_000.. => format!(
            "{}.{}s",
            microseconds / 1_000_000,
            microseconds % 1_000_000 / 100_000
        ),
        10_000.. => format!("{}ms", microseconds / 1000),
        _ => format!("{}.{}ms", microseconds / 1000, microseconds % 1000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let figures = Figures {
            asked: 101,
            times: (1..=100).rev().collect(),
        };
        let at = |percent| figures.percentile(percent);
        assert_eq!(
            (at(50), at(95), at(99), at(100)),
            (Some(50), Some(95), Some(99), Some(100))
        );
        assert_eq!(figures.lost(), 1);
        assert_eq!(Figures::default().percentile(99), None);
    }

    #[test]
    fn a_histogram_has_a_bar_for_each_class_that_has_any() {
        assert_eq!(histogram(&[100, 100, 100, 700, 9_000_000]), "█·▃·········▃");
        assert_eq!(histogram(&[]), "·············");
    }

    proptest! {
        #[test]
        fn a_percentile_is_never_below_a_lower_one(times in prop::collection::vec(any::<u64>(), 1..50), low in 1_usize..100, high in 1_usize..100) {
            let figures = Figures { asked: times.len(), times };
            let (low, high) = (low.min(high), low.max(high));
            prop_assert!(figures.percentile(low) <= figures.percentile(high));
        }

        #[test]
        fn every_time_is_in_the_histogram(times in prop::collection::vec(any::<u64>(), 1..50)) {
            let picture = histogram(&times);
            prop_assert_eq!(picture.chars().count(), ENDS.len() + 1);
            prop_assert!(picture.contains('█'));
        }
    }
}
