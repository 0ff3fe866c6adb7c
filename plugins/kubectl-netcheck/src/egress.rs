//! `kubectl netcheck egress`: what pods reach outside of the cluster, and what their nodes do.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use checks::{EgressTarget, ReachOptions, ReachPlace, ServiceDepth, Wanted};
use cluster::{Cluster, ConnectionArgs, ServiceScope};
use netprobe::Outcome;
use observation::{Attempt, EndpointSlice, Observation, Purpose, Reach, Service, SourceState, Topic};
use plugin::{Failure, Run, Spinner};
use report::Observed;
use session::inside::{self, FromPod};
use session::tries::{Probers, host_places, try_all};
use session::{Look, Session};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EgressArgs {
    /// What to reach outside, as HOST:PORT; may be repeated. Without it only the API server's own address is tried, and
    /// the cluster's DNS is asked for the name servers of the root.
    #[arg(long = "target", value_name = "HOST:PORT")]
    targets: Vec<String>,
    /// Try also from the network of the nodes, to tell pods from nodes. Needs a namespace that allows hostNetwork.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "true", action = clap::ArgAction::Set, value_name = "BOOL", hide_possible_values = true)]
    node_network: bool,
    /// The domain of the cluster's names.
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    #[command(flatten)]
    from: FromPod,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &EgressArgs, run: &Run) -> Result<u8, Failure> {
    wanted
        .look
        .conclude("egress", run, Box::pin(observe(connection, wanted, run)))
        .await
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &EgressArgs,
    run: &Run,
) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut targets = wanted
        .targets
        .iter()
        .map(|text| parse_target(text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let cluster = session.cluster.clone();
    if targets.is_empty() {
        targets.push(EgressTarget::Upstream);
        targets.extend(api_server(&cluster));
    }
    let read = async { tokio::join!(dns(&cluster), Box::pin(cluster.egress_setup())) };
    let ((services, slices), setup) = session
        .observe("reading the DNS Service and what sends traffic out", read)
        .await?;
    session.options.twins = false;
    let options = ReachOptions {
        timeout_ms: look.timeout_ms(),
        cluster_domain: wanted.cluster_domain.trim_matches('.').to_owned(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..ReachOptions::default()
    };
    let facts = Facts {
        targets,
        services: services.seen().cloned().unwrap_or_default(),
        slices: slices.seen().cloned().unwrap_or_default(),
        options,
    };
    let own = wanted.from.find(&cluster).await?;
    let work = async |probers: Probers<'_>, spinner: &Spinner| {
        facts.try_from(probers, &probers.places(), spinner).await
    };
    let tried = inside::with_from(&mut session, look.choice(), own.as_ref(), work).await?;
    let mut reach = Reach {
        services: Some(services.clone()),
        slices: Some(slices.clone()),
        cluster_domain: Some(facts.options.cluster_domain.clone()),
        ..Reach::about(vec![Topic::Egress])
    };
    if let Some((sources, attempts)) = tried.value {
        (reach.sources, reach.attempts) = (sources, attempts);
    }
    if wanted.node_network {
        let nodes = session.nodes();
        // The names are known by now: what pods were told, nodes try as well.
        let known = facts.known_by(&reach.attempts);
        let (_, tried) = session
            .with_host_pods(probe::Tier::HostNetwork, look.choice(), async |pods, spinner| {
                known
                    .try_from(pods, &host_places(pods.placement(), &nodes), spinner)
                    .await
            })
            .await?;
        match tried {
            Some((sources, attempts)) if !attempts.is_empty() => {
                reach.sources.extend(sources);
                reach.attempts.extend(attempts);
            }
            Some(_) | None => reach.left_out.push(
                "the nodes' own network: no pod could be started there, so that pods are not told from nodes"
                    .to_owned(),
            ),
        }
    } else {
        reach
            .left_out
            .push("the nodes' own network: --node-network tells pods from nodes".to_owned());
    }
    let mut observation = session.finish(Some(tried.placement))?;
    inside::note(
        &mut observation,
        &mut reach,
        tried.read,
        own.as_ref(),
        tried.is_inside,
    );
    observation.reach = Some(reach);
    observation.egress_setup = Some(Box::new(setup));
    Ok(observation)
}

/// What is to be tried, and what is known for it.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) targets: Vec<EgressTarget>,
    pub(crate) services: Vec<Service>,
    pub(crate) slices: Vec<EndpointSlice>,
    pub(crate) options: ReachOptions,
}

