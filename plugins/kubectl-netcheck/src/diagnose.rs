//! `kubectl netcheck diagnose`: everything that applies, and one cause for it.

use std::collections::BTreeSet;

use checks::{Asked, Check, Effort, MeshOptions, Need, ReachOptions, Selection};
use cluster::ConnectionArgs;
use observation::{
    Attempt, HostPort, Mesh, Node, Observation, PolicyFacts, PolicyQuestion, SourceState, Topic, Underlay,
};
use plugin::{Failure, Run, Spinner};
use probe::ProbeRun;
use report::Observed;

use crate::args::Diagnose;
use session::measured::measure;
use session::mesh::run_mesh;
use session::node_reading::Around;
use session::services::{self, ServiceFacts};
use session::tries::{host_places, pod_places, try_all};
use session::{NodeReading, Session, node_reading, underlay};

/// How many Services are tried beside those of the API and of the DNS.
const SERVICES: usize = 10;

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &Diagnose, run: &Run) -> Result<u8, Failure> {
    Box::pin(selected("diagnose", &|_| true, connection, wanted, run)).await
}

/// `kubectl netcheck node`: what nodes show by themselves.
pub(crate) async fn node(connection: &ConnectionArgs, wanted: &Diagnose, run: &Run) -> Result<u8, Failure> {
    let of_nodes = |check: &Check| {
        let read = |need: &Need| matches!(need, Need::NodeNetwork | Need::NodeAccess | Need::PodNetworks);
        check.needs.iter().all(read)
    };
    Box::pin(selected("node", &of_nodes, connection, wanted, run)).await
}

/// `kubectl netcheck mtu`: sizes, by arithmetic and by trying.
pub(crate) async fn mtu(connection: &ConnectionArgs, wanted: &Diagnose, run: &Run) -> Result<u8, Failure> {
    let of_sizes = |check: &Check| check.id == "net-mtu" || check.id.starts_with("net-mtu-");
    Box::pin(selected("mtu", &of_sizes, connection, wanted, run)).await
}

async fn selected(
    command: &str,
    concerns: &dyn Fn(&Check) -> bool,
    connection: &ConnectionArgs,
    wanted: &Diagnose,
    run: &Run,
) -> Result<u8, Failure> {
    let mut selection = Selection {
        only: wanted.checks.clone(),
        skip: wanted.skip_checks.clone(),
    };
    if let Some(unknown) = selection.unknown() {
        return Err(Failure::new(format!("error: there is no check {unknown:?}"))
            .with_hint(Some("`kubectl netcheck checks` lists them".to_owned())));
    }
    selection.leave_out(|check| !concerns(check));
    let sizes = command == "mtu";
    let observe = Box::pin(observe(connection, wanted, &selection, sizes, run));
    wanted
        .look
        .conclude_selected(command, &selection, run, observe)
        .await
}

/// What the API says, as far as the selected checks need it.
struct Facts {
    services: Option<ServiceFacts>,
    host_ports: Option<Observed<Vec<HostPort>>>,
    policy: Option<PolicyFacts>,
}

/// What was probed in one go.
struct Probed {
    mesh: Option<Mesh>,
    tried: Option<(Vec<SourceState>, Vec<Attempt>, Vec<String>)>,
    /// Between pods and their own nodes.
    own: Option<Underlay>,
    /// What the mesh called for, or the user.
    measured: Option<Mesh>,
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &Diagnose,
    selection: &Selection,
    sizes: bool,
    run: &Run,
) -> Result<Observation, Failure> {
    let needs = selection.needs();
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let mesh = MeshOptions {
        count: wanted.count,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..MeshOptions::default()
    };
    let reach = ReachOptions {
        count: 5,
        endpoints: 5,
        timeout_ms: mesh.timeout_ms,
        tcp_port: mesh.tcp_port,
        udp_port: mesh.udp_port,
        ..ReachOptions::default()
    };
    let choice = look.choice();
    let facts = Box::pin(read(&mut session, &needs, selection.has("net-hostport"))).await?;
    let nodes = session.nodes();
    let any = needs.contains(&Need::Mesh) || needs.contains(&Need::Services);
    let wanted_reads = reading(wanted, &needs);
    let own = selection.has("net-gw");
    let named = |id: &str| selection.only.iter().any(|only| only == id);
    let asked = Asked {
        loss: named("net-loss"),
        size: sizes || named("net-mtu"),
    };
    let around = Around {
        nodes: choice,
        reading: &wanted_reads,
        pods: needs.contains(&Need::PodNetworks),
        probes: any.then_some(choice),
    };
    let looked = node_reading::around(&mut session, around, async |session, hosts| {
        let spinner = session.spinner.clone();
        let between = async {
            match hosts.filter(|_| selection.has("net-n2n")) {
                Some(hosts) => Some(underlay::nodes(hosts, &nodes, &reach, &spinner).await),
                None => None,
            }
        };
        if !any {
            return Ok((None, None, between.await));
        }
        let trying = session.with_pods_beside(choice, between, async |pods, spinner| {
            let looking = Looking {
                pods,
                hosts: hosts.filter(|_| own),
                nodes: &nodes,
                asked,
                spinner,
            };
            probe(&looking, &needs, &facts, own, (&mesh, &reach)).await
        });
        let (placement, outcome, between) = Box::pin(trying).await?;
        Ok((Some(placement), outcome, between))
    });
    let (read, (placement, outcome, between)) = Box::pin(looked).await?;
    let mut observation = session.finish(placement)?;
    read.note(&mut observation);
    observation.policy = facts.policy;
    if let Some(services) = facts.services {
        let mut reach = services.reach(vec![Topic::Service], &reach);
        reach.host_ports = facts.host_ports;
        observation.reach = Some(reach);
    }
    if let Some(between) = between {
        observation.underlay.get_or_insert_default().add(between);
    }
    if let Some(probed) = outcome {
        observation.mesh = probed.mesh;
        observation.measured = probed.measured;
        if let Some(own) = probed.own {
            observation
                .underlay
                .get_or_insert_default()
                .add((own.sources, own.attempts));
        }
        if let (Some(reach), Some((sources, attempts, left_out))) = (&mut observation.reach, probed.tried) {
            (reach.sources, reach.attempts) = (sources, attempts);
            reach.left_out.extend(left_out);
        }
    }
    Ok(observation)
}

