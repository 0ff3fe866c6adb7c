//! Plugins that are missing, and those that are set unwisely.

use super::{Found, Role};
use crate::ast::{Directive, ServerBlock};
use crate::error::Place;
use crate::value;

pub(super) fn look(found: &mut Found<'_>) {
    if let Some(first) = found.blocks().next() {
        probes(found, &first.place);
        missing(found, first);
    }
    for block in found.blocks() {
        caching(found, block);
        pods(found, block);
        for rewrite in block.all("rewrite") {
            rewriting(found, rewrite);
        }
    }
}

fn anywhere<'a>(found: &Found<'a>, plugin: &'a str) -> Option<&'a Directive> {
    found.blocks().find_map(|block| block.first(plugin))
}

/// The port that the plugin listens on, and where it says so.
fn port(directive: &Directive, default: u16) -> Option<u16> {
    match directive.args().first() {
        None => Some(default),
        Some(address) => value::host_port(address)?.1.parse().ok(),
    }
}

fn probes(found: &mut Found<'_>, top: &Place) {
    let facts = found.facts;
    for (plugin, default, probed, kind, effect) in [
        (
            "ready",
            8181,
            facts.readiness_port,
            "readiness",
            "no pod of it ever gets ready",
        ),
        (
            "health",
            8080,
            facts.liveness_port,
            "liveness",
            "the kubelet ends its container again and again",
        ),
    ] {
        let directive = anywhere(found, plugin);
        match (directive, probed) {
            (None, Some(port)) if found.corefile.unread.is_empty() => found.error(
                "dns-cf-ready",
                top.clone(),
                format!("the {kind} probe asks port {port}, and there is no `{plugin}`: {effect}"),
                plugin.to_owned(),
            ),
            (Some(directive), Some(probed)) => {
                if let Some(own) = port(directive, default)
                    && own != probed
                {
                    found.error(
                        "dns-cf-ready",
                        directive.place(),
                        format!(
                            "`{plugin}` listens on port {own}, and the {kind} probe asks {probed}: {effect}"
                        ),
                        format!("{plugin} :{probed}"),
                    );
                }
            }
            _ => {}
        }
    }
    let (ready, health) = (anywhere(found, "ready"), anywhere(found, "health"));
    let probed = facts.readiness_port.is_some() || facts.liveness_port.is_some();
    if ready.is_none() && health.is_none() && !probed && found.corefile.unread.is_empty() {
        found.warn(
            "dns-cf-ready",
            top.clone(),
            "there is neither `ready` nor `health`: nothing notices a DNS pod that does not work",
            "add `ready` and `health { lameduck 5s }`, and the probes that ask them",
        );
    }
    if let Some(health) = health
        && health.property("lameduck").is_none()
        && facts.role == Role::Cluster
    {
        found.note(
            "dns-cf-ready",
            health.place(),
            "`health` has no `lameduck`: queries that come while a pod ends are lost",
            "add `lameduck 5s` to its block",
        );
    }
}

fn missing(found: &mut Found<'_>, first: &ServerBlock) {
    if !found.corefile.unread.is_empty() {
        return;
    }
    for (plugin, why) in [
        ("errors", "errors of upstreams are not logged"),
        ("loop", "a forwarding loop is not noticed at the start"),
        ("loadbalance", "addresses are always answered in the same order"),
        ("prometheus", "there are no metrics"),
        ("reload", "a changed Corefile is read only after a restart"),
    ] {
        if anywhere(found, plugin).is_some() {
            continue;
        }
        let fix = if plugin == "prometheus" {
            "prometheus :9153"
        } else {
            plugin
        };
        let why = format!("there is no `{plugin}`: {why}");
        // NodeLocal DNSCache answers from one upstream, whose order it keeps.
        if plugin == "loadbalance" && found.facts.role == Role::NodeLocal {
            continue;
        }
        if plugin == "reload" {
            found.warn("dns-cf-misc", first.place.clone(), why, fix);
        } else {
            found.note("dns-cf-misc", first.place.clone(), why, fix);
        }
    }
}

