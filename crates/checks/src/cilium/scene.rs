//! Cilium as its checks read it.

use observation::{Cilium, CiliumNode, Cni, CniAgent, Node};
use report::Evidence;

use crate::shell::word;
use crate::view::View;

/// What is known of Cilium.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) cni: &'a Cni,
    pub(crate) cilium: &'a Cilium,
    /// The nodes of the cluster; `None` where they were not seen.
    pub(crate) nodes: Option<&'a [Node]>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(view: &View<'a>, cni: &'a Cni, cilium: &'a Cilium) -> Self {
        Self {
            cni,
            cilium,
            nodes: view.observation.nodes.seen().map(Vec::as_slice),
        }
    }

    /// Pods of one component.
    pub(crate) fn agents(&self, component: &str) -> impl Iterator<Item = &'a CniAgent> {
        let all = self.cilium.agents.seen().into_iter().flatten();
        all.filter(move |agent| agent.component == component)
    }

    /// Whether only objects are left of a Cilium that was here.
    pub(crate) fn is_left_over(&self) -> bool {
        self.cilium.agents.seen().is_some_and(Vec::is_empty)
    }

    /// A setting of `cilium-config`, where it says one.
    pub(crate) fn setting(&self, key: &str) -> Option<&'a str> {
        let config = self.cilium.config.seen()?.as_ref()?;
        config.get(key).map(String::as_str)
    }

    /// Who gives addresses away: `cluster-pool` where nothing else is said.
    pub(crate) fn ipam(&self) -> &'a str {
        self.setting("ipam").unwrap_or("cluster-pool")
    }

    /// The namespace of the agents.
    pub(crate) fn namespace(&self) -> &'a str {
        self.agents("cilium")
            .next()
            .map_or("kube-system", |agent| agent.namespace.as_str())
    }

    /// The agent of a node.
    pub(crate) fn agent_of(&self, node: &str) -> Option<&'a CniAgent> {
        self.agents("cilium")
            .find(|agent| agent.node.as_deref() == Some(node))
    }

    /// A fact of a CiliumNode.
    pub(crate) fn fact(fact: impl Into<String>, node: &CiliumNode) -> Evidence {
        let name = word(&node.name);
        Evidence::command(fact, format!("kubectl get ciliumnodes.cilium.io {name} -o yaml"))
    }

    /// A command in the agent of a node.
    pub(crate) fn in_agent(&self, node: &str, command: &str) -> String {
        let name = self
            .agent_of(node)
            .map_or("CILIUM-POD", |agent| agent.name.as_str());
        format!(
            "kubectl -n {} exec {} -c cilium-agent -- {command}",
            word(self.namespace()),
            word(name)
        )
    }

    /// The command that has a node's agent started anew.
    pub(crate) fn restart(&self, node: &str) -> Option<String> {
        let agent = self.agent_of(node)?;
        Some(format!(
            "kubectl -n {} delete pod {}",
            word(&agent.namespace),
            word(&agent.name)
        ))
    }
}
