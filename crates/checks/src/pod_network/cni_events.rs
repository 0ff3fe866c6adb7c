use std::collections::BTreeMap;

use observation::{CniEvent, PodAddresses};
use report::{Evidence, Finding, Severity, Subject};

use super::{Cnis, count, few, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::endpoints::time::words;
use crate::shell::word;
use crate::view::View;

/// The kubelet writes an event for every pod whose network the CNI did not make, with the plugin's own words. An event outlives what it is
/// about: what counts is whether the pod still waits.
pub(crate) static CHECK: Check = Check {
    id: "cni-events",
    claim: "no event says that the network of a pod that waits could not be made",
    needs: &[Need::Cni],
    judge,
};

/// Events that were last seen longer ago are about something else.
const RECENT: i64 = 15 * 60;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let (Some(events), Some(pods)) = (
            part(&scene.facts.events, judgement),
            part(&scene.facts.cluster_pods, judgement),
        ) else {
            return;
        };
        let by_name: BTreeMap<(&str, &str), &PodAddresses> = pods
            .iter()
            .map(|pod| ((pod.namespace.as_str(), pod.name.as_str()), pod))
            .collect();
        let mut alike: BTreeMap<(&str, String), Vec<&CniEvent>> = BTreeMap::new();
        let mut past: BTreeMap<&str, Vec<&CniEvent>> = BTreeMap::new();
        for event in events {
            if scene.ago(event.last.as_deref()).is_none_or(|ago| ago > RECENT) {
                continue;
            }
            let pod = by_name.get(&(event.namespace.as_str(), event.pod.as_str()));
            let node = pod
                .and_then(|pod| pod.node.as_deref())
                .or(event.node.as_deref())
                .unwrap_or("");
            if pod.is_some_and(|pod| still_waits(event, pod)) {
                alike.entry((node, class(event))).or_default().push(event);
            } else {
                past.entry(node).or_default().push(event);
            }
        }
        for ((node, _), events) in &alike {
            judgement.cause(finding(scene, node, events), Breaks::Nothing);
        }
        let is_told = |node: &str| alike.keys().any(|(of, _)| *of == node);
        for (node, events) in past {
            if !is_told(node) {
                judgement.findings.push(over_again(scene, node, &events));
            }
        }
    })
}

/// Whether what an event tells of is still so: the pod has no network yet, or is not taken away yet.
fn still_waits(event: &CniEvent, pod: &PodAddresses) -> bool {
    if event.reason == "FailedKillPod" {
        return pod.deleted.is_some();
    }
    pod.phase == "Pending" && pod.addresses.is_empty()
}

/// The last event about a pod of a node that still waits for an address, because the address manager had none.
pub(super) fn without_address<'a>(scene: &Cnis<'a>, node: &str) -> Option<&'a CniEvent> {
    let events = scene.facts.events.seen().into_iter().flatten();
    let mut recent = events.filter(|event| scene.ago(event.last.as_deref()).is_some_and(|ago| ago <= RECENT));
    recent.find(|event| {
        let mut waiting = scene.pods_of(node).filter(|pod| still_waits(event, pod));
        let is_about = |pod: &PodAddresses| pod.namespace == event.namespace && pod.name == event.pod;
        waiting.any(is_about) && class(event) == "no-addresses"
    })
}

/// What the text is, so that the same about many pods is told once.
fn class(event: &CniEvent) -> String {
    let first = errortext::read(&event.message).matches.into_iter().next();
    first.map_or_else(|| event.reason.clone(), |found| found.text.name.to_owned())
}

/// The plugin's own words: what stands behind all that says where they come from.
pub(super) fn own_words(message: &str) -> &str {
    const FRAMES: [&str; 4] = [
        "failed (add): ",
        "failed (delete): ",
        "failed to setup network for sandbox",
        "rpc error: ",
    ];
    let mut rest = message;
    for frame in FRAMES {
        if let Some((_, behind)) = rest.rsplit_once(frame) {
            rest = behind;
            break;
        }
    }
    rest.trim_matches(|it: char| it == '"' || it.is_whitespace())
}

