//! Messages of a dump, taken apart by the numbers that Linux has for everything in them.
//!
//! Those numbers are the node's, and a plugin also runs where the same names have other ones: `AF_INET6` is 10 on Linux
//! and 30 on a Mac. So nothing here comes from the C library of the machine that reads. Nodes are little-endian, all of them.

use std::net::IpAddr;

use netlink_packet_core::{
    NLA_HEADER_SIZE, NetlinkBuffer, NlasIterator, parse_ip, parse_string, parse_u16_be, parse_u32_le,
    parse_u64_le,
};

/// `RTM_NEW…`: what a message says is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Kind {
    Link = 16,
    Address = 20,
    Route = 24,
    Neighbour = 28,
    Rule = 32,
}

impl Kind {
    /// How long the part of fixed length is that stands before the attributes.
    fn header_length(self) -> usize {
        match self {
            Self::Link => 16,
            Self::Address => 8,
            Self::Route | Self::Neighbour | Self::Rule => 12,
        }
    }
}

/// A message of one kind.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    header: &'a [u8],
    pub(super) attributes: Attributes<'a>,
}

impl<'a> Message<'a> {
    /// The messages of this kind. One that cannot be taken apart is no reason to lose the others.
    ///
    /// # Errors
    /// When the lengths in the dump do not add up.
    pub(super) fn all(dump: &'a [u8], kind: Kind) -> Result<Vec<Self>, String> {
        let mut rest = dump;
        let mut messages = Vec::new();
        while rest.len() >= 4 {
            let message = NetlinkBuffer::new_checked(rest).map_err(|_| {
                let length = parse_u32_le(&rest[..4]).unwrap_or_default();
                format!("a message of {length} bytes where {} are left", rest.len())
            })?;
            if message.message_type() == kind as u16 {
                messages.extend(Self::of(message.payload(), kind));
            }
            let length = usize::try_from(message.length()).map_err(|error| error.to_string())?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(messages)
    }

    fn of(payload: &'a [u8], kind: Kind) -> Option<Self> {
        let (header, attributes) = payload.split_at_checked(kind.header_length())?;
        Some(Self {
            header,
            attributes: Attributes::of(attributes)?,
        })
    }

    /// The byte at this place of the header.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.header.get(at).copied().unwrap_or_default()
    }

    /// The two bytes from this place of the header on.
    pub(super) fn short(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.byte(at), self.byte(at + 1)])
    }

    /// The four bytes from this place of the header on.
    pub(super) fn word(&self, at: usize) -> u32 {
        u32::from(self.short(at)) | u32::from(self.short(at + 2)) << 16
    }
}

/// Attributes by number, in the order of the message.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Attributes<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let each = NlasIterator::new(bytes).map(|attribute| {
            let attribute = attribute.ok()?;
            let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
            Some((kind, attribute.into_inner().get(NLA_HEADER_SIZE..length)?))
        });
        each.collect::<Option<_>>().map(Self)
    }

    pub(super) fn get(&self, number: u16) -> Option<&'a [u8]> {
        let found = self.0.iter().find(|(kind, _)| *kind == number);
        found.map(|(_, value)| *value)
    }

    /// Attributes within an attribute.
    pub(super) fn nested(&self, number: u16) -> Option<Self> {
        Self::of(self.get(number)?)
    }

    pub(super) fn flag(&self, number: u16) -> Option<bool> {
        self.get(number)?.first().map(|byte| *byte != 0)
    }

    pub(super) fn word(&self, number: u16) -> Option<u32> {
        parse_u32_le(self.get(number)?).ok()
    }

    /// A port, which travels in the order of the network.
    pub(super) fn port(&self, number: u16) -> Option<u16> {
        parse_u16_be(self.get(number)?).ok()
    }

    /// The number at this index of an array of long ones.
    pub(super) fn long(&self, number: u16, index: usize) -> Option<u64> {
        parse_u64_le(self.get(number)?.get(index * 8..index * 8 + 8)?).ok()
    }

    pub(super) fn text(&self, number: u16) -> Option<String> {
        parse_string(self.get(number)?).ok()
    }

    /// An address of either family: its length tells which.
    pub(super) fn address(&self, number: u16) -> Option<IpAddr> {
        parse_ip(self.get(number)?).ok()
    }
}
