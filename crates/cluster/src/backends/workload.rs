//! What makes pods, as the API writes it.

use std::collections::BTreeMap;

use observation::BackendWorkload;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct WorkloadItem {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    replicas: Option<u32>,
    service_name: String,
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: TemplateMetadata,
    spec: TemplateSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateSpec {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    image: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    desired_number_scheduled: u32,
}

impl WorkloadItem {
    pub(super) fn workload(self, kind: &str) -> BackendWorkload {
        let wanted = match kind {
            "daemonset" => self.status.desired_number_scheduled,
            // The API server fills in one.
            _ => self.spec.replicas.unwrap_or(1),
        };
        BackendWorkload {
            kind: kind.to_owned(),
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            wanted,
            template_labels: self.spec.template.metadata.labels,
            service_name: Some(self.spec.service_name).filter(|name| !name.is_empty()),
        }
    }

    /// As `daemonset/speaker -n metallb-system`.
    pub(super) fn named(&self, kind: &str) -> String {
        format!("{kind}/{} -n {}", self.metadata.name, self.metadata.namespace)
    }

    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        self.spec
            .template
            .spec
            .containers
            .iter()
            .map(|container| container.image.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_read_by_the_pods_that_it_wants() {
        let read =
            |kind: &str, text: &str| serde_json::from_str::<WorkloadItem>(text).unwrap().workload(kind);
        let db = read(
            "statefulset",
            r#"{"metadata": {"name": "db", "namespace": "shop"}, "spec": {"replicas": 0, "serviceName": "db",
                "template": {"metadata": {"labels": {"app": "db"}}}}}"#,
        );
        assert_eq!((db.wanted, db.service_name.as_deref()), (0, Some("db")));
        assert_eq!(db.template_labels["app"], "db");
        let agents = read(
            "daemonset",
            r#"{"metadata": {"name": "agent"}, "status": {"desiredNumberScheduled": 3}}"#,
        );
        assert_eq!((agents.wanted, agents.service_name), (3, None));
        assert_eq!(read("deployment", r#"{"metadata": {"name": "web"}}"#).wanted, 1);
    }
}
