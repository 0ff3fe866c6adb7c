use std::fmt;

use super::object::{IpBlock, PolicyRef};
use super::port::Port;
use super::selector::Requirement;

/// What policies say about a flow, on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The source's side.
    pub egress: DirectionVerdict,
    /// The destination's side.
    pub ingress: DirectionVerdict,
}

/// What one side says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectionVerdict {
    /// Policies have nothing to say here, whatever they select.
    Exempt(Exemption),
    /// No policy isolates the pod for this direction.
    NotIsolated,
    /// This is what allows it; others may, too.
    Allowed {
        /// Which policy.
        policy: PolicyRef,
        /// Which item of `ingress` or `egress`, from 0.
        rule: usize,
        /// Which item of `from` or `to`, from 0; `None` where there is none, and everybody is meant.
        peer: Option<usize>,
        /// Which item of `ports`, from 0; `None` where there is none, and every port is meant.
        port: Option<usize>,
    },
    /// The pod is isolated, and nothing allows the flow.
    Denied {
        /// The policies that isolate it.
        isolating: Vec<PolicyRef>,
        /// Why each rule does not cover the flow, the closest miss first.
        misses: Vec<Miss>,
    },
    /// The pod is isolated, nothing allows the flow for certain, and something may.
    Unknown {
        /// The policies that isolate it.
        isolating: Vec<PolicyRef>,
        /// What could not be decided, each a clause.
        why: Vec<String>,
    },
}

/// Why policies have nothing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// A pod always reaches itself.
    SamePod,
    /// A node always reaches the pods that run on it: kubelets probe them.
    OwnNode,
    /// The pod uses its node's network, where policies do not apply.
    HostNetwork,
    /// This end is no pod.
    NotAPod,
}

/// A rule that does not cover the flow, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// Whose rule.
    pub policy: PolicyRef,
    /// Which one, from 0; `None` for a policy without any.
    pub rule: Option<usize>,
    /// Why not.
    pub why: MissReason,
}

/// Why a rule does not cover a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissReason {
    /// The policy has no rule for this direction: it allows nothing.
    NoRules,
    /// A peer of the rule is meant, and none of its ports is the flow's.
    Port {
        /// The rule's ports.
        allowed: Vec<Port>,
        /// The names among them that the destination does not declare for the protocol.
        undeclared: Vec<String>,
    },
    /// No peer of the rule is meant.
    Peer {
        /// Why not, for each peer.
        peers: Vec<PeerMiss>,
        /// Whether its ports would have covered the flow.
        port_matches: bool,
    },
}

/// Why an item of `from` or `to` does not mean the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerMiss {
    /// Without a namespaceSelector only pods of the policy's own namespace are meant.
    OtherNamespace,
    /// The labels of its namespace do not meet these; whether those of the pod would, is said too.
    NamespaceLabels {
        /// What is not met.
        unmet: Vec<Requirement>,
        /// Whether the podSelector beside it, if any, selects the pod.
        pod_matches: bool,
    },
    /// The labels of the pod do not meet these; its namespace is meant.
    PodLabels {
        /// What is not met.
        unmet: Vec<Requirement>,
    },
    /// The address is not in the block, or is excepted.
    OutsideBlock {
        /// The block.
        block: IpBlock,
    },
    /// Selectors mean pods, and the other end is none.
    NotAPod,
    /// Selectors do not mean pods with `hostNetwork`: their packets come from a node's address.
    HostNetwork,
}

/// What both sides come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing stands in the way.
    Allowed,
    /// One side denies it.
    Denied,
    /// No side denies it, and one could not be decided.
    Unknown,
}

impl Verdict {
    /// What both sides come to: each must allow.
    pub fn outcome(&self) -> Outcome {
        match (self.egress.outcome(), self.ingress.outcome()) {
            (Outcome::Denied, _) | (_, Outcome::Denied) => Outcome::Denied,
            (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
            (Outcome::Allowed, Outcome::Allowed) => Outcome::Allowed,
        }
    }
}

impl DirectionVerdict {
    /// What this side comes to.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Exempt(_) | Self::NotIsolated | Self::Allowed { .. } => Outcome::Allowed,
            Self::Denied { .. } => Outcome::Denied,
            Self::Unknown { .. } => Outcome::Unknown,
        }
    }
}

impl Miss {
    /// How little is missing: more is closer. A peer that is meant with the wrong port is closest.
    pub(super) fn closeness(&self) -> u8 {
        match &self.why {
            MissReason::NoRules => 0,
            MissReason::Port { .. } => 4,
            MissReason::Peer { peers, port_matches } => {
                let one_label = peers.iter().any(|peer| match peer {
                    PeerMiss::NamespaceLabels { pod_matches, .. } => *pod_matches,
                    PeerMiss::PodLabels { unmet } => unmet.len() == 1,
                    PeerMiss::OtherNamespace
                    | PeerMiss::OutsideBlock { .. }
                    | PeerMiss::NotAPod
                    | PeerMiss::HostNetwork => false,
                });
                1 + u8::from(*port_matches) + u8::from(*port_matches && one_label)
            }
        }
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SamePod => "a pod always reaches itself",
            Self::OwnNode => "a node always reaches the pods that run on it",
            Self::HostNetwork => "it uses its node's network, where policies do not apply",
            Self::NotAPod => "it is no pod, and policies select pods",
        })
    }
}

/// A clause: `its ports are TCP 80`.
impl fmt::Display for MissReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRules => f.write_str("it has no rule for this direction, so it allows nothing"),
            Self::Port { allowed, undeclared } => {
                let ports: Vec<String> = allowed.iter().map(ToString::to_string).collect();
                write!(f, "the peer is allowed, but only to {}", ports.join(", "))?;
                match undeclared.as_slice() {
                    [] => Ok(()),
                    names => write!(f, "; the pod declares no port named {}", names.join(", ")),
                }
            }
            Self::Peer { peers, .. } => {
                for (index, peer) in peers.iter().enumerate() {
                    if index > 0 {
                        f.write_str("; ")?;
                    }
                    write!(f, "{peer}")?;
                }
                Ok(())
            }
        }
    }
}

/// A clause: `its labels lack app=web`.
impl fmt::Display for PeerMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |unmet: &[Requirement]| {
            let unmet: Vec<String> = unmet.iter().map(ToString::to_string).collect();
            unmet.join(",")
        };
        match self {
            Self::OtherNamespace => {
                f.write_str("a podSelector alone means pods of the policy's own namespace, and the other end is in another")
            }
            Self::NamespaceLabels { unmet, .. } => {
                write!(f, "the labels of its namespace do not meet {}", list(unmet))
            }
            Self::PodLabels { unmet } => write!(f, "its labels do not meet {}", list(unmet)),
            Self::OutsideBlock { block } => write!(f, "its address is not in {block}"),
            Self::NotAPod => f.write_str("selectors mean pods, and the other end is none"),
            Self::HostNetwork => f.write_str("selectors do not mean pods with hostNetwork: they have their node's address"),
        }
    }
}
