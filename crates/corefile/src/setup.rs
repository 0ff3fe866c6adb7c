//! What CoreDNS refuses when it sets its plugins up.

mod answering;
mod cache;
mod forward;
mod kubernetes;
mod listening;
mod rewrite;
mod rows;
mod serving;
mod upstream;

use crate::ast::{Corefile, ServerBlock};
use crate::error::{Refusal, Rule};
use crate::sources::Sources;
use crate::stanza::{Checked, Stanza};
use crate::token::Token;
use crate::version::{Version, plugin_span};
use crate::{address, value};

/// What a plugin may look at beside its own words.
pub(crate) struct Surroundings<'a> {
    pub(crate) version: Version,
    pub(crate) sources: &'a Sources,
    /// The zones of the server block, as plugins compare them.
    pub(crate) zones: Vec<String>,
}

/// What CoreDNS of that version would not start with, in the order of the file. Empty: it starts, as far as the
/// configuration alone decides.
///
/// CoreDNS itself ends at the first of them. What depends on more than the configuration is taken to be in order:
/// certificates, zone files, keys, the credentials of clouds, whether a port is free, what `view` and the templates
/// of `template` compute. Plugins that are not CoreDNS' own are refused as unknown: where an image has them, leave
/// such refusals out ([`Rule::Directive`]).
pub fn check(corefile: &Corefile, version: Version, sources: &Sources) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for block in &corefile.blocks {
        for directive in &block.directives {
            if !plugin_span(&directive.name).is_some_and(|span| span.has(version)) {
                refusals.push(unknown_directive(directive, version));
            }
        }
        // A block without zones is read and dropped.
        if block.keys.is_empty() {
            continue;
        }
        if let Err(refusal) = block.served() {
            refusals.push(refusal);
            continue;
        }
        refusals.extend(block_refusals(block, version, sources));
    }
    refusals.extend(address::overlaps(corefile));
    refusals.sort_by_key(|refusal| refusal.place.line);
    refusals
}

fn unknown_directive(directive: &crate::Directive, version: Version) -> Refusal {
    let name = &directive.name;
    let (what, next) = match plugin_span(name) {
        Some(span) if span.since.is_some_and(|since| version < since) => (
            format!(
                "`{name}` is there since CoreDNS {}, and this is {version}",
                span.since.unwrap_or(version)
            ),
            "remove it, or run a later CoreDNS".to_owned(),
        ),
        Some(span) => (
            format!(
                "`{name}` was removed in CoreDNS {}, and this is {version}",
                span.until.unwrap_or(version)
            ),
            match name.as_str() {
                "proxy" => "use `forward` instead".to_owned(),
                "startup" | "shutdown" => "use `on` instead".to_owned(),
                _ => "remove it".to_owned(),
            },
        ),
        None => (
            format!("CoreDNS {version} has no plugin `{name}`"),
            "correct the name, or run an image that has this plugin built in".to_owned(),
        ),
    };
    Refusal {
        place: directive.place(),
        what,
        next,
        rule: Rule::Directive,
    }
}

fn block_refusals(block: &ServerBlock, version: Version, sources: &Sources) -> Vec<Refusal> {
    let served = block.served().unwrap_or_default();
    let around = Surroundings {
        version,
        sources,
        zones: served
            .iter()
            .filter(|served| !served.port.is_empty())
            .map(|served| value::normal_name(&served.zone))
            .collect(),
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut refusals = Vec::new();
    for directive in &block.directives {
        let name = directive.name.as_str();
        if seen.contains(&name) || !plugin_span(name).is_some_and(|span| span.has(version)) {
            continue;
        }
        seen.push(name);
        let tokens: Vec<&Token> = block
            .all(name)
            .flat_map(|directive| directive.tokens.iter())
            .collect();
        let mut stanza = Stanza::new(&around, name, tokens);
        if let Some(setup) = setup_of(name)
            && let Err(refusal) = setup(&mut stanza)
        {
            refusals.push(refusal);
        }
    }
    refusals
}

/// How a plugin reads its words. `None`: not known, so that nothing is refused.
fn setup_of(plugin: &str) -> Option<fn(&mut Stanza<'_>) -> Checked> {
    Some(match plugin {
        "acl" => answering::acl,
        "any" | "local" => |_| Ok(()),
        "auto" => serving::auto,
        "autopath" => answering::autopath,
        "bind" => listening::bind,
        "bufsize" => listening::bufsize,
        "cache" => cache::cache,
        "cancel" => listening::cancel,
        "debug" => listening::debug,
        "dns64" => answering::dns64,
        "dnstap" => rows::dnstap,
        "erratic" => answering::erratic,
        "errors" => rows::errors,
        "etcd" => serving::etcd,
        "file" => serving::file,
        "forward" => forward::forward,
        "grpc" => forward::grpc,
        "header" => answering::header,
        "health" => rows::health,
        "hosts" => serving::hosts,
        "k8s_external" => kubernetes::external,
        "kubernetes" => kubernetes::kubernetes,
        "loadbalance" => answering::loadbalance,
        "log" => rows::log,
        "loop" => rows::once_without_arguments,
        "metadata" => rows::metadata,
        "minimal" | "whoami" => rows::no_argument,
        "multisocket" => listening::multisocket,
        "nsid" => rows::nsid,
        "on" => rows::on,
        "pprof" => rows::pprof,
        "prometheus" => rows::prometheus,
        "quic" => listening::quic,
        "ready" => rows::ready,
        "reload" => rows::reload,
        "rewrite" => rewrite::rewrite,
        "root" => listening::root,
        "secondary" => serving::secondary,
        "template" => answering::template,
        "timeouts" => listening::timeouts,
        "tls" => listening::tls,
        "transfer" => serving::transfer,
        "tsig" => answering::tsig,
        "view" => rows::view,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
