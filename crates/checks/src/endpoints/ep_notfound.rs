use observation::{ReferenceGrant, ServiceCaller};
use report::{Evidence, Finding, Gap, Observed, Severity, Subject};

use super::scene::Scene;
use super::words::{count, get, nearest, some};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A Service that was asked for by its name, or that an Ingress or a route names: a typo, another namespace, or one that may not be named
/// from there. To who sends, a Service that it may not name is none.
pub(crate) static CHECK: Check = Check {
    id: "ep-notfound",
    claim: "Services that are asked about or sent to exist",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(scene) = &view.backends else {
        return Judgement::not_asked();
    };
    let Observed::Seen(_) = &scene.facts.services else {
        return Judgement {
            gaps: scene.facts.services.gap().cloned().into_iter().collect(),
            ..Judgement::default()
        };
    };
    let mut judgement = Judgement::default();
    let calls = calls(scene);
    let is_sent_to = |(namespace, name): (&str, &str)| {
        let mut calls = calls.iter();
        calls.any(|call| call.service_namespace == namespace && call.service == name)
    };
    // What somebody sends to is told of who sends.
    let named = scene.named().filter(|it| !is_sent_to(*it));
    let missing = named.filter(|(namespace, name)| scene.service(namespace, name).is_none());
    judgement
        .findings
        .extend(missing.map(|(namespace, name)| absent(scene, namespace, name)));
    judgement
        .findings
        .extend(calls.iter().filter_map(|call| sent_nowhere(scene, call)));
    match &scene.facts.grants {
        Some(Observed::Unseen(gap)) => judgement.gaps.push(gap.clone()),
        Some(Observed::Seen(grants)) => {
            let refused = calls.iter().filter_map(|call| not_granted(grants, call));
            judgement.findings.extend(refused);
        }
        None => {}
    }
    judgement.gaps.extend(unread_callers(scene));
    judgement
}

/// What sends to Services that were asked about, each once: where something that sends was asked about, that alone.
fn calls<'a>(scene: &Scene<'a>) -> Vec<&'a ServiceCaller> {
    let asked = &scene.facts.asked_callers;
    let is_meant = |call: &&ServiceCaller| {
        let mut asked = asked.iter();
        asked.any(|asked| asked.calls.contains(call))
    };
    let mut calls: Vec<&ServiceCaller> = if !asked.is_empty() {
        scene.calls().filter(is_meant).collect()
    } else if scene.named().next().is_none() {
        scene.calls().collect()
    } else {
        Vec::new()
    };
    calls.sort();
    // Whichever of its ports is meant.
    let what = |call: &ServiceCaller| ServiceCaller {
        port: None,
        ..call.clone()
    };
    calls.dedup_by_key(|call| what(call));
    calls
}

/// Who sends was to be read where no Service was named.
fn unread_callers(scene: &Scene<'_>) -> Option<Gap> {
    let is_wanted = scene.named().next().is_none() && scene.facts.asked_callers.is_empty();
    scene.facts.callers.gap().filter(|_| is_wanted).cloned()
}

/// A Service that was asked for and is not there.
fn absent(scene: &Scene<'_>, namespace: &str, name: &str) -> Finding {
    let elsewhere = scene.facts.elsewhere.as_ref().and_then(Observed::seen);
    let elsewhere = elsewhere.map_or(&[][..], Vec::as_slice);
    let (near, evidence) = beside(scene, namespace, name);
    let subject = Subject::Object {
        kind: "service".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
    };
    let mut summary = format!("there is no service/{name} in namespace {namespace}");
    if let Some(near) = near {
        summary = format!("{summary}, but service/{near}");
    } else if !elsewhere.is_empty() {
        summary = format!("{summary}, but in {}", some(elsewhere));
    }
    let mut finding = Finding::new(CHECK.id, Severity::Error, subject, summary, evidence);
    if let [first, ..] = elsewhere {
        finding.evidence.push(Evidence::command(
            format!("service/{name} exists in namespace {}", some(elsewhere)),
            format!(
                "kubectl get services -A --field-selector metadata.name={}",
                word(name)
            ),
        ));
        finding.hint = Some(format!(
            "from other namespaces it is called {name}.{first}; to look at it: `kubectl epcheck svc {} -n {}`",
            word(name),
            word(first)
        ));
    }
    if let Some(near) = near {
        finding.hint = Some(format!(
            "if that one was meant: `kubectl epcheck svc {} -n {}`",
            word(near),
            word(namespace)
        ));
    }
    finding
}

