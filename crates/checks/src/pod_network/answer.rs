//! The one sentence on the CNI that a reader reads first.

use report::Verdict;

use super::{Cnis, count};
use crate::firewall::joined;
use crate::view::View;

/// The answer; `None` where the causes or the findings are the answer, and where probes say more.
pub(crate) fn answer(view: &View<'_>, verdict: Verdict, warnings: &str) -> Option<String> {
    let Some(Ok(scene)) = Cnis::of(view) else {
        return None;
    };
    if view.observation.mesh.is_some() {
        return None;
    }
    let healthy = healthy(view, &scene);
    match verdict {
        Verdict::Fail => None,
        Verdict::Warn => Some(format!("{healthy}, but {warnings}")),
        Verdict::Pass => Some(healthy),
        Verdict::Unknown if warnings.is_empty() => {
            Some("nothing wrong was seen of the CNI, but not all could be seen".to_owned())
        }
        Verdict::Unknown => Some(format!("{warnings}; and not all could be seen")),
        Verdict::Skipped => Some(match names(&scene) {
            None => "nothing was looked at".to_owned(),
            Some(names) => format!("there is nothing of what is asked about: the CNI is {names}"),
        }),
    }
}

/// The CNIs that give pods their network, where one is known.
fn names(scene: &Cnis<'_>) -> Option<String> {
    let names: Vec<String> = scene.primaries().iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| joined(&names))
}

fn healthy(view: &View<'_>, scene: &Cnis<'_>) -> String {
    let what = match names(scene) {
        None if scene.is_in_process() => "the CNI of the nodes' own agent".to_owned(),
        None => {
            return "no DaemonSet of a CNI that is known is here, and nodes say that their network is ready"
                .to_owned();
        }
        Some(names) => names,
    };
    let read = view
        .observation
        .node_evidence
        .values()
        .filter(|it| it.seen().is_some())
        .count();
    let nodes = count(scene.nodes.len(), "node");
    if read == 0 {
        format!("{what} runs on {nodes}, by what the API says")
    } else {
        format!(
            "{what} runs on {nodes}, and nothing wrong was seen on {}",
            count(read, "node")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no};
    use crate::judge::{JudgeOptions, judge_selected};
    use crate::{Need, Selection};

    fn summary(fixture: &Fixture) -> String {
        let selection =
            Selection::of(|check| check.needs == [Need::Cni] && !check.id.starts_with("cni-triage"));
        let options = JudgeOptions {
            command: "status".into(),
            tool: "test".into(),
        };
        judge_selected(&fixture.observe(), &options, &selection).summary
    }

    #[test]
    fn what_the_cni_does_not_have_is_said_to_be_another_s() {
        let selection = Selection::of(|check| check.id == "cni-bgp");
        let options = JudgeOptions {
            command: "bgp".into(),
            tool: "test".into(),
        };
        let report = judge_selected(&Fixture::healthy().observe(), &options, &selection);
        assert_eq!(
            report.summary,
            "there is nothing of what is asked about: the CNI is flannel"
        );
    }

    #[test]
    fn the_answer_says_no_more_than_was_seen() {
        assert_eq!(
            summary(&Fixture::healthy()),
            "flannel runs on 3 nodes, by what the API says"
        );
        assert_eq!(
            summary(&Fixture::healthy().change(|cni| cni.events = no("events"))),
            "nothing wrong was seen of the CNI, but not all could be seen"
        );
        assert_eq!(
            summary(&Fixture::healthy().crowded(2, 250)),
            "node2 is about to run out of pod addresses: 2 of 253 are left in 10.244.2.0/24"
        );
    }
}
