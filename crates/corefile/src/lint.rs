//! What CoreDNS starts with and should not, and what it would not start with.

mod blocks;
mod forwarding;
mod known;
mod plugins;
mod refusals;

use std::net::IpAddr;

use report::Severity;

use crate::ast::Corefile;
use crate::error::Place;
use crate::sources::Sources;
use crate::version::Version;

/// What is known beside the Corefile. Where something is not known, lints that need it stay silent.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The version that runs it. Without it, what depends on the version is not looked at.
    pub version: Option<Version>,
    /// A version that is to run it later: what it would refuse is said as a warning.
    pub next_version: Option<Version>,
    /// Whether the image is CoreDNS' own, so that a plugin that CoreDNS does not have cannot be there.
    pub stock_image: bool,
    /// What the Corefile is for.
    pub role: Role,
    /// The domain that kubelets put into the search lists of pods, usually `cluster.local`.
    pub cluster_domain: Option<String>,
    /// The addresses of the DNS Service.
    pub service_addresses: Vec<IpAddr>,
    /// The addresses of the pods that run this Corefile.
    pub pod_addresses: Vec<IpAddr>,
    /// The nameservers of the file that `/etc/resolv.conf` is in the container, if it was read.
    pub resolv_conf: Option<Vec<IpAddr>>,
    /// The port of the liveness probe, if there is one.
    pub liveness_port: Option<u16>,
    /// The port of the readiness probe, if there is one.
    pub readiness_port: Option<u16>,
    /// The files and variables that the Corefile was read with.
    pub sources: Sources,
}

/// What a Corefile is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The DNS of the cluster, behind the DNS Service.
    #[default]
    Cluster,
    /// NodeLocal DNSCache: it has no `kubernetes` on purpose, and forwards to the DNS of the cluster.
    NodeLocal,
}

/// One thing to say about a Corefile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The check that it belongs to: `dns-cf-…`.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Where it stands; the head of the block where something is missing.
    pub place: Place,
    /// What is wrong and why that matters, as one sentence.
    pub why: String,
    /// What to change, safe to paste.
    pub fix: String,
    /// The upstream that it is about, where it is about one.
    pub upstream: Option<IpAddr>,
}

/// Looks at a Corefile. In the order of its lines, the worst first within a line.
pub fn lint(corefile: &Corefile, facts: &Facts) -> Vec<Lint> {
    let mut found = Found {
        corefile,
        facts,
        lints: Vec::new(),
    };
    refusals::look(&mut found);
    blocks::look(&mut found);
    forwarding::look(&mut found);
    plugins::look(&mut found);
    found.lints.sort_by(|one, other| {
        (&one.place, std::cmp::Reverse(one.severity)).cmp(&(&other.place, std::cmp::Reverse(other.severity)))
    });
    found.lints.dedup();
    found.lints
}

/// What is looked at, and what was found so far.
struct Found<'a> {
    corefile: &'a Corefile,
    facts: &'a Facts,
    lints: Vec<Lint>,
}

impl<'a> Found<'a> {
    /// The blocks that CoreDNS serves.
    fn blocks(&self) -> impl Iterator<Item = &'a crate::ServerBlock> + use<'a> {
        self.corefile.blocks.iter().filter(|block| !block.keys.is_empty())
    }

    /// The domain of the cluster with its final dot, as kubelets have it, else as is usual.
    fn domain(&self) -> String {
        crate::value::normal_name(self.facts.cluster_domain.as_deref().unwrap_or("cluster.local"))
    }

    fn error(&mut self, id: &'static str, place: Place, why: impl Into<String>, fix: impl Into<String>) {
        self.add(id, Severity::Error, place, why.into(), fix.into());
    }

    fn warn(&mut self, id: &'static str, place: Place, why: impl Into<String>, fix: impl Into<String>) {
        self.add(id, Severity::Warning, place, why.into(), fix.into());
    }

    fn note(&mut self, id: &'static str, place: Place, why: impl Into<String>, fix: impl Into<String>) {
        self.add(id, Severity::Note, place, why.into(), fix.into());
    }

    /// Says of the last what was found which upstream it is about.
    fn of_upstream(&mut self, address: IpAddr) {
        if let Some(last) = self.lints.last_mut() {
            last.upstream = Some(address);
        }
    }

    fn add(&mut self, id: &'static str, severity: Severity, place: Place, why: String, fix: String) {
        self.lints.push(Lint {
            id,
            severity,
            place,
            why,
            fix,
            upstream: None,
        });
    }
}

/// Whether the zone is the other one or lies below it. Both with their final dots and in lower case.
fn is_within(zone: &str, other: &str) -> bool {
    other == "." || zone == other || zone.strip_suffix(other).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
