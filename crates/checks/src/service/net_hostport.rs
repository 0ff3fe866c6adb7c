mod rules;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use observation::{Attempt, HostPort, Purpose, Reach, Source, Topic};
use report::{CellState, Evidence, Finding, Gap, Observed, Severity, Subject};

use self::rules::{Rules, rules};
use super::manner;
use crate::check::{Breaks, Check, Judgement, Need};
use crate::firewall::joined;
use crate::shell::{on_node, word};
use crate::tries::{about, attempt_gaps, came_of, is_right, source_name, telling};
use crate::view::View;

/// Ports of nodes that pods ask for. A plugin of the CNI leads them to the pod by rules of the node; where the pod itself answers and the
/// port of its node does not, it is those rules, or somebody else has the port.
pub(crate) static CHECK: Check = Check {
    id: "net-hostport",
    claim: "host ports of pods answer on their nodes",
    needs: &[Need::Services],
    judge,
};

/// Where plugins of the CNI project write rules for host ports.
const CHAIN: &str = "CNI-HOSTPORT-DNAT";
const CONFIGURATIONS: &str = "/etc/cni/net.d";

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, &[Topic::Service]) else {
        return Judgement::not_asked();
    };
    let ports = match &reach.host_ports {
        None => return Judgement::not_asked(),
        Some(Observed::Unseen(gap)) => return Judgement::unread(gap),
        Some(Observed::Seen(ports)) => ports,
    };
    if ports.is_empty() {
        return Judgement::skipped("no pod asks for a port of its node");
    }
    let tries = Tries::of(view, reach);
    let found: Vec<Found<'_>> = ports
        .iter()
        .filter_map(|port| found(view, reach, port, &tries))
        .collect();
    let mut judgement = Judgement::default();
    for finding in told(view, &found) {
        judgement.cause(finding, Breaks::Nothing);
    }
    judgement.gaps = gaps(view, reach, &tries);
    if tries.all.is_empty() && judgement.findings.is_empty() && judgement.gaps.is_empty() {
        return Judgement::skipped("no pod with a host port that could be tried is ready");
    }
    judgement
}

/// All that was tried of host ports and of the pods behind them.
struct Tries<'a> {
    all: Vec<(&'a Attempt, CellState)>,
}

impl<'a> Tries<'a> {
    fn of(view: &View<'a>, reach: &'a Reach) -> Self {
        let hosts = view
            .observation
            .underlay
            .iter()
            .flat_map(|underlay| &underlay.attempts);
        let of_pods = reach.attempts.iter().chain(hosts).filter(|attempt| {
            let is_pod = matches!(&attempt.subject, Subject::Object { kind, .. } if kind == "pod");
            is_pod
                && matches!(
                    attempt.purpose,
                    Purpose::HostPort { .. } | Purpose::Endpoint { .. }
                )
        });
        Self {
            all: of_pods.map(|attempt| (attempt, came_of(attempt))).collect(),
        }
    }

    /// What came of a host port, from each source.
    fn of_port(&self, port: &HostPort) -> impl Iterator<Item = &(&'a Attempt, CellState)> {
        let subject = port.subject();
        self.all.iter().filter(move |(attempt, _)| {
            matches!(attempt.purpose, Purpose::HostPort { .. })
                && attempt.address.port() == port.host_port
                && attempt.subject == subject
        })
    }

    /// What came of the pod itself, from this source.
    fn control(&self, port: &HostPort, source: &Source, like: IpAddr) -> Option<&(&'a Attempt, CellState)> {
        let subject = port.subject();
        self.all.iter().find(|(attempt, _)| {
            matches!(attempt.purpose, Purpose::Endpoint { .. })
                && attempt.source == *source
                && attempt.subject == subject
                && attempt.address.port() == port.container_port
                && attempt.address.is_ipv4() == like.is_ipv4()
        })
    }
}

/// A host port that does not lead to its pod.
struct Found<'a> {
    port: &'a HostPort,
    /// Tries that failed although the pod itself answered there, with that.
    failing: Vec<(&'a Attempt, &'a Attempt, String)>,
    rules: Rules<'a>,
}

