//! kube-proxy, node by node.

use std::collections::BTreeMap;

use observation::{HttpAnswer, KubeProxy, Node, ProxyLook, ProxyLooks, ProxyPod};
use report::{Gap, Observed, Subject};

use crate::firewall::joined;
use crate::shell::word;
use crate::view::View;

/// What is known of kube-proxy of the nodes that were asked about.
#[derive(Debug)]
pub(crate) struct Proxies<'a> {
    pub(crate) facts: &'a KubeProxy,
    /// Of Linux nodes, by their names.
    pub(crate) nodes: Vec<Proxy<'a>>,
}

/// kube-proxy of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proxy<'a> {
    pub(crate) node: &'a Node,
    /// Its pod there, the youngest that is not being deleted.
    pub(crate) pod: Option<&'a ProxyPod>,
    /// What it said; `None` where it was not to be asked.
    pub(crate) said: Option<&'a Observed<ProxyLooks>>,
}

impl<'a> Proxies<'a> {
    /// `None` where kube-proxy was not asked about, and the gap where its nodes are not known.
    pub(crate) fn of(view: &View<'a>) -> Option<Result<Self, &'a Gap>> {
        let facts = view.observation.kube_proxy.as_deref()?;
        let nodes = match &view.observation.nodes {
            Observed::Seen(nodes) => nodes,
            Observed::Unseen(gap) => return Some(Err(gap)),
        };
        let mut by_node: BTreeMap<&str, Vec<&ProxyPod>> = BTreeMap::new();
        for pod in facts.pods.seen().into_iter().flatten() {
            if let Some(node) = &pod.node {
                by_node.entry(node).or_default().push(pod);
            }
        }
        let is_asked = |node: &&Node| {
            let only = facts.only.as_ref();
            node.operating_system == "linux" && only.is_none_or(|only| only.contains(&node.name))
        };
        let of_node = |node: &'a Node| {
            let pods = by_node.get(node.name.as_str()).into_iter().flatten().copied();
            Proxy {
                node,
                pod: pods.max_by_key(|pod| (pod.deleted.is_none(), &pod.created)),
                said: facts.nodes.get(&node.name),
            }
        };
        Some(Ok(Self {
            facts,
            nodes: nodes.iter().filter(is_asked).map(of_node).collect(),
        }))
    }

    /// What does all the work of kube-proxy, where no pod of kube-proxy is and something is known to.
    pub(crate) fn replaced(&self) -> Option<String> {
        let has_none = self.facts.pods.seen().is_some_and(Vec::is_empty);
        let answers = self.nodes.iter().any(|proxy| proxy.mode().is_some());
        if !has_none || answers {
            return None;
        }
        let whole = self.facts.replacements.seen().into_iter().flatten();
        let names: Vec<&str> = whole
            .filter(|it| it.is_whole)
            .map(|it| it.name.as_str())
            .collect();
        (!names.is_empty()).then(|| joined(&names))
    }

    /// Whether kube-proxy was to be asked on its nodes.
    pub(crate) fn are_asked(&self) -> bool {
        !self.facts.nodes.is_empty()
    }

    /// The command that shows the pods.
    pub(crate) fn show(&self) -> String {
        let pod = self.facts.pods.seen().and_then(|pods| pods.first());
        let namespace = pod.map_or("kube-system", |pod| pod.namespace.as_str());
        format!(
            "kubectl -n {} get pods -l k8s-app=kube-proxy -o wide",
            word(namespace)
        )
    }
}

impl<'a> Proxy<'a> {
    pub(crate) fn name(&self) -> &'a str {
        &self.node.name
    }

    /// Its pod, or where there is none its node.
    pub(crate) fn subject(&self) -> Subject {
        Subject::node(self.name())
    }

    /// What it said at first, and what at last, where it was asked.
    pub(crate) fn looks(&self) -> Option<(&'a ProxyLook, &'a ProxyLook)> {
        let looks = self.said?.seen()?;
        Some((&looks.first, looks.second.as_ref().unwrap_or(&looks.first)))
    }

    /// Why it was not asked, where it was to be.
    pub(crate) fn gap(&self) -> Option<&'a Gap> {
        self.said?.gap()
    }

    /// The mode that it says it is in.
    pub(crate) fn mode(&self) -> Option<&'a str> {
        let (first, last) = self.looks()?;
        [last, first].into_iter().find_map(|look| match &look.mode {
            HttpAnswer::Answered {
                status: 200, body, ..
            } => Some(body.trim()),
            _ => None,
        })
    }

    /// Whether the node's agent runs kube-proxy in its own process, so that there is no pod: k3s does.
    pub(crate) fn is_in_process(&self) -> bool {
        self.node.kubelet_version.contains("+k3s")
    }

    /// Whether the kubelet of the node reports what becomes of its pods.
    pub(crate) fn is_reported(&self) -> bool {
        self.node
            .ready
            .as_ref()
            .is_none_or(|ready| ready.status == "True")
    }

    /// The command that deletes its pod, which starts it anew.
    pub(crate) fn restart(&self) -> Option<String> {
        let pod = self.pod?;
        Some(format!(
            "kubectl -n {} delete pod {}",
            word(&pod.namespace),
            word(&pod.name)
        ))
    }
}
