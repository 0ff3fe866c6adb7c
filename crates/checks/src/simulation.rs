//! A cluster that exists only as a rule of which packets are lost. It answers the plan that the planner made, the way
//! agents would.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netprobe::{Answer, Direction, Kind, Outcome, Peer, Probe, Sample};
use observation::{
    Condition, Node, Observation, Phase, Place, Placement, ProbePod, ServerVersion, Stats, Twin,
};
use report::{Family, Gap, GapReason, Observed, Protocol};

use crate::plan::{MeshOptions, SourcePlan, plan_mesh};
use crate::view::protocol;
use crate::{SourceAnswers, fold};

/// Packets that are lost. Ways are of node numbers, from and to, beginning at 1.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    pub(crate) ways: BTreeSet<(u8, u8)>,
    /// Lost only where they begin something; answers pass. As a rule or a policy does it, and no route.
    pub(crate) new_only: bool,
    pub(crate) protocols: BTreeSet<Protocol>,
    pub(crate) families: BTreeSet<Family>,
    /// Lost only where they are large.
    pub(crate) large_only: bool,
    pub(crate) manner: Manner,
}

/// How a sender hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Silence,
    /// Its own gateway says that there is no route.
    NoRoute,
    Refusal,
    /// Every second sample passes.
    Flaky,
}

impl Loss {
    pub(crate) fn of(ways: impl IntoIterator<Item = (u8, u8)>) -> Self {
        Self {
            ways: ways.into_iter().collect(),
            new_only: false,
            protocols: BTreeSet::from([Protocol::Tcp, Protocol::Udp, Protocol::Bulk, Protocol::Icmp]),
            families: BTreeSet::from([Family::IPv4, Family::IPv6]),
            large_only: false,
            manner: Manner::Silence,
        }
    }

    fn concerns(&self, way: (u8, u8), cell: Protocol, family: Family) -> bool {
        let carried = if cell == Protocol::Bulk {
            Protocol::Tcp
        } else {
            cell
        };
        self.ways.contains(&way) && self.protocols.contains(&carried) && self.families.contains(&family)
    }
}

/// The cluster.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties of a made-up cluster"
)]
pub(crate) struct Simulation {
    pub(crate) nodes: u8,
    pub(crate) dual_stack: bool,
    pub(crate) twins: bool,
    pub(crate) losses: Vec<Loss>,
    /// Nodes whose probe pod never became ready.
    pub(crate) without_pod: BTreeSet<u8>,
    /// Nodes whose answers never arrived.
    pub(crate) without_answers: BTreeSet<u8>,
    /// Nodes in two zones: odd and even.
    pub(crate) zones: bool,
    /// The source address that others see of this node's pods, in the range of its gateway.
    pub(crate) masquerades: BTreeSet<u8>,
    pub(crate) icmp_not_permitted: bool,
    pub(crate) options: MeshOptions,
}

impl Simulation {
    pub(crate) fn healthy(nodes: u8) -> Self {
        Self {
            nodes,
            dual_stack: false,
            twins: true,
            losses: Vec::new(),
            without_pod: BTreeSet::new(),
            without_answers: BTreeSet::new(),
            zones: false,
            masquerades: BTreeSet::new(),
            icmp_not_permitted: false,
            options: MeshOptions::default(),
        }
    }

    pub(crate) fn with(mut self, loss: Loss) -> Self {
        self.losses.push(loss);
        self
    }

