//! The kernel's tables out of netlink messages.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoPortData, InfoVxlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netprobe::ReadOutcome;
use observation::{
    ForwardingEntry, InterfaceAddress, Link, LinkCounters, Neighbour, PolicyRule, Route, Vxlan,
};
use report::Observed;

use super::{Answers, id};

/// The kernel's table of the node's own addresses.
const TABLE_LOCAL: u32 = 255;
/// `RTNH_F_ONLINK`, which the header of a route carries among its flags.
const ON_LINK: u32 = 4;

/// The messages of one dump.
fn dump(answers: &Answers<'_>, id: u32, what: &str) -> Observed<Vec<RouteNetlinkMessage>> {
    let base64 = match answers.outcome(id, what) {
        Observed::Seen(ReadOutcome::Netlink { base64 }) => base64,
        Observed::Seen(_) => {
            return Observed::Unseen(answers.gap(what, "another answer than a table of the kernel"));
        }
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    let read = || -> Result<Vec<RouteNetlinkMessage>, String> {
        let bytes = STANDARD.decode(base64).map_err(|error| error.to_string())?;
        let mut rest = bytes.as_slice();
        let mut messages = Vec::new();
        while rest.len() >= 4 {
            let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]);
            let length = usize::try_from(length).map_err(|error| error.to_string())?;
            if length < 16 || length > rest.len() {
                return Err(format!(
                    "a message of {length} bytes where {} are left",
                    rest.len()
                ));
            }
            // One message that this library does not know is no reason to lose the others.
            if let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&rest[..length])
                && let NetlinkPayload::InnerMessage(message) = message.payload
            {
                messages.push(message);
            }
            rest = rest.get((length + 3) & !3..).unwrap_or_default();
        }
        Ok(messages)
    };
    match read() {
        Ok(messages) => Observed::Seen(messages),
        Err(error) => Observed::Unseen(answers.gap(what, &error)),
    }
}

/// Device names by index.
pub(super) struct Names(BTreeMap<u32, String>);

impl Names {
    pub(super) fn read(answers: &Answers<'_>) -> Self {
        let messages = dump(answers, id::LINKS, "links");
        let names = messages.seen().into_iter().flatten().filter_map(|message| {
            let RouteNetlinkMessage::NewLink(link) = message else {
                return None;
            };
            Some((link.header.index, link_name(link)?))
        });
        Self(names.collect())
    }

    fn of(&self, index: u32) -> String {
        self.0
            .get(&index)
            .cloned()
            .unwrap_or_else(|| format!("if{index}"))
    }
}

fn link_name(link: &LinkMessage) -> Option<String> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })
}

fn mac(bytes: &[u8]) -> Option<String> {
    // Tunnels of layer 3 have none, or an IP address in its place.
    if bytes.len() != 6 {
        return None;
    }
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{}{byte:02x}", if text.is_empty() { "" } else { ":" });
    }
    Some(text)
}

pub(super) fn links(answers: &Answers<'_>) -> Observed<Vec<Link>> {
    let (messages, addresses) = match (
        dump(answers, id::LINKS, "links"),
        dump(answers, id::ADDRESSES, "addresses"),
    ) {
        (Observed::Seen(messages), Observed::Seen(addresses)) => (messages, addresses),
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => return Observed::Unseen(gap),
    };
    let names = Names::read(answers);
    let mut of_link = addresses_by_link(&addresses);
    let links = messages.iter().filter_map(|message| {
        let RouteNetlinkMessage::NewLink(message) = message else {
            return None;
        };
        let mut link = link(message, &names)?;
        link.addresses = of_link.remove(&link.index).unwrap_or_default();
        Some(link)
    });
    Observed::Seen(links.collect())
}

fn addresses_by_link(messages: &[RouteNetlinkMessage]) -> BTreeMap<u32, Vec<InterfaceAddress>> {
    let mut addresses: BTreeMap<u32, Vec<InterfaceAddress>> = BTreeMap::new();
    for message in messages {
        let RouteNetlinkMessage::NewAddress(message) = message else {
            continue;
        };
        let find =
            |wanted: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(wanted);
        // On a link to one peer `Address` is the peer's, and `Local` ours.
        let local = find(|attribute| match attribute {
            AddressAttribute::Local(address) => Some(*address),
            _ => None,
        });
        let address = local.or_else(|| {
            find(|attribute| match attribute {
                AddressAttribute::Address(address) => Some(*address),
                _ => None,
            })
        });
        if let Some(address) = address {
            let prefix = message.header.prefix_len;
            let entry = addresses.entry(message.header.index).or_default();
            entry.push(InterfaceAddress { address, prefix });
        }
    }
    addresses
}

