//! Everybody who can say no, and how each is told from the others, in network namespaces.

mod harness;

use std::net::IpAddr;
use std::process::Stdio;

use harness::network::{Network, address, ip};
use harness::{ALL, FAST, SLOW, agent, assert_each, each, probe, retrying};
use netprobe::{Kind, Outcome, Plan};

/// Whether an outcome is what a rule leads to, and who is to be its offender.
type Expected = fn(&Outcome, Option<IpAddr>) -> bool;

#[test]
fn a_closed_port_refuses_without_an_offender_over_tcp_and_with_the_target_over_udp() {
    let Some(network) = Network::made_for("a_closed_port_refuses") else {
        return;
    };
    for target in ["10.0.2.2", "fd02::2"] {
        let ran = network.run(&each(&[Kind::Tcp, Kind::Udp], target));
        assert!(
            matches!(ran.outcome(0), Outcome::Refused { offender: None, .. }),
            "{ran:?}"
        );
        assert!(
            matches!(ran.outcome(1), Outcome::Refused { offender, .. } if *offender == Some(ip(target))),
            "{ran:?}"
        );
    }
}

#[test]
fn a_rule_that_rejects_is_known_by_its_code_and_its_router() {
    let Some(network) = Network::made_for("a_rule_that_rejects_is_known_by_its_code_and_its_router") else {
        return;
    };
    let refused: Expected = |outcome, by| matches!(outcome, Outcome::Refused { offender, after_us } if *offender == by && FAST.contains(after_us));
    let rules: [(&str, &str, &str, Expected); 9] = [
        ("iptables", "10.0.2.2", "icmp-port-unreachable", refused),
        ("iptables", "10.0.2.2", "icmp-proto-unreachable", refused),
        (
            "iptables",
            "10.0.2.2",
            "icmp-host-prohibited",
            |outcome, by| matches!(outcome, Outcome::HostUnreachable { offender, code: Some(10), after_us } if *offender == by && FAST.contains(after_us)),
        ),
        (
            "iptables",
            "10.0.2.2",
            "icmp-admin-prohibited",
            |outcome, by| matches!(outcome, Outcome::HostUnreachable { offender, code: Some(13), after_us } if *offender == by && FAST.contains(after_us)),
        ),
        (
            "iptables",
            "10.0.2.2",
            "icmp-net-prohibited",
            |outcome, by| matches!(outcome, Outcome::NetUnreachable { offender, code: Some(9), after_us } if *offender == by && FAST.contains(after_us)),
        ),
        ("ip6tables", "fd02::2", "icmp6-port-unreachable", refused),
        (
            "ip6tables",
            "fd02::2",
            "icmp6-adm-prohibited",
            |outcome, by| matches!(outcome, Outcome::HostUnreachable { offender, code: Some(1), after_us } if *offender == by && FAST.contains(after_us)),
        ),
        (
            "ip6tables",
            "fd02::2",
            "icmp6-addr-unreachable",
            |outcome, by| matches!(outcome, Outcome::HostUnreachable { offender, code: Some(3), after_us } if *offender == by && FAST.contains(after_us)),
        ),
        (
            "ip6tables",
            "fd02::2",
            "icmp6-no-route",
            |outcome, by| matches!(outcome, Outcome::NetUnreachable { offender, code: Some(0), after_us } if *offender == by && FAST.contains(after_us)),
        ),
    ];
    for (program, target, kind, is_expected) in rules {
        network.at(
            "router",
            &format!("{program} -I FORWARD -d {target} -j REJECT --reject-with {kind}"),
        );
        let router = if program == "iptables" {
            Some(ip("10.0.1.1"))
        } else {
            Some(ip("fd01::1"))
        };
        let ran = network.run(&each(&ALL, target));
        assert_each(&ran, kind, |outcome| is_expected(outcome, router));
        network.at("router", &format!("{program} -F FORWARD"));
    }
}

#[test]
fn a_rule_that_resets_refuses_tcp_without_an_offender() {
    let Some(network) = Network::made_for("a_rule_that_resets_refuses_tcp_without_an_offender") else {
        return;
    };
    network.at(
        "router",
        "iptables -I FORWARD -p tcp -j REJECT --reject-with tcp-reset",
    );
    let ran = network.run(&each(&[Kind::Tcp], "10.0.2.2"));
    assert!(
        matches!(ran.outcome(0), Outcome::Refused { offender: None, .. }),
        "{ran:?}"
    );
}

