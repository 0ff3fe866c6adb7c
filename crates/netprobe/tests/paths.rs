//! What happens on the way, besides refusals: loss, holes, translation and limits, made in network namespaces.

mod harness;

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use harness::network::{Network, address, ip};
use harness::{RUN, SLOW, Server, agent, assert_each, plan, probe, retrying, run, skipped};
use netprobe::{Direction, Kind, Outcome, Peer, Probe};

const BULK: Kind = Kind::Bulk { bytes: 300_000 };

#[test]
fn a_healthy_path_answers_every_kind_in_both_families() {
    let Some(network) = Network::made_for("a_healthy_path_answers_every_kind_in_both_families") else {
        return;
    };
    let server = network.serve();
    for (target, source) in [("10.0.2.2", "10.0.1.2"), ("fd02::2", "fd01::2")] {
        let ran = network.run(&plan(vec![
            Probe {
                count: 5,
                ..probe(1, address(target, server.tcp), Kind::Tcp)
            },
            Probe {
                count: 5,
                ..probe(2, address(target, server.udp), Kind::Udp)
            },
            Probe {
                count: 5,
                ..probe(3, address(target, server.tcp), BULK)
            },
            Probe {
                count: 5,
                ..probe(4, address(target, 0), Kind::Icmp)
            },
        ]));
        let said = Some(Peer {
            name: "target".to_owned(),
            saw: source.parse().unwrap(),
        });
        for id in 1..=4 {
            let samples = &ran.answer(id).samples;
            assert_eq!(samples.len(), 5);
            let said = if id == 4 { &None } else { &said };
            for sample in samples {
                assert!(
                    matches!(&sample.outcome, Outcome::Ok { peer, .. } if peer == said),
                    "{sample:?}"
                );
            }
        }
        assert!(
            ran.hello.addresses.contains(&source.parse().unwrap()),
            "{:?}",
            ran.hello
        );
        assert!(!ran.hello.addresses.iter().any(IpAddr::is_loopback));
    }
}

#[test]
fn a_server_with_two_addresses_answers_datagrams_from_the_one_that_was_asked() {
    let Some(network) = Network::made_for("a_server_with_two_addresses_answers_from_the_one_that_was_asked")
    else {
        return;
    };
    network.at("target", "ip addr add 10.0.9.9/32 dev lo");
    network.at("target", "ip addr add fd09::9/128 dev lo");
    network.at("router", "ip route add 10.0.9.9 via 10.0.2.2");
    network.at("router", "ip route add fd09::9 via fd02::2");
    let server = network.serve();
    let ran = network.run(&plan(vec![
        probe(1, address("10.0.9.9", server.udp), Kind::Udp),
        probe(2, address("fd09::9", server.udp), Kind::Udp),
    ]));
    assert_each(&ran, "second address", Outcome::is_ok);
}

#[test]
fn a_rule_that_drops_is_silence() {
    let Some(network) = Network::made_for("a_rule_that_drops_is_silence") else {
        return;
    };
    network.at("router", "nft add table inet t");
    network.at(
        "router",
        "nft add chain inet t c '{ type filter hook forward priority 0; policy drop; }'",
    );
    let server = network.serve();
    let mut probes = Vec::new();
    for (target, base) in [("10.0.2.2", 0), ("fd02::2", 10)] {
        probes.push(probe(base, address(target, server.tcp), Kind::Tcp));
        probes.push(probe(base + 1, address(target, server.udp), Kind::Udp));
        probes.push(probe(base + 2, address(target, 0), Kind::Icmp));
        probes.push(probe(base + 3, address(target, server.tcp), BULK));
    }
    let ran = network.run(&plan(probes));
    assert_each(
        &ran,
        "drop",
        |outcome| matches!(outcome, Outcome::TimedOut { after_us } if (4_000_000..4_200_000).contains(after_us)),
    );
}

/// Lets no packet longer than this pass the router towards one side, and nobody learn of it.
fn narrow(network: &Network, link: &str, net: u8, mtu: u32) {
    network.at(
        "router",
        &format!("ip route replace 10.0.{net}.0/24 dev {link} mtu {mtu}"),
    );
    network.at("router", &format!("sysctl -qw net.ipv6.conf.{link}.mtu={mtu}"));
}

