//! From nodes with probe pods to what each of them is to try.

mod ring;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use netprobe::{Kind, Plan, Probe, Retry, WIRE_VERSION};
use observation::{Coverage, Place, ProbePod};
use report::{Family, Protocol};

/// What is probed between nodes, and how hard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshOptions {
    /// Every pair, however many nodes there are.
    pub full_mesh: bool,
    /// Up to so many probe pods every pair is probed anyway.
    pub threshold: u32,
    /// Above that: each node to so many next ones in the ring.
    pub neighbours: u32,
    /// And to so many more, picked by a hash of the two names.
    pub sample: u32,
    /// In which ways a pair is probed.
    pub protocols: BTreeSet<Protocol>,
    /// In which address families, where pods have addresses of them.
    pub families: BTreeSet<Family>,
    /// Samples of each small probe. A bulk probe is taken once.
    pub count: u32,
    /// How long one sample may take, in milliseconds. Below 4000 an unresolved neighbour looks like silence.
    pub timeout_ms: u64,
    /// Bytes of a bulk probe in each direction; more than 65536 to outgrow the first window.
    pub bulk_bytes: u64,
    /// Where the agents listen.
    pub tcp_port: u16,
    /// As `tcp_port`, for UDP.
    pub udp_port: u16,
    /// How many probes of one source may be under way at once.
    pub concurrency: u32,
    /// How many failed probes of one source are tried again, each alone, a second apart.
    pub retries: u32,
}

impl Default for MeshOptions {
    fn default() -> Self {
        Self {
            full_mesh: false,
            threshold: 30,
            neighbours: 10,
            sample: 2,
            protocols: BTreeSet::from([Protocol::Tcp, Protocol::Udp, Protocol::Bulk, Protocol::Icmp]),
            families: BTreeSet::from([Family::IPv4, Family::IPv6]),
            count: 3,
            timeout_ms: 4000,
            bulk_bytes: 256 * 1024,
            tcp_port: 7410,
            udp_port: 7410,
            concurrency: 64,
            retries: 16,
        }
    }
}

/// The least time between two retries: kernels send one ICMP error a second to each destination
/// (`net.ipv4.icmp_ratelimit`).
pub(crate) const RETRY_GAP_MS: u64 = 1000;

/// What is to be tried by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshPlan {
    /// Which pairs are in it.
    pub coverage: Coverage,
    /// Where the agents listen.
    pub tcp_port: u16,
    /// As `tcp_port`, for UDP.
    pub udp_port: u16,
    /// What each source is to try, by the name of its node. A node with nothing to try is not here.
    pub sources: BTreeMap<String, SourcePlan>,
}

impl MeshPlan {
    /// How many probes there are in all.
    pub fn probes(&self) -> usize {
        self.sources.values().map(|source| source.cells.len()).sum()
    }
}

/// What one source is to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePlan {
    /// For the agent.
    pub plan: Plan,
    /// What each probe stands for: the probe with id `i` is for `cells[i]`.
    pub cells: Vec<PlannedCell>,
}

/// What one probe stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCell {
    /// The node of the target.
    pub target: String,
    /// The address of the target.
    pub address: IpAddr,
    /// How it is tried.
    pub kind: Kind,
}

/// Plans the mesh between the nodes that have a probe pod.
///
/// The pair of a node with itself goes to the second pod of the node and is left out where there is none: a pod that
/// talks to its own address never leaves its own network namespace. A pair is planned in a family if both ends have an
/// address of it. The same input always gives the same plan.
pub fn plan_mesh(places: &BTreeMap<String, Place>, run: &str, options: &MeshOptions) -> MeshPlan {
    let kinds: Vec<Kind> = kinds(options).collect();
    plan_cells(places, run, &kinds, options)
}

/// Plans trains and searches for a size between the same pairs as [`plan_mesh`]. None is tried again: what is lost is what
/// is measured.
pub fn plan_measures(
    places: &BTreeMap<String, Place>,
    run: &str,
    kinds: &[Kind],
    options: &MeshOptions,
) -> MeshPlan {
    let options = MeshOptions {
        retries: 0,
        ..options.clone()
    };
    let mut plan = plan_cells(places, run, kinds, &options);
    let longest = kinds.iter().map(|kind| takes_ms(kind, options.timeout_ms)).max();
    for source in plan.sources.values_mut() {
        let count = u32::try_from(source.plan.probes.len()).unwrap_or(u32::MAX);
        let rounds = u64::from(count.div_ceil(source.plan.concurrency));
        source.plan.deadline_ms = rounds * longest.unwrap_or_default() + 2000;
    }
    plan
}

