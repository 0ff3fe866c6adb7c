//! Messages as an independent library writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVxlan, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage, State, Stats64,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteProtocol, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netprobe::ReadAnswer;
use observation::{PolicyRule, Route};

use super::*;
use crate::evidence::tests::answers;
use crate::options::Tier;

const V4: Ipv4Addr = Ipv4Addr::new(10, 244, 1, 0);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 30, 0, 12);

fn v6() -> Ipv6Addr {
    "fd00:244:1::".parse().expect("an address")
}

struct Tables {
    links: Observed<Vec<Link>>,
    routes: Observed<Vec<Route>>,
    rules: Observed<Vec<PolicyRule>>,
    neighbours: Observed<Vec<Neighbour>>,
    forwarding: Observed<Vec<ForwardingEntry>>,
}

/// What is read of tables with these messages.
fn read(tables: Vec<(u32, Vec<RouteNetlinkMessage>)>) -> Tables {
    let given = tables.into_iter().map(|(id, messages)| {
        let bytes = messages.into_iter().flat_map(|message| {
            let payload = NetlinkPayload::InnerMessage(message);
            let mut message = NetlinkMessage::new(NetlinkHeader::default(), payload);
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        });
        ReadAnswer {
            id,
            outcome: ReadOutcome::Netlink {
                base64: STANDARD.encode(bytes.collect::<Vec<u8>>()),
            },
        }
    });
    let given: Vec<_> = given.collect();
    let answers = answers(Tier::Privileged, &given);
    let names = Names::read(&answers);
    Tables {
        links: links(&answers),
        routes: routes(&answers, &names),
        rules: rules(&answers),
        neighbours: neighbours(&answers, &names),
        forwarding: forwarding(&answers, &names),
    }
}

fn named(index: u32, name: &str) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = index;
    link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    link
}

fn table<T>(observed: Observed<T>) -> T {
    match observed {
        Observed::Seen(value) => value,
        Observed::Unseen(gap) => panic!("{}", gap.message),
    }
}

/// Another number in each place.
fn stats() -> Stats64 {
    let mut stats = Stats64::default();
    stats.rx_packets = 1;
    stats.tx_packets = 2;
    stats.rx_bytes = 3;
    stats.tx_bytes = 4;
    stats.rx_errors = 5;
    stats.tx_errors = 6;
    stats.rx_dropped = 7;
    stats.tx_dropped = 8;
    stats.rx_missed_errors = 9;
    stats
}

