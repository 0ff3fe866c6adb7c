use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netprobe::Outcome;
use observation::{Expected, Purpose, Reach, Service, Source};
use report::{Evidence, Finding, Severity, Subject};

use super::{TOPICS, evidence, judged, label, manner, names, nodes_of, proxy_of, show_service, works};
use crate::check::{Check, Judgement, Need};
use crate::shell::{on_node, word};
use crate::tries::{Row, ServiceRows, by_service, endpoint_counts, rows};
use crate::view::View;

/// A Service by its ClusterIP. Where its endpoints answer by their own addresses and the ClusterIP does not, it is the
/// rules of nodes; where no endpoint is ready, a refusal is right and the Service is what is wrong.
pub(crate) static CHECK: Check = Check {
    id: "net-svc",
    claim: "Services answer on their ClusterIP from every node that tried",
    needs: &[Need::Services],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, TOPICS, |reach| {
        let rows = rows(reach);
        let services = by_service(reach, &rows);
        let mut findings = rules(reach, &services);
        let explained: BTreeSet<Subject> = findings.iter().map(|finding| finding.subject.clone()).collect();
        if explained.is_empty() {
            for service in &services {
                findings.extend(of_service(view, reach, service));
            }
        } else {
            // Rules of nodes are broken: what is wrong with Services themselves is still told.
            for service in &services {
                findings.extend(without_endpoint(view, reach, service));
            }
        }
        findings
    })
}

/// What one ClusterIP shows about the rules of nodes.
struct Broken<'r, 'a> {
    row: &'r Row<'a>,
    failing: BTreeSet<&'a Source>,
}

/// ClusterIPs that fail where the endpoints behind them answer by their own addresses.
fn broken<'r, 'a>(services: &[ServiceRows<'r, 'a>]) -> Vec<Broken<'r, 'a>> {
    let mut all = Vec::new();
    for service in services {
        for row in service.cluster_ips() {
            let mut failing: BTreeSet<&Source> = row.failing().into_iter().collect();
            let of_family: Vec<&&Row<'_>> = service
                .rows
                .iter()
                .filter(|it| is_endpoint(it) && it.sample.address.is_ipv4() == row.sample.address.is_ipv4())
                .collect();
            // An endpoint that fails from the same source explains it, and so does what nobody has looked at.
            failing.retain(|source| {
                let silent = expects(row, source) == Some(Expected::Refusal) && !answers(row, source);
                let well = of_family.iter().any(|it| it.right().contains(source));
                let ill = of_family.iter().any(|it| it.failing().contains(source));
                (well && !ill && fails_wholly(row, source)) || silent
            });
            if !failing.is_empty() {
                all.push(Broken { row, failing });
            }
        }
    }
    all
}

fn is_endpoint(row: &Row<'_>) -> bool {
    matches!(row.sample.purpose, Purpose::Endpoint { .. })
}

fn expects(row: &Row<'_>, source: &Source) -> Option<Expected> {
    row.from.get(source).map(|cell| cell.attempt.expected)
}

fn answers(row: &Row<'_>, source: &Source) -> bool {
    row.from
        .get(source)
        .is_some_and(|cell| cell.attempt.samples.iter().any(|sample| sample.outcome.is_ok()))
}

fn fails_wholly(row: &Row<'_>, source: &Source) -> bool {
    row.from.get(source).is_some_and(|cell| cell.state.is_failed())
}

/// Findings about the rules of nodes: a node from which no ClusterIP works that works from others, or all nodes.
fn rules(reach: &Reach, services: &[ServiceRows<'_, '_>]) -> Vec<Finding> {
    let broken = broken(services);
    // One Service says little of a node: it may be that Service's own rules. Two say it, or the only one that was tried.
    let tried: usize = services.iter().map(|service| service.cluster_ips().count()).sum();
    let mut by_source: BTreeMap<&Source, Vec<&Broken<'_, '_>>> = BTreeMap::new();
    for it in &broken {
        for source in &it.failing {
            by_source.entry(source).or_default().push(it);
        }
    }
    // Of a Service that was tried only to compare with, the endpoints were not: its ClusterIP still counts.
    let none_works = |source: &Source| {
        let mut rows = services
            .iter()
            .flat_map(ServiceRows::cluster_ips)
            .filter(|row| row.from.contains_key(source));
        rows.all(|row| fails_wholly(row, source) && row.failing().contains(&source))
    };
    let whole: Vec<&Source> = by_source
        .keys()
        .filter(|source| tried > 1 && none_works(source))
        .copied()
        .collect();
    if whole.is_empty() {
        return Vec::new();
    }
    let sources: BTreeSet<&Source> = reach.attempts.iter().map(|attempt| &attempt.source).collect();
    let everywhere = whole.len() == sources.len() && sources.len() > 1;
    let nodes: Vec<&str> = nodes_of(&whole).into_iter().collect();
    let mut findings = Vec::new();
    if everywhere {
        findings.extend(no_cluster_ip(
            &by_source,
            &whole,
            Subject::Cluster,
            "any node",
            nodes.first().copied(),
        ));
    } else {
        for source in &whole {
            let Some(node) = source.node() else { continue };
            findings.extend(no_cluster_ip(
                &by_source,
                &[*source],
                Subject::node(node),
                node,
                Some(node),
            ));
        }
    }
    findings
}

