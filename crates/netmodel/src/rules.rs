//! Packet filter rules: what iptables and nftables print, and what those rules do to a packet.
//!
//! A node can hold rules in three places at once, and a packet passes all of them: the tables of `iptables-nft`, those of
//! `iptables-legacy`, and tables that `nft` or a daemon made. Each is read into a [`RuleSet`] of its own ([`View`]), because
//! no one command shows all of them. [`walk`] then sends a [`Packet`] through the chains of one hook.
//!
//! What cannot be decided from text alone (an ipset, a random share, an unknown module) is neither a match nor a mismatch:
//! the walk follows both ways and says on what each of them rests.

mod action;
mod counters;
mod decider;
mod iptables;
mod kube_proxy;
mod matching;
mod model;
mod nft;
mod node;
mod owner;
mod packet;
mod test;
mod values;
mod walk;
mod words;

pub use action::{Action, Mss};
pub use counters::Counters;
pub use decider::Decider;
pub use iptables::parse_iptables_save;
pub use kube_proxy::{
    Ahead, BentEndpoint, CANARY, DeadEnd, Diversion, Diverted, MarkFault, MarkFaultKind, NAT_HOOKS, PathEnd,
    ProxyHook, ProxyMode, RefusedPort, ServicePath, ServicePort, UnevenShares, ahead_of_services,
    bent_endpoints, dead_ends, external_ports, lost_canaries, mark_faults, masquerade_bit,
    masquerades_every_client, missing_hooks, missing_nft_hooks, others_with_bit, proxy_modes, refused_ports,
    service_path, service_ports, uneven_shares,
};
pub use matching::Truth;
pub use model::{Base, Chain, ChainKind, Family, Hook, Policy, Rule, RuleSet, Step, Table, View};
pub use nft::{NftError, parse_nft_json};
pub use node::{NodeRules, SourceTranslation};
pub use owner::{Owner, owner_of_chain, owner_of_rule};
pub use packet::{Mark, Packet, State, protocol};
pub use test::{Bits, Match, Test};
pub use values::{AddressRange, Pattern};
pub use walk::{Effect, Outcome, Stop, StopKind, Walk, walk};
