//! How rules stand in findings.

use std::ops::RangeInclusive;

use netmodel::rules::{Decider, Owner, View};
use report::Evidence;

use super::{Firewall, Leg};
use crate::shell::{on_node, word};

/// The ways that packets take, in words: as few as there are to be said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    to: Vec<String>,
    from: Vec<String>,
    outward: bool,
}

impl Way {
    pub(crate) fn add(&mut self, leg: Leg<'_>) {
        let (list, node) = match leg {
            Leg::Outward => {
                self.outward = true;
                return;
            }
            Leg::ToPods(node) => (&mut self.to, node),
            Leg::FromPods(node) => (&mut self.from, node),
        };
        if !list.iter().any(|known| known == node) {
            list.push(node.to_owned());
        }
    }

    /// As `what its pods send to pods of node2, and what comes from there`.
    pub(crate) fn text(&self) -> String {
        let of = |nodes: &[String]| {
            let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
            format!("pods of {}", joined(&names))
        };
        let mut parts = Vec::new();
        if self.to == self.from && !self.to.is_empty() {
            parts.push(format!("between its pods and {}", of(&self.to)));
        } else {
            if !self.to.is_empty() {
                parts.push(format!("from its pods to {}", of(&self.to)));
            }
            if !self.from.is_empty() {
                parts.push(format!("from {} to its pods", of(&self.from)));
            }
        }
        if self.outward {
            parts.push("from its pods out of the cluster".to_owned());
        }
        parts.join(" and ")
    }
}

/// As `a, b and c`; of many, the first and how many more.
pub(crate) fn joined(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [several @ .., last] if several.len() < 5 => format!("{} and {last}", several.join(", ")),
        [first, second, third, rest @ ..] => format!("{first}, {second}, {third} and {} more", rest.len()),
        [..] => names.join(", "),
    }
}

/// As `of 1401 bytes and more`.
pub(crate) fn widths(ranges: &[RangeInclusive<u32>]) -> String {
    let parts: Vec<String> = ranges
        .iter()
        .map(|range| match (*range.start(), *range.end()) {
            // The length of an IP packet is a number of 16 bits.
            (first, last) if last >= 65_535 => format!("{first} bytes and more"),
            (0, last) => format!("up to {last} bytes"),
            (first, last) => format!("{first} to {last} bytes"),
        })
        .collect();
    format!("of {}", parts.join(" or "))
}

/// The rule as it is, what it does, how often it was come to, and the command that shows it again.
pub(crate) fn evidence(firewall: &Firewall<'_>, by: &Decider<'_>, does: &str) -> Evidence {
    let counted = match (firewall.rise(by), by.rule.and_then(|rule| rule.counters)) {
        (Some(rise), _) => format!("; {rise} packets came to it during the probes"),
        (None, Some(counters)) if counters.packets > 0 => {
            format!("; {} packets came to it so far", counters.packets)
        }
        (None, _) => String::new(),
    };
    let command = on_node(firewall.name(), &[&by.command()]);
    Evidence::command(format!("{by} {does}{counted}"), command)
}

/// What to do about a rule or policy that stops what the cluster needs. Ends in a command.
pub(crate) fn repair(node: &str, by: &Decider<'_>, interface: Option<&str>) -> String {
    let interface = interface.unwrap_or("cni0");
    match (by.owner(), by.rule, by.deletion()) {
        (Owner::Firewalld, ..) => {
            let command = format!(
                "firewall-cmd --zone=trusted --add-interface={interface} --permanent && firewall-cmd --reload"
            );
            format!(
                "let firewalld trust the pods' interfaces, also the tunnel's: `{}`",
                on_node(node, &[&command])
            )
        }
        (Owner::Ufw, ..) => {
            let command = format!("ufw route allow in on {interface}");
            format!(
                "let ufw forward for the pods, also out on {interface}: `{}`",
                on_node(node, &[&command])
            )
        }
        (Owner::Foreign, Some(_), Some(deletion)) => format!(
            "no part of the cluster made this rule; delete it, if nobody needs it, or put an exception before it: `{}`",
            on_node(node, &[&deletion])
        ),
        (Owner::Foreign, None, _) if by.view == View::IptablesLegacy => {
            let command = format!("iptables-legacy -t {} -P {} ACCEPT", by.table.name, by.chain.name);
            format!(
                "nothing of the cluster lives in the legacy tables, so nothing there accepts for it: `{}`",
                on_node(node, &[&command])
            )
        }
        (Owner::Foreign, None, _) => {
            let looks = format!("{}; ls /etc/cni/net.d", by.command());
            format!(
                "a chain may drop by default as long as the network plugin's accepting rules are in it; restart the plugin's \
                 pod on {node}, which writes them: `{}`",
                on_node(node, &[&looks])
            )
        }
        (owner, ..) => format!(
            "the rule belongs to {}; look there for why, and do not delete it by hand: `{}`",
            owner.name(),
            on_node(node, &[&by.command()])
        ),
    }
}

/// As `20 %`; below one percent with one more digit.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 1.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// The command that starts a node's kube-proxy anew, which then writes all of its rules.
pub(crate) fn restart(node: &str) -> String {
    format!(
        "kubectl -n kube-system delete pod -l k8s-app=kube-proxy --field-selector {}",
        word(&format!("spec.nodeName={node}"))
    )
}
