use observation::{DnsController, DnsPod, DnsRole};
use report::{Evidence, Finding, Severity};

use super::{OUTSIDE, OWN_NAMES, SILENT, Scene, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// DNS servers that are not all ready.
pub(crate) static CHECK: Check = Check {
    id: "dns-deploy",
    claim: "the DNS pods run and are ready",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let dns = scene.dns;
        let gaps = Scene::gaps([gap(&dns.controllers), gap(&dns.pods)]);
        let controllers = scene.controllers().filter(|it| it.role == DnsRole::Cluster);
        Judgement {
            findings: controllers
                .filter(|_| gaps.is_empty())
                .filter_map(|controller| finding(scene, controller))
                .collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

fn finding<'a>(scene: &Scene<'a>, controller: &'a DnsController) -> Option<Finding> {
    let subject = controller.subject();
    let (kind, name, namespace) = (
        &controller.kind,
        word(&controller.name),
        word(&controller.namespace),
    );
    let get = format!("kubectl get {kind} {name} -n {namespace}");
    if controller.wanted == 0 {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            subject.clone(),
            format!("{subject} is scaled to nothing: there is no DNS server"),
            Evidence::command("it wants 0 pods", get),
        );
        finding.hint = Some(format!(
            "`kubectl scale {kind} {name} -n {namespace} --replicas=2`"
        ));
        finding.explains = ids(&[&OWN_NAMES, &OUTSIDE, &SILENT, &["dns-ep", "dns-scale"]]);
        return Some(finding);
    }
    let pods: Vec<&DnsPod> = scene.pods_of(controller).collect();
    let ready = pods.iter().filter(|pod| pod.ready).count();
    let wanted = usize::try_from(controller.wanted).unwrap_or(usize::MAX);
    if ready >= wanted {
        return None;
    }
    let (severity, effect) = if ready == 0 {
        (Severity::Error, ": nobody answers names")
    } else {
        (Severity::Warning, "")
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        subject.clone(),
        format!("{ready} of {wanted} pods of {subject} are ready{effect}"),
        Evidence::command(format!("it wants {wanted} pods"), get),
    );
    for pod in pods.iter().filter(|pod| !pod.ready) {
        let why = match &pod.waiting {
            Some(waiting) => format!("{}: {}", waiting.reason, first_line(&waiting.message)),
            None => format!("it is {}", pod.phase),
        };
        let on = pod
            .node
            .as_deref()
            .map_or(String::new(), |node| format!(" on {node}"));
        finding.evidence.push(Evidence::command(
            format!(
                "{}{on} is not ready; {}",
                pod.subject(),
                why.trim_end_matches(": ")
            ),
            format!("kubectl describe pod {} -n {namespace}", word(&pod.name)),
        ));
    }
    finding.hint = Some(format!("`kubectl rollout status {kind} {name} -n {namespace}`"));
    if ready == 0 {
        finding.explains = ids(&[&OWN_NAMES, &OUTSIDE, &SILENT, &["dns-ep"]]);
    }
    Some(finding)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, each_pod, list};
    use crate::shown;

    #[test]
    fn some_that_are_not_ready_are_a_warning_and_none_an_error() {
        let some = Fixture::healthy().with(|dns| list(&mut dns.pods)[0].ready = false);
        assert_eq!(
            shown::finds(&CHECK, &some.observe())[0].severity,
            Severity::Warning
        );
        let none = Fixture::healthy().with(|dns| each_pod(dns, |pod| pod.ready = false));
        let findings = shown::finds(&CHECK, &none.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(findings[0].evidence.len(), 3);
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn none_that_are_wanted_are_an_error() {
        let scaled = Fixture::healthy().with(|dns| {
            list(&mut dns.controllers)[0].wanted = 0;
            list(&mut dns.pods).clear();
        });
        assert!(
            shown::finds(&CHECK, &scaled.observe())[0]
                .summary
                .contains("scaled to nothing")
        );
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().pods_unseen().observe());
    }
}
