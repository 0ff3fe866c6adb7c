//! `kubectl netcheck path`: one source and one destination, hop by hop.

mod end;

use std::net::{IpAddr, SocketAddr};

use checks::{EgressTarget, ReachOptions, ReachPlace, ServiceDepth, Wanted};
use cluster::{Cluster, ConnectionArgs, ServiceScope};
use netprobe::Kind;
use observation::{
    EndpointSlice, Expected, Node, Observation, PathEnds, PathPod, Purpose, Reach, Service, Source, Topic,
};
use plugin::{Failure, Run, Spinner};
use report::{Observed, Subject};

use crate::egress::Facts;
use crate::external::{self, Ask};
use end::{End, parse};
use session::inside::{self, Own};
use session::tries::{Probers, joined, try_all};
use session::{Look, NodeChoice, Session};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PathArgs {
    /// Where it begins: pod/NAME, node/NAME, or `outside` for this machine. A probe pod on that node stands in for it, unless --node-access lets the probes
    /// begin in the pod's own network.
    #[arg(value_name = "SRC")]
    source: String,
    /// Where it ends: service/NAME, pod/NAME:PORT, node/NAME:PORT, HOST:PORT or a URL.
    #[arg(value_name = "DST")]
    destination: String,
    /// Do not add the node of the destination as a second source, to compare with.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    only: bool,
    /// Read the nodes of both ends and the networks of their pods through a privileged pod on each, and try from the network of
    /// the pod itself beside the probe pod.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &PathArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    wanted.look.conclude("path", run, observe).await
}

async fn observe(connection: &ConnectionArgs, wanted: &PathArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    if wanted.source == OUTSIDE {
        let ask = from_outside(&wanted.destination).await?;
        return Box::pin(external::observe(connection, look, ask, run)).await;
    }
    let begin = match parse(&wanted.source)? {
        it @ (End::Pod { .. } | End::Node { .. }) => it,
        End::Service { .. } | End::Outside(_) => {
            return Err(Failure::new(format!(
                "error: a path begins at pod/NAME, node/NAME or outside, not at {:?}",
                wanted.source
            )));
        }
    };
    let end = parse(&wanted.destination)?;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let cluster = session.cluster.clone();
    let namespace = cluster.namespace().to_owned();
    let mut path = Path {
        options: ReachOptions {
            timeout_ms: look.timeout_ms(),
            tcp_port: session.options.tcp_port,
            udp_port: session.options.udp_port,
            ..ReachOptions::default()
        },
        nodes: session.nodes(),
        pods: Vec::new(),
        services: Observed::Seen(Vec::new()),
        slices: Observed::Seen(Vec::new()),
        asked: Vec::new(),
        end,
        end_node: None,
    };
    let read = path.read(&cluster, &begin, &namespace);
    let (begin_node, own) = session.observe("reading both ends", read).await??;
    let mut names = vec![begin_node.clone()];
    names.extend(
        path.end_node
            .clone()
            .filter(|node| !wanted.only && *node != begin_node),
    );
    session.options.twins = false;
    let choice = NodeChoice {
        names: &names,
        selector: None,
    };
    let path = path;
    let work = async |probers: Probers<'_>, spinner: &Spinner| {
        let places = probers.places();
        if let End::Outside(target) = &path.end {
            let outside = path.outside(target.clone());
            return (outside.try_from(probers, &places, spinner).await, Vec::new());
        }
        let run = &probers.pods.placement().run;
        let (wanted, left_out) = path.wanted(&places);
        let plan = checks::assemble(run, &places, &wanted, &path.options);
        (try_all(probers, &plan, spinner).await, left_out)
    };
    let read_names = path.nodes_on_the_way(&names);
    let nodes_read = wanted.node_access.then_some(NodeChoice {
        names: &read_names,
        selector: None,
    });
    let tried = inside::with_own(&mut session, choice, nodes_read, own.as_ref(), work).await?;
    let topic = match path.end {
        End::Outside(_) => Topic::Egress,
        _ => Topic::Path,
    };
    let mut reach = Reach {
        asked: path.asked,
        services: Some(path.services),
        slices: Some(path.slices),
        pods: path.pods,
        ends: Some(PathEnds {
            source: begin.subject(&namespace),
            source_node: begin_node.clone(),
            destination: path.end.subject(&namespace),
            port: path.end.port(),
        }),
        cluster_domain: Some(path.options.cluster_domain),
        ..Reach::about(vec![topic])
    };
    if let Some(((sources, attempts), left_out)) = tried.value {
        (reach.sources, reach.attempts, reach.left_out) = (sources, attempts, left_out);
    }
    if !tried.is_inside {
        reach.left_out.push(stand_in(wanted, &begin, &begin_node));
    }
    let mut observation = session.finish(Some(tried.placement))?;
    inside::note(&mut observation, &mut reach, tried.read, None, true);
    observation.reach = Some(reach);
    Ok(observation)
}

