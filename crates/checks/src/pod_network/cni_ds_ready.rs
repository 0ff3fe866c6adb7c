use observation::{CniContainer, CniController, CniPod, CniProduct, Ended, LogTail, Node};
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::{Cnis, NO_NETWORK, count, gap, ids, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::endpoints::time::words;
use crate::proxy::log::{last_words, message};
use crate::shell::word;
use crate::view::View;

/// A node whose CNI does not run goes on with the pods that it has, and gives no new one a network. `Running` says little: what counts is
/// the condition, why a container waits, and how it ended last.
pub(crate) static CHECK: Check = Check {
    id: "cni-ds-ready",
    claim: "the CNI's pods are ready on every node that is to have one",
    needs: &[Need::Cni],
    judge,
};

/// A container that ended so lately, and again and again, may keep ending, also where it runs at the moment.
const AGAIN: i64 = 5 * 60;
/// One that runs for longer than this has got further than those before it may have.
const UP: i64 = 60;
/// What checks of a product say of the same agent.
const OF_PRODUCTS: [&str; 3] = ["cni-calico", "cni-cilium", "cni-terway"];
/// A pod may take so long to get ready.
const STARTING: i64 = 60;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let (Some(controllers), Some(_)) = (
            part(&scene.facts.controllers, judgement),
            part(&scene.facts.pods, judgement),
        ) else {
            return;
        };
        for controller in controllers.iter().filter(|it| it.desired > 0) {
            of_controller(scene, controller, judgement);
        }
        if scene.primaries().is_empty() {
            return;
        }
        for node in &scene.nodes {
            missing(scene, node, judgement);
        }
    })
}

fn of_controller(scene: &Cnis<'_>, controller: &CniController, judgement: &mut Judgement) {
    let mut broken = Vec::new();
    let mut all = 0;
    for node in &scene.nodes {
        let pods = scene.pods_on(&node.name);
        for pod in
            pods.filter(|pod| pod.product == controller.product && pod.namespace == controller.namespace)
        {
            all += 1;
            match state(scene, node, pod) {
                State::Well => {}
                State::Unknown(why) => judgement
                    .gaps
                    .push(gap(format!("{} of {}", controller.product, node.name), why)),
                State::Broken(why) => broken.push((node.name.as_str(), pod, why)),
                State::UpAgain(why) => {
                    let what = format!("{} of {} runs again: {why}", controller.product, node.name);
                    let mut finding = finding(Subject::node(&node.name), &what, pod);
                    finding.severity = Severity::Warning;
                    judgement.findings.push(finding);
                }
            }
        }
    }
    let is_everywhere = broken.len() > 1 && broken.len() == all;
    if is_everywhere && let Some((_, pod, why)) = broken.first() {
        let what = format!(
            "{} runs on no node: {why}, on all {}",
            controller.product,
            count(all, "node")
        );
        judgement.cause(finding(controller.subject(), &what, pod), Breaks::Nothing);
        return;
    }
    for (node, pod, why) in broken {
        let what = format!("{} of {node} does not run: {why}", controller.product);
        judgement.cause(finding(Subject::node(node), &what, pod), Breaks::Nothing);
    }
}

/// How a pod of the CNI is.
enum State {
    Well,
    /// It is ready, and has ended so lately that it may end again.
    UpAgain(String),
    Broken(String),
    Unknown(String),
}

