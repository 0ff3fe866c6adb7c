//! One row for each node.

use observation::{HttpAnswer, ProxyLook};
use report::Table;

use super::Proxies;
use super::ep_kp_scale::rules;
use super::metrics::{Metrics, seconds};
use super::version::of_pod;
use crate::view::View;

const COLUMNS: [&str; 9] = [
    "node",
    "pod",
    "version",
    "mode",
    "healthz",
    "last sync",
    "waiting",
    "rules",
    "restarts",
];

/// kube-proxy of every node, where it was asked about.
pub(crate) fn table(view: &View<'_>) -> Option<Table> {
    let Some(Ok(proxies)) = Proxies::of(view) else {
        return None;
    };
    let mut table = Table::new("kube-proxy", &COLUMNS);
    let are_pods_seen = proxies.facts.pods.seen().is_some();
    for proxy in &proxies.nodes {
        let last = proxy.looks().map(|(_, last)| last);
        let metrics = last.and_then(Metrics::of);
        let pod = match proxy.pod {
            Some(pod) => Some(pod.name.clone()),
            None if !are_pods_seen => None,
            None if proxy.is_in_process() => Some("in k3s".to_owned()),
            None => Some("-".to_owned()),
        };
        let waiting = metrics.and_then(|metrics| metrics.waiting()).map(|waiting| {
            if waiting > 0.0 {
                seconds(waiting)
            } else {
                "no".to_owned()
            }
        });
        let is_other = proxy.mode().is_some_and(|mode| mode != "iptables");
        let count = rules(proxy).map(|count| format!("{count:.0}"));
        table.rows.push(vec![
            Some(proxy.name().to_owned()),
            pod,
            of_pod(proxy).map(str::to_owned),
            proxy.mode().map(str::to_owned),
            last.and_then(healthz),
            metrics.and_then(|metrics| metrics.synced_ago()).map(ago),
            waiting,
            count.or_else(|| is_other.then(|| "-".to_owned())),
            proxy.pod.map(|pod| pod.restarts.to_string()),
        ]);
    }
    Some(table)
}

fn ago(passed: f64) -> String {
    format!("{} ago", seconds(passed.max(0.0)))
}

fn healthz(look: &ProxyLook) -> Option<String> {
    match &look.health {
        HttpAnswer::Answered { status, .. } => Some(status.to_string()),
        HttpAnswer::Refused => Some("refused".to_owned()),
        HttpAnswer::Silent { .. } => Some("silent".to_owned()),
        HttpAnswer::Unasked(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn a_row_has_what_was_seen_and_a_question_where_nothing_was() {
        let observation = Fixture::healthy().silent("node2").observe();
        let table = table(&View::new(&observation)).unwrap();
        let row = |index: usize| -> Vec<&str> {
            table.rows[index]
                .iter()
                .map(|cell| cell.as_deref().unwrap_or("?"))
                .collect()
        };
        assert_eq!(
            row(0),
            [
                "node1",
                "kube-proxy-node1",
                "v1.34.4",
                "iptables",
                "200",
                "12 s ago",
                "no",
                "120",
                "0"
            ]
        );
        assert_eq!(
            row(1),
            [
                "node2",
                "kube-proxy-node2",
                "v1.34.4",
                "?",
                "silent",
                "?",
                "?",
                "?",
                "0"
            ]
        );
    }
}