    pub(crate) fn observe(&self) -> Observation {
        let places: BTreeMap<String, Place> = (1..=self.nodes)
            .map(|node| (name(node), self.place(node)))
            .collect();
        let plan = plan_mesh(&places, "5f3a", &self.options);
        let answers = plan
            .sources
            .iter()
            .map(|(source, planned)| (source.clone(), self.answers(source, planned)));
        let mesh = fold(&plan, &answers.collect());
        let phase = |name: &str, took_ms| Phase {
            name: name.into(),
            took_ms,
        };
        let server = Observed::Seen(ServerVersion {
            git_version: "v1.34.4".into(),
            platform: "linux/amd64".into(),
        });
        let nodes = Observed::Seen((1..=self.nodes).map(|node| self.node(node)).collect());
        let mut observation =
            Observation::new("kubectl-netcheck v0.1.0", "2026-03-01T09:00:00Z", server, nodes);
        observation.placement = Some(Placement {
            run: "5f3a".into(),
            namespace: "netcheck-5f3a".into(),
            own_namespace: Observed::Seen(()),
            nodes: places,
            notes: Vec::new(),
        });
        observation.mesh = Some(mesh);
        observation.stats = Stats {
            api_calls: Some(19),
            bytes_received: Some(61_440),
            bytes_sent: Some(912_384),
            phases: vec![
                phase("observe", 42),
                phase("start", 1310),
                phase("probe", 180),
                phase("clean up", 630),
            ],
        };
        observation
    }

    fn addresses(&self, node: u8, last: u8) -> Vec<IpAddr> {
        let mut addresses = vec![IpAddr::from([10, 244, node, last])];
        if self.dual_stack {
            addresses.push(IpAddr::from([
                0xfd00,
                0x10,
                0x244,
                u16::from(node),
                0,
                0,
                0,
                u16::from(last),
            ]));
        }
        addresses
    }

    fn node(&self, node: u8) -> Node {
        let mut pod_cidrs = vec![format!("10.244.{node}.0/24")];
        if self.dual_stack {
            pod_cidrs.push(format!("fd00:10:244:{node:x}::/64"));
        }
        Node {
            name: name(node),
            ready: Some(Condition {
                status: "True".into(),
                reason: "KubeletReady".into(),
                message: "kubelet is posting ready status".into(),
                since: Some("2026-02-01T08:00:00Z".into()),
            }),
            taints: Vec::new(),
            architecture: "amd64".into(),
            operating_system: "linux".into(),
            kubelet_version: "v1.34.4".into(),
            container_runtime_version: "containerd://2.1.4".into(),
            kernel_version: "6.12.0".into(),
            internal_ips: vec![IpAddr::from([192, 0, 2, node])],
            external_ips: Vec::new(),
            pod_cidrs,
            zone: self.zones.then(|| {
                if node % 2 == 1 {
                    "odd".into()
                } else {
                    "even".into()
                }
            }),
            annotations: BTreeMap::new(),
        }
    }

    fn place(&self, node: u8) -> Place {
        if self.without_pod.contains(&node) {
            return Place::Failed(Gap {
                what: format!("the probe pod on {}", name(node)),
                why: GapReason::TimedOut { after_ms: 20_000 },
                message: "not ready after 20s: FailedCreatePodSandBox: no address left in the pool".into(),
                hint: Some("kubectl describe node shows what its kubelet says".into()),
            });
        }
        Place::Ready(ProbePod {
            name: format!("netcheck-5f3a-{}", name(node)),
            addresses: self.addresses(node, 7),
            image: "registry.k8s.io/kube-proxy:v1.34.4".into(),
            ready_after_ms: 1040 + 30 * u64::from(node),
            twin: self.twins.then(|| Twin {
                name: format!("netcheck-5f3a-{}-twin", name(node)),
                addresses: self.addresses(node, 8),
            }),
        })
    }

    fn answers(&self, source: &str, planned: &SourcePlan) -> SourceAnswers {
        if self.without_answers.contains(&number(source)) {
            return SourceAnswers {
                answers: Vec::new(),
                complete: Observed::Unseen(Gap {
                    what: format!("answers of the probe pod on {source}"),
                    why: GapReason::Failed,
                    message: "exec ended without a status: the connection to the kubelet was lost".into(),
                    hint: None,
                }),
            };
        }
        let answers = planned
            .plan
            .probes
            .iter()
            .zip(&planned.cells)
            .map(|(probe, cell)| {
                let way = (number(source), number(&cell.target));
                Answer {
                    id: probe.id,
                    samples: self.samples(way, probe),
                }
            });
        SourceAnswers {
            answers: answers.collect(),
            complete: Observed::Seen(()),
        }
    }

