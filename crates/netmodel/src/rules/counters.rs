/// How often a rule or a policy was applied, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Counters {
    /// Reads `[packets:bytes]`, as `iptables-save -c` prints it.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let (packets, bytes) = word.strip_prefix('[')?.strip_suffix(']')?.split_once(':')?;
        Some(Self {
            packets: packets.parse().ok()?,
            bytes: bytes.parse().ok()?,
        })
    }
}