/// So many nodes of endpoints of a Service are read as well.
const ENDPOINT_NODES: usize = 2;

/// This machine, as a source.
const OUTSIDE: &str = "outside";

/// What is to be tried from this machine. Names are resolved here, as its users resolve them.
async fn from_outside(destination: &str) -> Result<Ask, Failure> {
    let outside = |name: String| Subject::Object {
        kind: OUTSIDE.to_owned(),
        name,
        namespace: None,
    };
    match parse(destination)? {
        End::Service { name, .. } => Ok(Ask::Services(vec![name], 1)),
        End::Node { name, port } => Ok(Ask::Node(name, port.unwrap_or(10250))),
        End::Pod { name, .. } => Err(Failure::new(format!(
            "error: pods have no address outside of the cluster: try the Service before pod/{name}"
        ))),
        End::Outside(EgressTarget::Address(address)) => {
            Ok(Ask::Addresses(outside(address.to_string()), vec![address]))
        }
        End::Outside(EgressTarget::Name { host, port, .. }) => {
            let found = tokio::net::lookup_host((host.as_str(), port)).await;
            let addresses: Vec<SocketAddr> = found
                .map_err(|error| {
                    Failure::new(format!("error: {host} is not resolved on this machine: {error}"))
                })?
                .take(4)
                .collect();
            Ok(Ask::Addresses(outside(host), addresses))
        }
        End::Outside(EgressTarget::Upstream) => Err(Failure::new("error: a destination is needed")),
    }
}

/// That the probes did not begin where the user said, and what would let them.
fn stand_in(wanted: &PathArgs, begin: &End, node: &str) -> String {
    let source = &wanted.source;
    let why = match begin {
        End::Pod { .. } if !wanted.node_access => "; --node-access tries from the pod's own network",
        End::Pod { .. } => "; it has no network of its own, or that could not be entered",
        _ => "",
    };
    format!(
        "{source} itself: a probe pod on {node} stands in for it{why}; policies that select it do not select the probe pod, \
         `kubectl netcheck policy` judges them"
    )
}

struct Path {
    options: ReachOptions,
    nodes: Vec<Node>,
    pods: Vec<PathPod>,
    services: Observed<Vec<Service>>,
    slices: Observed<Vec<EndpointSlice>>,
    asked: Vec<Subject>,
    end: End,
    /// The node of the destination, where it has one.
    end_node: Option<String>,
}

impl Path {
    /// Reads both ends, and returns the node where the path begins, and the pod where it is one.
    async fn read(
        &mut self,
        cluster: &Cluster,
        begin: &End,
        namespace: &str,
    ) -> Result<(String, Option<Own>), Failure> {
        let (begin_node, own) = match begin {
            End::Pod { name, .. } => {
                let own = Own::read(cluster, namespace, name).await?;
                self.pods.push(own.pod.clone());
                (own.node.clone(), Some(own))
            }
            End::Node { name, .. } => (name.clone(), None),
            End::Service { .. } | End::Outside(_) => (String::new(), None),
        };
        match &self.end.clone() {
            End::Pod { name, .. } => {
                let pod = inside::pod(cluster, namespace, name).await?;
                self.end_node.clone_from(&pod.node);
                self.pods.push(pod);
            }
            End::Node { name, .. } => {
                if !self.nodes.iter().any(|node| node.name == *name) {
                    return Err(not_found("nodes", name));
                }
                self.end_node = Some(name.clone());
            }
            End::Service { name, .. } => {
                let (name, namespace) = end::service(name, namespace);
                let scope = ServiceScope::One { namespace, name };
                self.add(cluster, scope).await;
                if self.services.seen().is_some_and(Vec::is_empty) {
                    return Err(not_found("services", name));
                }
                self.asked = self
                    .services
                    .seen()
                    .into_iter()
                    .flatten()
                    .map(Service::subject)
                    .collect();
                self.add(cluster, ServiceScope::Dns).await;
            }
            End::Outside(_) => self.add(cluster, ServiceScope::Dns).await,
        }
        Ok((begin_node, own))
    }

