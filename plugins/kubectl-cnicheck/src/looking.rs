//! Looks at a cluster as far as a subcommand needs it, and tells what there is to tell.

use std::collections::BTreeSet;

use checks::{Asked, MeshOptions, ReachOptions};
use cluster::{ConnectionArgs, DnsRead};
use observation::{Cni, Dns, Mesh, Node, Observation, Placement, PolicyFacts, PolicyQuestion};
use plugin::{Failure, Run, Spinner};
use probe::ProbeRun;
use session::measured::measure;
use session::mesh::run_mesh;
use session::node_reading::Around;
use session::{Look, NodeReading, Session, node_reading, underlay};

use crate::args::{ByApi, OnNodes};
use crate::scope::Scope;

/// Runs a subcommand that starts nothing, and returns its exit status.
///
/// # Errors
/// When there is no way to the cluster, and when the user stopped it.
pub(crate) async fn by_api(
    connection: &ConnectionArgs,
    scope: Scope,
    wanted: &ByApi,
    run: &Run,
) -> Result<u8, Failure> {
    let look = &wanted.look;
    let observe = async {
        let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
        let cni = cni(&mut session, look).await?;
        let policy = policies(&mut session, scope, &cni).await?;
        let mut observation = session.finish(None)?;
        observation.policy = policy;
        observation.cni = Some(Box::new(cni));
        Ok(observation)
    };
    let observe = Box::pin(observe);
    look.conclude_selected(scope.command, &scope.selection(), run, observe)
        .await
}

/// Runs a subcommand that reads nodes, and returns its exit status.
///
/// # Errors
/// When there is no way to the cluster, when the choice of nodes matches none, and when the user stopped it.
pub(crate) async fn on_nodes(
    connection: &ConnectionArgs,
    scope: Scope,
    wanted: &OnNodes,
    run: &Run,
) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, scope, wanted, run));
    wanted
        .look
        .conclude_selected(scope.command, &scope.selection(), run, observe)
        .await
}

/// Agents of the CNI that say which packets they drop do so for so many seconds.
const LISTENING: u32 = 10;

/// Whether more than the API may be read: then agents of the CNI are asked too, by commands in their pods.
fn reads_all(scope: Scope, wanted: &OnNodes) -> bool {
    wanted.reading.node_access && scope.nodes
}

/// What was tried, beside what was read.
#[derive(Default)]
struct Tried {
    placement: Option<Placement>,
    mesh: Option<Mesh>,
    measured: Option<Mesh>,
}

async fn observe(
    connection: &ConnectionArgs,
    scope: Scope,
    wanted: &OnNodes,
    run: &Run,
) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let mut cni = cni(&mut session, look).await?;
    let cluster = session.cluster.clone();
    if reads_all(scope, wanted) {
        let asking = cluster.ask_cni(&mut cni);
        session
            .observe("asking the CNI on its nodes", Box::pin(asking))
            .await?;
    }
    let dns = if scope.dns {
        Some(dns(&mut session).await?)
    } else {
        None
    };
    let policy = policies(&mut session, scope, &cni).await?;
    let mesh = MeshOptions {
        count: wanted.count,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..MeshOptions::default()
    };
    let reading = NodeReading {
        node_access: wanted.reading.node_access && scope.nodes,
        host_network: wanted.reading.host_network && scope.nodes,
    };
    let choice = look.choice();
    let around = Around {
        nodes: choice,
        reading: &reading,
        pods: scope.pods,
        probes: scope.mesh.then_some(choice),
    };
    let nodes = session.nodes();
    let work = async |session: &mut Session<'_>, hosts: Option<&ProbeRun>| {
        let spinner = session.spinner.clone();
        let between = async {
            match hosts.filter(|_| scope.between_nodes) {
                Some(hosts) => Some(between(hosts, &nodes, &mesh, &spinner).await),
                None => None,
            }
        };
        if !scope.mesh {
            return Ok((between.await, Tried::default()));
        }
        let asked = Asked {
            loss: false,
            size: scope.sizes,
        };
        let trying = session.with_pods_beside(choice, between, async |pods, spinner| {
            let seen = run_mesh(pods, &mesh, spinner).await;
            let kinds = checks::wanted_measures(&seen, asked);
            let measured = measure(pods, &kinds, &mesh, spinner).await;
            (seen, measured)
        });
        let (placement, seen, between) = Box::pin(trying).await?;
        let (mesh, measured) = seen.unzip();
        let tried = Tried {
            placement: Some(placement),
            mesh,
            measured: measured.flatten(),
        };
        Ok((between, tried))
    };
    let looked = {
        let mut looked = Box::pin(node_reading::around(&mut session, around, work));
        // What is dropped while probes are sent is what a reader wants to know of.
        let mut listened = Box::pin(async {
            if reads_all(scope, wanted) && scope.mesh {
                cluster.listen_to_cni(&mut cni, LISTENING).await;
            }
        });
        tokio::select! {
            looked = &mut looked => {
                // Nobody waits for it where the user has stopped the run.
                if looked.is_ok() {
                    listened.as_mut().await;
                }
                looked
            }
            () = &mut listened => looked.as_mut().await,
        }
    };
    let (read, (between, tried)) = looked?;
    let mut observation = session.finish(tried.placement)?;
    read.note(&mut observation);
    observation.mesh = tried.mesh;
    observation.measured = tried.measured;
    observation.cni = Some(Box::new(cni));
    observation.dns = dns.map(Box::new);
    observation.policy = policy;
    if let Some(between) = between {
        observation.underlay.get_or_insert_default().add(between);
    }
    Ok(observation)
}

/// What nodes try of each other, without any pod network.
async fn between(
    hosts: &ProbeRun,
    nodes: &[Node],
    mesh: &MeshOptions,
    spinner: &Spinner,
) -> (Vec<observation::SourceState>, Vec<observation::Attempt>) {
    let options = ReachOptions {
        timeout_ms: mesh.timeout_ms,
        ..ReachOptions::default()
    };
    underlay::nodes(hosts, nodes, &options, spinner).await
}

/// Reads what the API says of the CNI.
async fn cni(session: &mut Session<'_>, look: &Look) -> Result<Cni, Failure> {
    let only = look.chosen(session)?;
    let cluster = session.cluster.clone();
    let read = cluster.cni(only.as_deref(), jiff::Timestamp::now().to_string());
    session.observe("reading the CNI", Box::pin(read)).await
}

/// Reads who could enforce policies, where there are some to enforce.
async fn policies(
    session: &mut Session<'_>,
    scope: Scope,
    cni: &Cni,
) -> Result<Option<PolicyFacts>, Failure> {
    if !scope.policies || cni.policies.seen() == Some(&0) {
        return Ok(None);
    }
    let cluster = session.cluster.clone();
    let everywhere = BTreeSet::new();
    let read = cluster.policy_facts(PolicyQuestion::default(), &everywhere);
    session
        .observe("reading policies", Box::pin(read))
        .await
        .map(Some)
}

/// Reads what the API says of the cluster's DNS.
async fn dns(session: &mut Session<'_>) -> Result<Dns, Failure> {
    let cluster = session.cluster.clone();
    let linux: BTreeSet<String> = session
        .nodes()
        .into_iter()
        .filter(|node| node.operating_system == "linux")
        .map(|node| node.name)
        .collect();
    let linux: Vec<String> = linux.into_iter().collect();
    let read = cluster.dns(&linux, jiff::Timestamp::now().to_string(), false);
    let DnsRead { dns, .. } = session
        .observe("reading the cluster's DNS", Box::pin(read))
        .await?;
    Ok(dns)
}
