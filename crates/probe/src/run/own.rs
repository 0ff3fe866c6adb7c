//! Objects in the namespace of the run, beside its pods.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::core::NamespaceResourceScope;

use super::ProbeRun;
use crate::names;

impl ProbeRun {
    /// Those of a kind in the run's namespace.
    pub(super) fn own<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.shared.client.clone(), &self.placement.namespace)
    }

    /// What says whose such an object is, with `more` labels. `manager` is the value of the managed-by label.
    pub(super) fn metadata(&self, name: &str, manager: &str, more: &[(&str, &str)]) -> ObjectMeta {
        let own = [
            (names::RUN, self.placement.run.as_str()),
            (names::MANAGED_BY, manager),
        ];
        let labels = own.iter().chain(more);
        let labels = labels.map(|&(key, value)| (key.to_owned(), value.to_owned()));
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.placement.namespace.clone()),
            labels: Some(labels.collect()),
            ..ObjectMeta::default()
        }
    }
}