#[test]
fn a_neighbour_that_does_not_resolve_is_reported_after_seconds_by_whom_it_is_missing() {
    let Some(network) = Network::made_for("a_neighbour_that_does_not_resolve_is_reported_after_seconds")
    else {
        return;
    };
    for (own, behind, router) in [
        ("10.0.1.99", "10.0.2.99", "10.0.1.1"),
        ("fd01::99", "fd02::99", "fd01::1"),
    ] {
        let ran = network.run(&each(&ALL, own));
        assert_each(
            &ran,
            own,
            |outcome| matches!(outcome, Outcome::HostUnreachable { offender: None, code: None, after_us } if SLOW.contains(after_us)),
        );
        let unreachable = if router.contains(':') { 3 } else { 1 };
        let ran = network.run(&each(&ALL, behind));
        assert_each(&ran, behind, |outcome| {
            matches!(outcome, Outcome::HostUnreachable { offender, code, after_us }
                if *offender == Some(ip(router)) && *code == Some(unreachable) && SLOW.contains(after_us))
        });
    }
}

#[test]
fn a_route_that_is_missing_is_told_from_a_router_that_has_none() {
    let Some(network) = Network::made_for("a_route_that_is_missing_is_told_from_a_router_that_has_none")
    else {
        return;
    };
    for (target, router) in [("10.0.77.1", "10.0.1.1"), ("fd77::1", "fd01::1")] {
        // A missing route has a limit of its own, which cannot be turned off: some errors are left to the retry.
        let probes = ALL
            .iter()
            .zip(0..)
            .map(|(kind, id)| probe(id, address(target, 7), kind.clone()))
            .collect();
        let ran = network.run(&retrying(probes, 1500));
        for answer in &ran.answers {
            let last = &answer.samples.last().unwrap().outcome;
            assert!(
                matches!(last, Outcome::NetUnreachable { offender, code: Some(0), .. } if *offender == Some(ip(router))),
                "{answer:?}"
            );
        }
    }
    network.at("source", "ip route del default");
    network.at("source", "ip -6 route del default");
    for target in ["10.0.77.1", "fd77::1"] {
        let ran = network.run(&each(&ALL, target));
        assert_each(
            &ran,
            target,
            |outcome| matches!(outcome, Outcome::NetUnreachable { offender: None, code: None, after_us } if FAST.contains(after_us)),
        );
    }
}

#[test]
fn routes_of_ones_own_that_refuse_are_told_apart() {
    let Some(network) = Network::made_for("routes_of_ones_own_that_refuse_are_told_apart") else {
        return;
    };
    for (kind, v4, v6) in [
        ("unreachable", "10.0.81.1", "fd81::1"),
        ("prohibit", "10.0.82.1", "fd82::1"),
        ("blackhole", "10.0.83.1", "fd83::1"),
    ] {
        network.at("source", &format!("ip route add {kind} {v4}"));
        network.at("source", &format!("ip -6 route add {kind} {v6}"));
        for target in [v4, v6] {
            let ran = network.run(&each(&ALL, target));
            assert_each(&ran, &format!("{kind} {target}"), |outcome| {
                match (kind, outcome) {
                    (
                        "unreachable",
                        Outcome::HostUnreachable {
                            offender: None,
                            code: None,
                            after_us,
                        },
                    ) => FAST.contains(after_us),
                    ("prohibit", Outcome::LocalError { errno, name }) => {
                        *errno == libc::EACCES && name == "EACCES"
                    }
                    ("blackhole", Outcome::LocalError { errno, name }) => {
                        *errno == libc::EINVAL && name == "EINVAL"
                    }
                    _ => false,
                }
            });
        }
    }
}

#[test]
fn a_rule_of_ones_own_that_drops_is_a_local_error_where_the_kernel_says_so() {
    let Some(network) = Network::made_for("a_rule_of_ones_own_that_drops_is_a_local_error") else {
        return;
    };
    network.at("source", "iptables -A OUTPUT -d 10.0.2.2 -j DROP");
    let ran = network.run(&each(&ALL, "10.0.2.2"));
    // TCP does not learn of it.
    assert!(matches!(ran.outcome(0), Outcome::TimedOut { .. }), "{ran:?}");
    for id in 1..=2 {
        let expected = Outcome::LocalError {
            errno: libc::EPERM,
            name: "EPERM".to_owned(),
        };
        assert_eq!(*ran.outcome(id), expected);
    }
}

#[test]
fn a_datagram_too_long_for_the_own_route_is_a_local_error() {
    let Some(network) = Network::made_for("a_datagram_too_long_for_the_own_route_is_a_local_error") else {
        return;
    };
    network.at("source", "ip route add 10.0.2.2 via 10.0.1.1 mtu 68");
    let run_id = "r".repeat(80);
    let mut command = network.command("source", agent());
    command.args(["run", "--name", "source", "--run", &run_id]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let plan = Plan {
        run: run_id,
        ..each(&[Kind::Udp], "10.0.2.2")
    };
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &netprobe::encode_plan(&plan).unwrap()).unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(output.contains(r#""errno":90,"name":"EMSGSIZE""#), "{output}");
}