fn link(message: &LinkMessage, names: &Names) -> Option<Link> {
    let mut link = Link {
        name: link_name(message)?,
        index: message.header.index,
        kind: None,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        operstate: "unknown".to_owned(),
        mtu: 0,
        mac: None,
        master: None,
        lower: None,
        addresses: Vec::new(),
        vxlan: None,
        hairpin: None,
        counters: LinkCounters::default(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Address(bytes) => link.mac = mac(bytes),
            LinkAttribute::OperState(state) => link.operstate = format!("{state:?}").to_lowercase(),
            LinkAttribute::Controller(index) => link.master = Some(names.of(*index)),
            LinkAttribute::Link(index) => link.lower = Some(*index),
            LinkAttribute::Stats64(stats) => {
                link.counters = LinkCounters {
                    rx_packets: stats.rx_packets,
                    tx_packets: stats.tx_packets,
                    rx_errors: stats.rx_errors,
                    tx_errors: stats.tx_errors,
                    rx_dropped: stats.rx_dropped,
                    tx_dropped: stats.tx_dropped,
                    rx_missed: Some(stats.rx_missed_errors),
                    rx_bytes: Some(stats.rx_bytes),
                    tx_bytes: Some(stats.tx_bytes),
                };
            }
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    match info {
                        LinkInfo::Kind(kind) => link.kind = Some(kind.to_string()),
                        LinkInfo::Data(InfoData::Vxlan(attributes)) => {
                            link.vxlan = Some(vxlan(attributes, names));
                        }
                        LinkInfo::PortData(InfoPortData::BridgePort(attributes)) => {
                            link.hairpin = attributes.iter().find_map(|attribute| match attribute {
                                InfoBridgePort::HairpinMode(on) => Some(*on),
                                _ => None,
                            });
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(link)
}

fn vxlan(attributes: &[InfoVxlan], names: &Names) -> Vxlan {
    let mut vxlan = Vxlan {
        vni: 0,
        port: 0,
        local: None,
        device: None,
        learning: false,
    };
    for attribute in attributes {
        match attribute {
            InfoVxlan::Id(vni) => vxlan.vni = *vni,
            InfoVxlan::Port(port) => vxlan.port = *port,
            InfoVxlan::Local(address) => vxlan.local = Some((*address).into()),
            InfoVxlan::Local6(address) => vxlan.local = Some((*address).into()),
            InfoVxlan::Link(index) if *index != 0 => vxlan.device = Some(names.of(*index)),
            InfoVxlan::Learning(learning) => vxlan.learning = *learning,
            _ => {}
        }
    }
    vxlan
}

pub(super) fn routes(answers: &Answers<'_>, names: &Names) -> Observed<Vec<Route>> {
    dump(answers, id::ROUTES, "routes").map(|messages| {
        let mut routes: Vec<Route> = messages
            .iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewRoute(message) => route(message, names),
                _ => None,
            })
            .collect();
        routes.retain(|route| route.table != TABLE_LOCAL);
        routes
    })
}

fn route(message: &RouteMessage, names: &Names) -> Option<Route> {
    let header = &message.header;
    let any: IpAddr = match header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let mut destination = any;
    let mut route = Route {
        table: u32::from(header.table),
        destination: String::new(),
        kind: kind(header.kind),
        gateway: None,
        device: None,
        source: None,
        metric: 0,
        protocol: header.protocol.to_string(),
        on_link: header.flags.bits() & ON_LINK != 0,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Destination(address) => destination = address_of(address).unwrap_or(any),
            RouteAttribute::Gateway(address) => route.gateway = address_of(address),
            RouteAttribute::PrefSource(address) => route.source = address_of(address),
            RouteAttribute::Oif(index) => route.device = Some(names.of(*index)),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            // Several next hops: the first stands for all.
            RouteAttribute::MultiPath(hops) => {
                if let Some(hop) = hops.first() {
                    route.device = Some(names.of(hop.interface_index));
                    route.gateway = hop.attributes.iter().find_map(|attribute| match attribute {
                        RouteAttribute::Gateway(address) => address_of(address),
                        _ => None,
                    });
                }
            }
            _ => {}
        }
    }
    route.destination = format!("{destination}/{}", header.destination_prefix_length);
    Some(route)
}

fn kind(kind: RouteType) -> String {
    match kind {
        RouteType::Unicast => "unicast".to_owned(),
        RouteType::Local => "local".to_owned(),
        RouteType::BlackHole => "blackhole".to_owned(),
        RouteType::Unreachable => "unreachable".to_owned(),
        RouteType::Prohibit => "prohibit".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn address_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

pub(super) fn rules(answers: &Answers<'_>) -> Observed<Vec<PolicyRule>> {
    dump(answers, id::RULES, "routing rules").map(|messages| {
        let rules = messages.iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewRule(message) => Some(rule(message)),
            _ => None,
        });
        rules.collect()
    })
}

fn rule(message: &RuleMessage) -> PolicyRule {
    let header = &message.header;
    let mut priority = 0;
    let mut table = u32::from(header.table);
    let mut from = "from all".to_owned();
    let mut rest = String::new();
    for attribute in &message.attributes {
        let _ = match attribute {
            RuleAttribute::Priority(value) => {
                priority = *value;
                Ok(())
            }
            RuleAttribute::Table(value) => {
                table = *value;
                Ok(())
            }
            RuleAttribute::Source(address) => {
                from = format!("from {address}/{}", header.src_len);
                Ok(())
            }
            RuleAttribute::Destination(address) => write!(rest, " to {address}/{}", header.dst_len),
            RuleAttribute::Iifname(name) => write!(rest, " iif {name}"),
            RuleAttribute::Oifname(name) => write!(rest, " oif {name}"),
            RuleAttribute::FwMark(mark) => write!(rest, " fwmark {mark:#x}"),
            RuleAttribute::FwMask(mask) => write!(rest, "/{mask:#x}"),
            RuleAttribute::SuppressPrefixLen(length) if *length != u32::MAX => {
                write!(rest, " suppress_prefixlength {length}")
            }
            _ => Ok(()),
        };
    }
    let action = match header.action {
        RuleAction::ToTable => format!("lookup {table}"),
        other => format!("{other:?}").to_lowercase(),
    };
    PolicyRule {
        priority,
        selector: format!("{from}{rest}"),
        action,
        ipv6: header.family == AddressFamily::Inet6,
    }
}

pub(super) fn neighbours(answers: &Answers<'_>, names: &Names) -> Observed<Vec<Neighbour>> {
    dump(answers, id::NEIGHBOURS, "neighbours").map(|messages| {
        let neighbours = each_neighbour(&messages).filter_map(|message| {
            let (address, mac) = neighbour_parts(message);
            Some(Neighbour {
                address: address?,
                device: names.of(message.header.ifindex),
                mac,
                state: message.header.state.to_string().to_lowercase(),
            })
        });
        neighbours.collect()
    })
}

pub(super) fn forwarding(answers: &Answers<'_>, names: &Names) -> Observed<Vec<ForwardingEntry>> {
    dump(answers, id::FORWARDING, "forwarding databases").map(|messages| {
        let entries = each_neighbour(&messages).filter_map(|message| {
            let (destination, mac) = neighbour_parts(message);
            Some(ForwardingEntry {
                mac: mac?,
                device: names.of(message.header.ifindex),
                destination,
                state: message.header.state.to_string().to_lowercase(),
            })
        });
        entries
            .filter(|entry| entry.destination.is_some() || entry.state == "permanent")
            .collect()
    })
}

fn each_neighbour(messages: &[RouteNetlinkMessage]) -> impl Iterator<Item = &NeighbourMessage> {
    messages.iter().filter_map(|message| match message {
        RouteNetlinkMessage::NewNeighbour(message) => Some(message),
        _ => None,
    })
}

fn neighbour_parts(message: &NeighbourMessage) -> (Option<IpAddr>, Option<String>) {
    let mut parts = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => {
                parts.0 = Some((*address).into());
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => {
                parts.0 = Some((*address).into());
            }
            NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) => {
                parts.0 = address_of_bytes(bytes);
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => parts.1 = mac(bytes),
            _ => {}
        }
    }
    parts
}

/// In the family `AF_BRIDGE` the library does not know the kind of an address; its length tells.
fn address_of_bytes(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}