/// How long such a measure takes at the most.
fn takes_ms(kind: &Kind, timeout_ms: u64) -> u64 {
    match kind {
        Kind::Train { count, gap_ms, .. } => {
            u64::from(*count) * u64::from((*gap_ms).max(1)) + timeout_ms + 3000
        }
        // Some rounds of sizes, each tried a few times.
        _ => 6 * timeout_ms,
    }
}

fn plan_cells(
    places: &BTreeMap<String, Place>,
    run: &str,
    kinds: &[Kind],
    options: &MeshOptions,
) -> MeshPlan {
    let pods: BTreeMap<&str, &ProbePod> = places
        .iter()
        .filter_map(|(node, place)| match place {
            Place::Ready(pod) => Some((node.as_str(), pod)),
            Place::LeftOut { .. } | Place::Failed(_) => None,
        })
        .collect();
    let names: Vec<&str> = pods.keys().copied().collect();
    let full = options.full_mesh || names.len() <= options.threshold as usize;
    let (coverage, targets) = if full {
        (Coverage::Full, ring::everybody(&names))
    } else {
        let (neighbours, sample) = (options.neighbours, options.sample);
        (
            Coverage::Ring { neighbours, sample },
            ring::ring(&names, neighbours as usize, sample as usize),
        )
    };
    let mut sources = BTreeMap::new();
    for (source, pod) in &pods {
        let mut cells = Vec::new();
        for kind in kinds {
            for target in targets.get(source).into_iter().flatten() {
                let Some(addresses) = target_addresses(source, target, &pods) else {
                    continue;
                };
                for address in pair_addresses(&pod.addresses, addresses, &options.families) {
                    cells.push(PlannedCell {
                        target: (*target).to_owned(),
                        address,
                        kind: kind.clone(),
                    });
                }
            }
        }
        if !cells.is_empty() {
            let plan = source_plan(run, &cells, options);
            sources.insert((*source).to_owned(), SourcePlan { plan, cells });
        }
    }
    MeshPlan {
        coverage,
        tcp_port: options.tcp_port,
        udp_port: options.udp_port,
        sources,
    }
}

fn kinds(options: &MeshOptions) -> impl Iterator<Item = Kind> {
    options.protocols.iter().map(|protocol| match protocol {
        Protocol::Tcp => Kind::Tcp,
        Protocol::Udp => Kind::Udp,
        Protocol::Icmp => Kind::Icmp,
        Protocol::Bulk => Kind::Bulk {
            bytes: options.bulk_bytes,
        },
    })
}

fn target_addresses<'a>(
    source: &str,
    target: &str,
    pods: &BTreeMap<&str, &'a ProbePod>,
) -> Option<&'a [IpAddr]> {
    let pod = pods.get(target)?;
    if source == target {
        pod.twin.as_ref().map(|twin| twin.addresses.as_slice())
    } else {
        Some(&pod.addresses)
    }
}

/// The target's first address of each family that both have.
fn pair_addresses<'a>(
    source: &'a [IpAddr],
    target: &'a [IpAddr],
    families: &'a BTreeSet<Family>,
) -> impl Iterator<Item = IpAddr> + 'a {
    families.iter().filter_map(|family| {
        source.iter().find(|address| Family::of(**address) == *family)?;
        target
            .iter()
            .find(|address| Family::of(**address) == *family)
            .copied()
    })
}