/// How far nodes are read: not at all where no selected check needs it.
fn reading(wanted: &Diagnose, needs: &BTreeSet<Need>) -> NodeReading {
    let of_nodes = [Need::NodeNetwork, Need::NodeAccess, Need::PodNetworks];
    let network = of_nodes.iter().any(|need| needs.contains(need));
    NodeReading {
        node_access: wanted.reading.node_access && network,
        host_network: wanted.reading.host_network && network,
    }
}

async fn read(session: &mut Session<'_>, needs: &BTreeSet<Need>, host_ports: bool) -> Result<Facts, Failure> {
    let cluster = session.cluster.clone();
    let services = async {
        if needs.contains(&Need::Services) {
            Some(services::sampled(&cluster, SERVICES).await)
        } else {
            None
        }
    };
    let everywhere = BTreeSet::new();
    let policy = async {
        if needs.contains(&Need::Policies) {
            let question = PolicyQuestion::default();
            Some(Box::pin(cluster.policy_facts(question, &everywhere)).await)
        } else {
            None
        }
    };
    let host_ports = async {
        if host_ports {
            Some(cluster.host_ports().await)
        } else {
            None
        }
    };
    let all = Box::pin(async { tokio::join!(Box::pin(services), Box::pin(policy), Box::pin(host_ports)) });
    let (services, policy, host_ports) = session.observe("reading Services and policies", all).await?;
    Ok(Facts {
        services,
        host_ports,
        policy,
    })
}

/// From where and at what probes look.
struct Looking<'a> {
    pods: &'a ProbeRun,
    /// Those in the nodes' own networks, where there are some.
    hosts: Option<&'a ProbeRun>,
    nodes: &'a [Node],
    /// What is to be measured in any case.
    asked: Asked,
    spinner: &'a Spinner,
}

async fn probe(
    looking: &Looking<'_>,
    needs: &BTreeSet<Need>,
    facts: &Facts,
    own: bool,
    (mesh, reach): (&MeshOptions, &ReachOptions),
) -> Probed {
    let (pods, nodes, spinner) = (looking.pods, looking.nodes, looking.spinner);
    let among_pods = among_pods(looking, needs, facts, (mesh, reach));
    let of_nodes = async {
        if own {
            Some(underlay::own(pods, looking.hosts, nodes, reach, spinner).await)
        } else {
            None
        }
    };
    let of_host_ports = host_ports_from_nodes(looking, facts, reach);
    let (mut probed, own, of_host_ports) = tokio::join!(among_pods, of_nodes, of_host_ports);
    probed.own = own;
    if let Some(tried) = of_host_ports {
        probed.own.get_or_insert_default().add(tried);
    }
    probed
}

/// What the nodes' own networks try of host ports.
async fn host_ports_from_nodes(
    looking: &Looking<'_>,
    facts: &Facts,
    reach: &ReachOptions,
) -> Option<(Vec<SourceState>, Vec<Attempt>)> {
    let hosts = looking.hosts?;
    let ports = facts.host_ports.as_ref()?.seen()?;
    let places = host_places(hosts.placement(), looking.nodes);
    let (wanted, _) = checks::plan_host_ports(ports, looking.nodes, &places, reach);
    if wanted.is_empty() {
        return None;
    }
    let plan = checks::assemble(&hosts.placement().run, &places, &wanted, reach);
    Some(try_all(hosts, &plan, looking.spinner).await)
}

async fn among_pods(
    looking: &Looking<'_>,
    needs: &BTreeSet<Need>,
    facts: &Facts,
    (mesh, reach): (&MeshOptions, &ReachOptions),
) -> Probed {
    let (pods, nodes, spinner) = (looking.pods, looking.nodes, looking.spinner);
    let mut probed = Probed {
        mesh: None,
        tried: None,
        own: None,
        measured: None,
    };
    if needs.contains(&Need::Mesh) {
        let seen = run_mesh(pods, mesh, spinner).await;
        let kinds = checks::wanted_measures(&seen, looking.asked);
        probed.measured = measure(pods, &kinds, mesh, spinner).await;
        probed.mesh = Some(seen);
    }
    if let Some(services) = &facts.services {
        let mut places = pod_places(pods.placement());
        if let Some(mesh) = &probed.mesh {
            for place in &mut places {
                place.effort = place
                    .source
                    .node()
                    .map_or(Effort::Full, |node| Effort::after(mesh, node));
            }
        }
        let (mut wanted, mut left_out) = services.plan(nodes, &places, reach);
        if let Some(Observed::Seen(ports)) = &facts.host_ports {
            let (of_ports, left) = checks::plan_host_ports(ports, nodes, &places, reach);
            wanted.extend(of_ports);
            left_out.extend(left);
        }
        wanted.extend(checks::plan_controls(&places, reach));
        let plan = checks::assemble(&pods.placement().run, &places, &wanted, reach);
        let (sources, attempts) = try_all(pods, &plan, spinner).await;
        probed.tried = Some((sources, attempts, left_out));
    }
    probed
}
