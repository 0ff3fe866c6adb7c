//! `kubectl epcheck svc`: a Service from all sides.

use std::time::Duration;

use checks::{ReachOptions, Selection};
use cluster::ConnectionArgs;
use observation::{Backends, BackendsQuestion, Observation, SecondLook, Topic};
use plugin::{Failure, Run, Spinner};
use session::tries::{Probers, try_all};
use session::{Look, NodeReading, Session, inside, services};

use crate::asked::{self, Asked, asked};

/// What is looked at twice is looked at so long apart: for kube-proxy and the controllers, longer than a change takes.
const APART: Duration = Duration::from_secs(5);

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct SvcArgs {
    /// Services, as NAME, svc/NAME or NAME.NAMESPACE; or what sends to them, as ingress/NAME, httproute/NAME, gateway/NAME: then the
    /// Services of its backends. Also grpcroute, tlsroute, tcproute, udproute.
    #[arg(value_name = "SERVICE", required_unless_present = "from_bundle")]
    names: Vec<String>,
    /// How often each ClusterIP is tried from each node; a backend is chosen anew each time.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// How many endpoints of a Service are tried by themselves from each node.
    #[arg(long, default_value_t = 10, value_name = "N")]
    endpoints: usize,
    /// By what the API says only: try nothing, and start no pod.
    #[arg(long = "static", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true, conflicts_with = "node_access")]
    by_api: bool,
    /// Also read the rules of nodes, through a privileged pod on each. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
    /// The domain of the cluster's names.
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &SvcArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    let about = |seen: &Observation| asked::answered(seen, &wanted.names, connection);
    let all = Selection::default();
    wanted.look.conclude_about("svc", &all, about, run, observe).await
}

async fn observe(connection: &ConnectionArgs, wanted: &SvcArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let asked = asked(&mut session, &wanted.names).await?;
    let backends = backends(&mut session, asked, wanted.node_access).await?;
    // What does not exist cannot be tried; its check says what there is instead.
    let names = there(&backends);
    if wanted.by_api || names.is_empty() {
        let mut observation = session.finish(None)?;
        observation.backends = Some(Box::new(backends));
        return Ok(observation);
    }
    let cluster = session.cluster.clone();
    let read = services::named(&cluster, &names);
    let facts = session
        .observe("reading Services and EndpointSlices", read)
        .await??;
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
    let work = async |probers: Probers<'_>, spinner: &Spinner| {
        let places = probers.places();
        let (mut tries, left_out) = facts.plan(&nodes, &places, &options);
        tries.extend(checks::plan_controls(&places, &options));
        let plan = checks::assemble(&probers.pods.placement().run, &places, &tries, &options);
        (try_all(probers, &plan, spinner).await, left_out)
    };
    let nodes_read = wanted.node_access.then(|| look.choice());
    let tried = Box::pin(inside::with_own(
        &mut session,
        look.choice(),
        nodes_read,
        None,
        work,
    ))
    .await?;
    let backends = again(&mut session, backends, wanted.node_access).await?;
    let mut observation = session.finish(Some(tried.placement))?;
    let mut reach = facts.reach(vec![Topic::Service], &options);
    if let Some(((sources, attempts), left_out)) = tried.value {
        (reach.sources, reach.attempts) = (sources, attempts);
        reach.left_out.extend(left_out);
    }
    inside::note(&mut observation, &mut reach, tried.read, None, true);
    observation.reach = Some(reach);
    observation.backends = Some(Box::new(backends));
    Ok(observation)
}

/// What is asked about: one Service, or without a name all of the cluster.
pub(crate) fn question(name: Option<&str>, namespace: &str) -> Result<BackendsQuestion, Failure> {
    let Some(name) = name else {
        return Ok(BackendsQuestion::default());
    };
    let (name, namespace) = services::parse_name(name, namespace)?;
    Ok(BackendsQuestion {
        namespace: Some(namespace),
        name: Some(name),
        ..BackendsQuestion::default()
    })
}

/// Those of the Services that were asked about which exist, as NAME.NAMESPACE.
fn there(backends: &Backends) -> Vec<String> {
    let services = backends.services.seen().into_iter().flatten();
    let asked = services.filter(|service| backends.question.is_about(service));
    asked
        .map(|service| format!("{}.{}", service.name, service.namespace))
        .collect()
}

/// Reads what the API says. What differs from the pods is looked at again, unless `later` says that all of it will be.
///
/// # Errors
/// When the user stopped it.
pub(crate) async fn backends(
    session: &mut Session<'_>,
    asked: impl Into<Asked>,
    later: bool,
) -> Result<Backends, Failure> {
    let cluster = session.cluster.clone();
    let Asked { question, callers } = asked.into();
    let read = cluster.backends(question, callers, now());
    let backends = session
        .observe("reading Services and what stands behind them", Box::pin(read))
        .await?;
    if later {
        return Ok(backends);
    }
    let nodes = report::Observed::Seen(session.nodes());
    let mut seen = Observation::new("", "", session.server.clone(), nodes);
    seen.backends = Some(Box::new(backends));
    let wanted = checks::wanted_second_look(&seen);
    let mut backends = *seen.backends.take().expect("what was put in");
    if !wanted.is_empty() {
        let look = async {
            tokio::time::sleep(APART).await;
            cluster.second_look(&wanted, now()).await
        };
        let look = session
            .observe("looking again at what differs", Box::pin(look))
            .await?;
        backends.second_look = Some(look);
    }
    Ok(backends)
}

/// Looks again at all of it, where rules of nodes were read between.
///
/// # Errors
/// When the user stopped it.
pub(crate) async fn again(
    session: &mut Session<'_>,
    mut backends: Backends,
    is_wanted: bool,
) -> Result<Backends, Failure> {
    if is_wanted {
        let cluster = session.cluster.clone();
        let question = backends.question.clone();
        let look = cluster.look_again(&question, now());
        let look: SecondLook = session
            .observe("looking again at EndpointSlices", Box::pin(look))
            .await?;
        backends.second_look = Some(look);
    }
    Ok(backends)
}

pub(crate) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Reading of nodes as it is done here: rules, or nothing.
pub(crate) fn reading() -> NodeReading {
    NodeReading {
        node_access: true,
        host_network: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_asked_about_by_its_name_and_without_one_all_are() {
        let one = question(Some("svc/web"), "shop").unwrap();
        assert_eq!(one.single(), Some(("shop", "web")));
        assert_eq!(question(None, "shop").unwrap(), BackendsQuestion::default());
        assert!(question(Some("ingress/web"), "shop").is_err());
    }
}
