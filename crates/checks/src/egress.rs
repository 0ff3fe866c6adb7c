//! Checks of what lies outside of the cluster, seen from inside. One file each, named as the check.

pub(crate) mod net_egr;
pub(crate) mod net_egr_gw;
pub(crate) mod net_egr_ip;
pub(crate) mod net_egr_proxy;

use std::collections::BTreeMap;

use observation::{Purpose, Source, Topic};

use crate::tries::Row;

const TOPICS: &[Topic] = &[Topic::Egress];

/// What is known of a node's way out.
#[derive(Clone, Copy, Debug, Default)]
struct WayOut {
    /// Whether its pods reach something outside; `None` when they did not try.
    pods: Option<bool>,
    /// Whether its own network does.
    host: Option<bool>,
}

/// The way out of each node, by what was reached of all addresses outside.
fn ways_out<'a>(rows: &[Row<'a>]) -> BTreeMap<&'a str, WayOut> {
    let mut ways: BTreeMap<&str, WayOut> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.sample.purpose == Purpose::AddressOutside)
    {
        for (sources, reached) in [(row.right(), true), (row.failing(), false)] {
            for source in sources {
                let Some(node) = source.node() else { continue };
                let way = ways.entry(node).or_default();
                let known = match source {
                    Source::Pod { .. } => &mut way.pods,
                    Source::Host { .. } => &mut way.host,
                    Source::Inside { .. } | Source::Outside => continue,
                };
                // One address that is reached shows that there is a way.
                *known = Some(known.unwrap_or(false) || reached);
            }
        }
    }
    ways
}
