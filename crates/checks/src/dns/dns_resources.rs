use netprobe::Outcome;
use observation::{DnsController, DnsPod, DnsUsage, Lookup, LookupServer};
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity};

use super::{NOT_READY, OUTSIDE, OWN_NAMES, SILENT, Scene, count, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::quantity::bytes;
use crate::shell::{recent_log, word};
use crate::view::View;

/// DNS pods that were ended for their memory or come near their limit, have to stop for their CPU limit, or answer themselves late.
pub(crate) static CHECK: Check = Check {
    id: "dns-resources",
    claim: "DNS pods are not starved of CPU or memory",
    needs: &[Need::Dns],
    judge,
};

/// A day: memory that was short once is short again under the same load.
const RECENT_SECONDS: i64 = 24 * 60 * 60;
/// What kubelets count is some seconds old: of a pod that has just started there may be nothing yet.
const COUNTED_SECONDS: i64 = 60;
/// CoreDNS' own arithmetic for its plugin `kubernetes`.
const MORE_MEMORY: &str =
    "raise the limit, by 30 MB and 1 MB for each thousand pods and Services (more with `pods verified`)";
/// What a pod knows by itself it says within a millisecond.
const SLOW_US: u64 = 250_000;
/// Of fewer periods (100 ms each) no share is told.
const LEAST_PERIODS: u64 = 50;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let mut gaps = Scene::gaps([gap(&scene.dns.pods)]);
        let running = scene
            .pods()
            .filter(|pod| pod.waiting.is_none() && pod.phase == "Running");
        for pod in running {
            gaps.extend(pod.log.gap().cloned());
            gaps.extend(uncounted(scene, pod));
        }
        gaps.dedup();
        Judgement {
            findings: scene
                .pods()
                .flat_map(|pod| {
                    let late = late(view, pod);
                    let killed = killed(scene, pod);
                    let full = full(scene, pod).filter(|_| killed.is_none());
                    let throttled = throttled(view, scene, pod, late.as_ref());
                    let late = late.filter(|_| throttled.is_none());
                    [killed, throttled, full, late]
                })
                .flatten()
                .collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

fn killed(scene: &Scene<'_>, pod: &DnsPod) -> Option<Finding> {
    let ended = pod.ended.as_ref().filter(|ended| ended.reason == "OOMKilled")?;
    if scene
        .ago(ended.at.as_deref())
        .is_some_and(|ago| ago > RECENT_SECONDS)
    {
        return None;
    }
    let limit = controller(scene, pod).and_then(|it| it.container.memory_limit.as_deref());
    let limit = limit.map_or(String::new(), |limit| format!(", which is {limit}"));
    let subject = pod.subject();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject.clone(),
        format!("{subject} was ended because it used more memory than its limit{limit}"),
        Evidence::command(
            "its container ended as OOMKilled",
            format!(
                "kubectl describe pod {} -n {}",
                word(&pod.name),
                word(&pod.namespace)
            ),
        ),
    );
    finding.hint = Some(MORE_MEMORY.to_owned());
    finding.explains = vec!["dns-crash".to_owned()];
    Some(finding)
}

fn controller<'a>(scene: &Scene<'a>, pod: &DnsPod) -> Option<&'a DnsController> {
    let mut controllers = scene.controllers();
    controllers.find(|it| it.role == pod.role && it.container.name == pod.container)
}

fn used(pod: &DnsPod) -> Option<&DnsUsage> {
    pod.usage.as_ref()?.seen()
}

/// Shows what its kubelet counts of it under such names.
fn counted_by_kubelet(pod: &DnsPod, names: &str) -> String {
    format!(
        "kubectl get --raw /api/v1/nodes/{}/proxy/metrics/cadvisor | grep -F {} | grep {names}",
        word(pod.node.as_deref().unwrap_or_default()),
        word(&format!("pod=\"{}\"", pod.name))
    )
}

/// What its kubelet should count and does not.
fn uncounted(scene: &Scene<'_>, pod: &DnsPod) -> Option<Gap> {
    let used = match pod.usage.as_ref()? {
        Observed::Seen(used) => used,
        Observed::Unseen(gap) => return Some(gap.clone()),
    };
    let container = &controller(scene, pod)?.container;
    let what = if container.cpu_limit.is_some() && used.periods.is_none() {
        "how often the CPU limit stops it"
    } else if container.memory_limit.is_some() && used.memory_bytes.is_none() {
        "how much memory it uses"
    } else {
        return None;
    };
    let is_new = scene
        .ago(pod.created.as_deref())
        .is_none_or(|ago| ago < COUNTED_SECONDS);
    (!is_new).then(|| Gap {
        what: format!("{what} ({})", pod.subject()),
        why: GapReason::NotServed,
        message: "the kubelet of its node does not count it".to_owned(),
        hint: None,
    })
}

