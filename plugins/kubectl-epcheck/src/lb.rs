//! `kubectl epcheck lb`: to whom connections to a Service go, measured.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use checks::{ReachOptions, Selection, Wanted};
use cluster::ConnectionArgs;
use netprobe::{Kind, Outcome};
use observation::{
    Attempt, Expected, Observation, Place, Placement, Purpose, Service, ServicePort, Source, Spread,
    SpreadFrom, SpreadPort, SpreadTo, Topic, TrackedFlow,
};
use plugin::{Failure, Run, Spinner};
use probe::{ProbeRun, TrackedWanted};
use report::{Gap, GapReason, Observed};
use session::node_reading::Around;
use session::tries::{pod_places, try_all};
use session::{Look, Session, node_reading, services};

use crate::asked;
use crate::svc::{again, backends, reading};

/// So many tries of each ask over UDP: fewer are never made.
const TOGETHER: u32 = 2;
/// So many tries are under way at once.
const AT_ONCE: u32 = 128;
/// More datagrams to one port would take longer than nodes remember the first where none is answered, which is 30 seconds.
const MOST_DATAGRAMS: u32 = 512;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LbArgs {
    /// Services, as NAME, svc/NAME or NAME.NAMESPACE.
    #[arg(value_name = "SERVICE", required_unless_present = "from_bundle")]
    names: Vec<String>,
    /// How many connections are made to each port from each node; over UDP datagrams, each from a socket of its own, and 512 at most.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=10_000))]
    count: u32,
    /// Allow the privileged pod on each node that it takes to see where connections went. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &LbArgs, run: &Run) -> Result<u8, Failure> {
    if !wanted.node_access && wanted.look.from_bundle.is_none() {
        return Err(Failure::new(
            "error: where connections went is read by a privileged pod on each node: --node-access allows it",
        ));
    }
    let observe = Box::pin(observe(connection, wanted, run));
    let about = |seen: &Observation| asked::answered(seen, &wanted.names, connection);
    wanted
        .look
        .conclude_about("lb", &selection(), about, run, observe)
        .await
}

/// What was measured, what the rules say of shares, and whether there is anybody to connect to.
fn selection() -> Selection {
    Selection::of(|check| {
        matches!(
            check.id,
            "ep-spread"
                | "ep-aff"
                | "ep-rule-prob"
                | "ep-notfound"
                | "ep-empty"
                | "net-svc"
                | "net-svc-ratio"
        )
    })
}

async fn observe(connection: &ConnectionArgs, wanted: &LbArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let question = asked::services(&wanted.names, session.cluster.namespace())?;
    let first = backends(&mut session, question, true).await?;
    let services = first.services.seen().into_iter().flatten();
    let services: Vec<Service> = services
        .filter(|service| first.question.is_about(service))
        .cloned()
        .collect();
    // One that is not there is what is wrong.
    if services.len() < first.question.services.len().max(1) {
        let mut observation = session.finish(None)?;
        observation.backends = Some(Box::new(first));
        return Ok(observation);
    }
    let cluster = session.cluster.clone();
    let facts = session
        .observe(
            "reading Services and EndpointSlices",
            services::named(&cluster, &wanted.names),
        )
        .await??;
    session.options.twins = false;
    let options = ReachOptions {
        count: wanted.count,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        // What was not answered is no part of a spread, and is not made up for.
        retries: 0,
        // Whoever is not answered waits for as long as a try may take, and must not keep the others.
        concurrency: AT_ONCE,
        ..ReachOptions::default()
    };
    let tries: Vec<Wanted> = services
        .iter()
        .flat_map(|service| connections(service, wanted.count))
        .collect();
    let addresses: BTreeSet<IpAddr> = tries.iter().map(|wanted| wanted.address.ip()).collect();
    let listed = TrackedWanted {
        addresses: addresses.into_iter().collect(),
        ports: Vec::new(),
        udp_only: false,
    };
    let choice = look.choice();
    let work = async |session: &mut Session<'_>, hosts: Option<&ProbeRun>| {
        let trying = session.with_pods(choice, async |pods, spinner: &Spinner| {
            let before = list(hosts, &listed).await;
            let places = pod_places(pods.placement());
            let plan = checks::assemble(&pods.placement().run, &places, &tries, &options);
            spinner.say("connecting");
            let answers = try_all(pods, &plan, spinner).await;
            spinner.say("reading where connections went");
            (answers, before, list(hosts, &listed).await)
        });
        Box::pin(trying).await
    };
    let reading = reading();
    let around = Around {
        nodes: choice,
        reading: &reading,
        pods: false,
        probes: Some(choice),
    };
    let looked = node_reading::around(&mut session, around, work);
    let (read, (placement, value)) = Box::pin(looked).await?;
    let backends = again(&mut session, first, true).await?;
    let mut observation = session.finish(Some(placement))?;
    read.note(&mut observation);
    observation.backends = Some(Box::new(backends));
    let mut reach = facts.reach(vec![Topic::Service], &options);
    if let Some(((sources, attempts), before, after)) = value {
        let placement = observation.placement.as_ref().expect("what was just given");
        let ports = spread(&services, &attempts, placement, &before, &after);
        observation.spread = Some(Spread {
            count: wanted.count,
            ports,
        });
        // Nobody need answer a datagram that means nothing to it.
        let connections = attempts.into_iter().filter(|attempt| attempt.kind != Kind::Udp);
        (reach.sources, reach.attempts) = (sources, connections.collect());
    }
    reach.left_out.extend(services.iter().flat_map(not_tried));
    observation.reach = Some(reach);
    Ok(observation)
}

