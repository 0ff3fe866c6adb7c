//! What checks have to be told, so that a run looks at no more than the checks that were asked for need.

use std::collections::BTreeSet;

use super::{CHECKS, Check};

/// One thing to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Probes between the pods of all nodes.
    Mesh,
    /// Links, routes and settings of nodes, which a pod in the node's network reads without rights.
    NodeNetwork,
    /// Rules and files of nodes, which take a privileged pod.
    NodeAccess,
    /// The networks of the pods of nodes, which take a privileged pod too.
    PodNetworks,
    /// Services and their endpoints, and probes of them.
    Services,
    /// Probes of what lies outside of the cluster.
    Egress,
    /// The API server, kubelets, webhooks.
    ControlPlane,
    /// NetworkPolicies, and the pods that they select.
    Policies,
    /// Services and what stands behind them, as the API has it.
    Backends,
    /// kube-proxy: its pods, its configuration, and what it says of itself on each node.
    KubeProxy,
    /// The cluster's DNS, as the API has it.
    Dns,
    /// Tracked connections to Services, entry by entry, which take a privileged pod.
    Tracked,
    /// Questions to DNS servers, and what they say.
    Lookups,
    /// The CNI, as the API has it.
    Cni,
}

impl Need {
    /// As a reader of a list sees it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "probe pods",
            Self::NodeNetwork => "host network",
            Self::NodeAccess | Self::PodNetworks => "node access",
            Self::Services => "services",
            Self::Egress => "egress",
            Self::ControlPlane => "control plane",
            Self::Policies => "policies",
            Self::Backends => "Services and their pods",
            Self::KubeProxy => "kube-proxy",
            Self::Dns => "the cluster's DNS",
            Self::Tracked => "tracked connections",
            Self::Lookups => "lookups",
            Self::Cni => "the CNI",
        }
    }
}

/// Which checks are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these, by id; empty for all.
    pub only: Vec<String>,
    /// Not these.
    pub skip: Vec<String>,
}

impl Selection {
    /// Those checks of which this is true.
    pub fn of(is_made: impl Fn(&Check) -> bool) -> Self {
        let mut selection = Self::default();
        selection.leave_out(|check| !is_made(check));
        selection
    }

    /// Makes none of which this is true.
    pub fn leave_out(&mut self, is_left_out: impl Fn(&Check) -> bool) {
        let others = CHECKS.iter().filter(|check| is_left_out(check));
        self.skip.extend(others.map(|check| check.id.to_owned()));
    }

    /// Whether a check is made.
    pub fn has(&self, id: &str) -> bool {
        let named = |ids: &[String]| ids.iter().any(|named| named == id);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }

    /// An id that is no check's, if there is one.
    pub fn unknown(&self) -> Option<&str> {
        let is_check = |id: &str| CHECKS.iter().any(|check| check.id == id);
        self.only
            .iter()
            .chain(&self.skip)
            .map(String::as_str)
            .find(|id| !is_check(id))
    }

    /// What the selected checks have to be told, united.
    pub fn needs(&self) -> BTreeSet<Need> {
        CHECKS
            .iter()
            .filter(|check| self.has(check.id))
            .flat_map(|check| check.needs)
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(ids: &[&str]) -> Selection {
        Selection {
            only: ids.iter().map(|&id| id.to_owned()).collect(),
            skip: Vec::new(),
        }
    }

    #[test]
    fn the_needs_of_what_is_selected_are_united() {
        assert_eq!(
            only(&["cni-route", "net-ipfwd"]).needs(),
            BTreeSet::from([Need::NodeNetwork])
        );
        assert_eq!(
            only(&["cni-route", "net-forward", "net-mesh"]).needs(),
            BTreeSet::from([Need::Mesh, Need::NodeNetwork, Need::NodeAccess])
        );
        assert!(Selection::default().needs().contains(&Need::Policies));
    }

    #[test]
    fn what_is_skipped_is_not_needed() {
        let mut selection = only(&["net-mesh", "net-forward"]);
        selection.skip = vec!["net-forward".to_owned()];
        assert_eq!(selection.needs(), BTreeSet::from([Need::Mesh]));
        assert!(!selection.has("net-forward"));
    }

    #[test]
    fn an_id_of_no_check_is_named() {
        assert_eq!(only(&["net-mesh", "net-mush"]).unknown(), Some("net-mush"));
        assert_eq!(only(&["net-mesh"]).unknown(), None);
    }
}