impl Facts {
    /// First the names, then the addresses that they stand for: two rounds, the second only where there are names.
    pub(crate) async fn try_from(
        &self,
        probers: impl Into<Probers<'_>>,
        places: &[ReachPlace],
        spinner: &Spinner,
    ) -> (Vec<SourceState>, Vec<Attempt>) {
        let probers = probers.into();
        let run = probers.pods.placement().run.clone();
        let plan = checks::assemble(&run, places, &self.wanted(places), &self.options);
        let (mut sources, mut attempts) = try_all(probers, &plan, spinner).await;
        let known = self.known_by(&attempts);
        let new: Vec<Wanted> = checks::plan_egress(&known.targets, None, &[], &self.options)
            .into_iter()
            .filter(|want| {
                let same = |it: &Attempt| it.address == want.address && it.subject == want.subject;
                !attempts.iter().any(same)
            })
            .collect();
        if !new.is_empty() {
            let plan = checks::assemble(&run, places, &new, &self.options);
            let (more, again) = try_all(probers, &plan, spinner).await;
            attempts.extend(again);
            for state in more {
                match sources.iter_mut().find(|it| it.source == state.source) {
                    Some(it) if it.answered.gap().is_none() => *it = state,
                    Some(_) => {}
                    None => sources.push(state),
                }
            }
        }
        (sources, attempts)
    }

    fn wanted(&self, places: &[ReachPlace]) -> Vec<Wanted> {
        let dns = checks::dns_service(&self.services);
        let mut wanted = checks::plan_egress(&self.targets, dns, &self.slices, &self.options);
        if let Some(dns) = dns {
            let depths = [(dns, ServiceDepth::Address)];
            let (compared, _) =
                checks::plan_services(&depths, &self.slices, Some(dns), &[], places, &self.options);
            wanted.extend(compared);
        }
        wanted.extend(checks::plan_controls(places, &self.options));
        wanted
    }

    /// The same with the addresses that names were found to have.
    fn known_by(&self, attempts: &[Attempt]) -> Self {
        let mut known = self.clone();
        for target in &mut known.targets {
            let EgressTarget::Name { host, addresses, .. } = target else {
                continue;
            };
            let asks = |attempt: &&Attempt| {
                matches!(
                    attempt.purpose,
                    Purpose::NameOutside | Purpose::NameOutsideByPod { .. }
                ) && attempt.subject.names().contains(&format!("outside/{host}"))
            };
            let found: BTreeSet<IpAddr> = attempts
                .iter()
                .filter(asks)
                .flat_map(|attempt| &attempt.samples)
                .filter_map(|sample| match &sample.outcome {
                    Outcome::Dns { addresses, .. } => Some(addresses.iter().copied()),
                    _ => None,
                })
                .flatten()
                .collect();
            *addresses = found.into_iter().collect();
        }
        known
    }
}

async fn dns(cluster: &Cluster) -> (Observed<Vec<Service>>, Observed<Vec<EndpointSlice>>) {
    tokio::join!(
        cluster.services(ServiceScope::Dns),
        cluster.endpoint_slices(ServiceScope::Dns)
    )
}

/// The API server as this machine reaches it: something outside of the pod network that is known to be there.
fn api_server(cluster: &Cluster) -> Option<EgressTarget> {
    let url = cluster.server_url();
    let host = url.host()?.trim_matches(['[', ']']);
    let port = url.port_u16().unwrap_or(443);
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => None,
        Ok(address) => Some(EgressTarget::Address(SocketAddr::new(address, port))),
        Err(_) if host == "localhost" => None,
        Err(_) => Some(name(host, port)),
    }
}

fn name(host: &str, port: u16) -> EgressTarget {
    EgressTarget::Name {
        host: host.trim_end_matches('.').to_owned(),
        port,
        addresses: Vec::new(),
    }
}

/// Reads `198.51.100.80:80`, `[2001:db8::1]:443` or `example.com:443`.
pub(crate) fn parse_target(text: &str) -> Result<EgressTarget, Failure> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(EgressTarget::Address(address));
    }
    let wrong = || {
        Failure::new(format!(
            "error: invalid argument {text:?} for \"--target\" flag: expected HOST:PORT"
        ))
    };
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?;
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if host.is_empty() || !host.chars().all(plain) {
        return Err(wrong());
    }
    Ok(name(host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_address_or_a_name_with_a_port() {
        assert_eq!(
            parse_target("198.51.100.80:80").unwrap(),
            EgressTarget::Address("198.51.100.80:80".parse().unwrap())
        );
        assert_eq!(
            parse_target("[2001:db8::1]:443").unwrap(),
            EgressTarget::Address("[2001:db8::1]:443".parse().unwrap())
        );
        assert_eq!(
            parse_target("www.example.com.:443").unwrap(),
            name("www.example.com", 443)
        );
        for text in ["example.com", "example.com:0", "a b:80", ":80", "2001:db8::1"] {
            assert!(parse_target(text).is_err(), "{text}");
        }
    }
}