fn caching(found: &mut Found<'_>, block: &ServerBlock) {
    let Some(cache) = block.first("cache") else {
        if let Some(forward) = block.first("forward")
            && found.corefile.unread.is_empty()
        {
            found.warn(
                "dns-cf-cache",
                forward.place(),
                "what is forwarded here is not cached: every query of every pod goes upstream",
                "cache 30",
            );
        }
        return;
    };
    let seconds = |word: Option<&str>| word.and_then(value::integer);
    let ttl = seconds(cache.args().first().copied());
    if ttl.is_some_and(|ttl| ttl > 3600) {
        found.note(
            "dns-cf-cache",
            cache.place(),
            "answers are kept for more than an hour, as far as they allow it: changes of names are seen late",
            "cache 30",
        );
    }
    let denial = cache.property("denial");
    let denied = match &denial {
        Some(denial) => seconds(denial.args.get(1).map(String::as_str))
            .or(ttl)
            .unwrap_or(1800),
        None => ttl.unwrap_or(1800),
    };
    // Answers of kubernetes carry 5 seconds themselves; a kubernetes elsewhere is cached as it comes.
    let raised = denial
        .as_ref()
        .and_then(|denial| seconds(denial.args.get(2).map(String::as_str)));
    if raised.is_some_and(|shortest| shortest >= 60) || (denial.is_some() && denied >= 60) {
        found.warn(
            "dns-cf-cache",
            denial.map_or_else(|| cache.place(), |denial| denial.place),
            "that a name does not exist is remembered for a minute or more: new Services and names are found late",
            "denial 9984 5",
        );
    }
}

fn pods(found: &mut Found<'_>, block: &ServerBlock) {
    let Some(autopath) = block.first("autopath") else {
        return;
    };
    if autopath.args().last() != Some(&"@kubernetes") {
        return;
    }
    let Some(kubernetes) = block.first("kubernetes") else {
        found.error(
            "dns-cf-pods",
            autopath.place(),
            "`autopath @kubernetes` stands in a server block without `kubernetes`, and does nothing",
            "move it into the block that has `kubernetes`, or remove it",
        );
        return;
    };
    let mode = kubernetes
        .property("pods")
        .and_then(|pods| pods.args.first().cloned());
    if mode.as_deref() != Some("verified") {
        found.error(
            "dns-cf-pods",
            kubernetes.place(),
            format!(
                "`autopath @kubernetes` needs `pods verified`, and pods is {}: it does not know whose query it has",
                mode.as_deref().unwrap_or("disabled")
            ),
            "set `pods verified` (CoreDNS then keeps all pods in memory), or remove `autopath`",
        );
    }
}

/// A rule for names that leaves answers as they are: clients get records of a name that they did not ask for.
fn rewriting(found: &mut Found<'_>, rewrite: &Directive) {
    let mut words: Vec<String> = rewrite.args().into_iter().map(str::to_owned).collect();
    for property in rewrite.properties() {
        words.push(property.name);
        words.extend(property.args);
    }
    let words: Vec<String> = words.into_iter().collect();
    let rest = match words.first().map(|word| word.to_lowercase()).as_deref() {
        Some("stop" | "continue") => &words[1..],
        _ => &words[..],
    };
    let [name, kind, ..] = rest else { return };
    let changes_parts = ["prefix", "suffix", "substring", "regex"].contains(&kind.to_lowercase().as_str());
    let answers = rest.iter().any(|word| word == "answer");
    if name.eq_ignore_ascii_case("name") && changes_parts && !answers {
        found.warn(
            "dns-cf-misc",
            rewrite.place(),
            "the names in queries are rewritten and those in answers are not: many clients drop an answer about a name that \
             they did not ask for",
            "add `answer auto` at the end of the rule",
        );
    }
}
