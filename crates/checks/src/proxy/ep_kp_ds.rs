use observation::ProxyPod;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::{OLD_RULES, Proxies, Proxy, gap, log, on_proxies};
use crate::check::{Check, Judgement, Need};
use crate::endpoints::time::{seconds, words};
use crate::firewall::joined;
use crate::shell::{on_node, word};
use crate::view::View;

/// kube-proxy has to run once on every Linux node, unless something else does its work: then it is right that it does not.
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-ds",
    claim: "kube-proxy runs on every node, or what replaces it",
    needs: &[Need::KubeProxy],
    judge,
};

/// A container that ended so many seconds ago, and not well, may end again.
const LATELY: i64 = 15 * 60;
/// One that ended again and again, and not longer ago than this, keeps ending: a kubelet waits up to five minutes before it starts it.
const AGAIN: i64 = 6 * 60;
/// A pod takes so many seconds to start.
const STARTING: i64 = 60;

fn judge(view: &View<'_>) -> Judgement {
    on_proxies(view, |proxies, judgement| {
        let pods = match &proxies.facts.pods {
            Observed::Seen(pods) => pods,
            Observed::Unseen(gap) => {
                judgement.gaps.push(gap.clone());
                return;
            }
        };
        if pods.is_empty() {
            without_pods(view, proxies, judgement);
            return;
        }
        for proxy in &proxies.nodes {
            match proxy.pod {
                Some(pod) => of_pod(proxies, proxy, pod, judgement),
                None if proxy.is_in_process() || proxy.mode().is_some() => {}
                None => missing(proxies, proxy, judgement),
            }
        }
    })
}

/// No pod of kube-proxy anywhere: something replaces it, or it runs as a service of the nodes, or nobody does its work.
fn without_pods(view: &View<'_>, proxies: &Proxies<'_>, judgement: &mut Judgement) {
    if let Some(name) = proxies.replaced() {
        let of = proxies.facts.replacements.seen().into_iter().flatten();
        let Some(first) = of.clone().find(|it| it.is_whole) else {
            return;
        };
        judgement.findings.push(Finding::new(
            CHECK.id,
            Severity::Note,
            Subject::Cluster,
            format!("there is no kube-proxy, and none is needed: {name} does its work"),
            Evidence::command(first.sign.clone(), first.command.clone()),
        ));
        return;
    }
    if let Observed::Unseen(gap) = &proxies.facts.replacements {
        judgement.gaps.push(gap.clone());
    }
    let mut idle: Vec<&str> = Vec::new();
    for proxy in &proxies.nodes {
        if proxy.is_in_process() || proxy.mode().is_some() {
            continue;
        }
        let firewall = view
            .firewalls
            .iter()
            .find(|firewall| firewall.name() == proxy.name());
        match firewall {
            Some(firewall) if !netmodel::rules::proxy_modes(&firewall.rules.sets).is_empty() => {}
            Some(firewall) if firewall.gaps.is_empty() => idle.push(proxy.name()),
            _ => judgement.gaps.push(report::Gap {
                hint: Some("--node-access reads the rules of nodes, which tell".to_owned()),
                ..gap(
                    format!("what does the work of kube-proxy on {}", proxy.name()),
                    "no pod of kube-proxy is there, and nothing that is known to replace it",
                )
            }),
        }
    }
    if let Some(first) = idle.first()
        && proxies.facts.replacements.seen().is_some()
    {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Cluster,
            format!(
                "nothing does the work of kube-proxy on {}: no pod of it, no rule for Services, and nothing that is known to replace it",
                joined(&idle)
            ),
            Evidence::command("no pod is listed", proxies.show()),
        );
        finding.evidence.push(Evidence::command(
            "no rule is for a Service",
            on_node(first, &["iptables-save -t nat", "nft list tables"]),
        ));
        finding.hint = Some("look for what should run it: `kubectl get daemonsets -A`".to_owned());
        judgement.findings.push(finding);
    }
}