fn no_cluster_ip(
    by_source: &BTreeMap<&Source, Vec<&Broken<'_, '_>>>,
    sources: &[&Source],
    subject: Subject,
    place: &str,
    node: Option<&str>,
) -> Option<Finding> {
    let mut seen = Vec::new();
    for source in sources {
        for it in by_source.get(source).into_iter().flatten().take(2) {
            let cell = it.row.from.get(source)?;
            let fact = match cell.state.failure() {
                Some(failure) => failure.detail.clone(),
                None => "it answers, although nothing is behind it".to_owned(),
            };
            let about = format!("{}, {}", label(it.row, source), it.row.sample.subject);
            seen.push(Evidence::probe(fact, about));
        }
    }
    let first = seen.first().cloned()?;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!("no ClusterIP works from pods of {place}, though the endpoints behind them answer"),
        first,
    );
    finding.evidence = seen;
    finding.explains = vec!["net-np".to_owned(), "net-svc-name".to_owned()];
    finding.hint = node.map(|node| {
        format!(
            "the rules that translate ClusterIPs are missing or not reached there: see whether kube-proxy runs and what it logs: `{}`",
            proxy_of(node)
        )
    });
    Some(finding)
}

/// What is wrong with one Service.
fn of_service(view: &View<'_>, reach: &Reach, service: &ServiceRows<'_, '_>) -> Option<Finding> {
    without_endpoint(view, reach, service)
        .or_else(|| own_rules(service))
        .or_else(|| same_node_only(view, service))
        .or_else(|| unanswered(service))
}

/// No endpoint is ready: connections are refused, and have to be. Only Services that were asked about are blamed.
fn without_endpoint(view: &View<'_>, reach: &Reach, service: &ServiceRows<'_, '_>) -> Option<Finding> {
    let it = service.service;
    if !reach.asked.contains(&it.subject()) || it.external_name.is_some() {
        return None;
    }
    let (all, ready) = endpoint_counts(reach, it)?;
    if ready > 0 {
        return port_without_endpoint(service);
    }
    let backends = view.backends.as_ref();
    if backends.is_some_and(|backends| backends.is_scaled_to_zero(&it.subject())) {
        return None;
    }
    let why = if all > 0 {
        format!("{all} endpoints are listed, and none of them is ready")
    } else if it.selector.is_empty() {
        "it has no selector, and nobody has listed endpoints for it".to_owned()
    } else {
        format!("no pod with an address matches its selector {}", selector(it))
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        it.subject(),
        format!("{} has no ready endpoint", it.subject()),
        Evidence::command(why, show_service(it)),
    );
    finding
        .evidence
        .extend(service.cluster_ips().filter_map(works).map(|mut evidence| {
            evidence.fact = evidence.fact.replace("as it should", "refused, as it has to be");
            evidence
        }));
    finding.hint = Some(if it.selector.is_empty() {
        "see who is to list its endpoints".to_owned()
    } else {
        format!(
            "see which pods match, and whether they are ready: `kubectl get pods -n {} -l {} -o wide`",
            word(&it.namespace),
            word(&selector(it))
        )
    });
    Some(finding)
}

/// A port for which no slice has a number: no pod has a port of that name.
fn port_without_endpoint(service: &ServiceRows<'_, '_>) -> Option<Finding> {
    let it = service.service;
    let row = service.cluster_ips().find(|row| {
        row.from
            .values()
            .all(|cell| cell.attempt.expected == Expected::Refusal)
    })?;
    let port = it
        .ports
        .iter()
        .find(|port| port.port == row.sample.address.port())?;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        it.subject(),
        format!(
            "port {} of {} has no ready endpoint, though other ports have",
            port.port,
            it.subject()
        ),
        Evidence::command(
            format!("targetPort {} is in no EndpointSlice", port.target_port),
            show_service(it),
        ),
    );
    finding.evidence.extend(works(row));
    finding.hint = Some(format!(
        "compare targetPort with the ports that the pods name: `kubectl get pods -n {} -l {} -o yaml`",
        word(&it.namespace),
        word(&selector(it))
    ));
    Some(finding)
}

