use netprobe::Kind;
use observation::{Attempt, Expected, Observation, PathPod, Purpose, Source, SourceState, Topic};
use report::{Gap, GapReason, Observed, Subject};

use super::CHECK;
use crate::reach::Wanted;
use crate::shown;
use crate::tries::scene::{Scene, is_from, reset, silence};

fn pod(phase: &str, address: Option<[u8; 4]>) -> PathPod {
    PathPod {
        name: "web-2".into(),
        namespace: "shop".into(),
        node: Some("node2".into()),
        phase: phase.into(),
        addresses: address.into_iter().map(Into::into).collect(),
        host_network: false,
    }
}

fn seen(pod: PathPod, outcome: impl Fn(&Attempt, usize) -> Option<netprobe::Outcome>) -> Observation {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::Path];
    scene.more = vec![Wanted {
        source: None,
        purpose: Purpose::Destination,
        subject: Subject::Object {
            kind: "pod".into(),
            name: "web-2".into(),
            namespace: Some("shop".into()),
        },
        address: "10.244.2.21:8080".parse().unwrap(),
        kind: Kind::Connect { linger_ms: 0 },
        expected: Expected::Answer,
        tries: 1,
    }];
    let mut observation = scene.observe(outcome);
    observation.reach.as_mut().unwrap().pods = vec![pod];
    observation
}

fn is_destination(attempt: &Attempt) -> bool {
    attempt.purpose == Purpose::Destination
}

fn running() -> PathPod {
    pod("Running", Some([10, 244, 2, 21]))
}

#[test]
fn a_pod_that_runs_and_answers_passes() {
    let observation = seen(running(), |_, _| None);
    shown::passes(&CHECK, &observation);
}

#[test]
fn sources_that_did_not_answer_are_unknown() {
    let mut observation = seen(running(), |_, _| None);
    for attempt in &mut observation.reach.as_mut().unwrap().attempts {
        attempt.samples.clear();
    }
    shown::cannot_tell(&CHECK, &observation);
}

#[test]
fn a_pod_without_an_address_is_said_to_be_out_of_reach() {
    let findings = shown::finds(&CHECK, &seen(pod("Pending", None), |_, _| None));
    assert_eq!(
        findings[0].summary,
        "pod/web-2 is Pending and has no address: nothing can reach it"
    );
}

#[test]
fn a_pod_that_answers_on_its_own_node_only_points_at_policies() {
    let observation = seen(running(), |it, _| {
        (is_destination(it) && !is_from(it, "node2")).then(silence)
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "port 8080 of pod/web-2 -n shop does not answer from node1, node3"
    );
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("own node"))
    );
}

#[test]
fn a_port_where_nothing_listens_refuses() {
    let observation = seen(running(), |it, _| is_destination(it).then(reset));
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        findings[0].summary.contains("refuses connections"),
        "{findings:#?}"
    );
}

/// What each source tried was tried from within a pod of node1 too, with these outcomes there.
fn from_within(mut observation: Observation, inside: Option<&netprobe::Outcome>) -> Observation {
    let reach = observation.reach.as_mut().unwrap();
    let beside = reach
        .attempts
        .iter()
        .filter(|it| it.source == Source::Pod { node: "node1".into() });
    let mut own: Vec<Attempt> = beside.cloned().collect();
    for attempt in &mut own {
        attempt.source = within();
        for sample in &mut attempt.samples {
            if let Some(outcome) = inside {
                sample.outcome = outcome.clone();
            }
        }
    }
    reach.attempts.extend(own);
    reach.sources.push(SourceState {
        source: within(),
        answered: Observed::Seen(()),
    });
    observation
}

fn within() -> Source {
    Source::Inside {
        node: "node1".into(),
        namespace: "shop".into(),
        pod: "web-1".into(),
    }
}

fn no_route() -> netprobe::Outcome {
    netprobe::Outcome::NetUnreachable {
        offender: None,
        code: None,
        after_us: 10,
    }
}

#[test]
fn what_fails_from_within_a_pod_only_is_that_pods_matter() {
    let observation = from_within(seen(running(), |_, _| None), Some(&no_route()));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].subject.to_string(), "pod/web-1 -n shop");
    assert_eq!(
        findings[0].summary,
        "from pod/web-1 -n shop, pod/web-2 -n shop cannot be reached (network is unreachable); a probe pod beside it on \
         node1 reaches it"
    );
}

#[test]
fn what_fails_beside_a_pod_too_is_not_its_matter() {
    let silent = seen(running(), |attempt, _| is_destination(attempt).then(silence));
    let findings = shown::finds(&CHECK, &from_within(silent, None));
    assert!(
        findings
            .iter()
            .all(|it| it.subject.to_string() != "pod/web-1 -n shop"),
        "{findings:?}"
    );
    shown::passes(&CHECK, &from_within(seen(running(), |_, _| None), None));
}

#[test]
fn what_fails_from_within_a_pod_is_told_whatever_was_asked_about() {
    for topic in [Topic::Service, Topic::Egress] {
        let mut scene = Scene::new();
        scene.topics = vec![topic];
        let observation = from_within(scene.observe(|_, _| None), Some(&no_route()));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].subject.to_string(), "pod/web-1 -n shop");
    }
}

#[test]
fn a_pod_whose_network_could_not_be_entered_is_unknown() {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::Service];
    let mut observation = scene.observe(|_, _| None);
    observation.reach.as_mut().unwrap().sources.push(SourceState {
        source: within(),
        answered: Observed::Unseen(Gap {
            what: "the network of pod/web-1 -n shop".into(),
            why: GapReason::NotStarted,
            message: "it could not be entered from node1".into(),
            hint: None,
        }),
    });
    let gaps = shown::cannot_tell(&CHECK, &observation);
    assert!(gaps.iter().any(|gap| gap.message.contains("entered")), "{gaps:?}");
}
