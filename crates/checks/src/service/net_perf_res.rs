use std::collections::BTreeSet;

use observation::{ContainerLoad, Load, NodeLoad, Topic};
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity, Subject};

use super::net_perf::slow_nodes;
use crate::check::{Check, Judgement, Need};
use crate::quantity::{bytes, millicores};
use crate::shell::word;
use crate::tries::about;
use crate::view::View;

/// Nodes and pods that are out of CPU where probes are slow. A busy node alone is no fault of the network, and nobody is blamed for it.
pub(crate) static CHECK: Check = Check {
    id: "net-perf-res",
    claim: "where something is slow, the nodes and the pods that packets depend on have CPU to spare",
    needs: &[Need::Mesh],
    judge,
};

/// Where what carries pods' packets runs: kube-proxy and the CNIs.
pub const NETWORK_NAMESPACES: [&str; 8] = [
    "kube-system",
    "kube-flannel",
    "calico-system",
    "cilium",
    "kube-router",
    "openshift-ovn-kubernetes",
    "openshift-sdn",
    "ovn-kubernetes",
];

/// A node is busy from so many percent of its CPU.
const BUSY: u64 = 90;
/// A container is slowed down by its limit when it stops it in one of so many periods.
const THROTTLED: u64 = 4;
/// Of fewer periods (100 ms each) no share is told.
const LEAST_PERIODS: u64 = 20;

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, &[Topic::Performance]) else {
        return Judgement::not_asked();
    };
    let slow = slow_nodes(reach);
    if slow.is_empty() {
        let gaps = crate::tries::gaps(view, reach);
        if !gaps.is_empty() {
            return Judgement {
                gaps,
                ..Judgement::default()
            };
        }
        return Judgement::skipped(
            "no pair of nodes is much slower than the others: there is nothing to explain",
        );
    }
    let Some(load) = view.observation.load.as_deref() else {
        return Judgement::not_asked();
    };
    let mut judgement = Judgement {
        gaps: gaps(load, &slow),
        ..Judgement::default()
    };
    for node in &slow {
        let used = load.nodes.seen().and_then(|nodes| nodes.get(node));
        judgement.findings.extend(used.and_then(|used| busy(node, used)));
        let containers = load.containers.get(node).and_then(Observed::seen);
        let own = view
            .observation
            .placement
            .as_ref()
            .map(|placement| placement.namespace.as_str());
        let slowed = containers.into_iter().flatten().filter(|it| is_slowed(it));
        judgement
            .findings
            .extend(slowed.map(|it| throttled(node, it, own)));
    }
    judgement
}

/// What of the slow nodes is not known.
fn gaps(load: &Load, slow: &BTreeSet<String>) -> Vec<Gap> {
    let mut all: Vec<Gap> = load.nodes.gap().cloned().into_iter().collect();
    for node in slow {
        all.extend(load.containers.get(node).and_then(Observed::gap).cloned());
        let missing = |message: &str| Gap {
            what: format!("how much of its CPU {node} uses"),
            why: GapReason::Failed,
            message: message.to_owned(),
            hint: Some(format!("`kubectl top node {}`", word(node))),
        };
        match load.nodes.seen().map(|nodes| nodes.get(node)) {
            Some(None) => all.push(missing("the metrics API does not know the node")),
            Some(Some(used)) if share(&used.cpu, used.cpu_capacity.as_deref(), millicores).is_none() => {
                all.push(missing(
                    "what the metrics API says of it, or its capacity, is no number",
                ));
            }
            Some(Some(_)) | None => {}
        }
    }
    all
}

/// How much of all that is, in percent.
fn share(used: &str, all: Option<&str>, number: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let all = number(all?).filter(|all| *all > 0)?;
    number(used)?.checked_mul(100).map(|used| used / all)
}

fn busy(node: &str, used: &NodeLoad) -> Option<Finding> {
    let percent =
        share(&used.cpu, used.cpu_capacity.as_deref(), millicores).filter(|percent| *percent > BUSY)?;
    let memory = share(&used.memory, used.memory_capacity.as_deref(), bytes);
    let memory = memory.map_or_else(String::new, |percent| format!(", and {percent} % of its memory"));
    let fact = format!(
        "{} of {} CPU are used{memory}",
        used.cpu,
        used.cpu_capacity.as_deref().unwrap_or("?")
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!("{node}, where what is slow begins or ends, uses {percent} % of its CPU"),
        Evidence::command(fact, format!("kubectl top node {}", word(node))),
    );
    finding.hint = Some(
        "packets wait there for the processor before they wait for the network; see who uses it: `kubectl top pods -A --sort-by=cpu`"
            .to_owned(),
    );
    Some(finding)
}

fn is_slowed(container: &ContainerLoad) -> bool {
    container.periods >= LEAST_PERIODS && container.throttled.saturating_mul(THROTTLED) >= container.periods
}

