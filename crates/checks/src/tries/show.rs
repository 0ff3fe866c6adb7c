//! The rows as a report shows them.

use netprobe::Kind;
use observation::{Attempt, Expected, Purpose, Reach, Source, Topic};
use report::{Tried, TriedFrom};

use super::{all_rows, is_right};

/// The rows of the report.
pub(crate) fn tried(reach: &Reach) -> Vec<Tried> {
    all_rows(reach)
        .iter()
        .map(|row| Tried {
            control: is_control(reach, row.sample),
            subject: row.sample.subject.clone(),
            way: way(&row.sample.purpose),
            address: format!("{}/{}", row.sample.address, kind_name(&row.sample.kind)),
            expected: expected(row.sample).to_owned(),
            results: row
                .from
                .iter()
                .map(|(source, cell)| TriedFrom {
                    source: source_name(source),
                    as_expected: is_right(cell.attempt, &cell.state),
                    result: cell.state.clone(),
                })
                .collect(),
        })
        .collect()
}

/// How many addresses were tried, each from each source.
pub(crate) fn count_attempts(reach: &Reach) -> Option<u64> {
    u64::try_from(reach.attempts.len()).ok()
}

/// Whether it was tried only to know what the others mean.
fn is_control(reach: &Reach, attempt: &Attempt) -> bool {
    match attempt.purpose {
        Purpose::ClosedPort { .. } | Purpose::Node { .. } => true,
        Purpose::ProbePod { .. } => !reach.topics.contains(&Topic::Performance),
        Purpose::ClusterIp => !reach.asked.contains(&attempt.subject),
        _ => false,
    }
}

fn expected(attempt: &Attempt) -> &'static str {
    match attempt.expected {
        Expected::Answer => "answer",
        Expected::Refusal => "refusal",
        Expected::Silence => "silence",
        Expected::Anything => "anything",
        Expected::Sign => "any sign",
    }
}

/// A source as a report names it.
pub(crate) fn source_name(source: &Source) -> String {
    match source {
        Source::Pod { node } => node.clone(),
        Source::Host { node } => format!("node/{node}"),
        Source::Inside { namespace, pod, .. } => format!("pod/{pod} -n {namespace}"),
        Source::Outside => "outside".to_owned(),
    }
}

/// How it was tried, as it stands behind an address.
pub(crate) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Tcp | Kind::Connect { .. } => "tcp",
        Kind::Udp => "udp",
        Kind::Icmp => "icmp",
        Kind::Bulk { .. } => "tcp, much data",
        Kind::Dns { tcp: false, .. } => "dns",
        Kind::Dns { tcp: true, .. } => "dns over tcp",
        Kind::Http { .. } => "http",
        Kind::Train { large: false, .. } => "udp, many",
        Kind::Train { large: true, .. } => "udp, many large",
        Kind::Size => "udp, by size",
    }
}

/// Which way in.
pub(crate) fn way(purpose: &Purpose) -> String {
    match purpose {
        Purpose::ClusterIp => "ClusterIP".to_owned(),
        Purpose::Endpoint {
            pod: Some(pod),
            node: Some(node),
        } => format!("pod/{pod} on {node}"),
        Purpose::Endpoint { pod: Some(pod), .. } => format!("pod/{pod}"),
        Purpose::Endpoint { .. } => "endpoint".to_owned(),
        Purpose::NodePort { node } => format!("NodePort of {node}"),
        Purpose::OwnService => "Service of our own".to_owned(),
        Purpose::HostPort { node } => format!("host port of {node}"),
        Purpose::LoadBalancer => "load balancer".to_owned(),
        Purpose::ExternalIp => "external IP".to_owned(),
        Purpose::HealthCheck { node, .. } => format!("health check on {node}"),
        Purpose::Name { .. } => "name".to_owned(),
        Purpose::ExternalName => "external name".to_owned(),
        Purpose::NameOutside => "name, by the DNS Service".to_owned(),
        Purpose::NameOutsideByPod { pod: Some(pod) } => format!("name, by pod/{pod}"),
        Purpose::NameOutsideByPod { pod: None } => "name, by a DNS pod".to_owned(),
        Purpose::AddressOutside => "address".to_owned(),
        Purpose::ApiServer => "API server".to_owned(),
        Purpose::Kubelet { .. } => "kubelet".to_owned(),
        Purpose::ClosedPort { .. } => "closed port of a probe pod".to_owned(),
        Purpose::ProbePod { .. } => "probe pod".to_owned(),
        Purpose::Destination => "destination".to_owned(),
        Purpose::Node { node } => format!("node {node}"),
        Purpose::Gateway { .. } => "gateway".to_owned(),
    }
}