/// The CPU limit makes it stop in more than a tenth of the periods in which it ran. An error where names suffer.
fn throttled(view: &View<'_>, scene: &Scene<'_>, pod: &DnsPod, late: Option<&Finding>) -> Option<Finding> {
    let used = used(pod)?;
    let (periods, throttled) = (used.periods?, used.throttled?);
    if periods < LEAST_PERIODS || throttled * 10 <= periods {
        return None;
    }
    let limit = controller(scene, pod).and_then(|it| it.container.cpu_limit.as_deref());
    let limit = limit.map_or(String::new(), |limit| format!(" of {limit}"));
    let lost = lost(view, pod);
    let suffers = late.is_some() || lost.is_some() || !pod.ready;
    let subject = pod.subject();
    let so = if suffers { ", and names suffer" } else { "" };
    let share = if throttled * 2 >= periods { "most" } else { "some" };
    let (name, namespace) = (word(&pod.name), word(&pod.namespace));
    let mut finding = Finding::new(
        CHECK.id,
        if suffers {
            Severity::Error
        } else {
            Severity::Warning
        },
        subject.clone(),
        format!("{subject} has to stop for its CPU limit{limit} {share} of the time that it works{so}"),
        Evidence::command(
            format!(
                "it was stopped in {throttled} of the {periods} periods in which it ran since it started"
            ),
            counted_by_kubelet(pod, "cfs_"),
        ),
    );
    finding
        .evidence
        .extend(late.into_iter().flat_map(|late| late.evidence.clone()));
    finding.evidence.extend(lost);
    if !pod.ready {
        finding.evidence.push(Evidence::command(
            format!("it is not ready, and was started anew {} times", pod.restarts),
            format!("kubectl get pod {name} -n {namespace}"),
        ));
    }
    finding.hint = Some(
        "raise or take away its CPU limit where it is made, add replicas, or use a node-local cache: what is asked for has to be answered within it"
            .to_owned(),
    );
    if suffers {
        finding.explains = consequences();
    }
    Some(finding)
}

/// What came of the first try of each lookup at this pod.
fn tried<'a>(view: &'a View<'_>, pod: &'a DnsPod) -> impl Iterator<Item = (&'a Lookup, &'a Outcome)> {
    let lookups = view.observation.lookups.iter().flat_map(|all| &all.lookups);
    let of_pod = lookups.filter(|lookup| {
        matches!(&lookup.server, LookupServer::Pod { namespace, name, .. } if *name == pod.name && *namespace == pod.namespace)
    });
    of_pod.flat_map(|lookup| {
        let first = lookup.samples.iter().filter(|sample| !sample.retry);
        first.map(move |sample| (lookup, &sample.outcome))
    })
}

/// Lookups at this pod that were not answered.
fn lost(view: &View<'_>, pod: &DnsPod) -> Option<Evidence> {
    let all = tried(view, pod).count();
    let lost = tried(view, pod).filter(|(_, outcome)| !outcome.is_ok()).count();
    // One is lost now and then.
    (lost >= 2).then(|| {
        Evidence::probe(
            format!("{lost} of {all} lookups are not answered"),
            format!("dns → {}", pod.subject()),
        )
    })
}

/// Answers that this pod knew by itself and took long for.
fn slow(view: &View<'_>, pod: &DnsPod) -> Option<Evidence> {
    let own = tried(view, pod).filter(|(lookup, _)| lookup.class.is_own());
    let mut times: Vec<u64> = own.filter_map(|(_, outcome)| outcome.rtt_us()).collect();
    times.sort_unstable();
    let median = *times.get(times.len() / 2)?;
    (median >= SLOW_US).then(|| {
        Evidence::probe(
            format!(
                "half of the {} answers that it gives took {} ms or more",
                times.len(),
                median / 1000
            ),
            format!("dns → {}", pod.subject()),
        )
    })
}

/// It uses more than four fifths of its memory limit.
fn full(scene: &Scene<'_>, pod: &DnsPod) -> Option<Finding> {
    let memory = used(pod)?.memory_bytes?;
    let limit = controller(scene, pod)?.container.memory_limit.as_deref()?;
    if memory < bytes(limit)? / 5 * 4 {
        return None;
    }
    let subject = pod.subject();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        subject.clone(),
        format!(
            "{subject} uses {} MiB of memory, and is ended at its limit of {limit}",
            memory >> 20
        ),
        Evidence::command(
            format!("its working set is {memory} bytes"),
            counted_by_kubelet(pod, "working_set"),
        ),
    );
    finding.hint = Some(MORE_MEMORY.to_owned());
    Some(finding)
}

/// It tells itself that it answers late. An error where others feel it: what is lost on the way is no reason to be late with the rest.
fn late(view: &View<'_>, pod: &DnsPod) -> Option<Finding> {
    let log = Observed::seen(&pod.log)?;
    let late = log
        .lines
        .iter()
        .filter(|line| line.contains("plugin/health") && line.contains("Local health request"))
        .count();
    if late == 0 {
        return None;
    }
    let subject = pod.subject();
    let felt = lost(view, pod).zip(slow(view, pod));
    let (severity, how) = match felt {
        Some(_) => (Severity::Error, "late, and others late or not at all"),
        None => (Severity::Warning, "late"),
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        subject.clone(),
        format!("{subject} answers itself {how}: it has too little CPU for what it is asked"),
        Evidence::command(
            format!(
                "{} of its log say that a request to itself failed or took more than a second",
                count(late, "line")
            ),
            recent_log(&pod.namespace, &pod.name),
        ),
    );
    if let Some((lost, slow)) = felt {
        finding.evidence.extend([slow, lost]);
        finding.explains = consequences();
    }
    finding.hint = Some("raise its CPU limit, add replicas, or use a node-local cache".to_owned());
    Some(finding)
}

