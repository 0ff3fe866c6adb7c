//! What a `fault.yaml` says.

use std::fmt;

use anyhow::{Result, bail, ensure};
use lab::{Options, ProxyMode};
use serde::Deserialize;

use crate::facts::{self, Facts};

/// One way in which a cluster is broken, or a healthy cluster that looks odd.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Fault {
    /// As `N-01`: also the folder's name.
    pub(crate) id: String,
    /// What is broken, as one would say it.
    pub(crate) title: String,
    /// Whose field it is.
    pub(crate) plugin: Plugin,
    /// The lab it needs.
    #[serde(default)]
    pub(crate) lab: Needs,
    /// Files of `workloads/` without their ending, applied before anything else.
    #[serde(default = "web")]
    pub(crate) workloads: Vec<String>,
    /// What breaks it, in this order. Empty for a cluster that is healthy as it is.
    #[serde(default)]
    pub(crate) inject: Vec<Step>,
    /// What must have come true before anybody looks.
    #[serde(default)]
    pub(crate) settle: Vec<Condition>,
    /// What holds while the fault is there and only then. A fault that does not show them was not injected.
    #[serde(default)]
    pub(crate) symptom: Vec<Condition>,
    /// Whether the symptoms are still there after the plugin has looked. Not so where looking repairs.
    #[serde(default = "yes")]
    pub(crate) lasts: bool,
    /// What undoes it, in this order. May be run more than once, and on a cluster that is healthy.
    #[serde(default)]
    pub(crate) heal: Vec<Step>,
    /// What is run, after `kubectl`; what the plugin is usually asked where nothing is said.
    command: Option<String>,
    /// What it must say.
    pub(crate) expected: Expected,
    /// Why it cannot be found yet. It counts as missed all the same.
    pub(crate) pending: Option<String>,
    /// What was seen on the lab where it differs from what one would expect.
    pub(crate) seen: Option<String>,
}

impl Fault {
    /// What is run, after `kubectl`.
    pub(crate) fn command(&self) -> &str {
        self.command.as_deref().unwrap_or(match self.plugin {
            Plugin::Netcheck => "netcheck diagnose --node-access",
            Plugin::Epcheck => "epcheck svc web -n faults --node-access",
            Plugin::Dnscheck => "dnscheck diagnose",
            Plugin::Cnicheck => "cnicheck diagnose --node-access",
        })
    }
}

/// The plugin whose field a fault is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Plugin {
    Netcheck,
    Dnscheck,
    Epcheck,
    Cnicheck,
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Netcheck => "netcheck",
            Self::Dnscheck => "dnscheck",
            Self::Epcheck => "epcheck",
            Self::Cnicheck => "cnicheck",
        })
    }
}

/// The lab that a fault needs; three nodes with iptables and policies where nothing is said.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Needs {
    pub(crate) nodes: u8,
    pub(crate) proxy_mode: ProxyMode,
    pub(crate) dual_stack: bool,
    pub(crate) network_policy: bool,
}

impl Default for Needs {
    fn default() -> Self {
        Self {
            nodes: 3,
            proxy_mode: ProxyMode::Iptables,
            dual_stack: false,
            network_policy: true,
        }
    }
}

impl Needs {
    /// Whether a lab that was started with these options will do.
    pub(crate) fn met_by(&self, options: &Options) -> bool {
        (self.nodes, self.proxy_mode, self.dual_stack, self.network_policy)
            == (
                options.nodes,
                options.proxy_mode,
                options.dual_stack,
                options.network_policy,
            )
    }

    /// What to give to `cargo lab up`.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let mut words = vec![format!("--nodes={}", self.nodes)];
        if self.proxy_mode == ProxyMode::Nftables {
            words.push("--proxy-mode=nftables".to_owned());
        }
        if self.dual_stack {
            words.push("--dual-stack".to_owned());
        }
        if !self.network_policy {
            words.push("--no-network-policy".to_owned());
        }
        words
    }
}