fn throttled(node: &str, container: &ContainerLoad, own: Option<&str>) -> Finding {
    let ContainerLoad {
        namespace,
        pod,
        container: name,
        periods,
        throttled,
    } = container;
    let percent = throttled.saturating_mul(100) / (*periods).max(1);
    let subject = Subject::Object {
        kind: "pod".to_owned(),
        name: pod.clone(),
        namespace: Some(namespace.clone()),
    };
    let is_ours = own == Some(namespace.as_str());
    let (whose, hint) = if is_ours {
        (
            "our own probe".to_owned(),
            "what was measured is the prober's own waiting: give it more: `kubectl netcheck perf --limits cpu=1`".to_owned(),
        )
    } else {
        (
            format!("{name} of {subject}"),
            format!(
                "raise or remove its CPU limit, by what its manifest comes from: `kubectl get pod {} -n {} -o yaml`",
                word(pod),
                word(namespace)
            ),
        )
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        subject,
        format!(
            "{whose} on {node}, where what is slow begins or ends, is stopped by its CPU limit in {percent} % of its periods"
        ),
        Evidence::command(
            format!("{throttled} of {periods} periods of 100 ms were throttled"),
            format!(
                "kubectl get --raw /api/v1/nodes/{}/proxy/metrics/cadvisor | grep cfs_ | grep {}",
                word(node),
                word(pod)
            ),
        ),
    );
    finding.hint = Some(hint);
    finding
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use netprobe::Outcome;
    use observation::Observation;

    use super::*;
    use crate::reach::{ReachOptions, plan_performance};
    use crate::shown;
    use crate::tries::scene::{Scene, is_from};

    /// Three nodes, from the third of which everything takes long, if so.
    fn seen(is_slow: bool, load: Option<Load>) -> Observation {
        let mut scene = Scene::new();
        scene.topics = vec![Topic::Performance];
        scene.services.clear();
        scene.slices.clear();
        scene.options = ReachOptions {
            series: u32::MAX,
            ..ReachOptions::default()
        };
        scene.more = plan_performance(&scene.places(), &[], 20, 1 << 20, &scene.options);
        let mut observation = scene.observe(|attempt, _| {
            let slow = is_slow && is_from(attempt, "node3") && attempt.subject == Subject::node("node1");
            slow.then_some(Outcome::Ok {
                rtt_us: 90_000,
                peer: None,
            })
        });
        observation.load = load.map(Box::new);
        observation
    }

    fn load(cpu: &str, throttled: u64) -> Load {
        let used = |cpu: &str| NodeLoad {
            cpu: cpu.to_owned(),
            cpu_capacity: Some("2".to_owned()),
            memory: "1Gi".to_owned(),
            memory_capacity: Some("4Gi".to_owned()),
        };
        let container = ContainerLoad {
            namespace: "netcheck-r".to_owned(),
            pod: "probe-3".to_owned(),
            container: "probe".to_owned(),
            periods: 100,
            throttled,
        };
        Load {
            nodes: Observed::Seen(BTreeMap::from([
                ("node1".to_owned(), used("300m")),
                ("node3".to_owned(), used(cpu)),
            ])),
            namespaces: vec!["netcheck-r".to_owned()],
            containers: BTreeMap::from([
                ("node1".to_owned(), Observed::Seen(Vec::new())),
                ("node3".to_owned(), Observed::Seen(vec![container])),
            ]),
        }
    }

    #[test]
    fn a_busy_node_at_an_end_of_what_is_slow_is_found() {
        let findings = shown::finds(&CHECK, &seen(true, Some(load("1950m", 0))));
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node3, where what is slow begins or ends, uses 97 % of its CPU"
        );
        assert_eq!(
            findings[0].evidence[0].fact,
            "1950m of 2 CPU are used, and 25 % of its memory"
        );
    }

    #[test]
    fn a_probe_that_its_own_limit_stops_is_found() {
        let findings = shown::finds(&CHECK, &seen(true, Some(load("300m", 60))));
        assert!(
            findings[0].summary.starts_with("our own probe on node3, ")
                && findings[0].summary.contains(" 60 % "),
            "{findings:#?}"
        );
    }

    #[test]
    fn nodes_with_cpu_to_spare_pass_and_a_busy_cluster_where_nothing_is_slow_is_no_matter() {
        shown::passes(&CHECK, &seen(true, Some(load("1700m", 10))));
        let judgement = judge(&View::new(&seen(false, Some(load("1990m", 90)))));
        assert!(judgement.findings.is_empty() && judgement.skipped.is_some());
    }

    #[test]
    fn without_the_metrics_api_or_with_what_is_no_number_it_is_unknown() {
        let mut without = load("1950m", 0);
        without.nodes = Observed::Unseen(Gap {
            what: "what nodes use".to_owned(),
            why: GapReason::NotServed,
            message: "the cluster has no metrics API".to_owned(),
            hint: None,
        });
        assert_eq!(shown::cannot_tell(&CHECK, &seen(true, Some(without))).len(), 1);
        shown::cannot_tell(&CHECK, &seen(true, Some(load("much", 0))));
        let mut unasked = load("300m", 0);
        if let Observed::Seen(nodes) = &mut unasked.nodes {
            nodes.remove("node3");
        }
        shown::cannot_tell(&CHECK, &seen(true, Some(unasked)));
    }

    #[test]
    fn where_not_all_pairs_were_tried_it_is_not_known_that_none_is_slow() {
        let mut observation = seen(false, None);
        for attempt in observation.reach.iter_mut().flat_map(|reach| &mut reach.attempts) {
            attempt.samples.clear();
        }
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn who_did_not_ask_how_long_things_take_hears_nothing() {
        let judgement = judge(&View::new(&Scene::new().observe(|_, _| None)));
        assert!(!judgement.is_asked());
    }
}
