//! As much of DNS (RFC 1035, RFC 3596) as one question and the addresses of its answer need.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use netprobe::Outcome;

use super::failure::micros;

const HEADER: usize = 12;
const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;
const OPT: u8 = 41;
/// So many addresses are kept.
const MOST_ADDRESSES: usize = 16;
/// The longest name on the wire, with the lengths of its labels and the root's.
const LONGEST_NAME: usize = 255;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) rcode: u8,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) truncated: bool,
}

/// What some bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The answer to the question with this id.
    Answer(Reply),
    /// A DNS answer to another question.
    Another,
    /// No DNS answer.
    Foreign,
}

/// A query with recursion desired, and with EDNS for answers of `edns` bytes unless that is 0; `None` when the text is no
/// name.
pub(crate) fn encode_query(id: u16, name: &str, qtype: u16, edns: u16) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEADER + name.len() + 17);
    bytes.extend_from_slice(&id.to_be_bytes());
    // Recursion desired; one question, and at most the record of EDNS.
    bytes.extend_from_slice(&[0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(edns > 0)]);
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels = (!name.is_empty()).then(|| name.split('.'));
    for label in labels.into_iter().flatten() {
        let length = u8::try_from(label.len())
            .ok()
            .filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    if bytes.len() - HEADER > LONGEST_NAME {
        return None;
    }
    bytes.extend_from_slice(&qtype.to_be_bytes());
    bytes.extend_from_slice(&INTERNET.to_be_bytes());
    if edns > 0 {
        let [high, low] = edns.to_be_bytes();
        bytes.extend_from_slice(&[0, 0, OPT, high, low, 0, 0, 0, 0, 0, 0]);
    }
    Some(bytes)
}

/// What a query came to, with the message that was read where it is wanted whole.
pub(crate) fn answered(reply: Reply, message: &[u8], whole: bool, after: Duration) -> Outcome {
    Outcome::Dns {
        rtt_us: micros(after),
        rcode: reply.rcode,
        addresses: reply.addresses,
        truncated: reply.truncated,
        message: if whole {
            STANDARD.encode(message)
        } else {
            String::new()
        },
    }
}