/// Connections to each port over TCP at each ClusterIP, and datagrams to each over UDP. The first datagram from a socket is what the
/// node chooses an endpoint for, whether or not that answers.
fn connections(service: &Service, count: u32) -> Vec<Wanted> {
    let wanted = |port: &ServicePort, address: IpAddr, kind: Kind, tries: u32| Wanted {
        source: None,
        purpose: Purpose::ClusterIp,
        subject: service.subject(),
        address: SocketAddr::new(address, port.port),
        kind,
        expected: Expected::Answer,
        tries,
    };
    let mut all = Vec::new();
    for port in &service.ports {
        for address in &service.cluster_ips {
            match port.protocol.as_str() {
                "TCP" => all.push(wanted(port, *address, Kind::Connect { linger_ms: 0 }, count)),
                "UDP" => {
                    // Tries of one ask end with the first that is not answered.
                    let asks = count.min(MOST_DATAGRAMS).div_ceil(TOGETHER);
                    all.extend((0..asks).map(|_| wanted(port, *address, Kind::Udp, TOGETHER)));
                }
                _ => {}
            }
        }
    }
    all
}

/// Ports that are in a protocol which the probe does not speak.
fn not_tried(service: &Service) -> Vec<String> {
    let ports = service.ports.iter().filter(|port| !is_tried(port));
    ports
        .map(|port| {
            let (number, protocol) = (port.port, &port.protocol);
            format!(
                "port {number}/{protocol} of {}: the probe speaks TCP and UDP",
                service.subject()
            )
        })
        .collect()
}

fn is_tried(port: &ServicePort) -> bool {
    matches!(port.protocol.as_str(), "TCP" | "UDP")
}

/// Whether a packet went out, so that the node chose an endpoint for it: over UDP whatever came of it, over TCP where it was answered.
fn is_made(kind: &Kind, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::WrongPeer { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Refused { .. }
        | Outcome::HostUnreachable { .. } => *kind == Kind::Udp,
        outcome => outcome.is_ok(),
    }
}

/// What nodes track, by node.
type Listed = BTreeMap<String, OfNode>;

/// What one node tracks.
type OfNode = Observed<Vec<TrackedFlow>>;

async fn list(hosts: Option<&ProbeRun>, wanted: &TrackedWanted) -> Listed {
    let Some(hosts) = hosts else {
        return Listed::new();
    };
    let mut listed = hosts
        .on_each(async |node| hosts.tracked(node, wanted).await)
        .await;
    hosts
        .placement()
        .outcomes(|node| Some(listed.remove(node)?.and_then(|once| once.look.flows)))
}

/// Counts, of what nodes track afterwards and did not before, where connections of the probe pods went.
fn spread(
    services: &[Service],
    attempts: &[Attempt],
    placement: &Placement,
    before: &Listed,
    after: &Listed,
) -> Vec<SpreadPort> {
    let mut ports = Vec::new();
    for service in services {
        for port in service.ports.iter().filter(|port| is_tried(port)) {
            let protocol = port.protocol.to_lowercase();
            for address in &service.cluster_ips {
                let address = SocketAddr::new(*address, port.port);
                let mut made: BTreeMap<&String, u32> = BTreeMap::new();
                let of_address = attempts.iter().filter(|attempt| {
                    attempt.address == address && (attempt.kind == Kind::Udp) == (protocol == "udp")
                });
                for attempt in of_address {
                    let Source::Pod { node } = &attempt.source else {
                        continue;
                    };
                    let samples = attempt.samples.iter();
                    let own = samples.filter(|sample| is_made(&attempt.kind, &sample.outcome));
                    let own = u32::try_from(own.count()).unwrap_or(u32::MAX);
                    let all = made.entry(node).or_default();
                    *all = all.saturating_add(own);
                }
                let from = made.into_iter().filter_map(|(node, made)| {
                    let Some(Place::Ready(pod)) = placement.nodes.get(node) else {
                        return None;
                    };
                    let listed = (before.get(node), after.get(node));
                    let to = went(&pod.addresses, &protocol, address, listed);
                    Some((node.clone(), to.map(|to| SpreadFrom { made, to })))
                });
                ports.push(SpreadPort {
                    namespace: service.namespace.clone(),
                    service: service.name.clone(),
                    port: port.name.clone(),
                    address,
                    from: from.collect(),
                });
            }
        }
    }
    ports
}