fn found<'a>(
    view: &'a View<'_>,
    reach: &'a Reach,
    port: &'a HostPort,
    tries: &Tries<'a>,
) -> Option<Found<'a>> {
    let mut failing = Vec::new();
    for (attempt, state) in tries.of_port(port) {
        let control = tries.control(port, &attempt.source, attempt.address.ip());
        let well = control.filter(|(control, state)| is_right(control, state) == Some(true));
        if let (Some(false), Some((control, _)), Some(failure)) =
            (is_right(attempt, state), well, state.failure())
        {
            failing.push((*attempt, *control, failure.detail.clone()));
        }
    }
    let firewall = view
        .firewalls
        .iter()
        .find(|firewall| firewall.name() == port.node);
    let rules = firewall.map_or(Rules::Unread, |firewall| rules(firewall, reach, port));
    let is_taken = matches!(rules, Rules::Elsewhere(..));
    (!failing.is_empty() || is_taken).then_some(Found { port, failing, rules })
}

/// One finding for each port; one for a node where rules for several are missing, and none is led.
fn told(view: &View<'_>, found: &[Found<'_>]) -> Vec<Finding> {
    let mut by_node: BTreeMap<&str, Vec<&Found<'_>>> = BTreeMap::new();
    for it in found {
        by_node.entry(&it.port.node).or_default().push(it);
    }
    let mut findings = Vec::new();
    for (node, found) in by_node {
        let missing = found.iter().filter(|it| matches!(it.rules, Rules::Missing(_)));
        match (found.as_slice(), missing.count()) {
            ([first, _, ..], missing) if missing == found.len() => {
                let names: Vec<String> = found.iter().map(|it| name(it.port)).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let summary = format!(
                    "{node} has no rule for the host ports {}: they do not answer, though the pods do",
                    joined(&names)
                );
                findings.extend(finding(view, first, Subject::node(node), summary));
            }
            _ => findings.extend(found.iter().filter_map(|it| of_one(view, it))),
        }
    }
    findings
}

fn name(port: &HostPort) -> String {
    format!("{} of {}", port.host_port, port.subject())
}

fn of_one(view: &View<'_>, found: &Found<'_>) -> Option<Finding> {
    let port = found.port;
    let how = found
        .failing
        .first()
        .map(|(attempt, ..)| manner(telling(&attempt.samples)));
    let (name, node) = (name(port), &port.node);
    let summary = match (&found.rules, how) {
        (Rules::Elsewhere(whose, _), _) => {
            format!("the host port {name} does not lead to it on {node}: {whose}")
        }
        (Rules::Missing(_), Some(how)) => {
            format!(
                "the host port {name} {how} on {node}, though the pod answers: no rule of {node} leads it there"
            )
        }
        (_, Some(how)) => format!("the host port {name} {how} on {node}, though the pod itself answers"),
        (_, None) => return None,
    };
    finding(view, found, port.subject(), summary)
}

fn finding(view: &View<'_>, found: &Found<'_>, subject: Subject, summary: String) -> Option<Finding> {
    let port = found.port;
    let mut seen = Vec::new();
    if let Some((attempt, control, detail)) = found.failing.first() {
        let label = |attempt: &Attempt| {
            format!(
                "tcp {} → {} {}",
                source_name(&attempt.source),
                crate::tries::way(&attempt.purpose),
                attempt.address
            )
        };
        seen.push(Evidence::probe(detail.clone(), label(attempt)));
        seen.push(Evidence::probe("it answers", label(control)));
    }
    match &found.rules {
        Rules::Elsewhere(_, evidence) => seen.push(evidence.clone()),
        Rules::Missing(node) => seen.push(Evidence::command(
            format!("no rule leads {} port {} to a pod", port.protocol, port.host_port),
            on_node(
                node,
                &[&format!(
                    "iptables-save -t nat | grep -e {CHAIN} -e 'dport {}'",
                    port.host_port
                )],
            ),
        )),
        Rules::Unread | Rules::Lead => {}
    }
    seen.extend(listener(view, port));
    let configuration = configuration(view, &port.node);
    if let Some((file, false)) = &configuration {
        seen.push(Evidence::command(
            "its chain of plugins has no portmap",
            on_node(&port.node, &[&format!("cat {}", word(file))]),
        ));
    }
    let mut seen = seen.into_iter();
    let mut finding = Finding::new(CHECK.id, Severity::Warning, subject, summary, seen.next()?);
    finding.evidence.extend(seen);
    finding.hint = Some(hint(found, configuration.as_ref()));
    Some(finding)
}