    fn samples(&self, way: (u8, u8), probe: &Probe) -> Vec<Sample> {
        let mut samples = Vec::new();
        for round in 0..probe.count {
            let outcome = self.outcome(way, probe, round);
            let ok = outcome.is_ok();
            samples.push(Sample {
                at_us: u64::from(round) * 1000,
                retry: false,
                outcome,
            });
            if !ok {
                let outcome = self.outcome(way, probe, round + 1);
                samples.push(Sample {
                    at_us: 5_000_000,
                    retry: true,
                    outcome,
                });
                break;
            }
        }
        samples
    }

    fn outcome(&self, (source, target): (u8, u8), probe: &Probe, round: u32) -> Outcome {
        let family = Family::of(probe.target.ip());
        let Some(cell) = protocol(&probe.kind) else {
            panic!("a mesh has no {:?}", probe.kind)
        };
        if self.icmp_not_permitted && cell == Protocol::Icmp {
            return Outcome::NotPermitted {
                what: "ping socket: EACCES".into(),
            };
        }
        for loss in &self.losses {
            if loss.manner == Manner::Flaky && round % 2 == 1 {
                continue;
            }
            let there = loss.concerns((source, target), cell, family);
            let back = loss.concerns((target, source), cell, family) && !loss.new_only;
            match (loss.large_only, cell == Protocol::Bulk) {
                (true, true) if there || back => {
                    let direction = if there {
                        Direction::ToTarget
                    } else {
                        Direction::FromTarget
                    };
                    return Outcome::Stalled {
                        direction,
                        bytes: 1_448,
                        after_us: 4_000_000,
                    };
                }
                (false, _) if there => return lost(loss.manner, source),
                (false, _) if back => return Outcome::TimedOut { after_us: 4_000_000 },
                (true | false, _) => {}
            }
        }
        self.answered(source, target, probe, round)
    }

    fn answered(&self, source: u8, target: u8, probe: &Probe, round: u32) -> Outcome {
        let four = probe.target.is_ipv4();
        let last = if self.masquerades.contains(&source) { 1 } else { 7 };
        let saw = self
            .addresses(source, last)
            .into_iter()
            .find(|address| address.is_ipv4() == four);
        let distance = if source == target { 90 } else { 260 };
        let size = if matches!(probe.kind, Kind::Bulk { .. }) {
            9
        } else {
            1
        };
        let rtt_us =
            (distance + u64::from(source) * 13 + u64::from(target) * 7) * size + u64::from(round) * 140;
        let peer = saw.filter(|_| probe.kind != Kind::Icmp).map(|saw| Peer {
            name: name(target),
            saw,
        });
        Outcome::Ok { rtt_us, peer }
    }
}

fn lost(manner: Manner, source: u8) -> Outcome {
    match manner {
        Manner::Silence | Manner::Flaky => Outcome::TimedOut { after_us: 4_000_000 },
        Manner::NoRoute => Outcome::NetUnreachable {
            offender: Some([10, 244, source, 1].into()),
            code: Some(0),
            after_us: 300,
        },
        Manner::Refusal => Outcome::Refused {
            offender: None,
            after_us: 300,
        },
    }
}

pub(crate) fn name(node: u8) -> String {
    format!("node{node}")
}

fn number(name: &str) -> u8 {
    name.trim_start_matches("node").parse().unwrap_or(0)
}

/// Every way between two different nodes.
pub(crate) fn cross(nodes: u8) -> impl Iterator<Item = (u8, u8)> {
    (1..=nodes)
        .flat_map(move |from| (1..=nodes).map(move |to| (from, to)))
        .filter(|(from, to)| from != to)
}

/// Every way from and to one node.
pub(crate) fn around(nodes: u8, node: u8) -> impl Iterator<Item = (u8, u8)> {
    cross(nodes).filter(move |(from, to)| *from == node || *to == node)
}
