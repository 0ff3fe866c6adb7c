use super::test::Match;

/// The size of TCP segments that a rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mss {
    /// To what the MTU of the route allows.
    PathMtu,
    /// To this many bytes.
    Bytes(u16),
}

/// What a rule does to a packet.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Lets it pass this base chain.
    Accept,
    /// Lets it vanish.
    Drop,
    /// Turns it away and says so; the kind as it was printed: `icmp-host-prohibited`.
    Reject(String),
    /// Back to the chain that it came from.
    Return,
    /// Through another chain, then on with the next rule.
    Jump(String),
    /// Through another chain, then back to where this one was called from.
    Goto(String),
    /// By the first of these groups that fits. Where none does, the next rule is tried.
    Map(Vec<(Vec<Match>, Action)>),
    /// The source becomes an address of the interface that it leaves by.
    Masquerade,
    /// The source becomes this, as printed.
    Snat(String),
    /// The destination becomes one of these, as printed: `10.244.1.7:8080`.
    Dnat(Vec<String>),
    /// The destination becomes this host.
    Redirect,
    /// Not tracked: no DNAT, no SNAT, no established.
    NoTrack,
    /// The packet's mark becomes `(mark & keep) ^ flip`.
    SetMark {
        /// Bits that stay.
        keep: u32,
        /// Bits that are then inverted.
        flip: u32,
    },
    /// The packet's mark becomes something that the rule does not say.
    SetMarkUnread,
    /// The connection's mark changes.
    SetConnectionMark,
    /// TCP's maximum segment size is lowered.
    ClampMss(Mss),
    /// Handed to a program, which decides.
    Queue,
    /// Without consequence for where the packet goes: counting, logging, tracing. As printed.
    Aside(String),
    /// Nothing is known of it, not even whether the packet survives. As printed.
    Unread(String),
}

impl Action {
    /// The chains that it sends packets to.
    pub fn chains(&self) -> Vec<&str> {
        match self {
            Self::Jump(chain) | Self::Goto(chain) => vec![chain],
            Self::Map(entries) => entries.iter().flat_map(|(_, action)| action.chains()).collect(),
            Self::Accept
            | Self::Drop
            | Self::Reject(_)
            | Self::Return
            | Self::Masquerade
            | Self::Snat(_)
            | Self::Dnat(_)
            | Self::Redirect
            | Self::NoTrack
            | Self::SetMark { .. }
            | Self::SetMarkUnread
            | Self::SetConnectionMark
            | Self::ClampMss(_)
            | Self::Queue
            | Self::Aside(_)
            | Self::Unread(_) => Vec::new(),
        }
    }
}
