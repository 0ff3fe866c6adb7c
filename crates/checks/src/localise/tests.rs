use std::collections::BTreeSet;

use proptest::prelude::*;
use report::{Family, Localisation, Protocol, Scope, Severity};

use super::{Fault, localise, place};
use crate::simulation::{Loss, Manner, Simulation, around, cross, name};
use crate::view::View;

fn faults(simulation: &Simulation) -> Vec<Fault> {
    let observation = simulation.observe();
    localise(&View::new(&observation))
}

fn places(simulation: &Simulation) -> Vec<Localisation> {
    let observation = simulation.observe();
    let view = View::new(&observation);
    view.faults.iter().map(|fault| place(&view, fault)).collect()
}

fn only(simulation: &Simulation) -> Fault {
    let mut faults = faults(simulation);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}

const CARRYING: [Protocol; 4] = [Protocol::Tcp, Protocol::Udp, Protocol::Bulk, Protocol::Icmp];

/// With two nodes a node cannot be told from its only pair, and what one begins is one way.
fn as_seen(scope: Scope, nodes: u8) -> Scope {
    let other = |node: &String| if *node == name(1) { name(2) } else { name(1) };
    let pair = || Scope::Pair {
        a: name(1),
        b: name(2),
    };
    match scope {
        Scope::Node { .. } | Scope::CrossNode if nodes == 2 => pair(),
        Scope::Outgoing { node } if nodes == 2 => Scope::OneWay {
            to: other(&node),
            from: node,
        },
        Scope::Incoming { node } if nodes == 2 => Scope::OneWay {
            from: other(&node),
            to: node,
        },
        same => same,
    }
}

fn pair(a: u8, b: u8) -> Scope {
    Scope::Pair {
        a: name(a.min(b)),
        b: name(a.max(b)),
    }
}

/// Every place with the packets whose loss makes it.
fn injected(kind: usize, nodes: u8, a: u8, b: u8) -> (Scope, Loss) {
    let new_only = |ways: Vec<(u8, u8)>| Loss {
        new_only: true,
        ..Loss::of(ways)
    };
    match kind {
        0 => (Scope::CrossNode, Loss::of(cross(nodes))),
        1 => (
            Scope::EverySameNode,
            Loss::of((1..=nodes).map(|node| (node, node))),
        ),
        2 => (
            Scope::Everything,
            Loss::of(cross(nodes).chain((1..=nodes).map(|node| (node, node)))),
        ),
        3 => (Scope::Node { node: name(a) }, Loss::of(around(nodes, a))),
        4 => (
            Scope::NodeAndItself { node: name(a) },
            Loss::of(around(nodes, a).chain([(a, a)])),
        ),
        // What a node sends is lost, answers included: so is everything that needs one.
        5 => (
            Scope::Node { node: name(a) },
            Loss::of(cross(nodes).filter(|(from, _)| *from == a)),
        ),
        6 => (
            Scope::Node { node: name(a) },
            Loss::of(cross(nodes).filter(|(_, to)| *to == a)),
        ),
        7 => (
            Scope::Outgoing { node: name(a) },
            new_only(cross(nodes).filter(|(from, _)| *from == a).collect()),
        ),
        8 => (
            Scope::Incoming { node: name(a) },
            new_only(cross(nodes).filter(|(_, to)| *to == a).collect()),
        ),
        9 => (pair(a, b), Loss::of([(a, b), (b, a)])),
        10 => (pair(a, b), Loss::of([(a, b)])),
        11 => (
            Scope::OneWay {
                from: name(a),
                to: name(b),
            },
            new_only(vec![(a, b)]),
        ),
        _ => (Scope::SameNode { node: name(a) }, Loss::of([(a, a)])),
    }
}

const KINDS: usize = 13;

/// How many nodes, and two different ones of them.
fn some_nodes() -> impl Strategy<Value = (u8, u8, u8)> {
    (2_u8..=6).prop_flat_map(|nodes| {
        (Just(nodes), 1..=nodes, 1..nodes).prop_map(|(nodes, a, step)| (nodes, a, (a - 1 + step) % nodes + 1))
    })
}