/// Where a script runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum On {
    /// As root on this node.
    Node(String),
    /// On every node, one after the other.
    Nodes,
    /// On the router, where the control plane runs.
    ControlPlane,
    /// Outside of the cluster.
    Outside,
    /// On this machine, with kubectl as the cluster's administrator.
    Api,
}

impl TryFrom<String> for On {
    type Error = anyhow::Error;

    fn try_from(word: String) -> Result<Self> {
        Ok(match word.as_str() {
            "nodes" => Self::Nodes,
            "control-plane" => Self::ControlPlane,
            "outside" => Self::Outside,
            "api" => Self::Api,
            node if node
                .strip_prefix("node")
                .is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number > 0)) =>
            {
                Self::Node(word)
            }
            _ => bail!("{word:?} is no place: use node1, node2, …, nodes, control-plane, outside or api"),
        })
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node(name) => name,
            Self::Nodes => "nodes",
            Self::ControlPlane => "control-plane",
            Self::Outside => "outside",
            Self::Api => "api",
        })
    }
}

/// A script that must succeed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Step {
    pub(crate) on: On,
    /// For bash, after `prelude.sh`. `{{…}}` stands for a fact.
    pub(crate) run: String,
}

/// A script that is tried until it succeeds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Condition {
    pub(crate) on: On,
    /// As [`Step::run`].
    pub(crate) run: String,
    /// In seconds.
    #[serde(default = "patience")]
    pub(crate) within: u64,
    /// Not asked before the fault is injected, because it may hold then too (a loss that comes and goes).
    #[serde(default)]
    pub(crate) also_when_healthy: bool,
}

/// What the report must say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Expected {
    /// Any of these.
    pub(crate) verdict: OneOrMore<Verdict>,
    /// The root causes: all of them, in any order. Empty for a healthy cluster.
    #[serde(default)]
    pub(crate) causes: Vec<ExpectedCause>,
    /// Ids of checks (`net-mtu`, `dns-*`) and subjects (`node/node2`) that must be neither a root cause nor an
    /// error; `id@subject` for both at once.
    #[serde(default)]
    pub(crate) forbidden: Vec<String>,
}

/// One root cause.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ExpectedCause {
    /// The id of the check that decides it.
    pub(crate) check: String,
    /// Ids that say the same about this fault.
    #[serde(default)]
    pub(crate) acceptable: Vec<String>,
    /// Any of these, as the report prints it; `*` stands for anything.
    pub(crate) subject: OneOrMore<String>,
}

/// A verdict of a report.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Skipped,
    Pass,
    Warn,
    Unknown,
    Fail,
}

/// One value or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    pub(crate) fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

impl Expected {
    /// The same with facts in place of placeholders.
    pub(crate) fn filled(&self, facts: &Facts) -> Result<Self> {
        let mut filled = self.clone();
        for text in filled.patterns() {
            *text = facts.fill(text)?;
        }
        Ok(filled)
    }

    /// Everything that may hold placeholders.
    fn patterns(&mut self) -> impl Iterator<Item = &mut String> {
        let subjects = self.causes.iter_mut().flat_map(|cause| match &mut cause.subject {
            OneOrMore::One(one) => std::slice::from_mut(one),
            OneOrMore::More(more) => more.as_mut_slice(),
        });
        subjects.chain(&mut self.forbidden)
    }
}