fn went(
    pod: &[IpAddr],
    protocol: &str,
    address: SocketAddr,
    (before, after): (Option<&OfNode>, Option<&OfNode>),
) -> Observed<Vec<SpreadTo>> {
    let flows = match after {
        Some(Observed::Seen(flows)) => flows,
        Some(Observed::Unseen(gap)) => return Observed::Unseen(gap.clone()),
        None => {
            return Observed::Unseen(Gap {
                what: format!("where connections to {address} went"),
                why: GapReason::NotStarted,
                message: "no privileged pod ran on the node".to_owned(),
                hint: None,
            });
        }
    };
    // An address of a pod that is gone may be given to the next one, while the node still tracks the former's connections.
    let old = before.and_then(Observed::seen).into_iter().flatten();
    let old: BTreeSet<SocketAddr> = old
        .filter(|flow| flow.protocol == protocol && flow.destination == address)
        .map(|flow| flow.source)
        .collect();
    let mut to: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    for flow in flows {
        let is_ours =
            flow.protocol == protocol && flow.destination == address && pod.contains(&flow.source.ip());
        if is_ours && !old.contains(&flow.source) {
            *to.entry(flow.reply_source).or_default() += 1;
        }
    }
    let each = to.into_iter().map(|(endpoint, connections)| SpreadTo {
        endpoint,
        connections,
    });
    Observed::Seen(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(source: u16, to: [u8; 4]) -> TrackedFlow {
        let pod = SocketAddr::from(([10, 244, 0, 9], source));
        TrackedFlow {
            protocol: "tcp".into(),
            state: Some("TIME_WAIT".into()),
            left_s: 100,
            source: pod,
            destination: ([10, 96, 0, 7], 80).into(),
            reply_source: (to, 8080).into(),
            reply_destination: pod,
            replied: true,
            assured: true,
        }
    }

    #[test]
    fn connections_of_the_probe_pod_since_then_are_counted_by_who_answered() {
        let pod = [IpAddr::from([10, 244, 0, 9])];
        let before = Observed::Seen(vec![flow(1, [10, 244, 1, 1])]);
        let other = TrackedFlow {
            source: ([10, 244, 0, 8], 5).into(),
            ..flow(5, [10, 244, 1, 1])
        };
        let after = Observed::Seen(vec![
            flow(1, [10, 244, 1, 1]),
            flow(2, [10, 244, 1, 1]),
            flow(3, [10, 244, 2, 1]),
            flow(4, [10, 244, 2, 1]),
            other,
        ]);
        let address = ([10, 96, 0, 7], 80).into();
        let to = went(&pod, "tcp", address, (Some(&before), Some(&after)));
        let counts: Vec<(String, u32)> = to
            .seen()
            .unwrap()
            .iter()
            .map(|to| (to.endpoint.to_string(), to.connections))
            .collect();
        assert_eq!(
            counts,
            [("10.244.1.1:8080".into(), 1), ("10.244.2.1:8080".into(), 2)]
        );
        assert!(went(&pod, "tcp", address, (None, None)).seen().is_none());
        let datagrams = went(&pod, "udp", address, (Some(&before), Some(&after)));
        assert_eq!(datagrams.seen(), Some(&Vec::new()), "none of them is over UDP");
    }

    fn service(protocol: &str) -> Service {
        let port = ServicePort {
            name: "dns".into(),
            protocol: protocol.into(),
            port: 53,
            target_port: "dns".into(),
            node_port: None,
        };
        Service {
            name: "names".into(),
            namespace: "shop".into(),
            cluster_ips: vec![[10, 96, 0, 7].into()],
            ports: vec![port],
            ..Service::default()
        }
    }

    #[test]
    fn datagrams_are_asked_for_apart_and_no_more_than_a_node_remembers() {
        let tries = |wanted: &[Wanted]| wanted.iter().map(|it| it.tries).sum::<u32>();
        let tcp = connections(&service("TCP"), 100);
        assert_eq!((tcp.len(), tries(&tcp)), (1, 100));
        let udp = connections(&service("UDP"), 100);
        assert_eq!((udp.len(), tries(&udp)), (50, 100));
        assert_eq!(tries(&connections(&service("UDP"), 10_000)), MOST_DATAGRAMS);
        assert!(connections(&service("SCTP"), 100).is_empty());
        assert_eq!(
            not_tried(&service("SCTP")),
            ["port 53/SCTP of service/names -n shop: the probe speaks TCP and UDP"]
        );
    }

    #[test]
    fn a_datagram_needs_no_answer_to_be_sent_and_a_connection_does() {
        let connect = Kind::Connect { linger_ms: 0 };
        let silence = Outcome::TimedOut { after_us: 1 };
        assert!(is_made(&Kind::Udp, &silence) && !is_made(&connect, &silence));
        let answer = Outcome::Ok {
            rtt_us: 1,
            peer: None,
        };
        assert!(is_made(&Kind::Udp, &answer) && is_made(&connect, &answer));
    }

    #[test]
    fn only_what_is_about_shares_is_judged() {
        let selection = selection();
        assert!(selection.has("ep-spread") && selection.has("ep-aff") && !selection.has("ep-sel"));
    }
}