proptest! {
    #[test]
    fn one_fault_is_named_exactly(kind in 0..KINDS, (nodes, a, b) in some_nodes()) {
        let (scope, loss) = injected(kind, nodes, a, b);
        let fault = only(&Simulation::healthy(nodes).with(loss));
        prop_assert_eq!(fault.scope, as_seen(scope, nodes));
        prop_assert_eq!(fault.severity, Severity::Error);
        prop_assert_eq!(fault.protocols, BTreeSet::from(CARRYING));
        prop_assert_eq!(fault.families, BTreeSet::from([Family::IPv4]));
    }

    #[test]
    fn a_fault_of_one_protocol_is_of_that_protocol(kind in 0..KINDS, udp: bool, (nodes, a, b) in some_nodes()) {
        let (scope, loss) = injected(kind, nodes, a, b);
        let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
        let fault = only(&Simulation::healthy(nodes).with(Loss { protocols: BTreeSet::from([protocol]), ..loss }));
        prop_assert_eq!(fault.scope, as_seen(scope, nodes));
        let expected = if udp { vec![Protocol::Udp] } else { vec![Protocol::Tcp, Protocol::Bulk] };
        prop_assert_eq!(fault.protocols, expected.into_iter().collect::<BTreeSet<_>>());
    }

    #[test]
    fn a_fault_of_one_family_is_of_that_family(kind in 0..KINDS, (nodes, a, b) in some_nodes()) {
        let (scope, loss) = injected(kind, nodes, a, b);
        let mut simulation = Simulation::healthy(nodes).with(Loss { families: BTreeSet::from([Family::IPv6]), ..loss });
        simulation.dual_stack = true;
        let fault = only(&simulation);
        prop_assert_eq!(fault.scope, as_seen(scope, nodes));
        prop_assert_eq!(fault.families, BTreeSet::from([Family::IPv6]));
    }

    #[test]
    fn lost_large_packets_have_a_direction((nodes, a, b) in some_nodes(), kind in 0..5_usize) {
        let (scope, ways): (Scope, Vec<_>) = match kind {
            0 => (Scope::OneWay { from: name(a), to: name(b) }, vec![(a, b)]),
            1 => (pair(a, b), vec![(a, b), (b, a)]),
            2 => (Scope::Outgoing { node: name(a) }, cross(nodes).filter(|(from, _)| *from == a).collect()),
            3 => (Scope::Incoming { node: name(a) }, cross(nodes).filter(|(_, to)| *to == a).collect()),
            _ => (Scope::CrossNode, cross(nodes).collect()),
        };
        let fault = only(&Simulation::healthy(nodes).with(Loss { large_only: true, ..Loss::of(ways) }));
        prop_assert_eq!(fault.scope, as_seen(scope, nodes));
        prop_assert_eq!(fault.protocols, BTreeSet::from([Protocol::Bulk]));
    }

    #[test]
    fn a_missing_route_has_the_direction_that_its_own_side_reports((nodes, a, b) in some_nodes()) {
        let loss = Loss { manner: Manner::NoRoute, ..Loss::of([(a, b)]) };
        let places = places(&Simulation::healthy(nodes).with(loss));
        prop_assert_eq!(places.len(), 1);
        prop_assert_eq!(&places[0].scope, &pair(a, b));
        let direction = places[0].direction.clone().map(|direction| (direction.from, direction.to));
        prop_assert_eq!(direction, Some((Some(name(a)), Some(name(b)))));
    }

    #[test]
    fn silence_on_a_pair_has_no_direction((nodes, a, b) in some_nodes()) {
        let places = places(&Simulation::healthy(nodes).with(Loss::of([(a, b)])));
        prop_assert_eq!(&places[0].direction, &None);
    }

    #[test]
    fn filtered_icmp_is_no_fault(kind in 0..KINDS, (nodes, a, b) in some_nodes()) {
        let (_, loss) = injected(kind, nodes, a, b);
        let fault = only(&Simulation::healthy(nodes).with(Loss { protocols: BTreeSet::from([Protocol::Icmp]), ..loss }));
        prop_assert_eq!(fault.severity, Severity::Note);
    }

    #[test]
    fn a_lossy_place_is_a_warning(kind in 0..KINDS, (nodes, a, b) in some_nodes()) {
        let (scope, loss) = injected(kind, nodes, a, b);
        let faults = faults(&Simulation::healthy(nodes).with(Loss { manner: Manner::Flaky, ..loss }));
        prop_assert!(faults.iter().all(|fault| fault.severity <= Severity::Warning), "{faults:?}");
        let scopes: BTreeSet<Scope> = faults.iter().map(|fault| fault.scope.clone()).collect();
        prop_assert_eq!(scopes, BTreeSet::from([as_seen(scope, nodes)]));
    }

    /// Two nodes of three leave no pair that works; from four on both can be told.
    #[test]
    fn two_faults_are_both_named(nodes in 4_u8..=6, first in 1_u8..=4) {
        let second = first % 4 + 1;
        let rest: Vec<u8> = (1..=nodes).filter(|node| *node != first && *node != second).collect();
        let (Some(a), Some(b)) = (rest.first(), rest.last()) else { unreachable!("at least two are left") };
        let udp = Loss { protocols: BTreeSet::from([Protocol::Udp]), ..Loss::of([(*a, *b), (*b, *a)]) };
        let simulation =
            Simulation::healthy(nodes).with(Loss::of(around(nodes, first))).with(Loss::of(around(nodes, second))).with(udp);
        let scopes: BTreeSet<Scope> = faults(&simulation).into_iter().map(|fault| fault.scope).collect();
        // With four nodes UDP fails on every pair there is, and that is the shortest true thing to say of it.
        if nodes == 4 {
            prop_assert!(scopes.contains(&Scope::CrossNode), "{scopes:?}");
        } else {
            let nodes = [first, second].map(|node| Scope::Node { node: name(node) });
            prop_assert_eq!(scopes, nodes.into_iter().chain([pair(*a, *b)]).collect::<BTreeSet<_>>());
        }
    }

    #[test]
    fn what_was_not_seen_never_turns_the_blame((nodes, a, unseen) in some_nodes(), without_pod: bool) {
        let mut simulation = Simulation::healthy(nodes).with(Loss::of(around(nodes, a)));
        let blind = if without_pod { &mut simulation.without_pod } else { &mut simulation.without_answers };
        blind.insert(unseen);
        for fault in faults(&simulation) {
            let names = fault.scope.subject().names();
            prop_assert!(names.is_empty() || names.contains(&format!("node/{}", name(a))), "{fault:?}");
        }
    }

    #[test]
    fn a_node_that_was_not_seen_is_not_a_failing_node((nodes, a, _) in some_nodes(), without_pod: bool) {
        let mut simulation = Simulation::healthy(nodes);
        let blind = if without_pod { &mut simulation.without_pod } else { &mut simulation.without_answers };
        blind.insert(a);
        prop_assert_eq!(faults(&simulation), Vec::new());
    }

    #[test]
    fn a_healthy_cluster_has_no_faults(nodes in 1_u8..=6, dual_stack: bool, twins: bool) {
        let mut simulation = Simulation::healthy(nodes);
        (simulation.dual_stack, simulation.twins) = (dual_stack, twins);
        prop_assert_eq!(faults(&simulation), Vec::new());
    }
}