#[test]
fn a_path_that_loses_large_packets_stalls_bulk_in_that_direction_only() {
    let test = "a_path_that_loses_large_packets_stalls_bulk_in_that_direction_only";
    let Some(network) = Network::made_for(test) else {
        return;
    };
    if Command::new("ethtool").arg("--version").output().is_err() {
        return skipped(test, "no ethtool");
    }
    let server = network.serve();
    let probes = |base, target| {
        vec![
            probe(base, address(target, server.tcp), Kind::Tcp),
            probe(base + 1, address(target, server.udp), Kind::Udp),
            probe(base + 2, address(target, 0), Kind::Icmp),
            probe(base + 3, address(target, server.tcp), BULK),
        ]
    };
    let stalled = |network: &Network, expected: Direction| {
        let ran = network.run(&plan([probes(0, "10.0.2.2"), probes(10, "fd02::2")].concat()));
        for base in [0, 10] {
            for id in 0..3 {
                assert!(ran.outcome(base + id).is_ok(), "{ran:?}");
            }
            let Outcome::Stalled {
                direction,
                bytes,
                after_us,
            } = *ran.outcome(base + 3)
            else {
                panic!("{:?}", ran.outcome(base + 3))
            };
            assert_eq!(direction, expected);
            assert!(bytes < 1280, "{bytes}");
            assert!((4_000_000..4_600_000).contains(&after_us), "{after_us}");
        }
    };
    network.at(
        "router",
        "iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP",
    );
    network.at(
        "router",
        "ip6tables -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP",
    );
    for place in ["source", "target"] {
        network.at(place, "ethtool -K eth0 tso off gso off gro off");
    }
    narrow(&network, "right", 2, 1280);
    stalled(&network, Direction::ToTarget);
    narrow(&network, "right", 2, 1500);
    narrow(&network, "left", 1, 1280);
    stalled(&network, Direction::FromTarget);
}

/// With segmentation left to the devices, as on real nodes, and with what the kernels remember of the first round.
#[test]
fn large_packets_lost_on_the_way_back_stall_the_retry_too() {
    let Some(network) = Network::made_for("large_packets_lost_on_the_way_back_stall_the_retry_too") else {
        return;
    };
    network.at(
        "source",
        "iptables -t mangle -A INPUT -p tcp -m length --length 1351: -j DROP",
    );
    let server = network.serve();
    let bulk = Kind::Bulk { bytes: 256 * 1024 };
    let probes = vec![
        probe(1, address("10.0.2.2", server.tcp), bulk.clone()),
        probe(2, address("10.0.2.2", server.tcp), bulk),
        probe(3, address("10.0.2.2", server.tcp), Kind::Tcp),
    ];
    let ran = network.run(&retrying(probes, 1000));
    assert!(ran.end.cut_short.is_none(), "{ran:?}");
    assert!(ran.outcome(3).is_ok(), "{ran:?}");
    for id in 1..=2 {
        let samples = &ran.answer(id).samples;
        assert_eq!(samples.len(), 2, "{samples:?}");
        assert!(samples[1].retry, "{samples:?}");
        for sample in samples {
            assert!(
                matches!(
                    &sample.outcome,
                    Outcome::Stalled {
                        direction: Direction::FromTarget,
                        after_us,
                        ..
                    } if (4_000_000..4_600_000).contains(after_us)
                ),
                "{sample:?}"
            );
        }
    }
}

/// Each large packet that gets through is progress, and there are hundreds.
#[test]
fn large_packets_that_trickle_do_not_hold_up_the_plan() {
    let Some(network) = Network::made_for("large_packets_that_trickle_do_not_hold_up_the_plan") else {
        return;
    };
    for rule in [
        "-A INPUT -p tcp -m length --length 1351: -m limit --limit 2/s --limit-burst 1 -j ACCEPT",
        "-A INPUT -p tcp -m length --length 1351: -j DROP",
    ] {
        network.at("source", &format!("iptables -t mangle {rule}"));
    }
    let server = network.serve();
    let bulk = Kind::Bulk { bytes: 256 * 1024 };
    let ran = network.run(&retrying(
        vec![probe(1, address("10.0.2.2", server.tcp), bulk)],
        1000,
    ));
    assert!(ran.end.cut_short.is_none(), "{ran:?}");
    let samples = &ran.answer(1).samples;
    assert_eq!(samples.len(), 2, "{samples:?}");
    for sample in samples {
        assert!(
            matches!(
                &sample.outcome,
                Outcome::Stalled {
                    direction: Direction::FromTarget,
                    bytes,
                    ..
                } if (1000..256 * 1024).contains(bytes)
            ),
            "{sample:?}"
        );
    }
}

