//! Observations with the reports that they must give: `cases/<name>/{observation.json, report.json, report.txt}`.
//!
//! Reports are reviewed by reading them. After a change on purpose `UPDATE_CASES=1 cargo test -p checks cases` writes
//! them anew, and the difference is read. Cases that are not in [`simulated`] were recorded on a cluster, and only their
//! reports are ever written.

mod redaction;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use observation::{Observation, Place};
use proptest::prelude::*;
use report::{Family, Format, Gap, GapReason, Observed, Protocol, RenderOptions, Report, Verdict, render};

use crate::simulation::{Loss, Manner, Simulation, around, cross};
use crate::{JudgeOptions, judge};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

fn report(observation: &Observation) -> Report {
    let options = JudgeOptions {
        command: "pod-to-pod".into(),
        tool: "kubectl-netcheck v0.1.0".into(),
    };
    judge(observation, &options)
}

fn text(report: &Report) -> String {
    let options = RenderOptions {
        width: Some(100),
        stats: true,
        ..RenderOptions::default()
    };
    render(report, Format::Text, &options)
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_CASES").is_some_and(|value| value == "1")
}

/// The bundle, with each cell on a line of its own.
fn bundle(observation: &Observation) -> String {
    let mut frame = observation.clone();
    let cells = frame
        .mesh
        .as_mut()
        .map(|mesh| std::mem::take(&mut mesh.cells))
        .unwrap_or_default();
    let lines: Vec<String> = cells
        .iter()
        .map(|cell| format!("      {}", serde_json::to_string(cell).expect("a cell is JSON")))
        .collect();
    let cells = if lines.is_empty() {
        "[]".to_owned()
    } else {
        format!("[\n{}\n    ]", lines.join(",\n"))
    };
    frame
        .to_bundle()
        .replace("\"cells\": []", &format!("\"cells\": {cells}"))
}

fn simulation(nodes: u8) -> Simulation {
    let mut simulation = Simulation::healthy(nodes);
    simulation.options.count = 2;
    simulation
}

fn new_only(ways: impl IntoIterator<Item = (u8, u8)>) -> Loss {
    Loss {
        new_only: true,
        ..Loss::of(ways)
    }
}

/// Every case that is made up.
fn simulated() -> BTreeMap<&'static str, Observation> {
    let of = |protocol: Protocol, loss: Loss| Loss {
        protocols: BTreeSet::from([protocol]),
        ..loss
    };
    let large = |ways: Vec<(u8, u8)>| Loss {
        large_only: true,
        ..Loss::of(ways)
    };
    let mut simulations = BTreeMap::from([
        ("healthy", simulation(3)),
        (
            "healthy-dual-stack",
            Simulation {
                dual_stack: true,
                ..simulation(2)
            },
        ),
        ("node-cut-off", simulation(3).with(Loss::of(around(3, 2)))),
        ("pair-silent", simulation(3).with(Loss::of([(1, 3)]))),
        (
            "pair-without-route",
            simulation(3).with(Loss {
                manner: Manner::NoRoute,
                ..Loss::of([(1, 3)])
            }),
        ),
        ("one-way-filter", simulation(3).with(new_only([(1, 3)]))),
        (
            "incoming-filter",
            simulation(4).with(new_only(cross(4).filter(|(_, to)| *to == 2))),
        ),
        ("all-cross-node", simulation(3).with(Loss::of(cross(3)))),
        ("same-node", simulation(3).with(Loss::of([(2, 2)]))),
        ("large-one-way", simulation(3).with(large(vec![(1, 3)]))),
        ("large-everywhere", simulation(3).with(large(cross(3).collect()))),
        (
            "udp-blocked",
            simulation(3).with(of(Protocol::Udp, Loss::of(cross(3)))),
        ),
        (
            "tcp-refused",
            simulation(3).with(of(
                Protocol::Tcp,
                Loss {
                    manner: Manner::Refusal,
                    ..new_only([(1, 2), (3, 2)])
                },
            )),
        ),
        (
            "icmp-filtered",
            simulation(3).with(of(Protocol::Icmp, Loss::of(cross(3)))),
        ),
        (
            "icmp-not-permitted",
            Simulation {
                icmp_not_permitted: true,
                ..simulation(2)
            },
        ),
        (
            "flaky-pair",
            simulation(3).with(Loss {
                manner: Manner::Flaky,
                ..Loss::of([(1, 3)])
            }),
        ),
        ("two-faults", {
            let udp = of(Protocol::Udp, new_only([(1, 3)]));
            simulation(5).with(Loss::of(around(5, 2))).with(udp)
        }),
        (
            "masquerade",
            Simulation {
                masquerades: BTreeSet::from([2]),
                ..simulation(3)
            },
        ),
        (
            "pod-not-started",
            Simulation {
                without_pod: BTreeSet::from([3]),
                ..simulation(3)
            },
        ),
        (
            "no-pod-started",
            Simulation {
                without_pod: BTreeSet::from([1, 2]),
                ..simulation(2)
            },
        ),
        (
            "answers-lost",
            Simulation {
                without_answers: BTreeSet::from([3]),
                ..simulation(3)
            },
        ),
        (
            "no-second-pods",
            Simulation {
                twins: false,
                ..simulation(2)
            },
        ),
    ]);
    let loss = Loss {
        families: BTreeSet::from([Family::IPv6]),
        ..Loss::of(cross(2))
    };
    simulations.insert(
        "ipv6-only",
        Simulation {
            dual_stack: true,
            ..simulation(2)
        }
        .with(loss),
    );
    let mut cases: BTreeMap<_, _> = simulations
        .into_iter()
        .map(|(name, simulation)| (name, simulation.observe()))
        .collect();
    cases.insert("node-not-ready", node_not_ready());
    cases.insert("hostile-names", hostile_names());
    cases.extend(products());
    cases
}

