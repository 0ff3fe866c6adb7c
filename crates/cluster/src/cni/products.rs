//! Which DaemonSets are those of a CNI.

use observation::CniProduct;

use super::objects::DaemonSetItem;

/// By a label of the pods. Namespaces differ by how something was installed; labels rarely do.
const LABELS: [(&str, &str, CniProduct); 19] = [
    ("app", "flannel", CniProduct::Flannel),
    ("k8s-app", "flannel", CniProduct::Flannel),
    ("k8s-app", "canal", CniProduct::Canal),
    ("k8s-app", "calico-node", CniProduct::Calico),
    ("k8s-app", "cilium", CniProduct::Cilium),
    ("name", "weave-net", CniProduct::Weave),
    ("app", "terway-eniip", CniProduct::Terway),
    ("app", "terway-eni", CniProduct::Terway),
    ("app", "terway", CniProduct::Terway),
    ("k8s-app", "aws-node", CniProduct::AwsVpc),
    ("k8s-app", "azure-cns", CniProduct::Azure),
    ("component", "antrea-agent", CniProduct::Antrea),
    ("app", "ovnkube-node", CniProduct::OvnKubernetes),
    ("app", "kube-ovn-cni", CniProduct::KubeOvn),
    ("app", "kindnet", CniProduct::Kindnet),
    ("k8s-app", "kindnet", CniProduct::Kindnet),
    ("k8s-app", "kube-router", CniProduct::KubeRouter),
    ("name", "multus", CniProduct::Multus),
    ("app", "multus", CniProduct::Multus),
];

/// By the beginning of the DaemonSet's name, where somebody has chosen other labels.
const NAMES: [(&str, CniProduct); 9] = [
    ("kube-flannel", CniProduct::Flannel),
    ("calico-node", CniProduct::Calico),
    ("canal", CniProduct::Canal),
    ("weave-net", CniProduct::Weave),
    ("terway", CniProduct::Terway),
    ("aws-node", CniProduct::AwsVpc),
    ("antrea-agent", CniProduct::Antrea),
    ("ovnkube-node", CniProduct::OvnKubernetes),
    ("kube-multus", CniProduct::Multus),
];

/// By a part of an image, where the labels and the name are somebody's own.
const IMAGES: [(&str, CniProduct); 7] = [
    ("flannel/flannel", CniProduct::Flannel),
    ("flannel-io/flannel", CniProduct::Flannel),
    ("calico/node", CniProduct::Calico),
    ("cilium/cilium:", CniProduct::Cilium),
    ("amazon-k8s-cni", CniProduct::AwsVpc),
    ("kindest/kindnetd", CniProduct::Kindnet),
    ("multus-cni", CniProduct::Multus),
];

/// The CNI that a DaemonSet runs on Linux nodes; `None` for all others.
pub(super) fn product(item: &DaemonSetItem) -> Option<CniProduct> {
    if !item.is_for_linux() {
        return None;
    }
    let has = |key: &str, value: &str| item.labels().get(key).is_some_and(|it| it == value);
    let by_label = LABELS.iter().find(|(key, value, _)| has(key, value));
    let by_name = || {
        NAMES
            .iter()
            .find(|(start, _)| item.metadata.name.starts_with(start))
    };
    let by_image = || {
        let mut known = IMAGES.iter();
        known.find(|(part, _)| item.images().any(|image| image.contains(part)))
    };
    let named = by_label
        .map(|(_, _, product)| *product)
        .or_else(|| by_name().map(|(_, product)| *product))
        .or_else(|| by_image().map(|(_, product)| *product))?;
    // The proxy and the operator of Cilium carry labels of their own; flannel beside Calico's engine in one pod is Canal.
    let runs = |part: &str| item.images().any(|image| image.contains(part));
    if named == CniProduct::Calico && runs("flannel") {
        return Some(CniProduct::Canal);
    }
    Some(named)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(name: &str, labels: &serde_json::Value, image: &str) -> Option<CniProduct> {
        let item = json!({"metadata": {"name": name, "namespace": "x"}, "spec": {"template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}}});
        product(&serde_json::from_value(item).unwrap())
    }

    #[test]
    fn a_cni_is_known_by_its_labels_its_name_or_its_image() {
        let none = json!({});
        let flannel = Some(CniProduct::Flannel);
        assert_eq!(set("x", &json!({"app": "flannel", "tier": "node"}), "y"), flannel);
        assert_eq!(set("kube-flannel-ds", &none, "y"), flannel);
        assert_eq!(
            set("net", &none, "registry.example/flannel/flannel:v0.27.0"),
            flannel
        );
        assert_eq!(set("aws-node", &none, "y"), Some(CniProduct::AwsVpc));
        assert_eq!(
            set("anetd", &json!({"k8s-app": "cilium"}), "y"),
            Some(CniProduct::Cilium)
        );
    }

    #[test]
    fn what_else_runs_on_every_node_is_none() {
        assert_eq!(
            set("kube-proxy", &json!({"k8s-app": "kube-proxy"}), "kube-proxy:v1"),
            None
        );
        assert_eq!(
            set(
                "cilium-envoy",
                &json!({"k8s-app": "cilium-envoy"}),
                "quay.io/cilium/cilium-envoy:v1"
            ),
            None
        );
        assert_eq!(set("netpol", &none_labels(), "netpol:1"), None);
    }

    fn none_labels() -> serde_json::Value {
        json!({"app": "netpol"})
    }
}