#[test]
fn a_question_that_gets_lost_after_the_handshake_is_a_stall_to_the_target() {
    let Some(network) = Network::made_for("a_question_that_gets_lost_after_the_handshake") else {
        return;
    };
    let server = network.serve();
    network.at(
        "router",
        "iptables -A FORWARD -d 10.0.2.2 -p tcp -m length --length 70: -j DROP",
    );
    let ran = network.run(&plan(vec![probe(1, address("10.0.2.2", server.tcp), Kind::Tcp)]));
    assert!(
        matches!(
            ran.outcome(1),
            Outcome::Stalled {
                direction: Direction::ToTarget,
                bytes: 0,
                ..
            }
        ),
        "{ran:?}"
    );
}

#[test]
fn an_answer_that_gets_lost_is_a_stall_from_the_target() {
    let Some(network) = Network::made_for("an_answer_that_gets_lost_is_a_stall_from_the_target") else {
        return;
    };
    let server = network.serve();
    network.at(
        "router",
        "iptables -A FORWARD -s 10.0.2.2 -p tcp -m length --length 70: -j DROP",
    );
    let ran = network.run(&plan(vec![probe(1, address("10.0.2.2", server.tcp), Kind::Tcp)]));
    assert!(
        matches!(
            ran.outcome(1),
            Outcome::Stalled {
                direction: Direction::FromTarget,
                bytes: 0,
                ..
            }
        ),
        "{ran:?}"
    );
}

#[test]
fn a_path_that_translates_sources_is_seen_by_the_peer() {
    let Some(network) = Network::made_for("a_path_that_translates_sources_is_seen_by_the_peer") else {
        return;
    };
    network.at("router", "iptables -t nat -A POSTROUTING -o right -j MASQUERADE");
    let server = network.serve();
    let ran = network.run(&plan(vec![
        probe(1, address("10.0.2.2", server.tcp), Kind::Tcp),
        probe(2, address("10.0.2.2", server.udp), Kind::Udp),
        probe(3, address("10.0.2.2", server.tcp), BULK),
    ]));
    assert_each(
        &ran,
        "masquerade",
        |outcome| matches!(outcome, Outcome::Ok { peer: Some(peer), .. } if peer.saw == ip("10.0.2.1")),
    );
}

#[test]
fn a_path_that_leads_to_another_agent_names_it() {
    let Some(network) = Network::made_for("a_path_that_leads_to_another_agent_names_it") else {
        return;
    };
    let elsewhere = Server::start(network.command("router", agent()), "elsewhere", RUN);
    let to = elsewhere.tcp;
    network.at(
        "router",
        &format!("iptables -t nat -A PREROUTING -p tcp -d 10.0.2.2 -j REDIRECT --to-ports {to}"),
    );
    let ran = network.run(&plan(vec![probe(1, address("10.0.2.2", 7001), Kind::Tcp)]));
    assert!(
        matches!(ran.outcome(1), Outcome::Ok { peer: Some(peer), .. } if peer.name == "elsewhere"),
        "{ran:?}"
    );
}

#[test]
fn many_refusals_at_once_become_silence_and_the_retry_finds_the_truth() {
    let Some(network) = Network::made_for("many_refusals_at_once_become_silence") else {
        return;
    };
    network.limit_icmp_errors("router", 1000);
    network.at(
        "router",
        "iptables -A FORWARD -j REJECT --reject-with icmp-port-unreachable",
    );
    let probes = (0..30).map(|id| Probe {
        timeout_ms: 500,
        ..probe(id, address("10.0.2.2", 7), Kind::Udp)
    });
    let ran = network.run(&retrying(probes.collect(), 1000));
    let is_refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { .. });
    let first = ran
        .answers
        .iter()
        .filter(|answer| is_refused(&answer.samples[0].outcome))
        .count();
    // The kernel lets a burst of six pass, and then one each second.
    assert!(first < 10, "{first} refused at once");
    let retried: Vec<_> = ran
        .answers
        .iter()
        .filter_map(|answer| answer.samples.get(1))
        .collect();
    assert_eq!(retried.len(), 10);
    assert!(
        retried
            .iter()
            .all(|sample| sample.retry && is_refused(&sample.outcome)),
        "{retried:?}"
    );
}

