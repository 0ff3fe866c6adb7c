//! Where a run's objects are: a namespace, and what was put there.

use std::sync::Mutex;

use http::HeaderValue;
use http::header::ACCEPT;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{ListParams, PostParams};
use kube::core::{PartialObjectMeta, Request, Selector, SelectorExt};
use kube::{Api, Client, Resource};
use report::{Gap, GapReason, Observed};
use tokio_util::sync::CancellationToken;

use crate::agent::{self, Architecture};
use crate::options::ProbeOptions;
use crate::pod::{self, Run};
use crate::removal::Removal;
use crate::trouble::{Trouble, patiently};

const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Everything that a run has made, or may have made: whatever it asked for is written down before the request is sent,
/// so that a lost answer leaves nothing behind.
pub(crate) struct Site {
    pub(crate) client: Client,
    pub(crate) options: ProbeOptions,
    pub(crate) run: Run,
    /// Whether the namespace was made for the run, or why it was not.
    pub(crate) own_namespace: Observed<()>,
    pub(crate) notes: Vec<String>,
    pub(crate) config_maps: Vec<String>,
    pub(crate) pods: Mutex<Vec<String>>,
}

impl Site {
    pub(crate) fn new(client: Client, options: ProbeOptions, run: Run) -> Self {
        Self {
            client,
            options,
            run,
            own_namespace: Observed::Unseen(nothing_yet()),
            notes: Vec::new(),
            config_maps: Vec::new(),
            pods: Mutex::new(Vec::new()),
        }
    }

    /// Whether the namespace goes when the run does.
    pub(crate) fn is_own(&self) -> bool {
        self.own_namespace.seen().is_some()
    }

    pub(crate) fn note_pod(&self, name: &str) {
        self.pods
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(name.to_owned());
    }

    /// Makes the namespace and the ConfigMaps, and gives back the owner of all that follows.
    pub(crate) async fn prepare(
        &mut self,
        context_namespace: &str,
        architectures: &[Architecture],
        cancel: &CancellationToken,
    ) -> Result<OwnerReference, Gap> {
        let mut fallback = self.choose_namespace(context_namespace, cancel).await?;
        let owner = match self.make_record(cancel).await {
            // Namespaces may be made by many who may do nothing in them.
            Err(trouble) if trouble.is_forbidden() && self.is_own() => {
                let gap = Self::namespace_gap(&trouble, "create", "configmaps", Some(&self.run.namespace));
                let removal = crate::removal::remove(self).await;
                if let Removal::Incomplete { .. } = removal {
                    self.notes.push(removal.to_string());
                }
                self.settle(context_namespace, gap.clone());
                fallback = Some(gap);
                self.make_record(cancel).await
            }
            result => result,
        };
        let owner = owner.map_err(|trouble| self.config_map_gap(&trouble))?;
        if let Some(gap) = fallback {
            self.notes.push(format!(
                "the probe pods ran in namespace {}: {}",
                self.run.namespace, gap.message
            ));
        }
        for architecture in architectures {
            let map = pod::agent(
                &self.run,
                &self.options,
                &owner,
                architecture.as_str(),
                agent::agent(*architecture),
            );
            self.make_config_map(&map, cancel)
                .await
                .map_err(|trouble| self.config_map_gap(&trouble))?;
        }
        Ok(owner)
    }