fn finding(scene: &Cnis<'_>, node: &str, events: &[&CniEvent]) -> Finding {
    let names: Vec<String> = events
        .iter()
        .map(|it| format!("pod/{} -n {}", it.pod, it.namespace))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let event = events[0];
    let words_of = own_words(&event.message);
    let verb = if events.len() == 1 { "is" } else { "are" };
    let (subject, place) = if node.is_empty() {
        (Subject::Cluster, String::new())
    } else {
        (Subject::node(node), format!(" on {node}"))
    };
    let what = if event.reason == "FailedKillPod" {
        format!("{} {verb} not taken away{place}: {words_of}", few(&names))
    } else {
        format!("{} {verb} given no network{place}: {words_of}", few(&names))
    };
    let ago = scene
        .ago(event.last.as_deref())
        .map_or(String::new(), |ago| format!(", last {} ago", words(ago)));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        what,
        Evidence::command(
            format!("{} of {}{ago}: {}", event.reason, names[0], event.message),
            format!(
                "kubectl -n {} describe pod {}",
                word(&event.namespace),
                word(&event.pod)
            ),
        ),
    );
    let first = errortext::read(&event.message).matches.into_iter().next();
    if let Some(found) = &first
        && found.text.rank == errortext::Rank::Cause
    {
        finding.evidence.push(Evidence::command(
            found.text.means,
            format!("kubectl cnicheck explain {}", word(words_of)),
        ));
        let next = found
            .text
            .next
            .first()
            .map(|next| next.replace("NODE", &word(node)));
        finding.hint = next
            .map(|next| format!("`{next}`; `kubectl cnicheck --node-access` looks at what is on the node"));
    }
    finding.explains = vec!["net-probe-pod".to_owned()];
    finding.hint.get_or_insert_with(|| {
        "the end of the text names what failed: `kubectl cnicheck --node-access` looks at what is on the node".to_owned()
    });
    finding
}

/// Events about pods that have their network by now, or are gone.
fn over_again(scene: &Cnis<'_>, node: &str, events: &[&CniEvent]) -> Finding {
    let last = events
        .iter()
        .filter_map(|event| scene.ago(event.last.as_deref()))
        .min();
    let place = if node.is_empty() {
        String::new()
    } else {
        format!(" on {node}")
    };
    let subject = if node.is_empty() {
        Subject::Cluster
    } else {
        Subject::node(node)
    };
    Finding::new(
        CHECK.id,
        Severity::Note,
        subject,
        format!(
            "the network of {}{place} could not be made at first, last {} ago; none of them still waits",
            count(events.len(), "pod"),
            words(last.unwrap_or_default())
        ),
        Evidence::command(
            own_words(&events[0].message).to_owned(),
            format!(
                "kubectl get events -A --field-selector reason={}",
                events[0].reason
            ),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no};
    use super::*;
    use crate::shown;

    const FULL: &str = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"0a1b\": plugin \
        type=\"flannel\" failed (add): failed to delegate add: failed to allocate for range 0: no IP addresses available in range set: \
        10.244.2.1-10.244.2.254";
    const LATELY: &str = "2026-03-01T08:59:30Z";

    #[test]
    fn pods_that_wait_for_the_same_reason_are_told_once_with_the_plugins_words() {
        let fixture = Fixture::healthy()
            .waits("web-1")
            .waits("web-2")
            .pod("web-1", |pod| pod.node = Some("node2".into()))
            .event("web-1", "node2", FULL, LATELY)
            .event("web-2", "node2", FULL, LATELY);
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject, Subject::node("node2"));
        assert_eq!(
            findings[0].summary,
            "pod/web-1 -n shop and pod/web-2 -n shop are given no network on node2: failed to delegate add: failed to allocate for range 0: \
             no IP addresses available in range set: 10.244.2.1-10.244.2.254"
        );
        assert!(
            findings[0].evidence[1]
                .fact
                .contains("All addresses of the node's range are taken")
        );
    }

    #[test]
    fn an_event_about_a_pod_that_runs_by_now_is_only_told_and_an_old_one_is_not() {
        let over = Fixture::healthy().event("web-2", "node2", FULL, LATELY);
        assert_eq!(shown::finds(&CHECK, &over.observe())[0].severity, Severity::Note);
        let gone = Fixture::healthy().event("gone", "node2", FULL, LATELY);
        assert_eq!(shown::finds(&CHECK, &gone.observe())[0].severity, Severity::Note);
        let old = Fixture::healthy()
            .waits("web-2")
            .event("web-2", "node2", FULL, "2026-03-01T08:00:00Z");
        shown::passes(&CHECK, &old.observe());
    }

    #[test]
    fn words_without_a_frame_stay_what_they_are() {
        assert_eq!(own_words("network is not ready"), "network is not ready");
        assert_eq!(own_words(""), "");
    }

    #[test]
    fn events_that_may_not_be_listed_are_unknown() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.events = no("events"))
                .observe(),
        );
    }
}