fn hint(found: &Found<'_>, configuration: Option<&(String, bool)>) -> String {
    let port = found.port;
    let show = format!(
        "`kubectl get pod {} -n {} -o yaml`",
        word(&port.pod),
        word(&port.namespace)
    );
    match (&found.rules, configuration) {
        (Rules::Elsewhere(..), _) => {
            format!("give the pod another host port, outside of the range of node ports: {show}")
        }
        (Rules::Missing(_), Some((file, false))) => format!(
            "add portmap with the capability portMappings to the chain in {file}, by what writes that file, and then make the pod anew: {show}"
        ),
        (Rules::Missing(_), _) => {
            let again = match &port.controller {
                Some(controller) => format!(
                    "delete it, and {controller} makes it anew: `kubectl delete pod {} -n {}`",
                    word(&port.pod),
                    word(&port.namespace)
                ),
                None => format!("nothing makes the pod anew, so keep what it is before you do: {show}"),
            };
            format!(
                "its rules are written when the pod starts, and something has taken them away since; {again}"
            )
        }
        (Rules::Lead, _) => format!(
            "the rules of {} lead to the pod: a firewall before the node or on it, or the way back",
            port.node
        ),
        (Rules::Unread, _) => format!(
            "see what the rules of {} do with it: `kubectl netcheck diagnose --node-access --check net-hostport`",
            port.node
        ),
    }
}

/// A program of the node that listens on the number.
fn listener(view: &View<'_>, port: &HostPort) -> Option<Evidence> {
    let evidence = view.observation.node_evidence.get(&port.node)?.seen()?;
    let listeners = evidence.before.listeners.seen()?;
    let is_it = |it: &&observation::Listener| {
        it.port == port.host_port && it.protocol.eq_ignore_ascii_case(&port.protocol)
    };
    let it = listeners.iter().find(is_it)?;
    let shown = SocketAddr::new(it.address, it.port);
    Some(Evidence::command(
        format!("a program of {} listens on {shown}", port.node),
        on_node(&port.node, &["ss -lntup"]),
    ))
}

/// The configuration of the CNI that is in use on a node, and whether it has portmap; `None` where that was not read.
fn configuration(view: &View<'_>, node: &str) -> Option<(String, bool)> {
    let reads = &view.observation.node_evidence.get(node)?.seen()?.before;
    let names = reads.directories.get(CONFIGURATIONS)?.seen()?;
    // The first by name counts.
    let first = names
        .iter()
        .filter(|name| crate::cni::is_configuration(name))
        .min()?;
    let path = format!("{CONFIGURATIONS}/{first}");
    let text = reads.files.get(&path)?.seen()?;
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let plugins = value.get("plugins").and_then(serde_json::Value::as_array)?;
    let is_portmap = |plugin: &serde_json::Value| {
        plugin.get("type").and_then(serde_json::Value::as_str) == Some("portmap")
    };
    let has = plugins.iter().any(is_portmap);
    Some((path, has))
}

fn gaps(view: &View<'_>, reach: &Reach, tries: &Tries<'_>) -> Vec<Gap> {
    let attempts: Vec<&Attempt> = tries.all.iter().map(|(attempt, _)| *attempt).collect();
    let hosts = view
        .observation
        .underlay
        .iter()
        .flat_map(|underlay| &underlay.sources);
    let has = |source: &Source| attempts.iter().any(|attempt| attempt.source == *source);
    let states: Vec<_> = reach
        .sources
        .iter()
        .chain(hosts)
        .filter(|state| has(&state.source))
        .collect();
    let mut all: Vec<Gap> = view.without_pod().into_values().cloned().collect();
    all.extend(attempt_gaps(&states, &attempts));
    all
}

#[cfg(test)]
mod tests;
