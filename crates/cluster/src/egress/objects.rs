//! The objects of CNIs, as the API writes them.

use serde::Deserialize;

use super::{Labels, Metadata};

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) metadata: Metadata,
}

/// A selector of labels, of Kubernetes or of Cilium.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LabelSelector {
    pub(super) match_labels: Labels,
    pub(super) match_expressions: Vec<Expression>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Expression {
    pub(super) key: String,
    pub(super) operator: String,
    pub(super) values: Vec<String>,
}

/// The label by which Cilium's selectors name the namespace of a pod; no label of the pod itself.
const NAMESPACE: &str = "io.kubernetes.pod.namespace";

impl LabelSelector {
    /// As a query of the API has it; empty for everything.
    pub(super) fn text(&self) -> String {
        let equal = self
            .match_labels
            .iter()
            .map(|(key, value)| format!("{}={value}", plain(key)));
        let expressions = self.match_expressions.iter().filter_map(|expression| {
            let (key, values) = (plain(&expression.key), expression.values.join(","));
            match expression.operator.as_str() {
                "In" => Some(format!("{key} in ({values})")),
                "NotIn" => Some(format!("{key} notin ({values})")),
                "Exists" => Some(key.to_owned()),
                "DoesNotExist" => Some(format!("!{key}")),
                _ => None,
            }
        });
        equal.chain(expressions).collect::<Vec<_>>().join(",")
    }

    /// The same without what names a namespace, and that.
    pub(super) fn without_namespace(&self) -> (Self, Option<String>) {
        let mut rest = self.clone();
        let is_it = |key: &String| plain(key) == NAMESPACE;
        let named = self.match_labels.iter().find(|(key, _)| is_it(key));
        rest.match_labels.retain(|key, _| !is_it(key));
        (rest, named.map(|(_, namespace)| namespace.clone()))
    }
}

/// A key without the source that Cilium writes before it.
fn plain(key: &str) -> &str {
    ["k8s:", "any:"]
        .iter()
        .find_map(|source| key.strip_prefix(source))
        .unwrap_or(key)
}

#[derive(Deserialize)]
pub(super) struct CiliumPolicy {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: CiliumSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CiliumSpec {
    pub(super) selectors: Vec<CiliumSelector>,
    egress_gateway: Option<CiliumGateway>,
    egress_gateways: Vec<CiliumGateway>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CiliumSelector {
    pub(super) pod_selector: LabelSelector,
    pub(super) namespace_selector: Option<LabelSelector>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CiliumGateway {
    pub(super) node_selector: LabelSelector,
    #[serde(rename = "egressIP")]
    pub(super) egress_ip: Option<String>,
}

impl CiliumPolicy {
    /// Its gateways: several since 1.18, where the list goes before the single one.
    pub(super) fn gateways(&self) -> impl Iterator<Item = &CiliumGateway> {
        let one = self
            .spec
            .egress_gateway
            .iter()
            .filter(|_| self.spec.egress_gateways.is_empty());
        self.spec.egress_gateways.iter().chain(one)
    }
}

#[derive(Deserialize)]
pub(super) struct EgressIp {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: EgressIpSpec,
    #[serde(default)]
    pub(super) status: EgressIpStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct EgressIpSpec {
    #[serde(rename = "egressIPs")]
    pub(super) egress_ips: Vec<String>,
    pub(super) namespace_selector: LabelSelector,
    pub(super) pod_selector: LabelSelector,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EgressIpStatus {
    pub(super) items: Vec<Assigned>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Assigned {
    pub(super) node: String,
}

#[derive(Deserialize)]
pub(super) struct IpPool {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: IpPoolSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct IpPoolSpec {
    pub(super) cidr: String,
    pub(super) nat_outgoing: bool,
    pub(super) disabled: bool,
}

#[derive(Deserialize)]
pub(super) struct AwsNode {
    #[serde(default)]
    spec: AwsSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AwsSpec {
    template: AwsTemplate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AwsTemplate {
    spec: AwsPod,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AwsPod {
    containers: Vec<AwsContainer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AwsContainer {
    env: Vec<AwsVariable>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AwsVariable {
    name: String,
    value: String,
}

impl AwsNode {
    /// Whether pods keep their addresses out of the VPC, for a gateway of it to replace.
    pub(super) fn leaves_translation_to_others(&self) -> bool {
        let containers = self.spec.template.spec.containers.iter();
        let mut variables = containers.flat_map(|container| &container.env);
        variables.any(|it| it.name == "AWS_VPC_K8S_CNI_EXTERNALSNAT" && it.value.eq_ignore_ascii_case("true"))
    }
}