/// CNIs with objects of their own, by what the API says of them: one of each that is well, and one that is not.
fn products() -> BTreeMap<&'static str, Observation> {
    use observation::CniProduct::{Calico, Cilium, Terway};

    use crate::calico::fixture::Fixture as OfCalico;
    use crate::cilium::fixture::Fixture as OfCilium;
    use crate::product::by_api;
    use crate::terway::fixture as terway;
    let calico = |fixture: OfCalico| by_api(fixture.observe(), Calico);
    let cilium = |fixture: OfCilium| by_api(fixture.observe(), Cilium);
    let small = OfCalico::vxlan().pool(|pool| pool.cidr = "10.244.0.0/24".into());
    let mut cases = BTreeMap::new();
    cases.insert("calico-vxlan", calico(OfCalico::vxlan()));
    cases.insert("calico-bgp", calico(OfCalico::bgp()));
    let refused = OfCalico::bgp().down("node2", "Connect", "Socket: Connection refused");
    cases.insert("calico-bgp-peer-down", calico(refused));
    cases.insert("calico-pool-full", calico(small.full_blocks(4, 64)));
    cases.insert("calico-leaked", calico(OfCalico::vxlan().leaked(10)));
    let other = OfCalico::vxlan().pool(|pool| pool.cidr = "192.168.0.0/16".into());
    cases.insert("calico-other-pool", calico(other));
    cases.insert("cilium-tunnel", cilium(OfCilium::tunnel()));
    cases.insert("cilium-native", cilium(OfCilium::native()));
    let exhausted = OfCilium::tunnel().node("node3", |node| {
        node.pod_cidrs.clear();
        node.operator_error = Some("allocator full, can't allocate new CIDRs".into());
    });
    cases.insert("cilium-pool-exhausted", cilium(exhausted));
    cases.insert("terway", by_api(terway::observe(|_| {}), Terway));
    let full = terway::observe(terway::out_of_addresses);
    cases.insert("terway-vswitch-full", by_api(full, Terway));
    cases
}

/// A node that its controller has given up, and one that its owner keeps pods away from.
fn node_not_ready() -> Observation {
    let mut observation = simulation(4).observe();
    if let (Observed::Seen(nodes), Some(placement), Some(mesh)) = (
        &mut observation.nodes,
        &mut observation.placement,
        &mut observation.mesh,
    ) {
        for (node, taint) in [
            ("node3", "node.kubernetes.io/unreachable"),
            ("node4", "dedicated"),
        ] {
            let reason = format!("tainted {taint}:NoExecute");
            let hint = Some(format!("--tolerate {taint}"));
            placement
                .nodes
                .insert(node.to_owned(), Place::LeftOut { reason, hint });
            mesh.sources.remove(node);
            mesh.cells
                .retain(|cell| cell.source != node && cell.target != node);
            for it in nodes.iter_mut().filter(|it| it.name == node) {
                it.taints = vec![observation::Taint {
                    key: taint.into(),
                    value: String::new(),
                    effect: "NoExecute".into(),
                }];
            }
        }
        for ready in nodes
            .iter_mut()
            .filter(|node| node.name == "node3")
            .filter_map(|node| node.ready.as_mut())
        {
            ready.status = "Unknown".into();
            ready.reason = "NodeStatusUnknown".into();
            ready.message = "Kubelet stopped posting node status.".into();
        }
    }
    observation
}

