//! The sentence that a reader of a report on policies reads first.

use netmodel::policy::{Direction, Outcome, World};
use report::{CheckResult, Finding, Severity, Verdict};

use super::{Scene, count, judged_flows, seen};

/// What the report comes to.
pub(crate) fn answer(scene: &Scene<'_>, findings: &[Finding], checks: &[CheckResult]) -> String {
    let verdict = checks
        .iter()
        .map(CheckResult::verdict)
        .max()
        .unwrap_or(Verdict::Skipped);
    let of = |severity| {
        findings
            .iter()
            .filter(move |finding| finding.severity == severity)
    };
    let problems: Vec<&str> = of(Severity::Error)
        .chain(of(Severity::Warning))
        .map(|finding| finding.summary.as_str())
        .collect();
    let problems = match problems.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        [one, other] => Some(format!("{one}; {other}")),
        [one, rest @ ..] => Some(format!("{one}; and {} problems more", rest.len())),
    };
    let mut told = flow(scene).unwrap_or_else(|| inventory(scene));
    if is_enforced(scene) {
        told.push_str("; a policy that denies is enforced, as was tried");
    }
    match (verdict, problems) {
        (Verdict::Skipped, _) => "nothing was looked at".to_owned(),
        (_, Some(problems)) if scene.asked(&scene.world).is_some() => problems,
        (_, Some(problems)) => format!("{told}: {problems}"),
        (Verdict::Unknown, None) => format!("{told}, but not all could be seen"),
        (Verdict::Pass | Verdict::Warn | Verdict::Fail, None) => told,
    }
}

/// Whether it was tried, with its controls.
fn is_enforced(scene: &Scene<'_>) -> bool {
    let tried = scene.facts.enforcement.as_ref().and_then(report::Observed::seen);
    tried.is_some_and(|tried| tried.before && !tried.during && tried.after)
}

/// What becomes of the flow that was asked about, where nothing stands in its way.
fn flow(scene: &Scene<'_>) -> Option<String> {
    let asked = scene.asked(&scene.world)?;
    let judged = judged_flows(&asked, &scene.world);
    let (first, verdict) = judged.first()?;
    let ports: Vec<String> = judged.iter().map(|(flow, _)| flow.port()).collect();
    let mut ports = ports;
    ports.dedup();
    let (source, destination, ports) = (&first.source, &first.destination, ports.join(", "));
    let others = scene.other_objects();
    let reach = format!("{source} reach {destination} on {ports}");
    Some(match verdict.outcome() {
        Outcome::Allowed if others > 0 => {
            format!(
                "NetworkPolicies let {reach}; {} of other kinds were not evaluated",
                count(others, "policy")
            )
        }
        Outcome::Allowed => format!("NetworkPolicies let {reach}"),
        Outcome::Denied => format!("NetworkPolicies do not let {reach}"),
        Outcome::Unknown => format!("whether NetworkPolicies let {reach} depends on the network plugin"),
    })
}

/// How many policies there are, and whom they isolate.
fn inventory(scene: &Scene<'_>) -> String {
    let question = &scene.facts.question;
    let place = match (&question.namespace, scene.is_lint()) {
        (Some(namespace), true) => format!("namespace {namespace}"),
        (None, true) => "the cluster".to_owned(),
        (_, false) => return of_pod(scene),
    };
    let Some(_) = scene.facts.policies.seen() else {
        return format!("the NetworkPolicies of {place} could not be read");
    };
    let policies = scene.policies().len();
    let Some(_) = scene.facts.pods.seen() else {
        return format!("{} in {place}", count(policies, "NetworkPolicy"));
    };
    let pods: Vec<_> = scene
        .world
        .pods()
        .iter()
        .filter(|pod| scene.covers(&pod.namespace))
        .collect();
    let isolated = |direction| {
        let is_isolated = |world: &World, pod| world.isolating(pod, direction).next().is_some();
        pods.iter()
            .filter(|pod| !pod.host_network && is_isolated(&scene.world, pod))
            .count()
    };
    if policies == 0 {
        return format!(
            "{place} has no NetworkPolicy: none of its {} is isolated",
            count(pods.len(), "pod")
        );
    }
    let policies = if policies == 1 {
        "1 NetworkPolicy isolates".to_owned()
    } else {
        format!("{policies} NetworkPolicies isolate")
    };
    format!(
        "{policies} {} of {} of {place} for ingress and {} for egress",
        isolated(Direction::Ingress),
        count(pods.len(), "pod"),
        isolated(Direction::Egress)
    )
}

/// Which policies select the pod that was asked about.
fn of_pod(scene: &Scene<'_>) -> String {
    let pods = scene.named_pods();
    let Some(pod) = pods.first() else {
        return "no pod was found of what was asked about".to_owned();
    };
    let number = |direction| scene.world.isolating(pod, direction).count();
    let clause = |direction| match number(direction) {
        0 => format!("is not isolated for {direction}"),
        1 => format!("is isolated for {direction} by 1 policy"),
        more => format!("is isolated for {direction} by {more} policies"),
    };
    format!(
        "{} {}, and {}",
        super::pod_name(pod),
        clause(Direction::Ingress),
        clause(Direction::Egress)
    )
}

impl Scene<'_> {
    /// How many objects there are of policies that this program does not evaluate.
    pub(crate) fn other_objects(&self) -> usize {
        let kinds = seen(&self.facts.other_kinds).iter();
        kinds.map(|kind| kind.objects.seen().map_or(0, Vec::len)).sum()
    }
}