/// Reads what came back. Records that cannot be read end the list of addresses: a server that cuts its answer does so
/// anywhere.
pub(crate) fn decode(bytes: &[u8], id: u16) -> Message {
    let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else {
        return Message::Foreign;
    };
    let [
        id_high,
        id_low,
        flags_high,
        flags_low,
        qd_high,
        qd_low,
        an_high,
        an_low,
        ..,
    ] = *header;
    if flags_high & 0x80 == 0 {
        return Message::Foreign;
    }
    if u16::from_be_bytes([id_high, id_low]) != id {
        return Message::Another;
    }
    let questions = u16::from_be_bytes([qd_high, qd_low]);
    let answers = u16::from_be_bytes([an_high, an_low]);
    let mut reader = Reader { bytes, at: HEADER };
    Message::Answer(Reply {
        rcode: flags_low & 0x0f,
        addresses: reader.addresses(questions, answers),
        truncated: flags_high & 0x02 != 0,
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn addresses(&mut self, questions: u16, answers: u16) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for _ in 0..questions {
            if self.skip_name().and_then(|()| self.skip(4)).is_none() {
                return addresses;
            }
        }
        for _ in 0..answers {
            if self.record(&mut addresses).is_none() {
                break;
            }
            if addresses.len() >= MOST_ADDRESSES {
                break;
            }
        }
        addresses
    }

    /// Adds the address of the next record, where it has one; `None` when there is no whole record.
    fn record(&mut self, addresses: &mut Vec<IpAddr>) -> Option<()> {
        self.skip_name()?;
        let kind = self.number()?;
        let class = self.number()?;
        self.skip(4)?;
        let length = usize::from(self.number()?);
        let data = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        match (kind, class) {
            (A, INTERNET) => addresses.push(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into()),
            (AAAA, INTERNET) => addresses.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into()),
            _ => {}
        }
        Some(())
    }

    /// Steps over a name. A pointer ends it, wherever it points: what it points to is not needed.
    fn skip_name(&mut self) -> Option<()> {
        loop {
            match *self.bytes.get(self.at)? {
                0 => return self.skip(1),
                length if length < 64 => self.skip(1 + usize::from(length))?,
                pointer if pointer >= 0xc0 => return self.skip(2),
                _ => return None,
            }
        }
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        let at = self.at.checked_add(count)?;
        (at <= self.bytes.len()).then(|| self.at = at)
    }

    fn number(&mut self) -> Option<u16> {
        let pair = self.bytes.get(self.at..self.at + 2)?;
        self.at += 2;
        Some(u16::from_be_bytes(pair.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The query, turned into its own answer with these records.
    fn answered(flags: [u8; 2], records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = encode_query(7, "web.shop.svc.cluster.local.", A, 0).unwrap();
        bytes[2..4].copy_from_slice(&flags);
        bytes[7] = u8::try_from(records.len()).unwrap();
        for (kind, data) in records {
            bytes.extend_from_slice(&[0xc0, 12]);
            bytes.extend_from_slice(&kind.to_be_bytes());
            bytes.extend_from_slice(&[0, 1, 0, 0, 0, 5, 0, u8::try_from(data.len()).unwrap()]);
            bytes.extend_from_slice(data);
        }
        bytes
    }

    #[test]
    fn a_name_is_asked_for_label_by_label() {
        let bytes = encode_query(0x1234, "a.bc", AAAA, 0).unwrap();
        assert_eq!(
            bytes,
            [
                0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, b'a', 2, b'b', b'c', 0, 0, 28, 0, 1
            ]
        );
        assert_eq!(encode_query(0x1234, "a.bc.", AAAA, 0), Some(bytes.clone()));
        assert!(encode_query(1, ".", A, 0).is_some(), "the root is a name");
        let mut sized = bytes;
        sized[11] = 1;
        sized.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encode_query(0x1234, "a.bc", AAAA, 1232), Some(sized));
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        let long = "a".repeat(64);
        let deep = vec!["abcdefg"; 40].join(".");
        for name in ["a..b", ".a", long.as_str(), deep.as_str()] {
            assert_eq!(encode_query(1, name, A, 0), None, "{name}");
        }
    }

    #[test]
    fn addresses_are_read_past_other_records() {
        let six = [0xfd; 16];
        let bytes = answered(
            [0x81, 0x80],
            &[(5, b"\x01x\x00"), (A, &[10, 0, 0, 1]), (AAAA, &six)],
        );
        let expected = Reply {
            rcode: 0,
            addresses: vec![[10, 0, 0, 1].into(), six.into()],
            truncated: false,
        };
        assert_eq!(decode(&bytes, 7), Message::Answer(expected));
    }

    #[test]
    fn a_refusal_and_a_cut_answer_are_answers() {
        let Message::Answer(reply) = decode(&answered([0x81, 0x83], &[]), 7) else {
            panic!("no answer")
        };
        assert_eq!((reply.rcode, reply.truncated), (3, false));
        let mut cut = answered([0x83, 0x80], &[(A, &[10, 0, 0, 1]), (A, &[10, 0, 0, 2])]);
        cut.truncate(cut.len() - 3);
        let Message::Answer(reply) = decode(&cut, 7) else {
            panic!("no answer")
        };
        assert!(reply.truncated);
        assert_eq!(reply.addresses.len(), 1);
    }

    #[test]
    fn a_query_and_another_answer_are_no_answer() {
        assert_eq!(decode(&answered([0x01, 0x00], &[]), 7), Message::Foreign);
        assert_eq!(decode(&answered([0x81, 0x80], &[]), 8), Message::Another);
        assert_eq!(decode(b"HTTP/1.1", 7), Message::Foreign);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>(), id in any::<u16>()) {
            let _ = decode(&bytes, id);
        }

        #[test]
        fn a_damaged_answer_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            let mut bytes = answered([0x81, 0x80], &[(A, &[10, 0, 0, 1]), (5, b"\x01x\x00")]);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len() + 1));
            let _ = decode(&bytes, 7);
        }

        #[test]
        fn any_text_is_a_name_or_none(name in ".{0,300}") {
            let _ = encode_query(1, &name, A, 0);
        }
    }
}
