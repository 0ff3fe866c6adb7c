//! A DNS message, as far as a diagnosis needs it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use netprobe::Outcome;
use simple_dns::rdata::RData;
use simple_dns::{Name, Packet, PacketFlag, ResourceRecord};

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The response code: 0 no error, 2 server failure, 3 no such name, 5 refused.
    pub rcode: u8,
    /// Whether it was cut (the flag TC).
    pub truncated: bool,
    /// Whether it comes from who has the zone (the flag AA); `None` where the message was not brought back whole.
    pub authoritative: Option<bool>,
    /// The size of answers over UDP that the server says it takes, with EDNS.
    pub edns: Option<u16>,
    /// The answers, in their order. Without the whole message only addresses, with names and times to live unknown.
    pub answers: Vec<Record>,
    /// The names of the zones whose SOA stands in the authority section: who says that there is no such name.
    pub authorities: Vec<String>,
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose record it is, without a final dot; empty where that is not known.
    pub name: String,
    /// How long it may be kept, in seconds, where that is known.
    pub ttl: Option<u32>,
    /// What it says.
    pub data: RecordData,
}

/// What a record says. Names are in lower case and without their final dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordData {
    /// A or AAAA.
    Address(IpAddr),
    /// CNAME: another name stands for it.
    Alias(String),
    /// PTR.
    Pointer(String),
    /// SRV.
    Service {
        /// The port.
        port: u16,
        /// Who serves it.
        target: String,
    },
    /// A record of another type, by its number.
    Other(u16),
}

impl Reply {
    /// What an attempt brought back; `None` when no DNS server answered. A message that cannot be read is no answer beyond its code and
    /// its addresses.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let Outcome::Dns {
            rcode,
            addresses,
            truncated,
            message,
            ..
        } = outcome
        else {
            return None;
        };
        let whole = (!message.is_empty())
            .then(|| STANDARD.decode(message).ok())
            .flatten()
            .and_then(|bytes| Self::read(&bytes));
        let unnamed = |address: &IpAddr| Record {
            name: String::new(),
            ttl: None,
            data: RecordData::Address(*address),
        };
        Some(whole.unwrap_or_else(|| Self {
            rcode: *rcode,
            truncated: *truncated,
            authoritative: None,
            edns: None,
            answers: addresses.iter().map(unnamed).collect(),
            authorities: Vec::new(),
        }))
    }

    /// Reads a message; `None` when it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let packet = Packet::parse(bytes).ok()?;
        let soa = |record: &ResourceRecord<'_>| matches!(record.rdata, RData::SOA(_));
        Some(Self {
            // The four bits of the header: what EDNS adds says nothing that is told here.
            rcode: bytes.get(3)? & 0x0f,
            truncated: packet.has_flags(PacketFlag::TRUNCATION),
            authoritative: Some(packet.has_flags(PacketFlag::AUTHORITATIVE_ANSWER)),
            edns: packet.opt().map(|opt| opt.udp_packet_size),
            answers: packet.answers.iter().map(record).collect(),
            authorities: packet
                .name_servers
                .iter()
                .filter(|record| soa(record))
                .map(|record| plain(&record.name))
                .collect(),
        })
    }

    /// The addresses among the answers.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let addresses = self.answers.iter().filter_map(|record| match record.data {
            RecordData::Address(address) => Some(address),
            _ => None,
        });
        addresses.collect()
    }

    /// The names that the name asked for leads to, one after the other.
    pub fn aliases(&self) -> Vec<&str> {
        let aliases = self.answers.iter().filter_map(|record| match &record.data {
            RecordData::Alias(name) => Some(name.as_str()),
            _ => None,
        });
        aliases.collect()
    }
}

fn record(record: &ResourceRecord<'_>) -> Record {
    let data = match &record.rdata {
        RData::A(a) => RecordData::Address(Ipv4Addr::from(a.address).into()),
        RData::AAAA(aaaa) => RecordData::Address(Ipv6Addr::from(aaaa.address).into()),
        RData::CNAME(name) => RecordData::Alias(plain(&name.0)),
        RData::PTR(name) => RecordData::Pointer(plain(&name.0)),
        RData::SRV(srv) => RecordData::Service {
            port: srv.port,
            target: plain(&srv.target),
        },
        other => RecordData::Other(other.type_code().into()),
    };
    Record {
        name: plain(&record.name),
        ttl: Some(record.ttl),
        data,
    }
}

fn plain(name: &Name<'_>) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer with an alias, an address of it, and a port.
    fn message() -> Vec<u8> {
        let mut bytes = vec![0, 7, 0x85, 0x80, 0, 1, 0, 3, 0, 0, 0, 1];
        bytes.extend(b"\x03Web\x04shop\0\0\x01\0\x01");
        bytes.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x04\x01x\xc0\x10");
        bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, 1]);
        bytes.extend(b"\xc0\x0c\0\x21\0\x01\0\0\0\x05\0\x08\0\0\0\x64\0\x50\xc0\x0c");
        bytes.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn a_message_is_read_with_its_flags_and_records() {
        let reply = Reply::read(&message()).unwrap();
        assert_eq!((reply.rcode, reply.truncated), (0, false));
        assert_eq!((reply.authoritative, reply.edns), (Some(true), Some(1232)));
        assert_eq!(reply.aliases(), ["x.shop"]);
        assert_eq!(reply.addresses(), [IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(
            (reply.answers[1].name.as_str(), reply.answers[1].ttl),
            ("web.shop", Some(30))
        );
        assert_eq!(
            reply.answers[2].data,
            RecordData::Service {
                port: 80,
                target: "web.shop".to_owned()
            }
        );
    }

    #[test]
    fn without_the_message_the_addresses_are_what_is_known() {
        let outcome = |message: String| Outcome::Dns {
            rtt_us: 1,
            rcode: 0,
            addresses: vec![[10, 0, 0, 9].into()],
            truncated: true,
            message,
        };
        for garbage in [String::new(), "no base64".to_owned(), STANDARD.encode(b"short")] {
            let reply = Reply::of(&outcome(garbage)).unwrap();
            assert_eq!(reply.addresses(), [IpAddr::from([10, 0, 0, 9])]);
            assert!(reply.truncated && reply.authoritative.is_none());
        }
        let whole = Reply::of(&outcome(STANDARD.encode(message()))).unwrap();
        assert_eq!(whole.addresses(), [IpAddr::from([10, 0, 0, 1])]);
        assert_eq!(Reply::of(&Outcome::TimedOut { after_us: 1 }), None);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = Reply::read(&bytes);
        }

        #[test]
        fn a_damaged_message_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = message();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            let _ = Reply::read(&bytes);
        }
    }
}
