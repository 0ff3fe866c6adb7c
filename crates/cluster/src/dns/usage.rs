//! What the containers of DNS pods use, as the kubelets of their nodes count it.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};
use http::Request;
use observation::{DnsPod, DnsUsage};
use report::Observed;

use crate::cluster::Cluster;

/// Kubelets asked at once.
const ASKING: usize = 8;
/// What is read of all that a kubelet counts.
const MEMORY: &str = "container_memory_working_set_bytes";
const PERIODS: &str = "container_cpu_cfs_periods_total";
const THROTTLED: &str = "container_cpu_cfs_throttled_periods_total";

/// By the names of nodes what their containers use, these by namespace, pod and name.
#[derive(Debug, Default)]
pub(super) struct Used(BTreeMap<String, Observed<BTreeMap<Container, DnsUsage>>>);

/// Namespace, pod and name.
pub(crate) type Container = (String, String, String);

impl Used {
    /// What the container of a pod that answers uses; `None` where nobody was asked.
    pub(super) fn of(&self, pod: &DnsPod) -> Option<Observed<DnsUsage>> {
        let of_node = self.0.get(pod.node.as_deref()?)?;
        let container = (pod.namespace.clone(), pod.name.clone(), pod.container.clone());
        Some(match of_node {
            Observed::Seen(all) => Observed::Seen(all.get(&container).copied().unwrap_or_default()),
            Observed::Unseen(gap) => Observed::Unseen(gap.clone()),
        })
    }
}

impl Cluster {
    /// Asks the kubelets of these nodes (`/metrics/cadvisor`).
    pub(super) async fn used(&self, nodes: BTreeSet<String>) -> Used {
        let asked = stream::iter(nodes.into_iter().map(|node| async move {
            let used = self.used_on(&node).await;
            (node, used)
        }));
        Used(asked.buffered(ASKING).collect().await)
    }

    /// What the kubelet of a node counts of all its containers.
    pub(crate) async fn used_on(&self, node: &str) -> Observed<BTreeMap<Container, DnsUsage>> {
        let gap = |error: &kube::Error| {
            let what = format!("what the kubelet of {node} counts of containers");
            Observed::Unseen(self.gap(&what, error, "get", "nodes/proxy", None))
        };
        let path = format!("/api/v1/nodes/{node}/proxy/metrics/cadvisor");
        let request = match Request::get(path).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => return gap(&kube::Error::HttpError(error)),
        };
        match self.client().request_text(request).await {
            Ok(text) => Observed::Seen(usage(&text)),
            Err(error) => gap(&error),
        }
    }
}

/// Lines as `container_cpu_cfs_periods_total{container="coredns",…,namespace="kube-system",pod="coredns-1"} 4 1700000000000`.
fn usage(text: &str) -> BTreeMap<Container, DnsUsage> {
    let mut all: BTreeMap<Container, DnsUsage> = BTreeMap::new();
    for line in text.lines() {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        if ![MEMORY, PERIODS, THROTTLED].contains(&name) {
            continue;
        }
        let Some((labels, value)) = rest.rsplit_once('}') else {
            continue;
        };
        let label = |name: &str| label(labels, name).map(str::to_owned);
        // A group of control groups has no container, and one outside of pods has no pod.
        let (Some(namespace), Some(pod), Some(container)) =
            (label("namespace"), label("pod"), label("container"))
        else {
            continue;
        };
        let number = value.split_ascii_whitespace().next().and_then(number);
        let used = all.entry((namespace, pod, container)).or_default();
        match name {
            MEMORY => used.memory_bytes = number,
            PERIODS => used.periods = number,
            _ => used.throttled = number,
        }
    }
    all
}

/// A label that is not empty. Names of Kubernetes' objects need no escapes.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let of = |part: &'a str| part.strip_prefix(name)?.strip_prefix("=\"");
    // A label's name begins the text or stands behind a comma.
    let mut starts =
        std::iter::once(labels).chain(labels.match_indices(',').map(|(at, _)| &labels[at + 1..]));
    let value = starts.find_map(of)?.split('"').next()?;
    (!value.is_empty()).then_some(value)
}

/// Counts of Prometheus are floating point, large ones with an exponent.
fn number(text: &str) -> Option<u64> {
    let number: f64 = text.parse().ok()?;
    // Up to here every integer has a float of its own, and no count of bytes or periods goes further.
    if !(0.0..9e15).contains(&number) {
        return None;
    }
    format!("{number:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE container_cpu_cfs_periods_total counter\n\
        container_cpu_cfs_periods_total{container=\"coredns\",id=\"/a\",image=\"x\",name=\"n\",namespace=\"kube-system\",pod=\"coredns-1\"} 400 1700000000000\n\
        container_cpu_cfs_throttled_periods_total{container=\"coredns\",id=\"/a\",namespace=\"kube-system\",pod=\"coredns-1\"} 100 1\n\
        container_memory_working_set_bytes{container=\"coredns\",id=\"/a\",namespace=\"kube-system\",pod=\"coredns-1\"} 1.5e+07 1\n\
        container_memory_working_set_bytes{container=\"\",id=\"/\",namespace=\"\",pod=\"\"} 5 1\n\
        container_memory_rss{container=\"coredns\",namespace=\"kube-system\",pod=\"coredns-1\"} 7 1\n";

    #[test]
    fn only_containers_of_pods_are_kept_and_what_is_not_counted_is_absent() {
        let all = usage(TEXT);
        assert_eq!(all.len(), 1);
        let key = ["kube-system", "coredns-1", "coredns"].map(str::to_owned);
        let [namespace, pod, container] = key;
        let used = all[&(namespace, pod, container)];
        assert_eq!(
            (used.memory_bytes, used.periods, used.throttled),
            (Some(15_000_000), Some(400), Some(100))
        );
        let without =
            usage("container_memory_working_set_bytes{container=\"a\",namespace=\"b\",pod=\"c\"} 5\n");
        assert_eq!(without.values().next().unwrap().periods, None);
    }

    #[test]
    fn what_is_no_count_is_absent() {
        for text in ["NaN", "-1", "+Inf", "x", ""] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_exposition_is_read(text in "\\PC*", labels in "[a-z=\",{}]*") {
            usage(&text);
            usage(&format!("{MEMORY}{{{labels}}} {text}"));
        }
    }
}
