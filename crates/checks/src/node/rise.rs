//! How much the kernel's counters rose while the probes ran. Their totals say nothing: a node is up for months.

use observation::{NodeEvidence, NodeReads};
use report::{Gap, GapReason, Observed};

/// By how much a counter of `/proc/net/snmp` or `netstat` rose, by the name that nstat(8) has for it.
pub(crate) fn counted(node: &str, evidence: &NodeEvidence, name: &str) -> Observed<u64> {
    between(node, evidence, name, &|reads, name| {
        let counters = part(&reads.counters)?;
        Ok(counters.get(name).copied())
    })
}

/// By how much a counter of the connection tracking table rose, by its name in `/proc/net/stat/nf_conntrack`.
pub(crate) fn tracked(node: &str, evidence: &NodeEvidence, name: &str) -> Observed<u64> {
    between(node, evidence, name, &|reads, name| {
        let table = part(&reads.conntrack)?;
        Ok(table.counters.get(name).copied())
    })
}

type Read = dyn for<'a> Fn(&'a NodeReads, &str) -> Result<Option<u64>, &'a Gap>;

fn part<T>(part: &Observed<T>) -> Result<&T, &Gap> {
    match part {
        Observed::Seen(value) => Ok(value),
        Observed::Unseen(gap) => Err(gap),
    }
}

/// A counter that was not read at both ends is unseen, never zero.
fn between(node: &str, evidence: &NodeEvidence, name: &str, read: &Read) -> Observed<u64> {
    let gap = |message: String| Gap {
        what: format!("the counter {name} of {node}"),
        why: GapReason::Failed,
        message,
        hint: None,
    };
    let Some(after) = &evidence.after else {
        return Observed::Unseen(gap(format!(
            "{node} could not be read once more after the probes, and one reading of a counter says nothing"
        )));
    };
    match (read(&evidence.before, name), read(after, name)) {
        (Ok(Some(before)), Ok(Some(after))) => match after.checked_sub(before) {
            Some(rise) => Observed::Seen(rise),
            None => Observed::Unseen(gap("it went back while the probes ran".to_owned())),
        },
        (Ok(_), Ok(_)) => Observed::Unseen(gap(format!("the kernel of {node} does not show it"))),
        (Err(gap), _) | (_, Err(gap)) => Observed::Unseen(gap.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, count, uncounted};

    const NAME: &str = "UdpInCsumErrors";

    fn rise(scene: &Scene) -> Observed<u64> {
        let observation = scene.observation();
        let evidence = observation.node_evidence["node1"].seen().unwrap();
        counted("node1", evidence, NAME)
    }

    #[test]
    fn only_what_rose_between_two_readings_counts() {
        let scene = Scene::healthy(1).change("node1", |reads| count(reads, NAME, 100));
        assert_eq!(rise(&scene), Observed::Seen(0));
        let more = scene.change_after("node1", |reads| count(reads, NAME, 107));
        assert_eq!(rise(&more), Observed::Seen(7));
    }

    #[test]
    fn a_counter_that_is_missing_or_went_back_is_unseen() {
        let missing = Scene::healthy(1).change_after("node1", |reads| uncounted(reads, NAME));
        let back = Scene::healthy(1).change("node1", |reads| count(reads, NAME, 9));
        let back = back.change_after("node1", |reads| count(reads, NAME, 2));
        for scene in [missing, back] {
            assert!(rise(&scene).gap().is_some());
        }
    }

    #[test]
    fn one_reading_is_none() {
        let scene = Scene::healthy(1).read_once("node1");
        assert!(rise(&scene).gap().unwrap().message.contains("once more"));
    }
}
