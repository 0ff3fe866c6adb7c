//! Loss by direction, path MTU and the own gateway, measured in network namespaces.

mod harness;

use harness::network::{Network, address, ip};
use harness::{Server, plan, probe, run_locally};
use netprobe::{Kind, Outcome, TooLong};

const TRAIN: Kind = Kind::Train {
    count: 100,
    gap_ms: 1,
    large: false,
};

#[test]
fn a_whole_train_arrives_and_is_answered() {
    let server = Server::local("target", harness::RUN);
    let large = Kind::Train {
        count: 20,
        gap_ms: 0,
        large: true,
    };
    let target = address("127.0.0.1", server.udp);
    let ran = run_locally(&plan(vec![probe(1, target, TRAIN), probe(2, target, large)]));
    for (id, count) in [(1, 100), (2, 20)] {
        let Outcome::Train {
            sent,
            arrived,
            answered,
            bytes,
            ..
        } = ran.outcome(id)
        else {
            panic!("{:?}", ran.outcome(id))
        };
        assert_eq!((*sent, *arrived, *answered), (count, Some(count), count));
        // The longest datagram of IPv4 is shorter than what loopback carries.
        assert_eq!(*bytes > 60_000, id == 2, "{bytes}");
    }
}

#[test]
fn a_train_to_nobody_says_so() {
    let ran = run_locally(&plan(vec![probe(1, address("127.0.0.1", 9), TRAIN)]));
    assert!(
        matches!(ran.outcome(1), Outcome::Refused { .. }),
        "{:?}",
        ran.outcome(1)
    );
}

#[test]
fn what_is_lost_on_the_way_there_is_told_from_what_is_lost_on_the_way_back() {
    let Some(network) =
        Network::made_for("what_is_lost_on_the_way_there_is_told_from_what_is_lost_on_the_way_back")
    else {
        return;
    };
    let server = network.serve();
    let rule = "-p udp -m statistic --mode nth --every 5 --packet 0 -j DROP";
    for (side, there, back) in [("10.0.2.2", 20, 0), ("10.0.1.2", 0, 20)] {
        network.at("router", &format!("iptables -A FORWARD -d {side} {rule}"));
        let ran = network.run(&plan(vec![probe(1, address("10.0.2.2", server.udp), TRAIN)]));
        network.at("router", "iptables -F FORWARD");
        let Outcome::Train {
            sent,
            arrived: Some(arrived),
            answered,
            ..
        } = ran.outcome(1)
        else {
            panic!("{:?}", ran.outcome(1))
        };
        assert_eq!(
            (sent - arrived, arrived - answered),
            (there, back),
            "{:?}",
            ran.outcome(1)
        );
    }
}

#[test]
fn the_longest_packet_is_found_in_both_families() {
    let Some(network) = Network::made_for("the_longest_packet_is_found_in_both_families") else {
        return;
    };
    let server = network.serve();
    for target in ["10.0.2.2", "fd02::2"] {
        let ran = network.run(&plan(vec![probe(1, address(target, server.udp), Kind::Size)]));
        let Outcome::Size {
            passes, sends, told, ..
        } = ran.outcome(1)
        else {
            panic!("{:?}", ran.outcome(1))
        };
        assert_eq!((*passes, *sends, told), (1500, 1500, &None));
        assert!(ran.took.as_millis() < 1000, "{:?}", ran.took);
    }
}

#[test]
fn a_narrow_link_that_says_so_is_no_hole() {
    let Some(network) = Network::made_for("a_narrow_link_that_says_so_is_no_hole") else {
        return;
    };
    let server = network.serve();
    network.at("router", "ip link set right mtu 1400");
    let ran = network.run(&plan(vec![probe(1, address("10.0.2.2", server.udp), Kind::Size)]));
    let Outcome::Size {
        passes, sends, told, ..
    } = ran.outcome(1)
    else {
        panic!("{:?}", ran.outcome(1))
    };
    let by = Some(ip("10.0.1.1"));
    assert_eq!((*passes, *sends), (1400, 1500));
    assert_eq!(told, &Some(TooLong { by, mtu: 1400 }));
}

#[test]
fn a_hole_is_measured_to_the_byte_and_by_direction() {
    let Some(network) = Network::made_for("a_hole_is_measured_to_the_byte_and_by_direction") else {
        return;
    };
    let server = network.serve();
    let rule = "-p udp -m length --length 1351: -j DROP";
    for (side, longest) in [("10.0.2.2", 1350), ("10.0.1.2", 1500)] {
        network.at("router", &format!("iptables -A FORWARD -d {side} {rule}"));
        let ran = network.run(&plan(vec![probe(1, address("10.0.2.2", server.udp), Kind::Size)]));
        network.at("router", "iptables -F FORWARD");
        let Outcome::Size {
            passes, sends, told, ..
        } = ran.outcome(1)
        else {
            panic!("{:?}", ran.outcome(1))
        };
        assert_eq!((*passes, *sends, told), (longest, 1500, &None));
        assert!(ran.took.as_secs() < 5, "{:?}", ran.took);
    }
}

#[test]
fn the_unspecified_address_is_the_own_gateway() {
    let Some(network) = Network::made_for("the_unspecified_address_is_the_own_gateway") else {
        return;
    };
    let probes = vec![
        probe(1, address("0.0.0.0", 0), Kind::Icmp),
        probe(2, address("::", 9), Kind::Connect { linger_ms: 0 }),
    ];
    let ran = network.run(&plan(probes.clone()));
    assert_eq!(ran.hello.gateways, [ip("10.0.1.1"), ip("fd01::1")]);
    assert!(matches!(
        ran.outcome(1),
        Outcome::Ok { .. } | Outcome::NotPermitted { .. }
    ));
    assert!(
        matches!(ran.outcome(2), Outcome::Refused { .. }),
        "{:?}",
        ran.outcome(2)
    );
    network.at("source", "ip route del default");
    let ran = network.run(&plan(probes));
    assert!(matches!(
        ran.outcome(1),
        Outcome::NetUnreachable { offender: None, .. }
    ));
}