fn state(scene: &Cnis<'_>, node: &Node, pod: &CniPod) -> State {
    if !Cnis::is_reported(node) {
        return State::Unknown(
            "its kubelet does not report, so that what the API says of the pod may be old".to_owned(),
        );
    }
    let ending = pod.containers.iter().find_map(|it| ending(scene, it));
    if pod.ready {
        let Some((container, ended, ago)) = ending else {
            return State::Well;
        };
        if ago >= UP {
            return State::UpAgain(format!(
                "container {} ended {} ago, with exit status {}, {} so far",
                container.name,
                words(ago),
                ended.exit_code,
                count(container.restarts as usize, "restart")
            ));
        }
    }
    let waits = |it: &CniContainer| Some((it.name.clone(), it.waiting.clone()?));
    let waiting = pod.containers.iter().find_map(waits);
    let failed = ending
        .map(|(container, ended, _)| (container, ended))
        .or_else(|| pod.containers.iter().find_map(|it| Some((it, failure(it)?))));
    let is_new = scene
        .ago(pod.created.as_deref())
        .is_some_and(|age| age < STARTING);
    if failed.is_none() && (is_new || scene.joining(&node.name).is_some()) {
        return State::Unknown(format!(
            "pod/{} was made only just now and is not ready yet",
            pod.name
        ));
    }
    State::Broken(match (waiting, failed, &pod.refused) {
        (_, Some((container, ended)), _) => format!(
            "container {} keeps ending, with exit status {}, {} so far",
            container.name,
            ended.exit_code,
            count(container.restarts as usize, "restart")
        ),
        (Some((name, waiting)), None, _) => {
            format!("container {name} waits, with the reason {}", waiting.reason)
        }
        (None, None, Some(refused)) => format!("its pod is not started: {}", refused.reason),
        (None, None, None) => "its pod is not ready".to_owned(),
    })
}

/// How a container ended last, where it failed.
fn failure(container: &CniContainer) -> Option<&Ended> {
    container.ended.as_ref().filter(|ended| ended.is_failure())
}

/// A container that has failed again and again, and the last time lately: how, and how many seconds ago.
fn ending<'a>(scene: &Cnis<'_>, container: &'a CniContainer) -> Option<(&'a CniContainer, &'a Ended, i64)> {
    let ended = failure(container)?;
    let ago = scene.ago(ended.at.as_deref())?;
    (!container.init && container.restarts >= 2 && ago < AGAIN).then_some((container, ended, ago))
}

fn finding(subject: Subject, summary: &str, pod: &CniPod) -> Finding {
    let (name, namespace) = (word(&pod.name), word(&pod.namespace));
    let waiting = pod.containers.iter().find_map(|it| it.waiting.as_ref());
    let said = match waiting.or(pod.refused.as_ref()) {
        Some(waiting) if waiting.message.is_empty() => waiting.reason.clone(),
        Some(waiting) => format!("{}: {}", waiting.reason, waiting.message),
        None => format!("{}, not ready", pod.phase),
    };
    let describe = format!("kubectl -n {namespace} describe pod {name}");
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        summary,
        Evidence::command(format!("pod/{name}: {said}"), describe.clone()),
    );
    if let Some((container, line)) = last(pod) {
        let means = errortext::read(line).matches.into_iter().next();
        finding.evidence.push(Evidence::command(
            format!("the last words of {container}: {}", message(line)),
            format!("kubectl -n {namespace} logs {name} -c {container} --tail=20"),
        ));
        if let Some(means) = means.filter(|it| it.text.rank == errortext::Rank::Cause) {
            finding.evidence.push(Evidence::command(
                means.text.means,
                format!("kubectl cnicheck explain {}", word(message(line))),
            ));
        }
    }
    finding.explains = ids(&["cni-log", "cni-subnetenv", "cni-conf", "cni-flannel"]);
    finding.explains.extend(ids(&NO_NETWORK));
    if !is_only_unready(pod) {
        finding.explains.extend(ids(&OF_PRODUCTS));
    }
    finding.hint = Some(if pod.refused.is_some() && pod.containers.is_empty() {
        format!("see what keeps it from its node: `{describe}`")
    } else {
        format!(
            "repair what its last words name; then start it again: `kubectl -n {namespace} delete pod {name}`"
        )
    });
    finding
}

/// Whether the pod runs, and nothing but its readiness probe has anything against it. Then the product's own check says why.
fn is_only_unready(pod: &CniPod) -> bool {
    let is_away = |it: &CniContainer| it.waiting.is_some() || failure(it).is_some();
    pod.refused.is_none() && !pod.containers.iter().any(is_away)
}

