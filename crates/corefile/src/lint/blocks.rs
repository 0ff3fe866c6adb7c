//! Who answers which names: zones that are missing, and blocks that take names from others.

use super::{Found, Role, is_within};
use crate::address::normal_zones;
use crate::ast::{Directive, ServerBlock};
use crate::error::Place;

pub(super) fn look(found: &mut Found<'_>) {
    placeholders(found);
    if found.facts.role == Role::NodeLocal {
        return;
    }
    zone(found);
    steal(found);
    for block in found.blocks() {
        reverse(found, block);
        hosts(found, block);
    }
}

/// The zones that a `kubernetes` answers for.
fn zones_of(directive: &Directive, block: &ServerBlock) -> Vec<String> {
    let args = directive.args();
    if args.is_empty() {
        return block.zones();
    }
    args.iter().flat_map(|zone| normal_zones(zone)).collect()
}

/// The block that gets a query for the name: the one with the longest zone.
fn block_for<'a>(found: &Found<'a>, name: &str) -> Option<&'a ServerBlock> {
    found
        .blocks()
        .filter_map(|block| {
            let longest = block
                .zones()
                .into_iter()
                .filter(|zone| is_within(name, zone))
                .map(|zone| zone.len())
                .max()?;
            Some((longest, block))
        })
        .max_by_key(|(longest, _)| *longest)
        .map(|(_, block)| block)
}

fn zone(found: &mut Found<'_>) {
    let Some(first) = found.blocks().next() else {
        return;
    };
    let domain = found.domain();
    // Where an import was not read, what seems to be missing may be in it.
    if !found.corefile.unread.is_empty() {
        return;
    }
    let Some(block) = block_for(found, &format!("svc.{domain}")) else {
        found.error(
            "dns-cf-zone",
            first.place.clone(),
            format!("no server block serves {domain}, so that names of Services are refused"),
            format!("serve `.` or `{domain}` with `kubernetes {domain}`"),
        );
        return;
    };
    match block.first("kubernetes") {
        None => found.error(
            "dns-cf-zone",
            block.place.clone(),
            format!("the server block that gets the names of {domain} has no `kubernetes`, so that Services have no names"),
            format!("add `kubernetes {domain} in-addr.arpa ip6.arpa` to it"),
        ),
        Some(kubernetes) => {
            let zones = zones_of(kubernetes, block);
            if !zones.iter().any(|zone| is_within(&domain, zone)) {
                found.error(
                    "dns-cf-zone",
                    kubernetes.place(),
                    format!(
                        "`kubernetes` answers for {} and not for {domain}, which pods search",
                        zones.join(" ")
                    ),
                    format!("kubernetes {domain} in-addr.arpa ip6.arpa"),
                );
            }
        }
    }
}

fn steal(found: &mut Found<'_>) {
    let domain = found.domain();
    let thieves: Vec<(Place, String)> = found
        .blocks()
        .filter(|block| block.first("kubernetes").is_none())
        .flat_map(|block| block.zones().into_iter().map(|zone| (block.place.clone(), zone)))
        .filter(|(_, zone)| *zone != domain && is_within(zone, &domain))
        .collect();
    for (place, zone) in thieves {
        found.error(
            "dns-cf-steal",
            place,
            format!(
                "this server block takes all names below {zone}, which are the cluster's: the longest zone gets a query \
                 alone, and it has no `kubernetes`"
            ),
            "merge it into the block that has `kubernetes`, or give it a zone outside of the cluster's",
        );
    }
}

fn reverse(found: &mut Found<'_>, block: &ServerBlock) {
    let Some(kubernetes) = block.first("kubernetes") else {
        return;
    };
    let zones = zones_of(kubernetes, block);
    let reverse =
        |zone: &String| zone.ends_with("in-addr.arpa.") || zone.ends_with("ip6.arpa.") || zone == ".";
    let elsewhere = found.blocks().any(|other| {
        other
            .first("kubernetes")
            .is_some_and(|directive| zones_of(directive, other).iter().any(reverse))
    });
    if !elsewhere {
        found.warn(
            "dns-cf-rev",
            kubernetes.place(),
            "`kubernetes` has no reverse zone: addresses of Services and pods have no names",
            format!(
                "add `in-addr.arpa ip6.arpa` behind {}, and `fallthrough in-addr.arpa ip6.arpa`",
                zones.join(" ")
            ),
        );
        return;
    }
    if zones.iter().any(reverse)
        && block.first("forward").is_some()
        && kubernetes.property("fallthrough").is_none()
    {
        found.warn(
            "dns-cf-rev",
            kubernetes.place(),
            "`kubernetes` takes all reverse lookups and lets none fall through: addresses outside of the cluster have no \
             names",
            "add `fallthrough in-addr.arpa ip6.arpa` to its block",
        );
    }
}

/// `hosts` comes before `kubernetes` in every version.
fn hosts(found: &mut Found<'_>, block: &ServerBlock) {
    let Some(hosts) = block.first("hosts") else { return };
    let zones: Vec<String> = hosts
        .args()
        .iter()
        .skip(1)
        .flat_map(|zone| normal_zones(zone))
        .collect();
    let zones = if zones.is_empty() { block.zones() } else { zones };
    let domain = found.domain();
    let covers = zones.iter().any(|zone| is_within(&domain, zone));
    if hosts.property("fallthrough").is_some() || !covers {
        return;
    }
    if block.first("kubernetes").is_some() {
        found.error(
            "dns-cf-steal",
            hosts.place(),
            "`hosts` answers before `kubernetes`, whatever their order in the file, and without `fallthrough` it answers \
             every name that it does not have with NXDOMAIN",
            "add `fallthrough` as the last line of its block",
        );
    } else if block.first("forward").is_some() {
        found.warn(
            "dns-cf-steal",
            hosts.place(),
            "`hosts` without `fallthrough` answers every name that it does not have with NXDOMAIN: nothing is forwarded",
            "add `fallthrough` as the last line of its block",
        );
    }
}

/// NodeLocal DNSCache puts two of its placeholders in by itself; the others have to be replaced before.
fn placeholders(found: &mut Found<'_>) {
    const ITS_OWN: &[&str] = &["__PILLAR__CLUSTER__DNS__", "__PILLAR__UPSTREAM__SERVERS__"];
    let words = found.blocks().flat_map(|block| {
        let keys = block.keys.iter().map(|key| (key.place.clone(), key.text.clone()));
        let args = block.directives.iter().flat_map(|directive| {
            let place = directive.place();
            directive
                .args()
                .into_iter()
                .map(move |word| (place.clone(), word.to_owned()))
        });
        keys.chain(args).collect::<Vec<_>>()
    });
    let left: Vec<(Place, String)> = words
        .filter(|(_, word)| word.contains("__PILLAR__"))
        .filter(|(_, word)| {
            found.facts.role != Role::NodeLocal || !ITS_OWN.iter().any(|own| word.contains(own))
        })
        .collect();
    for (place, word) in left {
        found.error(
            "dns-cf-parse",
            place,
            format!("the placeholder {word} was not replaced"),
            "replace the placeholders of the manifest (`__PILLAR__…`) and apply it again",
        );
    }
}
