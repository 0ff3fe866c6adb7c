//! Pods of DNS servers, with their logs and metrics.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};
use http::Request;
use observation::{DnsController, DnsPod, DnsRole, LogTail, Service, selects};
use report::{Gap, GapReason, Observed};

use super::objects::{Container, PodItem};
use super::usage::Used;
use super::{LABELS, NODE_LOCAL_LABELS, has};
use crate::cluster::Cluster;
use crate::list::ListQuery;
use crate::pod_log::LogOf;

/// Pods whose logs and metrics are read, those first that are not ready.
const MOST: usize = 20;
/// Read at once.
const READING: usize = 8;
/// Where CoreDNS and NodeLocal DNSCache have their metrics.
const METRICS_PORTS: [u16; 2] = [9153, 9253];
/// The series that are kept; histograms only by their sums and counts.
const KEPT: [&str; 3] = [
    "coredns_",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

/// What is read of a pod beside its object.
struct Said {
    log: Observed<LogTail>,
    previous: Option<Observed<LogTail>>,
    metrics: Option<Observed<BTreeMap<String, String>>>,
}

impl Cluster {
    /// Pods that the Services select, that the controllers make, and that are labelled as DNS servers are.
    pub(super) async fn dns_pods(
        &self,
        namespaces: &BTreeSet<String>,
        services: &[Service],
        controllers: &[DnsController],
        with_metrics: bool,
    ) -> Observed<Vec<DnsPod>> {
        let mut items: Vec<(DnsRole, PodItem)> = Vec::new();
        for namespace in namespaces {
            let query = ListQuery::new("", "v1", "pods").in_namespace(namespace);
            let listed = self
                .list::<PodItem>(&format!("pods of namespace {namespace}"), &query)
                .await;
            match listed {
                Observed::Seen(more) => {
                    let known = more
                        .into_iter()
                        .filter_map(|item| Some((role(&item, services, controllers)?, item)));
                    items.extend(known);
                }
                Observed::Unseen(gap) => return Observed::Unseen(gap),
            }
        }
        // Nodes of a large cluster have a server each, and what is wrong with them is seen in those that are not ready.
        items.sort_by_key(|(role, item)| (*role, item.status.is_ready()));
        let read = stream::iter(
            items
                .iter()
                .enumerate()
                .map(|(index, (_, item))| self.said(item, index, with_metrics)),
        );
        let (said, used): (Vec<Said>, Used) =
            tokio::join!(read.buffered(READING).collect(), self.used(nodes_to_ask(&items)));
        let mut pods: Vec<DnsPod> = items
            .into_iter()
            .zip(said)
            .map(|((role, item), said)| {
                let mut pod = pod(role, item, said);
                pod.usage = used.of(&pod);
                pod
            })
            .collect();
        pods.sort_by(|one, other| {
            (one.role, &one.namespace, &one.name).cmp(&(other.role, &other.namespace, &other.name))
        });
        Observed::Seen(pods)
    }

    async fn said(&self, item: &PodItem, index: usize, with_metrics: bool) -> Said {
        let (namespace, pod) = (item.metadata.namespace.as_str(), item.metadata.name.as_str());
        if index >= MOST {
            let gap = |what: &str| Gap {
                what: format!("{what} of pod/{pod} -n {namespace}"),
                why: GapReason::Truncated,
                message: format!("those of {MOST} pods are read, this is one more"),
                hint: None,
            };
            return Said {
                log: Observed::Unseen(gap("the log")),
                previous: None,
                metrics: with_metrics.then(|| Observed::Unseen(gap("metrics"))),
            };
        }
        let container = item.spec.server().map_or("", |it| it.name.as_str());
        let of = |previous| LogOf {
            namespace,
            pod,
            container,
            previous,
        };
        let has_restarted = item.status.restarts(container) > 0;
        let before = async {
            if has_restarted {
                Some(self.log_tail(of(true)).await)
            } else {
                None
            }
        };
        let metrics = async {
            if with_metrics {
                self.metrics_of(item).await
            } else {
                None
            }
        };
        let (log, previous, metrics) = tokio::join!(self.log_tail(of(false)), before, metrics);
        Said {
            log,
            previous,
            metrics,
        }
    }

    /// `None` where the container does not run, or does not say that it has any.
    async fn metrics_of(&self, item: &PodItem) -> Option<Observed<BTreeMap<String, String>>> {
        let (namespace, pod) = (item.metadata.namespace.as_str(), item.metadata.name.as_str());
        let server = item.spec.server()?;
        let port = METRICS_PORTS.into_iter().find(|port| server.has_port(*port))?;
        if !item.status.runs(&server.name) {
            return None;
        }
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics");
        let gap = |error: &kube::Error| {
            let what = format!("metrics of pod/{pod} -n {namespace}");
            self.gap(what, error, "get", "pods/proxy", Some(namespace))
        };
        let request = match Request::get(path).body(Vec::new()) {
            Ok(request) => request,
            Err(error) => return Some(Observed::Unseen(gap(&kube::Error::HttpError(error)))),
        };
        Some(match self.client().request_text(request).await {
            Ok(text) => Observed::Seen(series(&text)),
            Err(error) => Observed::Unseen(gap(&error)),
        })
    }
}

/// The nodes of pods behind the DNS Service. A cache of one node starves by itself, and there may be one on each of a thousand.
fn nodes_to_ask(items: &[(DnsRole, PodItem)]) -> BTreeSet<String> {
    let behind = items.iter().take(MOST).filter(|(role, item)| {
        *role == DnsRole::Cluster && item.spec.server().is_some_and(Container::is_limited)
    });
    behind
        .filter_map(|(_, item)| item.spec.node_name.clone())
        .collect()
}

fn role(item: &PodItem, services: &[Service], controllers: &[DnsController]) -> Option<DnsRole> {
    let labels = &item.metadata.labels;
    if has(labels, &NODE_LOCAL_LABELS) {
        return Some(DnsRole::NodeLocal);
    }
    let has_all = |wanted: &BTreeMap<String, String>| selects(wanted, labels);
    let namespace = &item.metadata.namespace;
    let is_selected = services
        .iter()
        .any(|it| it.namespace == *namespace && has_all(&it.selector));
    let is_made = controllers
        .iter()
        .any(|it| it.namespace == *namespace && has_all(&it.template_labels));
    (is_selected || is_made || has(labels, &LABELS)).then_some(DnsRole::Cluster)
}

fn pod(role: DnsRole, item: PodItem, said: Said) -> DnsPod {
    let server = item.spec.server();
    let (container, image) = server.map_or_else(Default::default, |server| {
        (server.name.clone(), server.image.clone())
    });
    let addresses = item.status.addresses();
    let own = item.status.of_container(&container);
    DnsPod {
        role,
        namespace: item.metadata.namespace,
        name: item.metadata.name,
        labels: item.metadata.labels,
        node: item.spec.node_name,
        addresses,
        phase: own.phase,
        ready: own.ready,
        created: item.metadata.creation_timestamp,
        deleted: item.metadata.deletion_timestamp,
        container,
        image,
        restarts: own.restarts,
        waiting: own.waiting,
        ended: own.ended,
        log: said.log,
        previous_log: said.previous,
        metrics: said.metrics,
        usage: None,
    }
}

/// The lines of an exposition whose series are kept: by name with labels, with their values as they are printed.
fn series(text: &str) -> BTreeMap<String, String> {
    let lines = text
        .lines()
        .filter(|line| KEPT.iter().any(|kept| line.starts_with(kept)));
    lines
        .filter_map(|line| {
            // A label's value may hold spaces: the value of the series stands behind the last brace.
            let from = line.rfind('}').map_or(0, |at| at + 1);
            let space = line[from..].find(' ')? + from;
            let name = &line[..space];
            let value = line[space..].split_ascii_whitespace().next()?;
            let base = name.split('{').next().unwrap_or(name);
            (!base.ends_with("_bucket")).then(|| {
                (
                    crate::sanitize(name).into_owned(),
                    crate::sanitize(value).into_owned(),
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_kept_with_their_labels_and_histograms_without_buckets() {
        let text = "# HELP coredns_x y\ncoredns_x{a=\"b c\",d=\"}\"} 3\ncoredns_h_bucket{le=\"1\"} 4\ncoredns_h_sum 0.5\n\
                    go_threads 7\nprocess_resident_memory_bytes 5e+07 1700000000\n";
        let kept = series(text);
        assert_eq!(kept.len(), 3);
        assert_eq!(kept["coredns_x{a=\"b c\",d=\"}\"}"], "3");
        assert_eq!(kept["process_resident_memory_bytes"], "5e+07");
    }

    proptest::proptest! {
        #[test]
        fn any_exposition_is_read(text in "\\PC*") {
            series(&text);
            series(&format!("coredns_{text}"));
        }
    }
}
