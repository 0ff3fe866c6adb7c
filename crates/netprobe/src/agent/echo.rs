//! ICMP echo packets, as values.

/// Behind the header, so that a reply to somebody else's echo with the same id is told apart.
const PAYLOAD: usize = 56;
const HEAD: usize = 8;
/// No reply to one of our requests is longer, with the longest IPv4 header before it.
pub(crate) const LONGEST: usize = 60 + HEAD + PAYLOAD;

/// One echo request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) is_ipv6: bool,
    pub(crate) id: u16,
    pub(crate) sequence: u16,
    pub(crate) nonce: u64,
}

impl Echo {
    const fn request_type(&self) -> u8 {
        if self.is_ipv6 { 128 } else { 8 }
    }

    const fn reply_type(&self) -> u8 {
        if self.is_ipv6 { 129 } else { 0 }
    }

    /// The packet without an IP header. The kernel computes the checksum of ICMPv6, which covers addresses, and
    /// everything of an unprivileged socket.
    pub(crate) fn request(&self) -> Vec<u8> {
        let mut packet = Vec::with_capacity(HEAD + PAYLOAD);
        packet.extend_from_slice(&[self.request_type(), 0, 0, 0]);
        packet.extend_from_slice(&self.id.to_be_bytes());
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&self.nonce.to_be_bytes());
        packet.resize(HEAD + PAYLOAD, 0);
        if !self.is_ipv6 {
            let sum = checksum(&packet).to_be_bytes();
            packet[2..4].copy_from_slice(&sum);
        }
        packet
    }

    /// Whether this ICMP message, without an IP header, is the reply to this request.
    pub(crate) fn is_answered_by(&self, message: &[u8]) -> bool {
        let nonce = message.get(HEAD..HEAD + 8);
        self.has_head(message, self.reply_type()) && nonce == Some(&self.nonce.to_be_bytes()[..])
    }

    /// Whether what an ICMP error quotes is this request. A router may quote no more than its head.
    pub(crate) fn is_quoted_by(&self, quoted: &[u8]) -> bool {
        let nonce = quoted.get(HEAD..HEAD + 8);
        self.has_head(quoted, self.request_type())
            && nonce.is_none_or(|nonce| nonce == self.nonce.to_be_bytes().as_slice())
    }

    fn has_head(&self, message: &[u8], kind: u8) -> bool {
        let [id_high, id_low] = self.id.to_be_bytes();
        let [sequence_high, sequence_low] = self.sequence.to_be_bytes();
        match message.get(..HEAD) {
            Some([first, 0, _, _, rest @ ..]) => {
                *first == kind && rest == [id_high, id_low, sequence_high, sequence_low]
            }
            _ => false,
        }
    }
}

/// What follows the IPv4 header that a raw socket delivers; nothing when that is cut off.
pub(crate) fn without_ipv4_header(packet: &[u8]) -> &[u8] {
    let length = packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4);
    packet.get(length..).unwrap_or(&[])
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in packet.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while let Some(carry) = u16::try_from(sum >> 16).ok().filter(|carry| *carry != 0) {
        sum = (sum & 0xffff) + u32::from(carry);
    }
    // The loop has left no carry.
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn echo() -> impl Strategy<Value = Echo> {
        (any::<bool>(), any::<u16>(), any::<u16>(), any::<u64>()).prop_map(
            |(is_ipv6, id, sequence, nonce)| Echo {
                is_ipv6,
                id,
                sequence,
                nonce,
            },
        )
    }

    fn reply(echo: &Echo) -> Vec<u8> {
        let mut packet = echo.request();
        packet[0] = echo.reply_type();
        packet
    }

    proptest! {
        #[test]
        fn only_the_own_reply_answers(echo in echo(), other in echo()) {
            prop_assert!(echo.is_answered_by(&reply(&echo)));
            prop_assert!(!echo.is_answered_by(&echo.request()));
            prop_assert_eq!(echo.is_answered_by(&reply(&other)), echo == other);
        }

        #[test]
        fn only_the_own_request_is_quoted(echo in echo(), other in echo(), length in 8_usize..64) {
            prop_assert!(echo.is_quoted_by(&echo.request()[..length]));
            prop_assume!(echo.id != other.id || echo.sequence != other.sequence || echo.is_ipv6 != other.is_ipv6);
            prop_assert!(!echo.is_quoted_by(&other.request()[..length]));
        }

        #[test]
        fn the_checksum_of_a_whole_packet_is_zero(echo in echo()) {
            let echo = Echo { is_ipv6: false, ..echo };
            prop_assert_eq!(checksum(&echo.request()), 0);
        }

        #[test]
        fn garbage_never_panics(echo in echo(), bytes in any::<Vec<u8>>()) {
            let message = without_ipv4_header(&bytes);
            prop_assert!(!echo.is_answered_by(message) || message.len() >= 16);
            let _ = echo.is_quoted_by(&bytes);
            let _ = checksum(&bytes);
        }
    }
}