    /// Settles in the namespace that the user chose, in a new one, or in the context's. Gives back why it is not a new
    /// one where one was wanted.
    async fn choose_namespace(
        &mut self,
        context: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Gap>, Gap> {
        if let Some(chosen) = &self.options.probe_namespace {
            let gap = Gap {
                what: "namespace of the run's own".to_owned(),
                why: GapReason::TierNotAllowed,
                message: format!("--probe-namespace chose {chosen}"),
                hint: None,
            };
            self.settle(&chosen.clone(), gap);
            return Ok(None);
        }
        if let Some(gap) = self.may_not_delete(cancel).await {
            self.settle(context, gap.clone());
            return Ok(Some(gap));
        }
        self.own_namespace = Observed::Seen(());
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let namespace = pod::namespace(&self.run, &self.options);
        let created = patiently(cancel, namespaces.create(&PostParams::default(), &namespace)).await;
        match created {
            Ok(_) => Ok(None),
            // The name is random: this is ours, made by a request whose answer was lost.
            Err(trouble) if trouble.code() == Some(409) => Ok(None),
            // Refused by RBAC or by a policy of the cluster; nothing was made.
            Err(trouble) if trouble.code().is_some_and(|code| (400..429).contains(&code)) => {
                let gap = Self::namespace_gap(&trouble, "create", "namespaces", None);
                self.settle(context, gap.clone());
                Ok(Some(gap))
            }
            Err(trouble) => Err(trouble.gap("namespace of the run", "create", "namespaces", None)),
        }
    }

    fn settle(&mut self, namespace: &str, why: Gap) {
        namespace.clone_into(&mut self.run.namespace);
        self.own_namespace = Observed::Unseen(why);
        self.config_maps.clear();
    }

    /// Asks whether the run's namespace could be deleted again, before it is made. Where that cannot be asked, the
    /// attempt decides.
    async fn may_not_delete(&self, cancel: &CancellationToken) -> Option<Gap> {
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    verb: Some("delete".to_owned()),
                    resource: Some("namespaces".to_owned()),
                    name: Some(self.run.namespace.clone()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let reviews = Api::<SelfSubjectAccessReview>::all(self.client.clone());
        let answer = patiently(cancel, reviews.create(&PostParams::default(), &review))
            .await
            .ok()?;
        let allowed = answer.status?.allowed;
        (!allowed).then(|| Gap {
            what: "namespace of the run's own".to_owned(),
            why: GapReason::Forbidden {
                verb: "delete".to_owned(),
                resource: "namespaces".to_owned(),
                namespace: None,
            },
            message: "you may not delete namespaces, so that none was made for the run".to_owned(),
            hint: Some(
                "kubectl auth can-i delete namespaces; or choose one with --probe-namespace".to_owned(),
            ),
        })
    }

    async fn make_record(&mut self, cancel: &CancellationToken) -> Result<OwnerReference, Trouble> {
        let record = pod::record(&self.run, &self.options);
        let made = self.make_config_map(&record, cancel).await?;
        Ok(OwnerReference {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            name: made
                .name
                .unwrap_or_else(|| record.metadata.name.unwrap_or_default()),
            uid: made
                .uid
                .ok_or_else(|| Trouble::Lost("the new ConfigMap has no uid".to_owned()))?,
            ..OwnerReference::default()
        })
    }

    /// Asks for the metadata of what was made only: the answer would else be the whole agent once more.
    async fn make_config_map(
        &mut self,
        map: &ConfigMap,
        cancel: &CancellationToken,
    ) -> Result<ObjectMeta, Trouble> {
        self.config_maps.extend(map.metadata.name.clone());
        let lost = |error: &dyn std::error::Error| Trouble::Lost(crate::trouble::chain(error));
        let body = serde_json::to_vec(map).map_err(|error| lost(&error))?;
        let path = ConfigMap::url_path(&(), Some(&self.run.namespace));
        let request = Request::new(path).create(&PostParams::default(), body);
        let mut request = request.map_err(|error| lost(&error))?;
        request
            .headers_mut()
            .insert(ACCEPT, HeaderValue::from_static(METADATA_ONLY));
        let made = self.client.request::<PartialObjectMeta<ConfigMap>>(request);
        let made = patiently(cancel, made).await;
        if made.as_ref().is_err_and(Trouble::is_forbidden) {
            // Refused for good: there is nothing to remove, and no right to.
            self.config_maps.pop();
        }
        Ok(made?.metadata)
    }

    fn namespace_gap(trouble: &Trouble, verb: &str, resource: &str, namespace: Option<&str>) -> Gap {
        let mut gap = trouble.gap("namespace of the run's own", verb, resource, namespace);
        gap.message = format!("a namespace for the run was refused: {trouble}");
        gap
    }

    fn config_map_gap(&self, trouble: &Trouble) -> Gap {
        let namespace = &self.run.namespace;
        let mut gap = trouble.gap(
            format!("ConfigMap in namespace {namespace}"),
            "create",
            "configmaps",
            Some(namespace),
        );
        if trouble.is_not_found() {
            gap.hint = Some("the namespace does not exist: choose another with --probe-namespace".to_owned());
        } else if trouble.is_forbidden() {
            gap.hint = Some(format!(
                "kubectl auth can-i create configmaps -n {namespace}; docs/rbac.md has the role, --probe-namespace chooses another namespace"
            ));
        }
        gap
    }

    /// Says which NetworkPolicies of the namespace select the probe pods, since they decide about what is probed.
    pub(crate) async fn policies(&self, cancel: &CancellationToken) -> Option<String> {
        let namespace = &self.run.namespace;
        let api = Api::<NetworkPolicy>::namespaced(self.client.clone(), namespace);
        let policies = match patiently(cancel, api.list(&ListParams::default())).await {
            Ok(policies) => policies.items,
            Err(trouble) => {
                return Some(format!(
                    "whether NetworkPolicies of namespace {namespace} select the probe pods is not known: {trouble}"
                ));
            }
        };
        let owner = OwnerReference::default();
        let plan = pod::PodPlan {
            node: "",
            architecture: "",
            role: crate::names::Role::Probe,
            image: "",
            sysctl: false,
            attempt: 0,
        };
        let labels = pod::pod(&self.run, &self.options, &owner, &plan)
            .metadata
            .labels?;
        let selecting = selecting(&policies, &labels);
        (!selecting.is_empty()).then(|| {
            format!(
                "the probe pods are subject to {} of namespace {namespace}: what is refused or dropped may be meant to be",
                selecting.join(", ")
            )
        })
    }
}

/// The policies that select a pod with these labels, as kubectl names them. One that cannot be read counts: it may.
fn selecting(policies: &[NetworkPolicy], labels: &std::collections::BTreeMap<String, String>) -> Vec<String> {
    policies
        .iter()
        .filter(|policy| {
            let selector = policy
                .spec
                .as_ref()
                .and_then(|spec| spec.pod_selector.clone())
                .unwrap_or_default();
            Selector::try_from(selector).is_ok_and(|selector| selector.matches(labels))
        })
        .map(|policy| format!("networkpolicy/{}", policy.metadata.name.as_deref().unwrap_or("?")))
        .collect()
}

fn nothing_yet() -> Gap {
    Gap {
        what: "namespace of the run's own".to_owned(),
        why: GapReason::NotStarted,
        message: "the run did not come to it".to_owned(),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn policies_that_select_the_probe_pods_are_named() {
        let policy = |name: &str, selector: serde_json::Value| -> NetworkPolicy {
            serde_json::from_value(serde_json::json!({
                "metadata": {"name": name},
                "spec": {"podSelector": selector, "policyTypes": ["Ingress"]},
            }))
            .unwrap()
        };
        let policies = [
            policy("all", serde_json::json!({})),
            policy("web", serde_json::json!({"matchLabels": {"app": "web"}})),
            policy(
                "not-web",
                serde_json::json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}),
            ),
            policy(
                "ours",
                serde_json::json!({"matchExpressions": [{"key": "netcheck.dev/run", "operator": "Exists"}]}),
            ),
        ];
        let labels = BTreeMap::from([("netcheck.dev/run".to_owned(), "x".to_owned())]);
        assert_eq!(
            selecting(&policies, &labels),
            ["networkpolicy/all", "networkpolicy/not-web", "networkpolicy/ours"]
        );
    }
}
