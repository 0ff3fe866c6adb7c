//! The kernel's tables out of netlink messages.

mod message;
mod routes;
#[cfg(all(test, target_os = "linux"))]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use netprobe::ReadOutcome;
use observation::{ForwardingEntry, InterfaceAddress, Link, LinkCounters, Neighbour, Vxlan};
use report::Observed;

use super::{Answers, id};
use message::{Attributes, Kind, Message};
pub(super) use routes::{routes, rules};

/// The bytes of one dump.
fn dump(answers: &Answers<'_>, id: u32, what: &str) -> Observed<Vec<u8>> {
    let base64 = match answers.outcome(id, what) {
        Observed::Seen(ReadOutcome::Netlink { base64 }) => base64,
        Observed::Seen(_) => {
            return Observed::Unseen(answers.gap(what, "another answer than a table of the kernel"));
        }
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    match STANDARD.decode(base64) {
        Ok(bytes) => Observed::Seen(bytes),
        Err(error) => Observed::Unseen(answers.gap(what, &error.to_string())),
    }
}

/// What `read` makes of each message of one kind in a dump.
fn each<T>(
    answers: &Answers<'_>,
    (id, what): (u32, &str),
    kind: Kind,
    read: impl Fn(&Message<'_>) -> Option<T>,
) -> Observed<Vec<T>> {
    let bytes = match dump(answers, id, what) {
        Observed::Seen(bytes) => bytes,
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    match Message::all(&bytes, kind) {
        Ok(messages) => Observed::Seen(messages.iter().filter_map(read).collect()),
        Err(error) => Observed::Unseen(answers.gap(what, &error)),
    }
}

/// Device names by index.
pub(super) struct Names(BTreeMap<u32, String>);

impl Names {
    pub(super) fn read(answers: &Answers<'_>) -> Self {
        let names = each(answers, (id::LINKS, "links"), Kind::Link, |message| {
            Some((link_index(message), message.attributes.text(IFLA_IFNAME)?))
        });
        Self(names.seen().into_iter().flatten().cloned().collect())
    }

    fn of(&self, index: u32) -> String {
        self.0
            .get(&index)
            .cloned()
            .unwrap_or_else(|| format!("if{index}"))
    }
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

/// Attributes of a link, in its message and in those that are nested there.
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_LINK: u16 = 3;
const IFLA_VXLAN_LOCAL: u16 = 4;
const IFLA_VXLAN_LEARNING: u16 = 7;
const IFLA_VXLAN_PORT: u16 = 15;
const IFLA_VXLAN_LOCAL6: u16 = 17;

fn link_index(message: &Message<'_>) -> u32 {
    message.word(4)
}

pub(super) fn links(answers: &Answers<'_>) -> Observed<Vec<Link>> {
    let addresses = each(answers, (id::ADDRESSES, "addresses"), Kind::Address, address);
    let addresses = match addresses {
        Observed::Seen(addresses) => addresses,
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    let names = Names::read(answers);
    each(answers, (id::LINKS, "links"), Kind::Link, |message| {
        let mut link = link(message, &names)?;
        let own = addresses.iter().filter(|(index, _)| *index == link.index);
        link.addresses = own.map(|(_, address)| address.clone()).collect();
        Some(link)
    })
}

/// An address, and the index of the link that has it.
fn address(message: &Message<'_>) -> Option<(u32, InterfaceAddress)> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    // On a link to one peer the first is the peer's, and the second ours.
    let local = message.attributes.address(IFA_LOCAL);
    let address = local.or_else(|| message.attributes.address(IFA_ADDRESS))?;
    let prefix = message.byte(1);
    Some((message.word(4), InterfaceAddress { address, prefix }))
}

fn link(message: &Message<'_>, names: &Names) -> Option<Link> {
    const IFF_UP: u32 = 1;
    const IFF_LOWER_UP: u32 = 1 << 16;
    let attributes = &message.attributes;
    let info = attributes.nested(IFLA_LINKINFO).unwrap_or_default();
    let kind = info.text(IFLA_INFO_KIND);
    let is_vxlan = kind.as_deref() == Some("vxlan");
    let is_bridge_port = info.text(IFLA_INFO_SLAVE_KIND).as_deref() == Some("bridge");
    let data = info.nested(IFLA_INFO_DATA).filter(|_| is_vxlan);
    let port = info.nested(IFLA_INFO_SLAVE_DATA).filter(|_| is_bridge_port);
    let flags = message.word(8);
    Some(Link {
        name: attributes.text(IFLA_IFNAME)?,
        index: link_index(message),
        kind,
        up: flags & IFF_UP != 0,
        carrier: flags & IFF_LOWER_UP != 0,
        operstate: operstate(attributes.get(IFLA_OPERSTATE)),
        mtu: attributes.word(IFLA_MTU).unwrap_or_default(),
        mac: attributes.get(IFLA_ADDRESS).and_then(mac),
        master: attributes.word(IFLA_MASTER).map(|index| names.of(index)),
        lower: attributes.word(IFLA_LINK),
        addresses: Vec::new(),
        vxlan: data.map(|data| vxlan(&data, names)),
        hairpin: port.and_then(|port| port.flag(IFLA_BRPORT_MODE)),
        counters: counters(attributes),
    })
}

fn operstate(value: Option<&[u8]>) -> String {
    const STATES: [&str; 7] = [
        "unknown",
        "notpresent",
        "down",
        "lowerlayerdown",
        "testing",
        "dormant",
        "up",
    ];
    let Some(number) = value.and_then(<[u8]>::first) else {
        return "unknown".to_owned();
    };
    let known = STATES.get(usize::from(*number));
    known.map_or_else(|| number.to_string(), |state| (*state).to_owned())
}

/// `struct rtnl_link_stats64`.
fn counters(attributes: &Attributes<'_>) -> LinkCounters {
    let count = |index| attributes.long(IFLA_STATS64, index);
    LinkCounters {
        rx_packets: count(0).unwrap_or_default(),
        tx_packets: count(1).unwrap_or_default(),
        rx_bytes: count(2),
        tx_bytes: count(3),
        rx_errors: count(4).unwrap_or_default(),
        tx_errors: count(5).unwrap_or_default(),
        rx_dropped: count(6).unwrap_or_default(),
        tx_dropped: count(7).unwrap_or_default(),
        rx_missed: count(15),
    }
}

fn vxlan(data: &Attributes<'_>, names: &Names) -> Vxlan {
    let local = data.address(IFLA_VXLAN_LOCAL);
    let device = data.word(IFLA_VXLAN_LINK).filter(|index| *index != 0);
    Vxlan {
        vni: data.word(IFLA_VXLAN_ID).unwrap_or_default(),
        port: data.port(IFLA_VXLAN_PORT).unwrap_or_default(),
        local: local.or_else(|| data.address(IFLA_VXLAN_LOCAL6)),
        device: device.map(|index| names.of(index)),
        learning: data.flag(IFLA_VXLAN_LEARNING).unwrap_or_default(),
    }
}

/// Attributes of neighbours and forwarding entries.
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;

pub(super) fn neighbours(answers: &Answers<'_>, names: &Names) -> Observed<Vec<Neighbour>> {
    each(
        answers,
        (id::NEIGHBOURS, "neighbours"),
        Kind::Neighbour,
        |message| {
            Some(Neighbour {
                address: message.attributes.address(NDA_DST)?,
                device: names.of(message.word(4)),
                mac: message.attributes.get(NDA_LLADDR).and_then(mac),
                state: neighbour_state(message.short(8)),
            })
        },
    )
}

pub(super) fn forwarding(answers: &Answers<'_>, names: &Names) -> Observed<Vec<ForwardingEntry>> {
    each(
        answers,
        (id::FORWARDING, "forwarding databases"),
        Kind::Neighbour,
        |message| {
            let entry = ForwardingEntry {
                mac: message.attributes.get(NDA_LLADDR).and_then(mac)?,
                device: names.of(message.word(4)),
                destination: message.attributes.address(NDA_DST),
                state: neighbour_state(message.short(8)),
            };
            Some(entry).filter(|entry| entry.destination.is_some() || entry.state == "permanent")
        },
    )
}

/// As `ip neighbour` names it, in lower case.
fn neighbour_state(number: u16) -> String {
    let name = match number {
        0 => "none",
        0x01 => "incomplete",
        0x02 => "reachable",
        0x04 => "stale",
        0x08 => "delay",
        0x10 => "probe",
        0x20 => "failed",
        0x40 => "noarp",
        0x80 => "permanent",
        _ => return number.to_string(),
    };
    name.to_owned()
}