/// The last words of the container that ended, or else of any that says something: what it said before its last start counts first.
fn last(pod: &CniPod) -> Option<(&str, &str)> {
    let said = |log: &'_ Option<Observed<LogTail>>| -> bool {
        log.as_ref()
            .and_then(Observed::seen)
            .is_some_and(|log| !log.lines.is_empty())
    };
    let of = |it: &'_ CniContainer| -> Option<usize> { (said(&it.previous) || said(&it.log)).then_some(0) };
    let mut order = pod
        .containers
        .iter()
        .filter(|it| failure(it).is_some())
        .chain(pod.containers.iter().filter(|it| !it.init));
    let container = order.find(|it| of(it).is_some())?;
    let logs = [&container.previous, &container.log];
    let line = logs
        .into_iter()
        .filter_map(|log| log.as_ref()?.seen())
        .find_map(last_words)?;
    Some((container.name.as_str(), line))
}

/// A node that has no pod of any CNI, although others have.
fn missing(scene: &Cnis<'_>, node: &Node, judgement: &mut Judgement) {
    let name = node.name.as_str();
    let has = scene.pods_on(name).any(|pod| !pod.product.is_meta());
    let others = scene
        .nodes
        .iter()
        .filter(|it| scene.pods_on(&it.name).next().is_some())
        .count();
    if has || others == 0 {
        return;
    }
    if let Some(age) = scene.joining(name) {
        let why = format!("it joined {} ago, and has no pod of the CNI yet", words(age));
        judgement.gaps.push(gap(format!("the CNI of {name}"), why));
        return;
    }
    let primary = scene.controllers().find(|it| !it.product.is_meta());
    let product = primary.map_or(CniProduct::Flannel, |it| it.product);
    let namespace = primary.map_or("kube-system", |it| it.namespace.as_str());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!("no pod of {product} is on {name}: new pods there are given no network"),
        Evidence::command(
            format!("{} have one, {name} has none", count(others, "other node")),
            format!("kubectl -n {} get pods -o wide", word(namespace)),
        ),
    );
    if !node.taints.is_empty() {
        let taints: Vec<String> = node
            .taints
            .iter()
            .map(|it| format!("{}:{}", it.key, it.effect))
            .collect();
        finding.evidence.push(Evidence::field(
            format!("the node is tainted {}", taints.join(", ")),
            format!("node/{name} .spec.taints"),
        ));
    }
    for controller in scene.controllers().filter(|it| !it.node_selector.is_empty()) {
        finding.evidence.push(Evidence::field(
            format!("it is for nodes with {}", controller.node_selector.join(",")),
            format!("{} .spec.template.spec.nodeSelector", controller.subject()),
        ));
    }
    finding.explains = ids(&[
        "cni-conf",
        "cni-bin",
        "cni-subnetenv",
        "cni-vxlan-if",
        "cni-flannel",
    ]);
    finding.explains.extend(ids(&NO_NETWORK));
    let set = primary.map_or("", |it| it.name.as_str());
    finding.hint = Some(format!(
        "see what keeps the DaemonSet from it, a taint that it does not tolerate or a label that the node lacks: `kubectl -n {} describe daemonset {}`",
        word(namespace),
        word(set)
    ));
    judgement.cause(finding, Breaks::Nothing);
}

#[cfg(test)]
mod tests {
    use observation::Waiting;

    use super::super::fixture::{Fixture, NOW, container, no, seen};
    use super::*;
    use crate::shown;

    fn crashing(fixture: Fixture, node: &str) -> Fixture {
        fixture.cni_pod(node, |pod| {
            pod.ready = false;
            let own = &mut pod.containers[0];
            own.restarts = 6;
            own.waiting = Some(Waiting {
                reason: "CrashLoopBackOff".into(),
                message: "back-off 2m40s".into(),
            });
            own.ended = Some(Ended {
                reason: "Error".into(),
                exit_code: 1,
                at: Some("2026-03-01T08:59:00Z".into()),
            });
            own.previous = container("x", &["E0301 08:59:00.000000       1 main.go:268] Failed to find any valid interface to use: failed to get default interface"]).log;
        })
    }

