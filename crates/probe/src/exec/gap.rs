//! What an exec that failed means.

use report::{Gap, GapReason};

use super::{CONNECT, Once, Place};
use crate::trouble::Trouble;

/// The gap that an exec leaves whose answers are not whole, because of what they are `lacking`.
pub(super) fn gap(place: &Place<'_>, once: &Once, lacking: &str) -> Gap {
    let node = place.node;
    let what = format!("answers from {node}");
    let mut words = Vec::new();
    words.extend(once.trouble.as_ref().map(ToString::to_string));
    if !once.stderr.is_empty() {
        words.push(format!("the agent says: {}", once.stderr));
    }
    words.extend(
        once.answers
            .stray
            .as_ref()
            .map(|stray| format!("it wrote: {stray}")),
    );
    if once.answers.is_empty()
        && let Some(trouble) = &once.trouble
    {
        return judge(place, trouble, &words.join("; "), what);
    }
    words.insert(0, lacking.to_owned());
    Gap {
        what,
        why: GapReason::Truncated,
        message: format!("the answers from {node} are not whole: {}", words.join("; ")),
        hint: None,
    }
}

/// Reads why an exec gave nothing at all.
fn judge(place: &Place<'_>, trouble: &Trouble, words: &str, what: String) -> Gap {
    let (node, namespace) = (place.node, place.namespace);
    let unreachable = format!(
        "kubectl logs and exec fail on {node} as well: look at its kubelet and at what lies between it and the control plane (port 10250)"
    );
    let (why, message, hint) = match trouble {
        Trouble::Refused(status) if status.code == 403 && words.contains("pods/exec") => {
            let verb = if words.contains("cannot get ") {
                "get"
            } else {
                "create"
            };
            (
                GapReason::Forbidden {
                    verb: verb.to_owned(),
                    resource: "pods/exec".to_owned(),
                    namespace: Some(namespace.to_owned()),
                },
                format!("you may not execute in the probe pod on {node}: {words}"),
                Some(format!(
                    "both verbs are needed: kubectl auth can-i get pods --subresource=exec -n {namespace}; kubectl auth can-i create pods --subresource=exec -n {namespace}"
                )),
            )
        }
        Trouble::Refused(status) if status.code == 404 => (
            GapReason::Failed,
            format!("the probe pod on {node} is gone: {words}"),
            None,
        ),
        Trouble::Refused(_) if is_unreachable(words) => {
            // What comes before names the whole request, command line and all.
            let dial = words.find("dial tcp").map_or(words, |at| &words[at..]);
            (
                GapReason::Failed,
                format!("the API server cannot reach the kubelet of {node}: {dial}"),
                Some(unreachable),
            )
        }
        Trouble::TimedOut(after) if *after == CONNECT => (
            GapReason::TimedOut {
                after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            },
            format!(
                "the API server did not get through to the kubelet of {node} within {} s",
                after.as_secs()
            ),
            Some(unreachable),
        ),
        Trouble::TimedOut(after) => (
            GapReason::TimedOut {
                after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            },
            format!("the agent on {node} did not answer within {} s", after.as_secs()),
            None,
        ),
        Trouble::Refused(_) | Trouble::Lost(_) => (
            GapReason::Failed,
            format!("the agent on {node} could not be run: {words}"),
            None,
        ),
    };
    Gap {
        what,
        why,
        message,
        hint,
    }
}

/// The words of API servers that have no way to a kubelet: before WebSockets were translated (1.30), since then, and behind
/// a konnectivity proxy.
fn is_unreachable(words: &str) -> bool {
    [
        "error dialing backend",
        "dial tcp",
        "error sending request",
        "No agent available",
    ]
    .iter()
    .any(|mark| words.contains(mark))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::Api;

    use super::super::{Streamed, executed};
    use super::*;
    use crate::answers::Answers;

    fn refused(code: u16, words: &str) -> Trouble {
        let mut status = kube::core::Status::failure(words, "");
        status.code = code;
        Trouble::Refused(Box::new(status))
    }

    fn gap_of(trouble: Trouble, pieces: &[u8]) -> Gap {
        let client =
            kube::Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
        let place = Place {
            api: Api::namespaced(client, "shop"),
            namespace: "shop",
            node: "node3",
            pod: "p",
            command: "run",
            inside: None,
            run: "r",
            streamed: &Arc::new(Streamed::default()),
        };
        let mut answers = Answers::default();
        answers.push(pieces);
        let once = Once {
            answers,
            stderr: String::new(),
            trouble: Some(trouble),
        };
        executed(&place, once).seen.gap().unwrap().clone()
    }

    #[tokio::test]
    async fn failures_are_told_apart() {
        let forbidden = gap_of(
            refused(
                403,
                "pods \"p\" is forbidden: User \"vera\" cannot get resource \"pods/exec\" in API group \"\" in the namespace \"shop\"",
            ),
            b"",
        );
        assert!(
            matches!(forbidden.why, GapReason::Forbidden { ref verb, .. } if verb == "get"),
            "{forbidden:?}"
        );
        assert!(
            forbidden
                .hint
                .unwrap()
                .contains("create pods --subresource=exec -n shop")
        );

        let dial = "dial tcp 172.30.0.13:10250: connect: connection refused";
        for words in [
            format!("error dialing backend: {dial}"),
            format!(
                "Internal error occurred: error sending request: Post \"https://172.30.0.13:10250/exec/shop/p/netprobe?command=run\": {dial}"
            ),
        ] {
            let kubelet = gap_of(refused(500, &words), b"");
            assert_eq!(
                kubelet.message,
                format!("the API server cannot reach the kubelet of node3: {dial}")
            );
        }

        let hung = gap_of(Trouble::TimedOut(CONNECT), b"");
        assert_eq!(hung.why, GapReason::TimedOut { after_ms: 10_000 });
    }

    #[tokio::test]
    async fn answers_that_were_cut_off_are_truncated_not_failed() {
        let lost = Trouble::Lost("the connection broke".to_owned());
        let line = b"{\"line\":\"answer\",\"id\":1,\"samples\":[]}\n";
        let gap = gap_of(lost, line);
        assert_eq!(gap.why, GapReason::Truncated);
        assert_eq!(
            gap.message,
            "the answers from node3 are not whole: cut off after 1 answers; the connection broke"
        );
    }
}