/// What a cluster says is never obeyed by a terminal or a shell.
fn hostile_names() -> Observation {
    let observation = simulation(2).with(Loss::of([(1, 2)])).observe();
    let text = bundle(&observation).replace("node1", "no\\u001b[2Jde1; reboot");
    Observation::from_bundle(&text).expect("still a bundle")
}

fn compare(path: &Path, actual: &str) {
    if is_update() {
        fs::write(path, actual).expect("a case can be written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; read what is new, then UPDATE_CASES=1\n--- is now\n{actual}\n--- was\n{expected}",
        path.display()
    );
}

/// The names of the folders, with the observation of each.
fn cases() -> BTreeMap<String, Observation> {
    let entries = fs::read_dir(folder()).expect("there are cases");
    entries
        .map(|entry| {
            let entry = entry.expect("a folder can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let text =
                fs::read_to_string(entry.path().join("observation.json")).expect("a case has an observation");
            let observation =
                Observation::from_bundle(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, observation)
        })
        .collect()
}

/// The reports of all cases.
pub(crate) fn reports() -> Vec<Report> {
    cases().values().map(report).collect()
}

#[test]
fn every_case_gives_its_report() {
    for (name, observation) in simulated() {
        let folder = folder().join(name);
        fs::create_dir_all(&folder).expect("a case has a folder");
        compare(&folder.join("observation.json"), &bundle(&observation));
    }
    for (name, observation) in cases() {
        let report = report(&observation);
        let json = render(&report, Format::Json, &RenderOptions::default());
        compare(&folder().join(&name).join("report.json"), &json);
        compare(&folder().join(&name).join("report.txt"), &text(&report));
    }
}

#[test]
fn every_report_is_read_again_as_what_it_was() {
    for (name, observation) in cases() {
        let report = report(&observation);
        let json = render(&report, Format::Json, &RenderOptions::default());
        assert_eq!(serde_json::from_str::<Report>(&json).ok(), Some(report), "{name}");
    }
}

#[test]
fn nothing_that_a_cluster_says_steers_the_terminal() {
    let report = report(&hostile_names());
    for format in [Format::Text, Format::Wide, Format::Name, Format::Json] {
        let text = render(&report, format, &RenderOptions::default());
        assert!(!text.contains('\u{1b}'), "{format:?}");
    }
    assert!(text(&report).contains('\''), "commands quote the name");
}

#[test]
fn a_healthy_cluster_of_a_hundred_nodes_is_read_in_24_lines() {
    let report = report(&Simulation::healthy(100).observe());
    let text = text(&report);
    assert_eq!(report.verdict(), Verdict::Pass);
    assert!(text.lines().count() <= 24, "{text}");
}

#[test]
fn a_dead_node_of_a_hundred_is_read_in_a_screen() {
    let report = report(&Simulation::healthy(100).with(Loss::of(around(100, 42))).observe());
    let text = text(&report);
    assert!(
        text.starts_with("✗ nothing gets through between node42 and the other nodes; "),
        "{text}"
    );
    assert!(text.lines().count() <= 50, "{text}");
}

proptest! {
    /// Whatever is missing from an observation is a gap, never a panic and never a pass.
    #[test]
    fn what_is_missing_never_passes(kept in proptest::collection::vec(any::<bool>(), 36), without_nodes: bool) {
        let mut observation = simulation(3).observe();
        let mut kept_cell = kept.iter();
        for cell in observation.mesh.iter_mut().flat_map(|mesh| &mut mesh.cells) {
            if kept_cell.next() == Some(&false) {
                cell.samples.clear();
            }
        }
        if without_nodes {
            let why = GapReason::Forbidden { verb: "list".into(), resource: "nodes".into(), namespace: None };
            observation.nodes =
                Observed::Unseen(Gap { what: "nodes".into(), why, message: "forbidden".into(), hint: None });
        }
        let report = report(&observation);
        let complete = kept.iter().all(|kept| *kept) && !without_nodes;
        prop_assert_eq!(report.verdict() == Verdict::Pass, complete, "{}", text(&report));
        for format in [Format::Text, Format::Wide, Format::Json, Format::Yaml, Format::Name] {
            let _ = render(&report, format, &RenderOptions { width: Some(40), ..RenderOptions::default() });
        }
    }
}