#[test]
fn a_tunnel_and_a_port_of_a_bridge_are_read_with_their_addresses_and_counters() {
    let mut tunnel = named(5, "flannel.1");
    tunnel.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
    tunnel.attributes.extend([
        LinkAttribute::Mtu(1450),
        LinkAttribute::Address(vec![0x32, 0xf4, 0xdf, 0x71, 0xa5, 0xa1]),
        LinkAttribute::OperState(State::LowerLayerDown),
        LinkAttribute::Stats64(stats()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Vxlan),
            LinkInfo::Data(InfoData::Vxlan(vec![
                InfoVxlan::Id(1),
                InfoVxlan::Link(2),
                InfoVxlan::Local(GATEWAY),
                InfoVxlan::Learning(true),
                InfoVxlan::Port(8472),
            ])),
        ]),
    ]);
    let mut port = named(6, "veth1");
    port.attributes.extend([
        LinkAttribute::Controller(7),
        LinkAttribute::Link(2),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::HairpinMode(true)])),
        ]),
    ]);
    let mut addresses = Vec::new();
    for (index, prefix, address) in [(5, 32, IpAddr::from(V4)), (6, 64, IpAddr::from(v6()))] {
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.prefix_len = prefix;
        message.attributes = vec![
            AddressAttribute::Address(GATEWAY.into()),
            AddressAttribute::Local(address),
        ];
        addresses.push(RouteNetlinkMessage::NewAddress(message));
    }
    let links = [named(2, "eth0"), tunnel, port, named(7, "cni0")];
    let links = table(
        read(vec![
            (id::LINKS, links.map(RouteNetlinkMessage::NewLink).to_vec()),
            (id::ADDRESSES, addresses),
        ])
        .links,
    );
    let expected = Link {
        name: "flannel.1".to_owned(),
        index: 5,
        kind: Some("vxlan".to_owned()),
        up: true,
        carrier: true,
        operstate: "lowerlayerdown".to_owned(),
        mtu: 1450,
        mac: Some("32:f4:df:71:a5:a1".to_owned()),
        master: None,
        lower: None,
        addresses: vec![InterfaceAddress {
            address: V4.into(),
            prefix: 32,
        }],
        vxlan: Some(Vxlan {
            vni: 1,
            port: 8472,
            local: Some(GATEWAY.into()),
            device: Some("eth0".to_owned()),
            learning: true,
        }),
        hairpin: None,
        counters: LinkCounters {
            rx_packets: 1,
            tx_packets: 2,
            rx_bytes: Some(3),
            tx_bytes: Some(4),
            rx_errors: 5,
            tx_errors: 6,
            rx_dropped: 7,
            tx_dropped: 8,
            rx_missed: Some(9),
        },
    };
    assert_eq!(links[1], expected);
    let port = &links[2];
    assert_eq!((port.kind.as_deref(), port.hairpin), (Some("veth"), Some(true)));
    assert_eq!((port.master.as_deref(), port.lower), (Some("cni0"), Some(2)));
    assert_eq!(
        port.addresses,
        [InterfaceAddress {
            address: v6().into(),
            prefix: 64
        }]
    );
    assert_eq!(
        (port.up, port.carrier, &*port.operstate),
        (false, false, "unknown")
    );
}

fn route(family: AddressFamily, attributes: Vec<RouteAttribute>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = 254;
    message.header.kind = RouteType::Unicast;
    message.header.protocol = RouteProtocol::Static;
    message.attributes = attributes;
    message
}

#[test]
fn routes_of_both_families_are_read_but_not_those_of_the_nodes_own_addresses() {
    let mut tunnel = route(
        AddressFamily::Inet,
        vec![
            RouteAttribute::Destination(RouteAddress::Inet(V4)),
            RouteAttribute::Gateway(RouteAddress::Inet(V4)),
            RouteAttribute::PrefSource(RouteAddress::Inet(GATEWAY)),
            RouteAttribute::Oif(5),
            RouteAttribute::Priority(100),
            RouteAttribute::Table(1000),
        ],
    );
    tunnel.header.destination_prefix_length = 24;
    tunnel.header.flags = RouteFlags::Onlink;
    let mut hop = RouteNextHop::default();
    hop.interface_index = 5;
    hop.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet6(v6()))];
    let several = route(AddressFamily::Inet6, vec![RouteAttribute::MultiPath(vec![hop])]);
    let mut own = route(AddressFamily::Inet, Vec::new());
    own.header.table = 255;
    let mut closed = route(AddressFamily::Inet, Vec::new());
    closed.header.kind = RouteType::BlackHole;
    closed.header.protocol = RouteProtocol::Other(99);
    let routes = [tunnel, several, own, closed].map(RouteNetlinkMessage::NewRoute);
    let links = vec![RouteNetlinkMessage::NewLink(named(5, "flannel.1"))];
    let routes = table(read(vec![(id::LINKS, links), (id::ROUTES, routes.to_vec())]).routes);
    let plain = Route {
        table: 254,
        destination: "0.0.0.0/0".to_owned(),
        kind: "unicast".to_owned(),
        gateway: None,
        device: None,
        source: None,
        metric: 0,
        protocol: "static".to_owned(),
        on_link: false,
    };
    let expected = [
        Route {
            table: 1000,
            destination: "10.244.1.0/24".to_owned(),
            gateway: Some(V4.into()),
            device: Some("flannel.1".to_owned()),
            source: Some(GATEWAY.into()),
            metric: 100,
            on_link: true,
            ..plain.clone()
        },
        Route {
            destination: "::/0".to_owned(),
            gateway: Some(v6().into()),
            device: Some("flannel.1".to_owned()),
            ..plain.clone()
        },
        Route {
            kind: "blackhole".to_owned(),
            protocol: "99".to_owned(),
            ..plain
        },
    ];
    assert_eq!(routes, expected);
}

