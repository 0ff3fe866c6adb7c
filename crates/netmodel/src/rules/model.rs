use std::collections::BTreeMap;
use std::fmt;

use super::action::Action;
use super::counters::Counters;
use super::test::Match;

/// Who showed the rules. The kernel applies all of them, but no one command prints more than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// `iptables-save` or `ip6tables-save` of the nf_tables back end, which is also what plain `iptables` usually is.
    IptablesNft,
    /// `iptables-legacy-save` or `ip6tables-legacy-save`.
    IptablesLegacy,
    /// `nft -j list ruleset`, without the tables that iptables manages.
    Nft,
}

impl View {
    /// The command that lists these rules again, for IPv4.
    pub fn command(self) -> &'static str {
        match self {
            Self::IptablesNft => "iptables-save",
            Self::IptablesLegacy => "iptables-legacy-save",
            Self::Nft => "nft list ruleset",
        }
    }
}

/// The address family of a table. It says which packets the table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// IPv4 and IPv6.
    Inet,
    /// ARP.
    Arp,
    /// Frames that a bridge forwards.
    Bridge,
    /// Packets at one network device.
    Netdev,
}

impl Family {
    /// Reads what nft calls it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ip" => Self::Ip,
            "ip6" => Self::Ip6,
            "inet" => Self::Inet,
            "arp" => Self::Arp,
            "bridge" => Self::Bridge,
            "netdev" => Self::Netdev,
            _ => return None,
        })
    }

    /// What nft calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Arp => "arp",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A point on the way of a packet through the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// As it comes from a device, before anything else.
    Ingress,
    /// Before it is routed.
    Prerouting,
    /// For this host.
    Input,
    /// Through this host.
    Forward,
    /// From this host.
    Output,
    /// About to leave.
    Postrouting,
    /// As it goes to a device, after anything else.
    Egress,
}

impl Hook {
    /// Reads what nft calls it; iptables writes the same in capitals.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "ingress" => Self::Ingress,
            "prerouting" => Self::Prerouting,
            "input" => Self::Input,
            "forward" => Self::Forward,
            "output" => Self::Output,
            "postrouting" => Self::Postrouting,
            "egress" => Self::Egress,
            _ => return None,
        })
    }
}

/// What a chain may do, which also says when it is passed: only the first packet of a connection sees a `Nat` chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// `type filter`, and the tables raw, mangle, filter and security of iptables.
    Filter,
    /// `type nat`.
    Nat,
    /// `type route`: the OUTPUT chain of mangle.
    Route,
}

/// What becomes of packets that come to the end of a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// They go on.
    Accept,
    /// They are gone.
    Drop,
}

/// Where a base chain hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The point on a packet's way.
    pub hook: Hook,
    /// Lower comes first.
    pub priority: i64,
    /// What it may do.
    pub kind: ChainKind,
    /// What becomes of packets at its end.
    pub policy: Policy,
    /// The devices of a chain of the family netdev; otherwise empty.
    pub devices: Vec<String>,
}

/// Something that a rule does, in the order in which it does it.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Go on with this rule only for packets that match.
    Match(Match),
    /// Do this.
    Do(Action),
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What it does. A rule of iptables has all its matches first and one action at the end, or none.
    pub steps: Vec<Step>,
    /// How often it was applied, where that was printed.
    pub counters: Option<Counters>,
    /// The rule as it was printed: for iptables the line from `-A` on, without counters; for nft its statements in nft's
    /// own language.
    pub text: String,
    /// Its comment, if it has one.
    pub comment: Option<String>,
    /// What `nft delete rule` wants; `None` for iptables.
    pub handle: Option<u64>,
}

impl Rule {
    /// What it does, without its matches.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().filter_map(|step| match step {
            Step::Do(action) => Some(action),
            Step::Match(_) => None,
        })
    }

    /// What it asks of a packet.
    pub fn matches(&self) -> impl Iterator<Item = &Match> {
        self.steps.iter().filter_map(|step| match step {
            Step::Match(wanted) => Some(wanted),
            Step::Do(_) => None,
        })
    }

    /// The chains that it sends packets to.
    pub fn targets(&self) -> Vec<&str> {
        self.actions().flat_map(Action::chains).collect()
    }
}

/// One chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// As `FORWARD` or `KUBE-SERVICES`.
    pub name: String,
    /// Where it hangs; `None` for a chain that other rules must send packets to.
    pub base: Option<Base>,
    /// Of the policy, where printed.
    pub counters: Option<Counters>,
    /// In the order in which they are tried.
    pub rules: Vec<Rule>,
}

/// One table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Which packets it sees.
    pub family: Family,
    /// As `nat`.
    pub name: String,
    /// By name.
    pub chains: BTreeMap<String, Chain>,
}

/// The rules that one command showed.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSet {
    /// Which command.
    pub view: View,
    /// In the order in which they were printed.
    pub tables: Vec<Table>,
    /// What could not be read: one line each, for people. Where there is any, absence proves nothing.
    pub unread: Vec<String>,
}

impl RuleSet {
    /// Whether there is no chain with a rule and no base chain that drops: rules that do nothing.
    pub fn is_inert(&self) -> bool {
        self.chains().all(|(_, chain)| {
            chain.rules.is_empty()
                && chain
                    .base
                    .as_ref()
                    .is_none_or(|base| base.policy == Policy::Accept)
        })
    }

    /// All chains with their tables.
    pub fn chains(&self) -> impl Iterator<Item = (&Table, &Chain)> {
        self.tables
            .iter()
            .flat_map(|table| table.chains.values().map(move |chain| (table, chain)))
    }

    /// A table of this family and name.
    pub fn table(&self, family: Family, name: &str) -> Option<&Table> {
        self.tables
            .iter()
            .find(|table| table.family == family && table.name == name)
    }
}