#[test]
fn two_zones_that_do_not_reach_each_other_are_named_as_zones() {
    let mut simulation =
        Simulation::healthy(6).with(Loss::of(cross(6).filter(|(from, to)| (from + to) % 2 == 1)));
    simulation.zones = true;
    assert_eq!(
        only(&simulation).scope,
        Scope::Zones {
            a: "even".into(),
            b: "odd".into()
        }
    );
}

#[test]
fn many_pairs_without_anything_in_common_are_gathered() {
    let ways = (1..=8_u8).flat_map(|from| [(from, from % 8 + 1), (from % 8 + 1, from)]);
    assert_eq!(
        only(&Simulation::healthy(8).with(Loss::of(ways))).scope,
        Scope::Scattered { pairs: 16 }
    );
}

#[test]
fn one_dead_node_of_a_hundred_is_found_in_a_ring() {
    let simulation = Simulation::healthy(100).with(Loss::of(around(100, 42)));
    assert_eq!(only(&simulation).scope, Scope::Node { node: name(42) });
}

#[test]
fn every_command_stands_on_one_line_and_names_no_template() {
    for kind in 0..KINDS {
        let (_, loss) = injected(kind, 3, 1, 2);
        for place in places(&Simulation::healthy(3).with(loss)) {
            assert!(!place.look_next.is_empty(), "{:?}", place.scope);
            for look in place.look_next {
                assert!(
                    look.command.starts_with("kubectl ") && !look.command.contains(['\n', '<', '{']),
                    "{look:?}"
                );
            }
        }
    }
}
