use observation::{Attempt, EgressGateway, EgressPool, EgressSetup, Node, Purpose, Source};
use report::{Evidence, Finding, Gap, Observed, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::joined;
use crate::shell::word;
use crate::tries::{came_of, is_right, source_name};
use crate::view::View;

/// What the CNI sends traffic out of the cluster by, where somebody has set something up: policies that name nodes, and ranges of pods that keep their
/// address.
pub(crate) static CHECK: Check = Check {
    id: "net-egr-gw",
    claim: "egress gateways have nodes that are Ready and pods that use them",
    needs: &[Need::Egress],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let setup = match view.observation.egress_setup.as_deref() {
        None => return Judgement::not_asked(),
        Some(Observed::Unseen(gap)) => return Judgement::unread(gap),
        Some(Observed::Seen(setup)) => setup,
    };
    let gateways = || setup.gateways.iter().filter_map(Observed::seen).flatten();
    let kept = || {
        let pools = setup.pools.iter().filter_map(Observed::seen).flatten();
        pools.filter(|pool| !pool.translated)
    };
    let mut judgement = Judgement {
        gaps: gaps(view, setup),
        ..Judgement::default()
    };
    if gateways().next().is_none() && kept().next().is_none() && judgement.gaps.is_empty() {
        return Judgement::skipped("no egress gateway is set up");
    }
    let nodes = view.observation.nodes.seen();
    for gateway in gateways() {
        judgement.findings.extend(idle(gateway));
        judgement
            .findings
            .extend(nodes.and_then(|nodes| without_node(gateway, nodes)));
    }
    judgement
        .findings
        .extend(kept().map(|pool| untranslated(view, pool)));
    judgement
}

/// What could not be read of what is set up.
fn gaps(view: &View<'_>, setup: &EgressSetup) -> Vec<Gap> {
    let mut all: Vec<Gap> = setup.gateways.iter().filter_map(Observed::gap).cloned().collect();
    all.extend(setup.pools.iter().filter_map(Observed::gap).cloned());
    let gateways: Vec<&EgressGateway> = setup
        .gateways
        .iter()
        .filter_map(Observed::seen)
        .flatten()
        .collect();
    for gateway in &gateways {
        all.extend(gateway.pods.gap().cloned());
        all.extend(gateway.nodes.gap().cloned());
    }
    if !gateways.is_empty() {
        all.extend(view.observation.nodes.gap().cloned());
    }
    all.dedup();
    all
}

fn subject(gateway: &EgressGateway) -> Subject {
    Subject::Object {
        kind: gateway.kind.clone(),
        name: gateway.name.clone(),
        namespace: None,
    }
}

fn show(gateway: &EgressGateway) -> String {
    format!(
        "kubectl get {} {} -o yaml",
        word(&gateway.kind),
        word(&gateway.name)
    )
}

fn warning(gateway: &EgressGateway, summary: String, fact: String, hint: String) -> Finding {
    let evidence = Evidence::command(fact, show(gateway));
    let mut finding = Finding::new(CHECK.id, Severity::Warning, subject(gateway), summary, evidence);
    finding.hint = Some(hint);
    finding
}

/// A policy that is for nobody: the CNI does not look at it, or it selects no pod.
fn idle(gateway: &EgressGateway) -> Option<Finding> {
    let name = subject(gateway);
    if gateway.enabled == Some(false) {
        return Some(warning(
            gateway,
            format!("{name} does nothing: Cilium's egress gateway is not turned on"),
            "configmap/cilium-config -n kube-system does not say that such policies count".to_owned(),
            "turn it on by what installs Cilium (egressGateway.enabled, which takes eBPF masquerading too): \
             `kubectl get configmap cilium-config -n kube-system -o yaml`"
                .to_owned(),
        ));
    }
    let is_none = gateway.pods == Observed::Seen(0);
    is_none.then(|| {
        warning(
            gateway,
            format!("{name} is for no pod: its selectors match none"),
            "no pod has the labels that it asks for, in a namespace that it asks for".to_owned(),
            "compare its selectors with the labels that pods and namespaces have: `kubectl get pods -A --show-labels`".to_owned(),
        )
    })
}

/// A policy whose traffic no node takes.
fn without_node(gateway: &EgressGateway, nodes: &[Node]) -> Option<Finding> {
    let name = subject(gateway);
    let named = gateway.nodes.seen()?;
    let labels = format!("`kubectl get nodes -l {}`", word(&gateway.chosen_by));
    if named.is_empty() {
        let fact = match (&gateway.assigned, gateway.addresses.is_empty()) {
            (Some(_), _) => "its status assigns no address to any node".to_owned(),
            (None, true) => format!("no node has the labels {}", gateway.chosen_by),
            (None, false) => format!(
                "no node has the labels {}, to hold {}",
                gateway.chosen_by,
                gateway.addresses.join(", ")
            ),
        };
        return Some(warning(
            gateway,
            format!(
                "{name} has no gateway: no node is to send what it is for, and the CNI drops it or lets it out elsewhere"
            ),
            fact,
            format!("label a node that is Ready, or mend the selector: {labels}"),
        ));
    }
    let state = |name: &&String| {
        let node = nodes.iter().find(|node| node.name == **name);
        match node.map(|node| node.ready.as_ref()) {
            None => Some(format!("{name} does not exist")),
            Some(ready) if ready.is_some_and(|ready| ready.status == "True") => None,
            Some(_) => Some(format!("{name} is not Ready")),
        }
    };
    let ill: Vec<String> = named.iter().filter_map(|node| state(&node)).collect();
    let texts: Vec<&str> = ill.iter().map(String::as_str).collect();
    if !ill.is_empty() {
        let of = if ill.len() == named.len() {
            "none of its gateways can send".to_owned()
        } else {
            format!("{} of its {} gateways cannot send", ill.len(), named.len())
        };
        return Some(warning(
            gateway,
            format!("{name} sends by way of nodes that are not there: {of}"),
            joined(&texts),
            format!("repair the node, or move the gateway to one that is Ready: {labels}"),
        ));
    }
    let assigned = gateway.assigned?;
    let wanted = u64::try_from(gateway.addresses.len()).ok()?;
    (assigned < wanted).then(|| {
        warning(
            gateway,
            format!("{name} asks for {wanted} addresses, and nodes hold {assigned} of them"),
            format!("status.items has {assigned} of {}", gateway.addresses.join(", ")),
            format!("it takes as many nodes that may hold one as addresses: {labels}"),
        )
    })
}

/// Pods that keep their address outside. That is right where the network outside knows the way back to them, and only a failure says otherwise.
fn untranslated(view: &View<'_>, pool: &EgressPool) -> Finding {
    let reach = view.observation.reach.iter();
    let outside: Vec<&Attempt> = reach
        .flat_map(|reach| &reach.attempts)
        .filter(|attempt| attempt.purpose == Purpose::AddressOutside)
        .collect();
    let right = |attempt: &&&Attempt| is_right(attempt, &came_of(attempt));
    let of_pods = |attempt: &&&Attempt| matches!(attempt.source, Source::Pod { .. } | Source::Inside { .. });
    let failing = outside.iter().filter(of_pods).find(|it| right(it) == Some(false));
    let node = outside
        .iter()
        .filter(|attempt| matches!(attempt.source, Source::Host { .. }))
        .find(|it| right(it) == Some(true));
    let whose = pool.range.as_deref().unwrap_or("all pods");
    let name = pool.name.split(" -n ").next().unwrap_or(&pool.name);
    let (kind, object) = name.split_once('/').unwrap_or(("", name));
    let subject = Subject::Object {
        kind: kind.to_owned(),
        name: object.to_owned(),
        namespace: pool
            .name
            .split_once(" -n ")
            .map(|(_, namespace)| namespace.to_owned()),
    };
    let says = Evidence::field(
        format!("pods of {whose} keep their address"),
        format!("{} {}", pool.name, pool.field),
    );
    match (failing, node) {
        (Some(failing), Some(node)) => {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                subject,
                format!(
                    "{} lets {whose} out with their own address, and pods do not reach what their nodes reach",
                    pool.name
                ),
                says,
            );
            let label =
                |attempt: &Attempt| format!("tcp {} → {}", source_name(&attempt.source), attempt.address);
            let detail = came_of(failing).failure().map(|failure| failure.detail.clone());
            finding
                .evidence
                .extend(detail.map(|detail| Evidence::probe(detail, label(failing))));
            finding.evidence.push(Evidence::probe("it answers", label(node)));
            finding.hint = Some(
                "whatever is outside has to know the way back to these addresses, or has to replace them: a route, or a NAT gateway"
                    .to_owned(),
            );
            finding
        }
        _ => Finding::new(
            CHECK.id,
            Severity::Note,
            subject,
            format!(
                "{} lets {whose} out with their own address: the network outside has to know the way back",
                pool.name
            ),
            says,
        ),
    }
}

#[cfg(test)]
mod tests;
