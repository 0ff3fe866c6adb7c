//! The fewest places that account for all that is bad, each without a pair that works.

use std::collections::{BTreeMap, BTreeSet};

use report::Scope;

use super::grid::{Grid, Mark, Pair};

/// More single pairs than this have no place in common worth naming one by one.
const MOST_SINGLE: usize = 6;

type Pairs<'a> = BTreeSet<Pair<'a>>;

/// A place and the pairs in it that were planned.
struct Candidate<'a> {
    scope: Scope,
    pairs: Pairs<'a>,
}

/// The places, and of each the pairs that are bad. Takes whatever accounts for most of what is left; of equals the
/// smaller, since nothing was seen of the rest of the larger.
pub(super) fn cover<'a>(grid: &Grid<'a>, zones: &BTreeMap<&str, &str>) -> Vec<(Scope, Pairs<'a>)> {
    let bad: Pairs<'a> = grid.bad().collect();
    let mut left = bad.clone();
    let mut places: Vec<Candidate<'a>> = Vec::new();
    if left.is_empty() {
        return Vec::new();
    }
    let candidates = candidates(grid, zones);
    loop {
        let best = candidates
            .iter()
            .map(|candidate| (candidate.pairs.intersection(&left).count(), candidate))
            .min_by_key(|(gain, candidate)| (usize::MAX - gain, candidate.pairs.len()));
        match best {
            Some((gain, best)) if gain > 2 || (gain == 2 && !has_pair(grid, &left)) => {
                left.retain(|pair| !best.pairs.contains(pair));
                places.push(Candidate {
                    scope: best.scope.clone(),
                    pairs: best.pairs.clone(),
                });
            }
            Some((2, _)) => take_pairs(grid, &mut left, &mut places),
            Some(_) | None => break,
        }
    }
    take_pairs(grid, &mut left, &mut places);
    for pair in &left {
        places.push(Candidate {
            scope: single(*pair),
            pairs: BTreeSet::from([*pair]),
        });
    }
    drop_needless(&mut places, &bad);
    let places = places.into_iter().map(|place| {
        let pairs = place.pairs.intersection(&bad).copied().collect();
        (place.scope, pairs)
    });
    gather_single(places.collect())
}

fn single((source, target): Pair<'_>) -> Scope {
    if source == target {
        Scope::SameNode {
            node: source.to_owned(),
        }
    } else {
        Scope::OneWay {
            from: source.to_owned(),
            to: target.to_owned(),
        }
    }
}

fn both_ways(left: &Pairs<'_>, (a, b): Pair<'_>) -> bool {
    a < b && left.contains(&(b, a))
}

fn has_pair(grid: &Grid<'_>, left: &Pairs<'_>) -> bool {
    left.iter()
        .any(|pair| grid.marks.contains_key(pair) && both_ways(left, *pair))
}

fn take_pairs<'a>(grid: &Grid<'a>, left: &mut Pairs<'a>, places: &mut Vec<Candidate<'a>>) {
    let pairs: Vec<Pair<'a>> = left
        .iter()
        .copied()
        .filter(|pair| grid.marks.contains_key(pair) && both_ways(left, *pair))
        .collect();
    for (a, b) in pairs {
        left.remove(&(a, b));
        left.remove(&(b, a));
        let scope = Scope::Pair {
            a: a.to_owned(),
            b: b.to_owned(),
        };
        places.push(Candidate {
            scope,
            pairs: BTreeSet::from([(a, b), (b, a)]),
        });
    }
}

/// Drops places all of whose bad pairs others account for.
fn drop_needless(places: &mut Vec<Candidate<'_>>, bad: &Pairs<'_>) {
    let mut index = 0;
    while let Some(place) = places.get(index) {
        let needed = place.pairs.intersection(bad).any(|pair| {
            !places
                .iter()
                .enumerate()
                .any(|(other, it)| other != index && it.pairs.contains(pair))
        });
        if needed {
            index += 1;
        } else {
            places.remove(index);
        }
    }
}

fn gather_single(places: Vec<(Scope, Pairs<'_>)>) -> Vec<(Scope, Pairs<'_>)> {
    let is_single = |scope: &Scope| {
        matches!(
            scope,
            Scope::Pair { .. } | Scope::OneWay { .. } | Scope::SameNode { .. }
        )
    };
    let (single, mut larger): (Vec<_>, Vec<_>) = places.into_iter().partition(|(scope, _)| is_single(scope));
    if single.len() <= MOST_SINGLE {
        larger.extend(single);
        return larger;
    }
    let pairs: Pairs<'_> = single.into_iter().flat_map(|(_, pairs)| pairs).collect();
    larger.push((
        Scope::Scattered {
            pairs: u32::try_from(pairs.len()).unwrap_or(u32::MAX),
        },
        pairs,
    ));
    larger
}

/// Every larger place that nothing contradicts, the more particular first.
fn candidates<'a>(grid: &Grid<'a>, zones: &BTreeMap<&str, &str>) -> Vec<Candidate<'a>> {
    let names: BTreeSet<&str> = grid
        .marks
        .keys()
        .flat_map(|(source, target)| [*source, *target])
        .collect();
    let cross = |(source, target): Pair<'_>| source != target;
    let mut candidates = Vec::new();
    let mut add = |scope: Scope, holds: &dyn Fn(Pair<'_>) -> bool| {
        let pairs: Pairs<'a> = grid.marks.keys().copied().filter(|pair| holds(*pair)).collect();
        if !pairs.iter().any(|pair| grid.marks.get(pair) == Some(&Mark::Good)) {
            candidates.push(Candidate { scope, pairs });
        }
    };
    for name in &names {
        add(
            Scope::Outgoing {
                node: (*name).to_owned(),
            },
            &|pair| cross(pair) && pair.0 == *name,
        );
    }
    for name in &names {
        add(
            Scope::Incoming {
                node: (*name).to_owned(),
            },
            &|pair| cross(pair) && pair.1 == *name,
        );
    }
    for name in &names {
        add(
            Scope::Node {
                node: (*name).to_owned(),
            },
            &|pair| cross(pair) && (pair.0 == *name || pair.1 == *name),
        );
    }
    for name in &names {
        add(
            Scope::NodeAndItself {
                node: (*name).to_owned(),
            },
            &|pair| pair.0 == *name || pair.1 == *name,
        );
    }
    let zone_names: BTreeSet<&str> = names.iter().filter_map(|name| zones.get(name)).copied().collect();
    for a in &zone_names {
        for b in zone_names.iter().filter(|b| a < *b) {
            add(
                Scope::Zones {
                    a: (*a).to_owned(),
                    b: (*b).to_owned(),
                },
                &|(source, target)| match (zones.get(source), zones.get(target)) {
                    (Some(one), Some(other)) => (one == a && other == b) || (one == b && other == a),
                    (None, _) | (_, None) => false,
                },
            );
        }
    }
    add(Scope::EverySameNode, &|pair| !cross(pair));
    add(Scope::CrossNode, &cross);
    add(Scope::Everything, &|_| true);
    candidates
}
