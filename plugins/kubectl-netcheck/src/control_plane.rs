//! `kubectl netcheck control-plane`: whether pods reach the API, and the API what it calls.

use checks::{ReachOptions, ServiceDepth};
use cluster::{Cluster, ConnectionArgs, ServiceScope};
use observation::{ApiService, EndpointSlice, Observation, Reach, Service, ServiceReference, Topic, Webhook};
use plugin::{Failure, Run};
use report::{Observed, Subject};
use session::tries::{pod_places, try_all};
use session::{Look, Session};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ControlPlaneArgs {
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(
    connection: &ConnectionArgs,
    wanted: &ControlPlaneArgs,
    run: &Run,
) -> Result<u8, Failure> {
    wanted
        .look
        .conclude("control-plane", run, Box::pin(observe(connection, wanted, run)))
        .await
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &ControlPlaneArgs,
    run: &Run,
) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let cluster = session.cluster.clone();
    let facts = session
        .observe("reading webhooks and the Services behind them", read(&cluster))
        .await?;
    session.options.twins = false;
    let options = ReachOptions {
        count: 3,
        endpoints: 5,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..ReachOptions::default()
    };
    let nodes = session.nodes();
    let services = facts.services.seen().cloned().unwrap_or_default();
    let slices = facts.slices.seen().cloned().unwrap_or_default();
    let is_kubernetes =
        |service: &&Service| (service.namespace.as_str(), service.name.as_str()) == ("default", "kubernetes");
    let kubernetes = services.iter().find(is_kubernetes);
    let (placement, tried) = session
        .with_pods(look.choice(), async |pods, spinner| {
            let places = pod_places(pods.placement());
            let mut wanted = checks::plan_control_plane(kubernetes, &slices, &nodes, &places, &options);
            let depths: Vec<(&Service, ServiceDepth)> = services
                .iter()
                .map(|service| {
                    // Its endpoints are the API servers, which are tried as such.
                    let depth = if is_kubernetes(&service) {
                        ServiceDepth::Address
                    } else {
                        ServiceDepth::Endpoints
                    };
                    (service, depth)
                })
                .collect();
            let (of_services, left_out) =
                checks::plan_services(&depths, &slices, None, &nodes, &places, &options);
            wanted.extend(of_services);
            wanted.extend(checks::plan_controls(&places, &options));
            let plan = checks::assemble(&pods.placement().run, &places, &wanted, &options);
            (try_all(pods, &plan, spinner).await, left_out)
        })
        .await?;
    let mut reach = Reach {
        asked: facts
            .services
            .seen()
            .into_iter()
            .flatten()
            .map(Service::subject)
            .collect::<Vec<Subject>>(),
        services: Some(facts.services),
        slices: Some(facts.slices),
        webhooks: Some(facts.webhooks),
        api_services: Some(facts.api_services),
        ..Reach::about(vec![Topic::ControlPlane])
    };
    if let Some(((sources, attempts), left_out)) = tried {
        (reach.sources, reach.attempts, reach.left_out) = (sources, attempts, left_out);
    }
    let mut observation = session.finish(Some(placement))?;
    observation.reach = Some(reach);
    Ok(observation)
}

struct Facts {
    services: Observed<Vec<Service>>,
    slices: Observed<Vec<EndpointSlice>>,
    webhooks: Observed<Vec<Webhook>>,
    api_services: Observed<Vec<ApiService>>,
}

/// Webhooks and aggregated APIs, and the Services that serve them; that of the API itself.
async fn read(cluster: &Cluster) -> Facts {
    let (webhooks, api_services) = tokio::join!(cluster.webhooks(), cluster.api_services());
    let kubernetes = ServiceReference {
        name: "kubernetes".to_owned(),
        namespace: "default".to_owned(),
        port: 443,
    };
    let mut references = vec![kubernetes];
    let by_webhooks = webhooks
        .seen()
        .into_iter()
        .flatten()
        .filter_map(|it| it.service.clone());
    let by_apis = api_services
        .seen()
        .into_iter()
        .flatten()
        .map(|it| it.service.clone());
    for reference in by_webhooks.chain(by_apis) {
        let known = |it: &ServiceReference| it.name == reference.name && it.namespace == reference.namespace;
        if !references.iter().any(known) {
            references.push(reference);
        }
    }
    let mut services = Observed::Seen(Vec::new());
    let mut slices = Observed::Seen(Vec::new());
    for reference in &references {
        let scope = ServiceScope::One {
            namespace: &reference.namespace,
            name: &reference.name,
        };
        let (found, of_it) = tokio::join!(cluster.services(scope), cluster.endpoint_slices(scope));
        services = session::tries::joined(services, found);
        slices = session::tries::joined(slices, of_it);
    }
    Facts {
        services,
        slices,
        webhooks,
        api_services,
    }
}
