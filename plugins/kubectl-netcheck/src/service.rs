//! `kubectl netcheck service`: whether Services answer, from each node, by each way in.

mod own_service;

use checks::ReachOptions;
use cluster::{Cluster, ConnectionArgs};
use observation::{Observation, Topic};
use plugin::{Failure, Run, Spinner};
use session::inside::{self, FromPod};
use session::services::{self, ServiceFacts};
use session::tries::{Probers, try_all};
use session::{Look, Session};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ServiceArgs {
    /// Services, as NAME, svc/NAME or NAME.NAMESPACE. Without one: service/kubernetes, the cluster's DNS, and a sample.
    #[arg(value_name = "SERVICE")]
    names: Vec<String>,
    /// How often each ClusterIP is tried from each node; a backend is chosen anew each time.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// How many endpoints of a Service are tried by themselves from each node.
    #[arg(long, default_value_t = 10, value_name = "N")]
    endpoints: usize,
    /// How many Services are tried when none is named.
    #[arg(long, default_value_t = 5, value_name = "N")]
    sample: usize,
    /// The domain of the cluster's names.
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// Also make a Service of our own before the probe pods and try it, to tell one Service that fails from all of them. It lives in the namespace of the
    /// run and goes with it. Every kube-proxy of the cluster writes its rules anew for it, which may repair rules that were stale or damaged.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    own_service: bool,
    #[command(flatten)]
    from: FromPod,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &ServiceArgs, run: &Run) -> Result<u8, Failure> {
    wanted
        .look
        .conclude("service", run, Box::pin(observe(connection, wanted, run)))
        .await
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &ServiceArgs,
    run: &Run,
) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let cluster = session.cluster.clone();
    let read = read(&cluster, wanted);
    let facts = session
        .observe("reading Services and EndpointSlices", read)
        .await??;
    let own = wanted.from.find(&cluster).await?;
    let options = ReachOptions {
        count: wanted.count,
        endpoints: wanted.endpoints,
        timeout_ms: look.timeout_ms(),
        cluster_domain: wanted.cluster_domain.trim_matches('.').to_owned(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..ReachOptions::default()
    };
    session.options.twins = false;
    let nodes = session.nodes();
    let own_service = wanted.own_service.then(|| session.options.manager());
    let work = async |probers: Probers<'_>, spinner: &Spinner| {
        let places = probers.places();
        let (mut wanted, left_out) = facts.plan(&nodes, &places, &options);
        wanted.extend(checks::plan_controls(&places, &options));
        let plan = checks::assemble(&probers.pods.placement().run, &places, &wanted, &options);
        let tried = try_all(probers, &plan, spinner).await;
        // Last: the Services that were asked about are tried on the rules that there were.
        let own = match &own_service {
            Some(manager) => Some(own_service::look(probers, manager, &options, spinner).await),
            None => None,
        };
        (tried, left_out, own)
    };
    let tried = inside::with_from(&mut session, look.choice(), own.as_ref(), work).await?;
    let mut observation = session.finish(Some(tried.placement))?;
    let mut reach = facts.reach(vec![Topic::Service], &options);
    if let Some(((sources, attempts), left_out, own)) = tried.value {
        (reach.sources, reach.attempts) = (sources, attempts);
        reach.left_out.extend(left_out);
        if let Some((made, attempts)) = own {
            reach.own_service = Some(made);
            reach.attempts.extend(attempts);
        }
    }
    inside::note(
        &mut observation,
        &mut reach,
        tried.read,
        own.as_ref(),
        tried.is_inside,
    );
    observation.reach = Some(reach);
    Ok(observation)
}

async fn read(cluster: &Cluster, wanted: &ServiceArgs) -> Result<ServiceFacts, Failure> {
    if wanted.names.is_empty() {
        Ok(services::sampled(cluster, wanted.sample).await)
    } else {
        services::named(cluster, &wanted.names).await
    }
}