/// What does not hold where a DNS pod does not get to answer.
fn consequences() -> Vec<String> {
    ids(&[
        &NOT_READY,
        &OWN_NAMES,
        &OUTSIDE,
        &SILENT,
        &["dns-probes", "dns-log", "dns-servfail"],
    ])
}

#[cfg(test)]
mod tests {
    use observation::{DnsUsage, Ended};

    use super::*;
    use crate::dns::fixture::{Fixture, list, logged, unseen};
    use crate::lookups::fixture::Scene as Asked;
    use crate::shown;

    fn using(usage: DnsUsage) -> Fixture {
        Fixture::healthy().with(|dns| {
            list(&mut dns.controllers)[0].container.cpu_limit = Some("100m".into());
            for pod in list(&mut dns.pods) {
                pod.usage = Some(Observed::Seen(usage));
            }
        })
    }

    const BUSY: DnsUsage = DnsUsage {
        memory_bytes: Some(20 << 20),
        periods: Some(1000),
        throttled: Some(900),
    };

    #[test]
    fn what_was_killed_and_what_is_late_is_told() {
        let killed = Fixture::healthy().with(|dns| {
            list(&mut dns.pods)[0].ended = Some(Ended {
                reason: "OOMKilled".into(),
                exit_code: 137,
                at: Some("2026-03-01T08:00:00Z".into()),
            });
        });
        assert!(
            shown::finds(&CHECK, &killed.observe())[0]
                .summary
                .ends_with("which is 170Mi")
        );
        let line = "[WARNING] plugin/health: Local health request to \"http://:8080/health\" took more than 1s: 1.5s";
        let late = Fixture::healthy().with(|dns| logged(dns, &[line]));
        assert_eq!(
            shown::finds(&CHECK, &late.observe())[0].severity,
            Severity::Warning
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_pod_that_is_late_is_an_error_where_lookups_are_lost_and_the_rest_is_late_too() {
        let line = "[WARNING] plugin/health: Local health request to \"http://:8080/health\" took more than 1s: 1.5s";
        let late = Fixture::healthy().with(|dns| logged(dns, &[line])).observe();
        let judged = |rtt_us: u64| {
            let mut asked = Asked::new().observe(|lookup| {
                let answer = Outcome::Dns {
                    rtt_us,
                    rcode: 0,
                    addresses: Vec::new(),
                    truncated: false,
                    message: String::new(),
                };
                let silence = Outcome::TimedOut { after_us: 4_000_000 };
                Some(if lookup.is_tcp() { answer } else { silence })
            });
            asked.dns.clone_from(&late.dns);
            shown::finds(&CHECK, &asked)
        };
        let starved = judged(600_000);
        assert_eq!(starved[0].severity, Severity::Error, "{starved:?}");
        assert!(starved[0].concerns("dns-port-udp") && starved[0].concerns("dns-5s"));
        // Something on the way drops datagrams, and the pod is quick.
        assert_eq!(judged(600)[0].severity, Severity::Warning);
    }

    #[test]
    fn a_cpu_limit_that_stops_it_is_an_error_where_lookups_are_lost() {
        let quiet = using(BUSY).observe();
        let findings = shown::finds(&CHECK, &quiet);
        assert_eq!((findings.len(), findings[0].severity), (2, Severity::Warning));
        assert!(
            findings[0].summary.contains("of 100m most of the time"),
            "{}",
            findings[0].summary
        );
        let mut loaded = Asked::new().observe(|_| Some(Outcome::TimedOut { after_us: 4_000_000 }));
        loaded.dns = quiet.dns;
        let findings = shown::finds(&CHECK, &loaded);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].concerns("dns-port-udp"));
        let seldom = DnsUsage {
            throttled: Some(99),
            ..BUSY
        };
        shown::passes(&CHECK, &using(seldom).observe());
    }

    #[test]
    fn memory_near_its_limit_is_worth_a_warning() {
        let full = DnsUsage {
            memory_bytes: Some(150 << 20),
            throttled: Some(0),
            ..BUSY
        };
        let findings = shown::finds(&CHECK, &using(full).observe());
        assert!(
            findings[0].summary.contains("uses 150 MiB"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn what_a_kubelet_does_not_count_is_a_gap_and_not_zero() {
        let uncounted = DnsUsage {
            periods: None,
            throttled: None,
            ..BUSY
        };
        shown::cannot_tell(&CHECK, &using(uncounted).observe());
        let unread = Fixture::healthy().with(|dns| list(&mut dns.pods)[0].usage = Some(unseen()));
        shown::cannot_tell(&CHECK, &unread.observe());
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().pods_unseen().observe());
    }
}
