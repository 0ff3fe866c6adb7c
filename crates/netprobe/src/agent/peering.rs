//! What agents say to each other, over TCP and UDP alike: one question and one answer of a few dozen bytes.
//!
//! Both begin with four bytes that no other protocol begins with, so that whatever else answers on a port is told from
//! an agent by its first byte. Numbers are big endian.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const QUESTION: [u8; 4] = *b"nPr?";
const ANSWER: [u8; 4] = *b"nPr!";
/// Of this exchange, which is between agents of the same build; not the version of the plan.
const VERSION: u8 = 1;

/// Asks for nothing but the answer.
const HELLO: u8 = 1;
/// Announces bytes behind the question, and asks for as many behind the answer.
const BULK: u8 = 2;
/// A datagram among others of the same nonce, padded to any length: asks how many of them have arrived.
const COUNT: u8 = 3;

const SAME_RUN: u8 = 1;
const OTHER_RUN: u8 = 2;
const COUNTED: u8 = 3;

/// The number of a datagram that asks for the count without being counted.
pub(crate) const UNCOUNTED: u64 = u64::MAX;

/// Magic, version, kind, nonce, bytes, length of the run id.
const QUESTION_HEAD: usize = 4 + 1 + 1 + 8 + 8 + 1;
/// Magic, version, kind, nonce, family, address, length of the name.
const ANSWER_HEAD: usize = 4 + 1 + 1 + 8 + 1 + 16 + 1;
/// No question without its padding and no answer is longer.
pub(crate) const LONGEST: usize = ANSWER_HEAD + 255 + COUNTS;
/// The two numbers behind an answer that counts.
const COUNTS: usize = 8 + 8;

/// What the asking agent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Comes back in the answer.
    pub(crate) nonce: u64,
    /// What it asks for besides the answer.
    pub(crate) asks: Asks,
    /// The run of the asking agent, at most 255 bytes.
    pub(crate) run: String,
}

/// What a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// The answer alone.
    Nothing,
    /// So many bytes follow the question, and as many shall follow the answer.
    Bulk(u64),
    /// How many datagrams of this nonce have arrived, this one with its number included unless it is [`UNCOUNTED`].
    Count(u64),
}

/// What the asked agent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is of the same run.
    Peer {
        /// The question's.
        nonce: u64,
        /// Its name, at most 255 bytes.
        name: String,
        /// Where it saw the question come from.
        saw: IpAddr,
    },
    /// The same, to a question for the count.
    Counted {
        /// The question's.
        nonce: u64,
        /// The question's.
        number: u64,
        /// How many datagrams of the nonce have arrived.
        arrived: u64,
        /// Its name, at most 255 bytes.
        name: String,
    },
    /// It is an agent, but of another run, and says no more.
    OtherRun,
}

/// What the bytes that arrived so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded<T> {
    /// All of it, and how many bytes it took.
    Whole(T, usize),
    /// A beginning.
    Partial,
    /// Not what an agent says.
    Foreign,
}