    #[test]
    fn a_pod_that_keeps_ending_is_found_with_what_its_last_words_mean() {
        let findings = shown::finds(&CHECK, &crashing(Fixture::healthy(), "node2").observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject, Subject::node("node2"));
        assert_eq!(
            findings[0].summary,
            "flannel of node2 does not run: container kube-flannel keeps ending, with exit status 1, 6 restarts so far"
        );
        assert!(
            findings[0].evidence[1]
                .fact
                .contains("Failed to find any valid interface")
        );
        assert!(findings[0].evidence[2].fact.contains("no interface of the node"));
    }

    #[test]
    fn the_same_on_all_nodes_is_told_once_of_the_daemon_set() {
        let mut fixture = Fixture::healthy();
        for node in ["node1", "node2", "node3"] {
            fixture = crashing(fixture, node);
        }
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].subject.to_string(),
            "daemonset/kube-flannel-ds -n kube-flannel"
        );
    }

    #[test]
    fn between_two_ends_it_is_ready_and_keeps_ending_all_the_same() {
        let fixture = crashing(Fixture::healthy(), "node2").cni_pod("node2", |pod| {
            pod.ready = true;
            pod.containers[0].waiting = None;
        });
        shown::finds(&CHECK, &fixture.observe());
        let ended = |fixture: &Fixture, at: &str| {
            fixture.clone().cni_pod("node2", |pod| {
                pod.containers[0].ended.as_mut().unwrap().at = Some(at.into());
            })
        };
        let just_now = shown::finds(&CHECK, &ended(&fixture, "2026-03-01T08:59:30Z").observe());
        assert_eq!(just_now[0].severity, Severity::Error, "{just_now:?}");
        let up_again = shown::finds(&CHECK, &ended(&fixture, "2026-03-01T08:57:00Z").observe());
        assert_eq!(up_again[0].severity, Severity::Warning, "{up_again:?}");
        assert!(
            up_again[0].summary.starts_with("flannel of node2 runs again"),
            "{up_again:?}"
        );
        let long_ago = fixture.cni_pod("node2", |pod| {
            pod.containers[0].ended.as_mut().unwrap().at = Some("2026-02-01T08:59:00Z".into());
        });
        shown::passes(&CHECK, &long_ago.observe());
    }

    #[test]
    fn a_node_without_a_pod_is_found_unless_it_has_just_joined() {
        let without = Fixture::healthy()
            .change(|cni| seen(&mut cni.pods).retain(|pod| pod.node.as_deref() != Some("node3")));
        let findings = shown::finds(&CHECK, &without.observe());
        assert!(findings[0].summary.starts_with("no pod of flannel is on node3"));
        let joining =
            without.change(|cni| seen(&mut cni.nodes)[2].created = Some("2026-03-01T08:59:00Z".into()));
        shown::cannot_tell(&CHECK, &joining.observe());
    }

    #[test]
    fn flannel_in_the_process_of_k3s_has_no_pod_and_needs_none() {
        let mut fixture = Fixture::healthy().change(|cni| {
            seen(&mut cni.controllers).clear();
            seen(&mut cni.pods).clear();
        });
        for node in ["node1", "node2", "node3"] {
            fixture = fixture.node(node, |node| node.kubelet_version = "v1.34.4+k3s1".into());
        }
        shown::passes(&CHECK, &fixture.observe());
    }

    #[test]
    fn pods_of_a_node_that_does_not_report_and_pods_that_may_not_be_listed_are_unknown() {
        let silent = crashing(Fixture::healthy(), "node2").node("node2", |node| {
            node.ready.as_mut().unwrap().status = "Unknown".into();
        });
        shown::cannot_tell(&CHECK, &silent.observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().change(|cni| cni.pods = no("pods")).observe(),
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
        assert_eq!(NOW.len(), 20);
    }
}