fn source_plan(run: &str, cells: &[PlannedCell], options: &MeshOptions) -> Plan {
    let probes: Vec<Probe> = (0..)
        .zip(cells)
        .map(|(id, cell)| {
            let (port, count) = match &cell.kind {
                Kind::Tcp | Kind::Connect { .. } | Kind::Dns { .. } | Kind::Http { .. } => {
                    (options.tcp_port, options.count)
                }
                Kind::Udp => (options.udp_port, options.count),
                Kind::Train { .. } | Kind::Size => (options.udp_port, 1),
                Kind::Icmp => (0, options.count),
                Kind::Bulk { .. } => (options.tcp_port, 1),
            };
            Probe {
                id,
                target: SocketAddr::new(cell.address, port),
                kind: cell.kind.clone(),
                count: count.max(1),
                timeout_ms: options.timeout_ms,
            }
        })
        .collect();
    let concurrency = options.concurrency.max(1);
    let rounds = u64::from(
        u32::try_from(probes.len())
            .unwrap_or(u32::MAX)
            .div_ceil(concurrency),
    );
    let retries = u64::from(options.retries);
    Plan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        concurrency,
        // Every probe may run into its timeout once, in as many rounds as it takes; then the retries.
        deadline_ms: (rounds + 1) * options.timeout_ms + retries * RETRY_GAP_MS + 2000,
        gap_ms: 0,
        retry: (options.retries > 0).then_some(Retry {
            gap_ms: RETRY_GAP_MS,
            most: options.retries,
        }),
        probes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use observation::Twin;

    fn places(count: u8, dual: bool, twins: bool) -> BTreeMap<String, Place> {
        let addresses = |node: u8, last: u8| -> Vec<IpAddr> {
            let four = IpAddr::from([10, 244, node, last]);
            let six = IpAddr::from([0xfd00, 0, 0, 0, 0, 0, u16::from(node), u16::from(last)]);
            if dual { vec![four, six] } else { vec![four] }
        };
        (1..=count)
            .map(|node| {
                let twin = twins.then(|| Twin {
                    name: format!("twin-{node}"),
                    addresses: addresses(node, 3),
                });
                let pod = ProbePod {
                    name: format!("probe-{node}"),
                    addresses: addresses(node, 2),
                    image: "registry.example/pause:3.10".into(),
                    ready_after_ms: 900,
                    twin,
                };
                (format!("node{node:03}"), Place::Ready(pod))
            })
            .collect()
    }

    fn pairs(plan: &MeshPlan) -> BTreeSet<(String, String)> {
        let cells = plan
            .sources
            .iter()
            .flat_map(|(source, it)| it.cells.iter().map(move |cell| (source, cell)));
        cells
            .map(|(source, cell)| (source.clone(), cell.target.clone()))
            .collect()
    }

    #[test]
    fn three_nodes_probe_every_pair_in_every_way() {
        let plan = plan_mesh(&places(3, false, true), "r", &MeshOptions::default());
        assert_eq!(plan.coverage, Coverage::Full);
        assert_eq!(pairs(&plan).len(), 9);
        assert_eq!(plan.probes(), 9 * 4);
    }

    #[test]
    fn a_node_without_a_second_pod_does_not_probe_itself() {
        let plan = plan_mesh(&places(3, false, false), "r", &MeshOptions::default());
        assert_eq!(pairs(&plan).len(), 6);
        assert!(pairs(&plan).iter().all(|(source, target)| source != target));
    }

    #[test]
    fn the_pair_of_a_node_with_itself_goes_to_the_second_pod() {
        let plan = plan_mesh(&places(2, false, true), "r", &MeshOptions::default());
        let own = plan.sources["node001"]
            .cells
            .iter()
            .find(|cell| cell.target == "node001");
        assert_eq!(own.map(|cell| cell.address), Some(IpAddr::from([10, 244, 1, 3])));
    }

    #[test]
    fn both_families_are_probed_where_both_ends_have_them() {
        let mut places = places(2, true, false);
        let plan = plan_mesh(&places, "r", &MeshOptions::default());
        assert_eq!(plan.probes(), 2 * 4 * 2);
        if let Some(Place::Ready(pod)) = places.get_mut("node002") {
            pod.addresses.truncate(1);
        }
        assert_eq!(plan_mesh(&places, "r", &MeshOptions::default()).probes(), 2 * 4);
    }

    #[test]
    fn a_large_cluster_becomes_a_ring_in_which_every_node_is_probed_as_often_as_it_probes() {
        let plan = plan_mesh(&places(100, false, true), "r", &MeshOptions::default());
        assert_eq!(
            plan.coverage,
            Coverage::Ring {
                neighbours: 10,
                sample: 2
            }
        );
        let pairs = pairs(&plan);
        assert_eq!(pairs.len(), 100 * 13);
        for node in plan.sources.keys() {
            let incoming = pairs
                .iter()
                .filter(|(source, target)| target == node && source != node)
                .count();
            assert!(incoming >= 10, "{node} is probed by {incoming}");
        }
        assert_eq!(
            plan,
            plan_mesh(&places(100, false, true), "r", &MeshOptions::default())
        );
    }

    #[test]
    fn full_mesh_asks_for_all() {
        let options = MeshOptions {
            full_mesh: true,
            ..MeshOptions::default()
        };
        assert_eq!(
            pairs(&plan_mesh(&places(40, false, true), "r", &options)).len(),
            1600
        );
    }

    #[test]
    fn ids_map_back_to_cells() {
        let plan = plan_mesh(&places(3, true, true), "r", &MeshOptions::default());
        for source in plan.sources.values() {
            for (probe, cell) in source.plan.probes.iter().zip(&source.cells) {
                assert_eq!(source.cells.get(probe.id as usize), Some(cell));
                assert_eq!((probe.target.ip(), &probe.kind), (cell.address, &cell.kind));
            }
        }
    }
}
