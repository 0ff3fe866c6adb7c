//! Events about the network of pods.

use observation::CniEvent;
use report::Observed;
use serde::Deserialize;

use crate::backends::joined;
use crate::cluster::Cluster;
use crate::list::ListQuery;
use crate::sanitize;

/// Why the kubelet could not make or take away what a pod runs in.
const REASONS: [&str; 3] = ["FailedCreatePodSandBox", "NetworkNotReady", "FailedKillPod"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventItem {
    involved_object: Involved,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    source: Source,
    #[serde(default)]
    reporting_instance: String,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    series: Option<Series>,
}

#[derive(Deserialize)]
struct Involved {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
struct Source {
    #[serde(default)]
    host: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    last_observed_time: Option<String>,
}

impl From<EventItem> for CniEvent {
    fn from(item: EventItem) -> Self {
        let clean = |text: &str| sanitize(text).into_owned();
        let writer = [item.source.host, item.reporting_instance];
        let seen = item.series.and_then(|series| series.last_observed_time);
        Self {
            namespace: item.involved_object.namespace,
            pod: item.involved_object.name,
            node: writer.into_iter().find(|name| !name.is_empty()),
            reason: clean(&item.reason),
            message: clean(&item.message),
            last: seen.or(item.last_timestamp).or(item.event_time),
        }
    }
}

impl Cluster {
    /// Events of these reasons: of each pod and reason the last.
    pub(super) async fn cni_events(&self) -> Observed<Vec<CniEvent>> {
        let mut all = Observed::Seen(Vec::new());
        for reason in REASONS {
            let query = ListQuery::new("", "v1", "events").with_fields(format!("reason={reason}"));
            let listed = self.list::<EventItem>(&format!("events {reason}"), &query).await;
            all = joined(
                all,
                listed.map(|items| items.into_iter().map(CniEvent::from).collect()),
            );
        }
        all.map(|mut events: Vec<CniEvent>| {
            let about = |event: &CniEvent| (event.namespace.clone(), event.pod.clone(), event.reason.clone());
            events.sort_by(|one, other| {
                about(one)
                    .cmp(&about(other))
                    .then_with(|| other.last.cmp(&one.last))
            });
            events.dedup_by(|one, other| about(one) == about(other));
            events
        })
    }
}