pub(crate) fn encode_question(question: &Question) -> Vec<u8> {
    let run = first_bytes(&question.run);
    let mut bytes = Vec::with_capacity(QUESTION_HEAD + run.len());
    bytes.extend_from_slice(&QUESTION);
    bytes.push(VERSION);
    let (kind, number) = match question.asks {
        Asks::Nothing => (HELLO, 0),
        Asks::Bulk(bytes) => (BULK, bytes),
        Asks::Count(number) => (COUNT, number),
    };
    bytes.push(kind);
    bytes.extend_from_slice(&question.nonce.to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    push_counted(&mut bytes, run);
    bytes
}

pub(crate) fn decode_question(bytes: &[u8]) -> Decoded<Question> {
    let mut reader = Reader::new(bytes);
    let decoded = (|| {
        reader.expect(&QUESTION)?;
        reader.expect(&[VERSION])?;
        let kind = reader.byte()?;
        if ![HELLO, BULK, COUNT].contains(&kind) {
            return Err(Stop::Foreign);
        }
        let nonce = reader.number()?;
        let number = reader.number()?;
        let asks = match kind {
            BULK => Asks::Bulk(number),
            COUNT => Asks::Count(number),
            _ => Asks::Nothing,
        };
        let run = reader.counted()?;
        Ok(Question { nonce, asks, run })
    })();
    reader.decoded(decoded)
}

pub(crate) fn encode_reply(reply: &Reply) -> Vec<u8> {
    let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let (kind, nonce, saw, name) = match reply {
        Reply::Peer { nonce, name, saw } => (SAME_RUN, *nonce, *saw, first_bytes(name)),
        Reply::Counted { nonce, name, .. } => (COUNTED, *nonce, nobody, first_bytes(name)),
        Reply::OtherRun => (OTHER_RUN, 0, nobody, &[][..]),
    };
    let mut bytes = Vec::with_capacity(ANSWER_HEAD + name.len() + COUNTS);
    bytes.extend_from_slice(&ANSWER);
    bytes.push(VERSION);
    bytes.push(kind);
    bytes.extend_from_slice(&nonce.to_be_bytes());
    match saw {
        IpAddr::V4(address) => {
            bytes.push(4);
            bytes.extend_from_slice(&address.octets());
            bytes.extend_from_slice(&[0; 12]);
        }
        IpAddr::V6(address) => {
            bytes.push(6);
            bytes.extend_from_slice(&address.octets());
        }
    }
    push_counted(&mut bytes, name);
    if let Reply::Counted { number, arrived, .. } = reply {
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&arrived.to_be_bytes());
    }
    bytes
}

pub(crate) fn decode_reply(bytes: &[u8]) -> Decoded<Reply> {
    let mut reader = Reader::new(bytes);
    let decoded = (|| {
        reader.expect(&ANSWER)?;
        reader.expect(&[VERSION])?;
        let kind = reader.byte()?;
        if ![SAME_RUN, OTHER_RUN, COUNTED].contains(&kind) {
            return Err(Stop::Foreign);
        }
        let nonce = reader.number()?;
        let family = reader.byte()?;
        let address: [u8; 16] = reader.array()?;
        let saw = match family {
            4 => IpAddr::V4(Ipv4Addr::new(address[0], address[1], address[2], address[3])),
            6 => IpAddr::V6(Ipv6Addr::from(address)),
            _ => return Err(Stop::Foreign),
        };
        let name = reader.counted()?;
        Ok(match kind {
            SAME_RUN => Reply::Peer { nonce, name, saw },
            COUNTED => Reply::Counted {
                nonce,
                number: reader.number()?,
                arrived: reader.number()?,
                name,
            },
            _ => Reply::OtherRun,
        })
    })();
    reader.decoded(decoded)
}

/// What something said that is not an agent, fit for people and for JSON.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    const MOST: usize = 64;
    bytes[..bytes.len().min(MOST)].escape_ascii().to_string()
}

/// The arguments are checked to be shorter than the length that one byte can say.
fn first_bytes(text: &str) -> &[u8] {
    let bytes = text.as_bytes();
    &bytes[..bytes.len().min(usize::from(u8::MAX))]
}

fn push_counted(bytes: &mut Vec<u8>, text: &[u8]) {
    // `first_bytes` has cut it.
    bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    bytes.extend_from_slice(text);
}

enum Stop {
    Partial,
    Foreign,
}

