use std::collections::BTreeMap;

use observation::{BackendEvent, DnsAsker};
use report::{Evidence, Finding, Severity, Subject};

use super::{Scene, count, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// More nameservers or search domains than a resolver reads: the kubelet leaves the rest out, and says so in an event.
pub(crate) static CHECK: Check = Check {
    id: "dns-pod-limits",
    claim: "pods have no more nameservers and search domains than resolvers read",
    needs: &[Need::Dns],
    judge,
};

/// A kubelet says it again while it is so, though it may let up to five minutes pass: what is older has been mended.
const RECENT_SECONDS: i64 = 10 * 60;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| Judgement {
        findings: findings(scene),
        gaps: Scene::gaps([gap(&scene.dns.events)]),
        ..Judgement::default()
    })
}

fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let events = scene.dns.events.seen().into_iter().flatten();
    let recent = events.filter(|event| {
        scene
            .ago(event.last.as_deref())
            .is_none_or(|ago| ago < RECENT_SECONDS)
    });
    let mut by_message: BTreeMap<(&str, bool), Vec<&BackendEvent>> = BTreeMap::new();
    for event in recent {
        let is_own = asker(scene, event).is_some_and(|asker| asker.config.is_some());
        by_message
            .entry((event.message.as_str(), is_own))
            .or_default()
            .push(event);
    }
    by_message
        .into_iter()
        .map(|((message, is_own), events)| finding(message, is_own, &events))
        .collect()
}

fn asker<'a>(scene: &Scene<'a>, event: &BackendEvent) -> Option<&'a DnsAsker> {
    let askers = scene.dns.askers.seen()?;
    askers
        .iter()
        .find(|asker| asker.namespace == event.namespace && asker.name == event.name)
}

/// Pods with the same lists have them from the same node, or from their own settings.
fn finding(message: &str, is_own: bool, events: &[&BackendEvent]) -> Finding {
    let first = events[0];
    let subject = Subject::Object {
        kind: first.kind.clone(),
        name: first.name.clone(),
        namespace: Some(first.namespace.clone()),
    };
    let others = match events.len() {
        1 => String::new(),
        more => format!(" and {}", count(more - 1, "pod more").replace("mores", "more")),
    };
    let lists = if message.to_lowercase().contains("search") {
        "search domains"
    } else {
        "nameservers"
    };
    let from = if is_own { "its own dnsConfig" } else { "its node" };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        subject.clone(),
        format!(
            "{subject}{others} would have more {lists} from {from} than resolvers read: the last are left out"
        ),
        Evidence::command(
            message.to_owned(),
            format!(
                "kubectl get events -n {} --field-selector reason=DNSConfigForming,involvedObject.name={}",
                word(&first.namespace),
                word(&first.name)
            ),
        ),
    );
    finding.hint = Some(if is_own {
        format!("shorten the list in the dnsConfig of {subject}")
    } else {
        "shorten the search list of the node's resolv.conf, or name a shorter file as resolvConf of its kubelet, and recreate the pods"
            .to_owned()
    });
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    fn said(at: &str) -> Fixture {
        Fixture::healthy().with(|dns| {
            list(&mut dns.events).push(BackendEvent {
                kind: "pod".into(),
                namespace: "shop".into(),
                name: "late".into(),
                reason: "DNSConfigForming".into(),
                message: "Search Line limits were exceeded, some search paths have been omitted".into(),
                last: Some(at.into()),
            });
        })
    }

    #[test]
    fn what_a_kubelet_says_now_is_told_and_what_it_said_once_is_not() {
        let findings = shown::finds(&CHECK, &said("2026-03-01T08:58:00Z").observe());
        assert_eq!(findings[0].subject.to_string(), "pod/late -n shop");
        assert!(findings[0].summary.contains("more search domains from its node"));
        shown::passes(&CHECK, &said("2026-03-01T08:00:00Z").observe());
    }

    #[test]
    fn events_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.events = unseen()).observe(),
        );
    }
}