fn selector(service: &Service) -> String {
    let pairs: Vec<String> = service
        .selector
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

/// Only this Service fails by its ClusterIP, from some nodes or all, while its endpoints answer.
fn own_rules(service: &ServiceRows<'_, '_>) -> Option<Finding> {
    let broken = broken(std::slice::from_ref(service));
    let first = broken.first()?;
    let it = service.service;
    let failing: Vec<&Source> = first.failing.iter().copied().collect();
    // An endpoint on the node itself that fails only by way of the ClusterIP is another fault.
    if same_node_sources(service).is_some() {
        return None;
    }
    let from = if first.failing.len() == first.row.from.len() {
        "from any node".to_owned()
    } else {
        format!("from {}", names(&failing))
    };
    let mut seen: Vec<Evidence> = broken.iter().flat_map(|it| evidence(it.row)).collect();
    seen.extend(service.endpoints().filter_map(works).take(1));
    let manner = manner(first.row.telling());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        it.subject(),
        format!(
            "{} {manner} by its ClusterIP {from}, though its endpoints answer there",
            it.subject()
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    let node = nodes_of(&failing).into_iter().next();
    finding.hint = node.map(|node| {
        format!(
            "the rules for this Service are wrong there: compare them with those of a node where it works: `{}`",
            on_node(node, &[&format!("iptables-save -t nat | grep {}", it.cluster_ips.first().map_or_else(String::new, IpAddr::to_string))])
        )
    });
    Some(finding)
}

/// The sources from which a Service fails by its ClusterIP, when each has an endpoint on its own node and no other.
fn same_node_sources<'a>(service: &ServiceRows<'_, 'a>) -> Option<Vec<&'a Source>> {
    let row = service.cluster_ips().find(|row| !row.failing().is_empty())?;
    let failing = row.failing();
    let nodes: BTreeSet<&str> = service
        .rows
        .iter()
        .filter_map(|row| match &row.sample.purpose {
            Purpose::Endpoint { node, .. } => node.as_deref(),
            _ => None,
        })
        .collect();
    let local = |source: &&Source| source.node().is_some_and(|node| nodes.contains(node));
    let silent = matches!(row.telling(), Some(Outcome::TimedOut { .. }));
    // With an endpoint on every node, each node reaches those of others: only a share of its tries fails.
    let only_local = failing.iter().all(local) && row.right().iter().all(|source| !local(source));
    (silent && only_local && !row.right().is_empty()).then_some(failing)
}

/// A ClusterIP that fails exactly where its endpoint is on the same node: the reply takes a short cut.
fn same_node_only(_view: &View<'_>, service: &ServiceRows<'_, '_>) -> Option<Finding> {
    let failing = same_node_sources(service)?;
    let it = service.service;
    let row = service.cluster_ips().find(|row| !row.failing().is_empty())?;
    let mut seen = evidence(row);
    seen.extend(service.endpoints().filter_map(works).take(1));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        it.subject(),
        format!(
            "{} does not answer by its ClusterIP from {}, where its endpoint is on the same node; the endpoint itself does",
            it.subject(),
            names(&failing)
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = nodes_of(&failing).into_iter().next().map(|node| {
        format!(
            "replies within a bridge pass the rules only with bridge-nf-call-iptables: `{}`",
            on_node(node, &["sysctl net.bridge.bridge-nf-call-iptables"])
        )
    });
    Some(finding)
}

/// The Service fails as its endpoints do: all of them are the matter. Where some answer, it is a share of the tries, and
/// another check's.
fn unanswered(service: &ServiceRows<'_, '_>) -> Option<Finding> {
    let it = service.service;
    let endpoints: Vec<&Row<'_>> = service.endpoints().collect();
    let row = service.cluster_ips().find(|row| row.fails_from_all())?;
    if endpoints.is_empty() || !endpoints.iter().all(|row| row.fails_from_all()) {
        return None;
    }
    let first = endpoints.first()?;
    let port = first.sample.address.port();
    let outcome = first.telling();
    let reset = matches!(outcome, Some(Outcome::Refused { offender: None, .. }));
    let rejected = matches!(
        outcome,
        Some(Outcome::Refused {
            offender: Some(_),
            ..
        })
    );
    let summary = if reset {
        format!(
            "nothing listens on port {port} of any endpoint of {}",
            it.subject()
        )
    } else if rejected {
        format!(
            "connections to every endpoint of {} are turned away by a rule before they reach the pod",
            it.subject()
        )
    } else {
        format!(
            "no endpoint of {} can be reached: each {}",
            it.subject(),
            manner(outcome)
        )
    };
    let mut seen = evidence(first);
    seen.truncate(2);
    seen.extend(evidence(row).into_iter().take(2));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        it.subject(),
        summary,
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = Some(if reset {
        format!(
            "compare targetPort with where the pods listen; one that listens on 127.0.0.1 only refuses too: `kubectl get pods -n {} -l {} -o yaml`",
            word(&it.namespace),
            word(&selector(it))
        )
    } else {
        format!(
            "policies of the namespace, then the way to its pods: `kubectl get networkpolicies -n {}`",
            word(&it.namespace)
        )
    });
    finding.explains = vec!["net-svc-ratio".to_owned()];
    Some(finding)
}

#[cfg(test)]
mod tests;