#[test]
fn an_echo_is_not_disturbed_by_the_errors_of_others() {
    let Some(network) = Network::made_for("an_echo_is_not_disturbed_by_the_errors_of_others") else {
        return;
    };
    // Every tenth echo to the same target is refused: the errors reach all sockets that wait for one.
    network.at("router", "iptables -A FORWARD -p icmp -d 10.0.2.2 -m statistic --mode nth --every 10 --packet 3 -j REJECT --reject-with icmp-host-prohibited");
    let probes = (0..50)
        .map(|id| probe(id, address("10.0.2.2", 0), Kind::Icmp))
        .collect();
    let ran = network.run(&plan(probes));
    let failed = ran
        .answers
        .iter()
        .filter(|answer| !answer.samples[0].outcome.is_ok())
        .count();
    assert_eq!(failed, 5, "{:?}", ran.answers);
}

/// The agent as an arbitrary user without a capability, as in a restricted pod.
fn unprivileged(network: &Network) -> Command {
    let mut command = network.command("source", "setpriv".as_ref());
    command.args([
        "--reuid=65532",
        "--regid=65532",
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]);
    command.arg(agent());
    command
}

#[test]
fn echoes_without_permission_are_not_silence_and_with_a_group_they_are_made() {
    let test = "echoes_without_permission_are_not_silence";
    let Some(network) = Network::made_for(test) else {
        return;
    };
    let is_public = agent().ancestors().all(|path| {
        path.metadata()
            .is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
    });
    if !is_public {
        return skipped(test, "other users may not run the agent where it was built");
    }
    let server = network.serve();
    let mixed = retrying(
        vec![
            probe(1, address("10.0.2.2", 0), Kind::Icmp),
            probe(2, address("fd02::2", 0), Kind::Icmp),
            probe(3, address("10.0.2.2", server.tcp), Kind::Tcp),
            probe(4, address("10.0.2.2", server.udp), Kind::Udp),
        ],
        0,
    );
    let ran = run(unprivileged(&network), &mixed);
    for id in 1..=2 {
        let Outcome::NotPermitted { what } = ran.outcome(id) else {
            panic!("{ran:?}")
        };
        assert!(what.contains("EACCES") && what.contains("EPERM"), "{what}");
    }
    assert!(ran.outcome(3).is_ok() && ran.outcome(4).is_ok(), "{ran:?}");

    network.at("source", "sysctl -qw 'net.ipv4.ping_group_range=0 2147483647'");
    let ran = run(unprivileged(&network), &mixed);
    assert_each(&ran, "unprivileged", Outcome::is_ok);
    // What routers and rules say comes back to an unprivileged socket too.
    network.at(
        "router",
        "iptables -A FORWARD -p icmp -j REJECT --reject-with icmp-host-prohibited",
    );
    let plan = plan(vec![
        probe(1, address("10.0.2.2", 0), Kind::Icmp),
        probe(2, address("10.0.1.99", 0), Kind::Icmp),
        probe(3, address("fd02::99", 0), Kind::Icmp),
    ]);
    let ran = run(unprivileged(&network), &plan);
    let router = Some(ip("10.0.1.1"));
    assert!(
        matches!(ran.outcome(1), Outcome::HostUnreachable { offender, code: Some(10), .. } if *offender == router),
        "{ran:?}"
    );
    assert!(
        matches!(ran.outcome(2), Outcome::HostUnreachable { offender: None, after_us, .. } if SLOW.contains(after_us)),
        "{ran:?}"
    );
    let router = Some(ip("fd01::1"));
    assert!(
        matches!(ran.outcome(3), Outcome::HostUnreachable { offender, code: Some(3), .. } if *offender == router),
        "{ran:?}"
    );
}

#[test]
fn a_machine_without_ipv6_serves_ipv4() {
    let Some(network) = Network::made_for("a_machine_without_ipv6_serves_ipv4") else {
        return;
    };
    network.at("target", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
    let server = network.serve();
    let ran = network.run(&plan(vec![
        probe(1, address("10.0.2.2", server.tcp), Kind::Tcp),
        probe(2, address("10.0.2.2", server.udp), Kind::Udp),
    ]));
    assert_each(&ran, "no ipv6", Outcome::is_ok);
}