fn missing(proxies: &Proxies<'_>, proxy: &Proxy<'_>, judgement: &mut Judgement) {
    let name = proxy.name();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        proxy.subject(),
        format!("no kube-proxy is on {name}: Services do not work there, or only as they were before"),
        Evidence::command(format!("no pod is on {name}"), proxies.show()),
    );
    if !proxy.node.taints.is_empty() {
        let taints: Vec<String> = proxy
            .node
            .taints
            .iter()
            .map(|taint| format!("{}:{}", taint.key, taint.effect))
            .collect();
        let taints: Vec<&str> = taints.iter().map(String::as_str).collect();
        finding.evidence.push(Evidence::field(
            format!("the node is tainted {}", joined(&taints)),
            format!("node/{name} .spec.taints"),
        ));
    }
    let sets = proxies.facts.daemon_sets.seen().into_iter().flatten();
    for set in sets.filter(|set| !set.node_selector.is_empty()) {
        let labels: Vec<String> = set
            .node_selector
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        finding.evidence.push(Evidence::field(
            format!("it is for nodes with {}", labels.join(",")),
            format!(
                "daemonset/{} -n {} .spec.template.spec.nodeSelector",
                set.name, set.namespace
            ),
        ));
    }
    finding.hint = Some(
        "see what keeps the DaemonSet from it: `kubectl -n kube-system describe daemonset kube-proxy`"
            .to_owned(),
    );
    judgement.findings.push(finding);
}

fn of_pod(proxies: &Proxies<'_>, proxy: &Proxy<'_>, pod: &ProxyPod, judgement: &mut Judgement) {
    if !proxy.is_reported() {
        judgement.gaps.push(gap(
            format!("kube-proxy of {}", proxy.name()),
            "its kubelet does not report, so that what the API says of the pod may be old",
        ));
        return;
    }
    let read_at = proxies.facts.read_at.as_str();
    let ended = pod.ended.as_ref().filter(|ended| ended.is_failure());
    let ended_ago = ended.and_then(|ended| seconds(ended.at.as_deref(), read_at));
    let keeps_ending = pod.restarts >= 2 && ended_ago.is_some_and(|ago| ago < AGAIN);
    let waits_long = pod
        .waiting
        .as_ref()
        .is_some_and(|waiting| waiting.reason == "CrashLoopBackOff");
    let is_new = seconds(pod.created.as_deref(), read_at).is_some_and(|age| age < STARTING);
    if pod.ready && !keeps_ending {
        if let (Some(ended), Some(ago)) = (ended, ended_ago)
            && ago < LATELY
        {
            judgement.findings.push(of_ending(
                proxy,
                pod,
                Severity::Warning,
                &format!(
                    "kube-proxy of {} ended {} ago with {} and was started anew",
                    proxy.name(),
                    words(ago),
                    ended.exit_code
                ),
            ));
        }
        return;
    }
    if is_new && ended.is_none() && !waits_long {
        judgement.gaps.push(gap(
            format!("kube-proxy of {}", proxy.name()),
            format!(
                "pod/{} was made less than a minute ago and is not ready yet",
                pod.name
            ),
        ));
        return;
    }
    let why = match (&pod.waiting, ended) {
        (_, Some(ended)) if waits_long || keeps_ending => format!(
            "it keeps ending, with exit status {}, {} restarts so far",
            ended.exit_code, pod.restarts
        ),
        (Some(waiting), _) => format!("it waits, with the reason {}", waiting.reason),
        (None, Some(ended)) => format!("it ended with exit status {}", ended.exit_code),
        (None, None) => format!("its pod is {} and not ready", pod.phase),
    };
    judgement.findings.push(of_ending(
        proxy,
        pod,
        Severity::Error,
        &format!("kube-proxy of {} does not run: {why}", proxy.name()),
    ));
}

