//! What of the control plane is served by Services: webhooks and APIServices, as the API writes them.

use observation::{ApiService, ServiceReference, Webhook};
use serde::Deserialize;

use super::Metadata;
use crate::condition::ConditionObject;

#[derive(Deserialize)]
pub(super) struct WebhookConfiguration {
    metadata: Metadata,
    #[serde(default)]
    webhooks: Vec<WebhookObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookObject {
    name: String,
    #[serde(default)]
    client_config: ClientConfig,
    failure_policy: Option<String>,
    timeout_seconds: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClientConfig {
    service: Option<ReferenceObject>,
}

#[derive(Deserialize)]
struct ReferenceObject {
    name: String,
    namespace: String,
    port: Option<u16>,
}

impl From<ReferenceObject> for ServiceReference {
    fn from(object: ReferenceObject) -> Self {
        Self {
            name: object.name,
            namespace: object.namespace,
            port: object.port.unwrap_or(443),
        }
    }
}

impl WebhookConfiguration {
    pub(super) fn webhooks(self, kind: &str) -> Vec<Webhook> {
        let of = |webhook: WebhookObject| Webhook {
            kind: kind.to_owned(),
            configuration: self.metadata.name.clone(),
            name: webhook.name,
            service: webhook.client_config.service.map(ServiceReference::from),
            // The defaults of admissionregistration.k8s.io/v1.
            fails_closed: webhook.failure_policy.is_none_or(|policy| policy == "Fail"),
            timeout_seconds: webhook.timeout_seconds.unwrap_or(10),
        };
        self.webhooks.into_iter().map(of).collect()
    }
}

#[derive(Deserialize)]
pub(super) struct ApiServiceObject {
    metadata: Metadata,
    #[serde(default)]
    spec: ApiServiceSpec,
    #[serde(default)]
    status: ApiServiceStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiServiceSpec {
    service: Option<ReferenceObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiServiceStatus {
    conditions: Vec<ConditionObject>,
}

impl ApiServiceObject {
    pub(super) fn into_served(self) -> Option<ApiService> {
        let service = self.spec.service?;
        let mut conditions = self.status.conditions.into_iter();
        let available = conditions.find(|condition| condition.kind == "Available");
        Some(ApiService {
            name: self.metadata.name,
            service: service.into(),
            available: available.map(Into::into),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_of_a_webhook_have_the_defaults_of_the_api() {
        let text = r#"{"metadata":{"name":"c"},"webhooks":[{"name":"a.b","clientConfig":{"service":{"name":"s","namespace":"n"}}},
                      {"name":"u","clientConfig":{"url":"https://x"},"failurePolicy":"Ignore"}]}"#;
        let webhooks = serde_json::from_str::<WebhookConfiguration>(text)
            .unwrap()
            .webhooks("k");
        assert_eq!(
            webhooks[0].service.as_ref().map(|service| service.port),
            Some(443)
        );
        assert!(webhooks[0].fails_closed && webhooks[0].timeout_seconds == 10);
        assert!(!webhooks[1].fails_closed && webhooks[1].service.is_none());
    }
}