impl Fault {
    /// Reads a `fault.yaml`.
    ///
    /// # Errors
    /// When it has a field that there is none of, lacks one, or says something that cannot be meant.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let fault: Self = serde_saphyr::from_str(text)?;
        fault.check()?;
        Ok(fault)
    }

    /// Whether nothing is wrong with such a cluster.
    pub(crate) fn is_control(&self) -> bool {
        self.expected.causes.is_empty()
    }

    /// Every script of it.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &str> {
        let steps = self.inject.iter().chain(&self.heal).map(|step| &step.run);
        let conditions = self.settle.iter().chain(&self.symptom).map(|one| &one.run);
        steps.chain(conditions).map(String::as_str)
    }

    fn check(&self) -> Result<()> {
        ensure!(!self.title.is_empty(), "no title");
        ensure!(
            self.inject.is_empty() == self.heal.is_empty(),
            "what is injected must be healed, and nothing else"
        );
        ensure!(
            self.inject.is_empty() || !self.symptom.is_empty(),
            "without a symptom nobody knows whether it was injected"
        );
        ensure!(!self.expected.verdict.all().is_empty(), "no verdict is expected");
        if self.is_control() {
            ensure!(
                !self.expected.verdict.all().contains(&Verdict::Fail),
                "a failure without a cause"
            );
        }
        for script in self.scripts() {
            facts::placeholders(script)?;
        }
        Ok(())
    }
}

fn web() -> Vec<String> {
    vec!["web".to_owned()]
}

fn yes() -> bool {
    true
}

fn patience() -> u64 {
    15
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULT: &str = "
id: N-01
title: a node does not forward
plugin: netcheck
inject: [{on: node1, run: 'true'}]
symptom: [{on: node1, run: 'true'}]
heal: [{on: nodes, run: 'true'}]
expected:
  verdict: fail
  causes: [{check: net-ipfwd, subject: node/node1}]
";

    #[test]
    fn a_fault_without_more_needs_the_usual_lab_and_workload() {
        let fault = Fault::parse(FAULT).unwrap();
        assert_eq!(fault.lab, Needs::default());
        assert_eq!(fault.workloads, ["web"]);
        assert_eq!(fault.command(), "netcheck diagnose --node-access");
        assert!(fault.lasts && !fault.is_control());
    }

    #[test]
    fn an_unknown_field_is_refused_at_every_level() {
        for (from, to) in [
            ("title:", "colour: red\ntitle:"),
            ("on: node1,", "on: node1, sudo: true,"),
            ("  verdict:", "  blame: nobody\n  verdict:"),
            ("check: net-ipfwd,", "check: net-ipfwd, node: node1,"),
        ] {
            let text = FAULT.replacen(from, to, 1);
            assert_ne!(text, FAULT);
            let error = Fault::parse(&text).unwrap_err().to_string();
            assert!(error.contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn an_unknown_place_is_refused() {
        for place in ["node", "node0", "master", "nodeX"] {
            let error = Fault::parse(&FAULT.replace("on: node1", &format!("on: {place}"))).unwrap_err();
            assert!(format!("{error:#}").contains("is no place"), "{error:#}");
        }
    }

    #[test]
    fn what_is_injected_must_be_healed() {
        let text = FAULT.replace("heal: [{on: nodes, run: 'true'}]", "heal: []");
        assert!(Fault::parse(&text).is_err());
    }

    #[test]
    fn a_fault_must_show_that_it_was_injected() {
        let text = FAULT.replace("symptom: [{on: node1, run: 'true'}]", "symptom: []");
        let error = Fault::parse(&text).unwrap_err().to_string();
        assert!(error.contains("without a symptom"), "{error}");
    }

    #[test]
    fn a_failure_needs_a_cause() {
        let text = FAULT.replace("  causes: [{check: net-ipfwd, subject: node/node1}]\n", "");
        assert!(Fault::parse(&text).is_err());
        assert!(Fault::parse(&text.replace("verdict: fail", "verdict: [pass, warn]")).is_ok());
    }

    #[test]
    fn what_a_lab_must_be_becomes_the_arguments_of_up() {
        let text = format!("{FAULT}lab: {{nodes: 2, proxyMode: nftables, networkPolicy: false}}\n");
        let needs = Fault::parse(&text).unwrap().lab;
        assert_eq!(
            needs.arguments(),
            ["--nodes=2", "--proxy-mode=nftables", "--no-network-policy"]
        );
    }
}