fn of_ending(proxy: &Proxy<'_>, pod: &ProxyPod, severity: Severity, summary: &str) -> Finding {
    let (name, namespace) = (word(&pod.name), word(&pod.namespace));
    let state = match &pod.waiting {
        Some(waiting) if waiting.message.is_empty() => waiting.reason.clone(),
        Some(waiting) => format!("{}: {}", waiting.reason, waiting.message),
        None => format!("{} restarts", pod.restarts),
    };
    let describe = format!("kubectl -n {namespace} describe pod {name}");
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        proxy.subject(),
        summary,
        Evidence::command(format!("pod/{name}: {state}"), describe.clone()),
    );
    if let Some(words) = pod.log.seen().and_then(log::last_words) {
        finding.evidence.push(Evidence::command(
            format!("its last words: {words}"),
            format!("kubectl -n {namespace} logs {name} --tail=20"),
        ));
    }
    finding.hint = Some(format!(
        "its own words say why: configuration, kubeconfig, kernel, image: `{describe}`"
    ));
    if severity == Severity::Error {
        finding.explains = ["ep-kp-log", "ep-kp-metrics", "ep-kp-mode"]
            .iter()
            .chain(&OLD_RULES)
            .map(|id| (*id).to_owned())
            .collect();
    }
    finding
}

#[cfg(test)]
mod tests {
    use observation::{Ended, Waiting};

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    fn ended(at: &str) -> Ended {
        Ended {
            reason: "Error".into(),
            exit_code: 1,
            at: Some(at.into()),
        }
    }

    #[test]
    fn a_pod_that_keeps_ending_is_found_with_its_last_words() {
        let broken = Fixture::healthy().pod("node2", |pod| {
            pod.ready = false;
            pod.restarts = 4;
            pod.waiting = Some(Waiting {
                reason: "CrashLoopBackOff".into(),
                message: String::new(),
            });
            pod.ended = Some(ended("2026-03-01T08:59:00Z"));
        });
        let broken = broken.log(
            "node2",
            &["E0301 08:59:00.0 1 run.go:1] \"command failed\" err=\"bad mode\""],
        );
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(
            findings[0].summary,
            "kube-proxy of node2 does not run: it keeps ending, with exit status 1, 4 restarts so far"
        );
        assert!(findings[0].evidence[1].fact.contains("bad mode"));
    }

    #[test]
    fn between_two_ends_it_is_ready_and_keeps_ending_all_the_same() {
        let broken = Fixture::healthy().pod("node2", |pod| {
            pod.restarts = 3;
            pod.ended = Some(ended("2026-03-01T08:59:30Z"));
        });
        assert_eq!(
            shown::finds(&CHECK, &broken.observe())[0].severity,
            Severity::Error
        );
        let once = Fixture::healthy().pod("node2", |pod| {
            pod.restarts = 1;
            pod.ended = Some(ended("2026-03-01T08:59:30Z"));
        });
        assert_eq!(
            shown::finds(&CHECK, &once.observe())[0].severity,
            Severity::Warning
        );
        let long_ago = Fixture::healthy().pod("node2", |pod| {
            pod.restarts = 9;
            pod.ended = Some(ended("2026-02-01T08:59:30Z"));
        });
        shown::passes(&CHECK, &long_ago.observe());
    }

    #[test]
    fn a_node_without_a_pod_beside_others_is_found() {
        let findings = shown::finds(&CHECK, &Fixture::healthy().without_pod("node3").observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject, Subject::node("node3"));
    }

    #[test]
    fn none_at_all_is_right_where_something_replaces_it_or_runs_it_itself() {
        shown::passes(&CHECK, &Fixture::healthy().replaced("Cilium").observe());
        shown::passes(&CHECK, &Fixture::healthy().in_process().observe());
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn none_at_all_is_unknown_where_rules_were_not_read_and_wrong_where_there_are_none() {
        let nothing = Fixture::healthy().without_pods().silent_everywhere();
        assert_eq!(shown::cannot_tell(&CHECK, &nothing.observe()).len(), 3);
        assert_eq!(
            shown::finds(&CHECK, &nothing.without_rules().observe())[0].severity,
            Severity::Error
        );
    }

    #[test]
    fn a_pod_that_was_just_made_is_unknown() {
        let new = Fixture::healthy().pod("node1", |pod| {
            pod.ready = false;
            pod.created = Some("2026-03-01T08:59:50Z".into());
        });
        shown::cannot_tell(&CHECK, &new.observe());
    }

    #[test]
    fn pods_that_may_not_be_listed_are_unknown() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().pods_unseen().observe());
    }
}
