//! A policy against the run's own pods, to see whether it is enforced.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use report::Gap;

use super::ProbeRun;
use crate::names;
use crate::trouble::{PATIENCE, Trouble, within};

const NAME: &str = "deny-all";
const RESOURCE: &str = "networkpolicies.networking.k8s.io";

impl ProbeRun {
    /// Applies a policy that selects the run's pods by the run's id and allows nothing, in either direction. `manager` is the value of
    /// the managed-by label. It goes with the namespace of the run; in a namespace that is not the run's own nothing is applied.
    ///
    /// # Errors
    /// The namespace is another's, or the policy was refused.
    pub async fn deny_all(&self, manager: &str) -> Result<(), Gap> {
        if let report::Observed::Unseen(gap) = &self.placement.own_namespace {
            return Err(gap.clone());
        }
        let run = BTreeMap::from([(names::RUN.to_owned(), self.placement.run.clone())]);
        let policy = NetworkPolicy {
            metadata: self.metadata(NAME, manager, &[]),
            spec: Some(NetworkPolicySpec {
                pod_selector: Some(LabelSelector {
                    match_labels: Some(run),
                    ..LabelSelector::default()
                }),
                policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
                ..NetworkPolicySpec::default()
            }),
        };
        let (api, params): (Api<NetworkPolicy>, _) = (self.own(), PostParams::default());
        let created = within(PATIENCE, api.create(&params, &policy)).await;
        created
            .map(drop)
            .map_err(|trouble| self.refused("create", &trouble))
    }

    /// Takes the policy of [`ProbeRun::deny_all`] away again.
    ///
    /// # Errors
    /// It could not be deleted; it goes with the namespace then.
    pub async fn allow_again(&self) -> Result<(), Gap> {
        let (api, params): (Api<NetworkPolicy>, _) = (self.own(), DeleteParams::default());
        match within(PATIENCE, api.delete(NAME, &params)).await {
            Err(trouble) if !trouble.is_not_found() => Err(self.refused("delete", &trouble)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn refused(&self, verb: &str, trouble: &Trouble) -> Gap {
        let namespace = &self.placement.namespace;
        trouble.gap(
            "a NetworkPolicy in the namespace of the run",
            verb,
            RESOURCE,
            Some(namespace),
        )
    }
}
