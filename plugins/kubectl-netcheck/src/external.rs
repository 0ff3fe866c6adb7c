//! `kubectl netcheck external`: node ports and load balancers from this machine, beside what pods inside get.

use std::net::{IpAddr, SocketAddr};

use checks::{ReachOptions, Wanted};
use cluster::ConnectionArgs;
use netprobe::Kind;
use observation::{Expected, Node, Observation, Purpose, Reach, Service, Source, Topic};
use plugin::{Failure, Run};
use report::Subject;

use crate::outside::{here, try_from_here};
use session::services::{self, ServiceFacts};
use session::tries::{pod_places, try_all};
use session::{Look, Session};

/// How many Services are tried where none is named.
const SERVICES: usize = 20;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ExternalArgs {
    /// Services, as NAME, svc/NAME or NAME.NAMESPACE. Without one: those with a node port or a load balancer, up to a number.
    #[arg(value_name = "SERVICE")]
    names: Vec<String>,
    /// How many Services are tried when none is named.
    #[arg(long, default_value_t = SERVICES, value_name = "N")]
    sample: usize,
    #[command(flatten)]
    look: Look,
}

/// What is tried from this machine.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// These Services, or so many.
    Services(Vec<String>, usize),
    /// Something that listens at these addresses.
    Addresses(Subject, Vec<SocketAddr>),
    /// A node's port.
    Node(String, u16),
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(
    connection: &ConnectionArgs,
    wanted: &ExternalArgs,
    run: &Run,
) -> Result<u8, Failure> {
    let ask = Ask::Services(wanted.names.clone(), wanted.sample);
    let observe = Box::pin(observe(connection, &wanted.look, ask, run));
    wanted.look.conclude("external", run, observe).await
}

/// Tries what is asked from this machine and from pods on the chosen nodes.
///
/// # Errors
/// As every look at a cluster; and when what is asked about does not exist.
pub(crate) async fn observe(
    connection: &ConnectionArgs,
    look: &Look,
    ask: Ask,
    run: &Run,
) -> Result<Observation, Failure> {
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let cluster = session.cluster.clone();
    let nodes = session.nodes();
    let read = async {
        match &ask {
            Ask::Services(names, sample) if names.is_empty() => {
                let mut facts = services::sampled(&cluster, usize::MAX).await;
                facts.keep(*sample, is_open);
                Ok(facts)
            }
            Ask::Services(names, _) => services::named(&cluster, names).await,
            Ask::Addresses(..) | Ask::Node(..) => Ok(ServiceFacts::none()),
        }
    };
    let facts = session
        .observe("reading Services and EndpointSlices", read)
        .await??;
    let options = ReachOptions {
        count: 3,
        endpoints: 3,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..ReachOptions::default()
    };
    let destinations = destinations(&ask, &nodes, &options)?;
    session.options.twins = false;
    let spinner = session.spinner.clone();
    let (mut from_here, mut left_out) = outside(&facts, &nodes, &options);
    from_here.extend(of_source(&destinations, &Source::Outside));
    let plan = checks::assemble("", &[here()], &from_here, &options);
    let inside = session.with_pods(look.choice(), async |pods, spinner| {
        let places = pod_places(pods.placement());
        let (mut wanted, left_out) = facts.plan(&nodes, &places, &options);
        wanted.extend(destinations.iter().cloned());
        wanted.extend(checks::plan_controls(&places, &options));
        let plan = checks::assemble(&pods.placement().run, &places, &wanted, &options);
        (try_all(pods, &plan, spinner).await, left_out)
    });
    spinner.say("trying from this machine");
    let (inside, (here, attempts)) = Box::pin(async { tokio::join!(inside, try_from_here(&plan)) }).await;
    let (placement, tried) = inside?;
    let mut observation = session.finish(Some(placement))?;
    let topic = match ask {
        Ask::Services(..) => Topic::External,
        Ask::Addresses(..) | Ask::Node(..) => Topic::Path,
    };
    let mut reach: Reach = facts.reach(vec![topic], &options);
    (reach.sources, reach.attempts) = (here, attempts);
    if let Some(((sources, attempts), more)) = tried {
        reach.sources.extend(sources);
        reach.attempts.extend(attempts);
        left_out.extend(more);
    }
    left_out.sort();
    left_out.dedup();
    reach.left_out.extend(left_out);
    observation.reach = Some(reach);
    Ok(observation)
}

/// Whether a Service can be reached from outside of the cluster at all.
fn is_open(service: &Service) -> bool {
    let has_node_port = service.ports.iter().any(|port| port.node_port.is_some());
    has_node_port || !service.load_balancer.is_empty() || !service.external_ips.is_empty()
}

fn outside(facts: &ServiceFacts, nodes: &[Node], options: &ReachOptions) -> (Vec<Wanted>, Vec<String>) {
    let slices = facts.slices.seen().cloned().unwrap_or_default();
    checks::plan_outside(&facts.asked(), &slices, nodes, options)
}

/// The same, as one source tries it.
fn of_source(wanted: &[Wanted], source: &Source) -> Vec<Wanted> {
    let own = |want: &Wanted| Wanted {
        source: Some(source.clone()),
        ..want.clone()
    };
    wanted.iter().map(own).collect()
}

fn destinations(ask: &Ask, nodes: &[Node], options: &ReachOptions) -> Result<Vec<Wanted>, Failure> {
    let (subject, addresses) = match ask {
        Ask::Services(..) => return Ok(Vec::new()),
        Ask::Addresses(subject, addresses) => (subject.clone(), addresses.clone()),
        Ask::Node(name, port) => {
            let node = nodes.iter().find(|node| node.name == *name).ok_or_else(|| {
                Failure::new(format!("Error from server (NotFound): nodes {name:?} not found"))
            })?;
            let all = node.external_ips.iter().chain(&node.internal_ips);
            let at = |ip: &IpAddr| SocketAddr::new(*ip, *port);
            (Subject::node(name), all.map(at).collect())
        }
    };
    let want = |address: SocketAddr| Wanted {
        source: None,
        purpose: Purpose::Destination,
        subject: subject.clone(),
        address,
        kind: Kind::Connect {
            linger_ms: options.linger_ms,
        },
        expected: Expected::Answer,
        tries: 3,
    };
    Ok(addresses.into_iter().map(want).collect())
}