#[test]
fn rules_are_read_as_they_are_typed() {
    let mut marked = RuleMessage::default();
    marked.header.family = AddressFamily::Inet;
    marked.header.src_len = 24;
    marked.header.action = RuleAction::ToTable;
    marked.attributes = vec![
        RuleAttribute::Priority(100),
        RuleAttribute::Table(2004),
        RuleAttribute::Source(V4.into()),
        RuleAttribute::Iifname("eth0".to_owned()),
        RuleAttribute::FwMark(0x200),
        RuleAttribute::FwMask(0xf00),
    ];
    let mut closed = RuleMessage::default();
    closed.header.family = AddressFamily::Inet6;
    closed.header.action = RuleAction::Blackhole;
    closed.attributes = vec![RuleAttribute::SuppressPrefixLen(0)];
    // As Calico has it with WireGuard.
    closed.header.flags = netlink_packet_route::rule::RuleFlags::Invert;
    let rules = [marked, closed].map(RouteNetlinkMessage::NewRule);
    let rules = table(read(vec![(id::RULES, rules.to_vec())]).rules);
    let read: Vec<_> = rules
        .iter()
        .map(|rule| {
            (
                rule.priority,
                rule.selector.as_str(),
                rule.action.as_str(),
                rule.ipv6,
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            (
                100,
                "from 10.244.1.0/24 iif eth0 fwmark 0x200/0xf00",
                "lookup 2004",
                false
            ),
            (0, "not from all suppress_prefixlength 0", "blackhole", true),
        ]
    );
}

fn neighbour(
    family: AddressFamily,
    destination: Option<NeighbourAddress>,
    state: NeighbourState,
) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    message.header.ifindex = 5;
    message.header.state = state;
    message.attributes = vec![NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 1])];
    message
        .attributes
        .extend(destination.map(NeighbourAttribute::Destination));
    RouteNetlinkMessage::NewNeighbour(message)
}

#[test]
fn neighbours_and_forwarding_entries_are_read_with_their_states() {
    let links = vec![RouteNetlinkMessage::NewLink(named(5, "flannel.1"))];
    let inet = |state| neighbour(AddressFamily::Inet, Some(NeighbourAddress::Inet(V4)), state);
    let inet6 = neighbour(
        AddressFamily::Inet6,
        Some(NeighbourAddress::Inet6(v6())),
        NeighbourState::Failed,
    );
    let bridge = |destination, state| neighbour(AddressFamily::Bridge, destination, state);
    let far = NeighbourAddress::Other(GATEWAY.octets().to_vec());
    let reads = read(vec![
        (id::LINKS, links),
        (id::NEIGHBOURS, vec![inet(NeighbourState::Permanent), inet6]),
        (
            id::FORWARDING,
            vec![
                bridge(Some(far), NeighbourState::Noarp),
                bridge(None, NeighbourState::Permanent),
                bridge(None, NeighbourState::Reachable),
            ],
        ),
    ]);
    let neighbours = table(reads.neighbours);
    let seen: Vec<_> = neighbours
        .iter()
        .map(|entry| (entry.address, entry.device.as_str(), entry.state.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (IpAddr::from(V4), "flannel.1", "permanent"),
            (v6().into(), "flannel.1", "failed")
        ]
    );
    let forwarding = table(reads.forwarding);
    let seen: Vec<_> = forwarding
        .iter()
        .map(|entry| (entry.mac.as_str(), entry.destination, entry.state.as_str()))
        .collect();
    let mac = "02:00:00:00:00:01";
    // What a bridge learned by itself says nothing about tunnels.
    assert_eq!(
        seen,
        [(mac, Some(GATEWAY.into()), "noarp"), (mac, None, "permanent")]
    );
}