struct Reader<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let taken = self
            .bytes
            .get(self.taken..self.taken + count)
            .ok_or(Stop::Partial)?;
        self.taken += count;
        Ok(taken)
    }

    /// Decides at the first byte that differs, not only when all are there.
    fn expect(&mut self, expected: &[u8]) -> Result<(), Stop> {
        let rest = &self.bytes[self.taken..];
        if rest.iter().zip(expected).any(|(is, should)| is != should) {
            return Err(Stop::Foreign);
        }
        self.take(expected.len()).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.take(N)?.try_into().map_err(|_| Stop::Partial)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Result<u64, Stop> {
        self.array().map(u64::from_be_bytes)
    }

    fn counted(&mut self) -> Result<String, Stop> {
        let count = self.byte()?;
        let text = self.take(usize::from(count))?;
        str::from_utf8(text).map(str::to_owned).map_err(|_| Stop::Foreign)
    }

    fn decoded<T>(&self, decoded: Result<T, Stop>) -> Decoded<T> {
        match decoded {
            Ok(value) => Decoded::Whole(value, self.taken),
            Err(Stop::Partial) => Decoded::Partial,
            Err(Stop::Foreign) => Decoded::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn question() -> impl Strategy<Value = Question> {
        let asks = prop_oneof![
            Just(Asks::Nothing),
            any::<u64>().prop_map(Asks::Bulk),
            any::<u64>().prop_map(Asks::Count),
        ];
        (any::<u64>(), asks, "[a-z0-9-]{0,80}").prop_map(|(nonce, asks, run)| Question { nonce, asks, run })
    }

    fn reply() -> impl Strategy<Value = Reply> {
        prop_oneof![
            (any::<u64>(), "[a-z0-9.-]{0,253}", any::<IpAddr>()).prop_map(|(nonce, name, saw)| Reply::Peer {
                nonce,
                name,
                saw
            }),
            (any::<u64>(), any::<u64>(), any::<u64>(), "[a-z0-9.-]{0,253}").prop_map(
                |(nonce, number, arrived, name)| Reply::Counted {
                    nonce,
                    number,
                    arrived,
                    name
                }
            ),
            Just(Reply::OtherRun),
        ]
    }

    proptest! {
        #[test]
        fn a_question_comes_back_as_it_was(question in question(), rest in any::<Vec<u8>>()) {
            let bytes = encode_question(&question);
            let length = bytes.len();
            prop_assert_eq!(decode_question(&[bytes, rest].concat()), Decoded::Whole(question, length));
        }

        #[test]
        fn a_reply_comes_back_as_it_was(reply in reply(), rest in any::<Vec<u8>>()) {
            let bytes = encode_reply(&reply);
            prop_assert!(bytes.len() <= LONGEST);
            let length = bytes.len();
            prop_assert_eq!(decode_reply(&[bytes, rest].concat()), Decoded::Whole(reply, length));
        }

        #[test]
        fn a_beginning_is_partial_and_never_foreign(question in question(), reply in reply(), cut in any::<prop::sample::Index>()) {
            let bytes = encode_question(&question);
            prop_assert_eq!(decode_question(&bytes[..cut.index(bytes.len())]), Decoded::Partial);
            let bytes = encode_reply(&reply);
            prop_assert_eq!(decode_reply(&bytes[..cut.index(bytes.len())]), Decoded::Partial);
        }

        #[test]
        fn garbage_never_panics(bytes in any::<Vec<u8>>()) {
            let _ = decode_question(&bytes);
            let _ = decode_reply(&bytes);
            prop_assert!(escaped(&bytes).is_ascii());
        }

        #[test]
        fn garbage_behind_a_good_beginning_never_panics(reply in reply(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = encode_reply(&reply);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = decode_reply(&bytes);
        }
    }

    #[test]
    fn other_protocols_are_told_by_their_first_byte() {
        assert_eq!(decode_reply(b"H"), Decoded::Foreign);
        assert_eq!(decode_question(b"GET / HTTP/1.1\r\n"), Decoded::Foreign);
        let echoed = encode_question(&Question {
            nonce: 1,
            asks: Asks::Nothing,
            run: "r".to_owned(),
        });
        assert_eq!(decode_reply(&echoed), Decoded::Foreign);
    }
}
