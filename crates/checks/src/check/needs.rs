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
    /// Services and their endpoints, and probes of them.
    Services,
    /// Probes of what lies outside of the cluster.
    Egress,
    /// The API server, kubelets, webhooks.
    ControlPlane,
    /// NetworkPolicies, and the pods that they select.
    Policies,
}

impl Need {
    /// As a reader of a list sees it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mesh => "probe pods",
            Self::NodeNetwork => "host network",
            Self::NodeAccess => "node access",
            Self::Services => "services",
            Self::Egress => "egress",
            Self::ControlPlane => "control plane",
            Self::Policies => "policies",
        }
    }
}

impl Check {
    /// What it has to be told. With less it is skipped, or has a gap.
    pub fn needs(&self) -> &'static [Need] {
        needs(self.id)
    }
}

fn needs(id: &str) -> &'static [Need] {
    match id {
        "net-kubelet" | "net-webhook" | "net-apisvc" => &[Need::ControlPlane],
        "net-egr" | "net-egr-ip" => &[Need::Egress],
        "net-svc" | "net-svc-ratio" | "net-svc-name" | "net-svc-xns" | "net-np" | "net-lb" => {
            &[Need::Services]
        }
        "cni-nopolicy" => &[Need::Policies],
        "cni-conf" | "cni-bin" | "cni-ipam-leak" | "cni-encap-port" | "net-fw" | "net-fw-reject"
        | "net-fw-backends" | "net-fw-input-cni" | "net-forward" | "net-ct-notrack" | "net-egr-masq"
        | "net-nat" | "net-mtu-pmtud" | "net-mtu-mss" => &[Need::NodeAccess],
        "net-loss" => &[Need::Mesh, Need::NodeAccess],
        "net-ct-full" | "net-ct-use" | "net-ipfwd" | "net-rpf" | "net-hairpin" | "net-n-defrt"
        | "net-brnf" | "net-mtu-map" | "net-time" => &[Need::NodeNetwork],
        id if id.starts_with("net-pol-") => &[Need::Policies],
        id if id.starts_with("ep-rule-") => &[Need::NodeAccess],
        id if id.starts_with("cni-") => &[Need::NodeNetwork],
        _ => &[Need::Mesh],
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
            .flat_map(|check| check.needs())
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