/// A Service that is sent to and is not there.
fn sent_nowhere(scene: &Scene<'_>, call: &ServiceCaller) -> Option<Finding> {
    let (namespace, name) = (&call.service_namespace, &call.service);
    if scene.service(namespace, name).is_some() || !scene.knows_services_of(namespace) {
        return None;
    }
    let (near, evidence) = beside(scene, namespace, name);
    let but = near.map(|near| format!(", but service/{near}"));
    let summary = format!(
        "{} sends to service/{name}, and there is none in namespace {namespace}{}",
        call.subject(),
        but.unwrap_or_default()
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        call.subject(),
        summary,
        Evidence::command(
            format!("it names service/{name}"),
            get(&call.kind, &call.namespace, &call.name),
        ),
    );
    finding.evidence.push(evidence);
    finding.hint = Some(match near {
        Some(near) => format!("if that one was meant, name {near} there"),
        None => "make the Service, or name one there that exists".to_owned(),
    });
    Some(finding)
}

/// A Service of another namespace, which allows nobody of this one to send to it.
fn not_granted(grants: &[ReferenceGrant], call: &ServiceCaller) -> Option<Finding> {
    let is_foreign = call.service_namespace != call.namespace;
    if !is_foreign || grants.iter().any(|grant| grant.allows(call)) {
        return None;
    }
    let (namespace, name) = (&call.service_namespace, &call.service);
    let summary = format!(
        "{} sends to service/{name} -n {namespace}, and no ReferenceGrant of namespace {namespace} allows it",
        call.subject()
    );
    let own: Vec<&str> = grants
        .iter()
        .filter(|grant| grant.namespace == *namespace)
        .map(|grant| grant.name.as_str())
        .collect();
    let others = match own.first() {
        None => format!("namespace {namespace} has no ReferenceGrant for Services"),
        Some(first) => format!(
            "what referencegrant/{first} and others of namespace {namespace} allow is for other kinds, namespaces or Services"
        ),
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        call.subject(),
        summary,
        Evidence::command(
            format!("it names service/{name} of another namespace, {namespace}"),
            get(&call.kind, &call.namespace, &call.name),
        ),
    );
    finding.evidence.push(Evidence::command(
        others,
        format!("kubectl get referencegrants -n {} -o yaml", word(namespace)),
    ));
    finding.hint = Some(format!(
        "a ReferenceGrant in namespace {namespace} with from: group gateway.networking.k8s.io, kind {}, namespace {}; to: kind Service, \
         name {name}. Controllers answer for what is not allowed as for what does not exist",
        kind(&call.kind),
        call.namespace
    ));
    Some(finding)
}

/// As manifests write a kind of route.
fn kind(singular: &str) -> String {
    let name = singular.strip_suffix("route").unwrap_or(singular);
    format!("{}Route", name.to_uppercase())
}

/// The nearest name of a namespace to one that it does not have, and that it does not.
fn beside<'a>(scene: &Scene<'a>, namespace: &str, name: &str) -> (Option<&'a str>, Evidence) {
    let services = scene.facts.services.seen().into_iter().flatten();
    let own = services.filter(|service| service.namespace == namespace);
    let names: Vec<&str> = own.map(|service| service.name.as_str()).collect();
    let evidence = Evidence::command(
        format!("{}, none of that name", count(names.len(), "Service")),
        format!("kubectl get services -n {}", word(namespace)),
    );
    (nearest(name, names), evidence)
}

#[cfg(test)]
mod tests;
