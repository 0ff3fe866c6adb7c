//! What CoreDNS would not start with, now or after an upgrade, and comments that it reads as words.

use report::Severity;

use super::Found;
use crate::error::{Refusal, Rule};
use crate::setup::check;
use crate::version::plugin_span;

pub(super) fn look(found: &mut Found<'_>) {
    let facts = found.facts;
    let now = facts
        .version
        .map(|version| check(found.corefile, version, &facts.sources))
        .unwrap_or_default();
    for refusal in &now {
        // An image may have plugins built in that CoreDNS does not have.
        let own = refusal.rule != Rule::Directive || facts.stock_image || is_of_coredns(found, refusal);
        let severity = if own { Severity::Error } else { Severity::Warning };
        found.add(
            id(&refusal.rule),
            severity,
            refusal.place.clone(),
            refusal.what.clone(),
            refusal.next.clone(),
        );
    }
    if let Some(next) = facts.next_version {
        for refusal in check(found.corefile, next, &facts.sources) {
            let known = now
                .iter()
                .any(|known| known.place == refusal.place && known.rule == refusal.rule);
            if !known && (refusal.rule != Rule::Directive || is_of_coredns(found, &refusal)) {
                found.warn(
                    id(&refusal.rule),
                    refusal.place,
                    format!("CoreDNS {next} would not start: {}", refusal.what),
                    format!("before the upgrade: {}", refusal.next),
                );
            }
        }
    }
    for swallowed in &found.corefile.swallowed {
        found.warn(
            "dns-cf-parse",
            swallowed.place.clone(),
            format!(
                "the `#` right behind `{}` hides only the word that it touches: CoreDNS reads the rest of that comment as \
                 configuration",
                swallowed.word
            ),
            format!("put a space before it: `{} # …`", swallowed.word),
        );
    }
}

fn is_of_coredns(found: &Found<'_>, refusal: &Refusal) -> bool {
    found
        .blocks()
        .flat_map(|block| &block.directives)
        .any(|directive| directive.place() == refusal.place && plugin_span(&directive.name).is_some())
}

fn id(rule: &Rule) -> &'static str {
    match rule {
        Rule::Argument { plugin, .. } if &**plugin == "cache" => "dns-cf-cache-syntax",
        Rule::Property { plugin, .. } if ["forward", "cache", "kubernetes"].contains(&&**plugin) => {
            "dns-cf-prop"
        }
        Rule::Grammar
        | Rule::Address
        | Rule::Directive
        | Rule::Property { .. }
        | Rule::Argument { .. }
        | Rule::Once { .. } => "dns-cf-parse",
    }
}