    /// The nodes of both ends, and those of the first endpoints where the end is a Service.
    fn nodes_on_the_way(&self, ends: &[String]) -> Vec<String> {
        let slices = self.slices.seen().into_iter().flatten();
        let mut names = ends.to_vec();
        let is_asked = |slice: &&EndpointSlice| {
            let services = self.services.seen().into_iter().flatten();
            services
                .filter(|service| self.asked.contains(&service.subject()))
                .any(|service| {
                    slice.namespace == service.namespace && slice.service.as_ref() == Some(&service.name)
                })
        };
        let endpoints = slices.filter(is_asked).flat_map(|slice| &slice.endpoints);
        for node in endpoints.filter_map(|endpoint| endpoint.node.as_ref()) {
            let is_known = self.nodes.iter().any(|known| known.name == *node);
            if is_known && !names.contains(node) && names.len() < ends.len() + ENDPOINT_NODES {
                names.push(node.clone());
            }
        }
        names
    }

    async fn add(&mut self, cluster: &Cluster, scope: ServiceScope<'_>) {
        let (services, slices) = tokio::join!(cluster.services(scope), cluster.endpoint_slices(scope));
        let nothing = || Observed::Seen(Vec::new());
        self.services = joined(std::mem::replace(&mut self.services, nothing()), services);
        self.slices = joined(
            std::mem::replace(&mut self.slices, Observed::Seen(Vec::new())),
            slices,
        );
    }

    fn wanted(&self, places: &[ReachPlace]) -> (Vec<Wanted>, Vec<String>) {
        let mut wanted = checks::plan_controls(places, &self.options);
        let services: Vec<Service> = self.services.seen().into_iter().flatten().cloned().collect();
        let slices: Vec<EndpointSlice> = self.slices.seen().into_iter().flatten().cloned().collect();
        let dns = checks::dns_service(&services);
        let mut left_out = Vec::new();
        match &self.end {
            End::Service { port, .. } => {
                let mut asked: Vec<Service> = services
                    .iter()
                    .filter(|it| self.asked.contains(&it.subject()))
                    .cloned()
                    .collect();
                for service in &mut asked {
                    service.ports.retain(|it| port.is_none_or(|port| it.port == port));
                }
                let depths: Vec<(&Service, ServiceDepth)> = asked
                    .iter()
                    .map(|service| (service, ServiceDepth::Full))
                    .collect();
                let (more, left) =
                    checks::plan_services(&depths, &slices, dns, &self.nodes, places, &self.options);
                wanted.extend(more);
                left_out.extend(left);
            }
            End::Pod { name, port } => match (port, self.pods.iter().find(|pod| pod.name == *name)) {
                (Some(port), Some(pod)) => {
                    let subject = Subject::Object {
                        kind: "pod".to_owned(),
                        name: name.clone(),
                        namespace: Some(pod.namespace.clone()),
                    };
                    wanted.extend(self.destinations(&subject, &pod.addresses, *port));
                }
                _ => left_out.push(format!(
                    "a port of pod/{name}: none was named, as pod/{name}:8080"
                )),
            },
            End::Node { name, port } => {
                let port = port.unwrap_or(10250);
                let node = self.nodes.iter().find(|node| node.name == *name);
                let addresses = node
                    .map(|node| node.internal_ips.as_slice())
                    .into_iter()
                    .flatten();
                let addresses: Vec<IpAddr> = addresses.copied().collect();
                wanted.extend(self.destinations(&Subject::node(name), &addresses, port));
            }
            // What lies outside is tried in rounds of its own.
            End::Outside(_) => {}
        }
        (wanted, left_out)
    }

    fn outside(&self, target: EgressTarget) -> Facts {
        Facts {
            targets: vec![target],
            services: self.services.seen().into_iter().flatten().cloned().collect(),
            slices: self.slices.seen().into_iter().flatten().cloned().collect(),
            options: self.options.clone(),
        }
    }

    fn destinations(&self, subject: &Subject, addresses: &[IpAddr], port: u16) -> Vec<Wanted> {
        let want = |address: &IpAddr| Wanted {
            source: None::<Source>,
            purpose: Purpose::Destination,
            subject: subject.clone(),
            address: SocketAddr::new(*address, port),
            kind: Kind::Connect {
                linger_ms: self.options.linger_ms,
            },
            expected: Expected::Answer,
            tries: 6,
        };
        addresses.iter().map(want).collect()
    }
}

fn not_found(resource: &str, name: &str) -> Failure {
    Failure::new(format!(
        "Error from server (NotFound): {resource} {name:?} not found"
    ))
}
