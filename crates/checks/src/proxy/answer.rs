//! The one sentence on kube-proxy that a reader reads first.

use std::collections::BTreeSet;

use report::Verdict;

use super::Proxies;
use crate::firewall::joined;
use crate::view::View;

/// The answer; `None` where the causes or the findings are the answer, and where kube-proxy was not asked about.
pub(crate) fn answer(view: &View<'_>, verdict: Verdict, warnings: &str) -> Option<String> {
    let Some(Ok(proxies)) = Proxies::of(view) else {
        return None;
    };
    let healthy = healthy(&proxies);
    match verdict {
        Verdict::Fail => None,
        Verdict::Warn => Some(format!("{healthy}, but {warnings}")),
        Verdict::Pass => Some(healthy),
        Verdict::Unknown if warnings.is_empty() => {
            Some("nothing wrong was seen of kube-proxy, but not all could be seen".to_owned())
        }
        Verdict::Unknown => Some(format!("{warnings}; and not all could be seen")),
        Verdict::Skipped => Some("nothing was looked at".to_owned()),
    }
}

fn healthy(proxies: &Proxies<'_>) -> String {
    if let Some(other) = proxies.replaced() {
        return format!("there is no kube-proxy, and none is needed: {other} does its work");
    }
    // A node that was left out was not seen.
    let is_seen = |proxy: &&super::Proxy<'_>| !proxies.are_asked() || proxy.looks().is_some();
    let count = proxies.nodes.iter().filter(is_seen).count();
    let nodes = if count == 1 {
        "1 node".to_owned()
    } else {
        format!("{count} nodes")
    };
    let modes: BTreeSet<&str> = proxies.nodes.iter().filter_map(super::Proxy::mode).collect();
    let modes: Vec<&str> = modes.into_iter().collect();
    let mode = match modes.as_slice() {
        [] => String::new(),
        [one] => format!(" in mode {one}"),
        several => format!(" in modes {}", joined(several)),
    };
    if proxies.are_asked() {
        format!("kube-proxy of {nodes} runs{mode} and keeps up")
    } else {
        format!("kube-proxy of {nodes} runs, by what the API says")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use crate::judge::{JudgeOptions, judge_selected};
    use crate::{Need, Selection};

    fn summary(fixture: &Fixture) -> String {
        let selection = Selection::of(|check| check.needs.contains(&Need::KubeProxy));
        let options = JudgeOptions {
            command: "proxy".into(),
            tool: "test".into(),
        };
        judge_selected(&fixture.observe(), &options, &selection).summary
    }

    #[test]
    fn the_answer_says_no_more_than_was_seen() {
        assert_eq!(
            summary(&Fixture::healthy()),
            "kube-proxy of 3 nodes runs in mode iptables and keeps up"
        );
        assert_eq!(
            summary(&Fixture::healthy().nobody_asked()),
            "kube-proxy of 3 nodes runs, by what the API says"
        );
        assert_eq!(
            summary(&Fixture::healthy().replaced("Cilium")),
            "there is no kube-proxy, and none is needed: Cilium does its work"
        );
        assert_eq!(
            summary(&Fixture::healthy().unasked("node1")),
            "nothing wrong was seen of kube-proxy, but not all could be seen"
        );
    }

    #[test]
    fn what_hangs_is_the_answer_and_the_rest_follows() {
        assert_eq!(
            summary(&Fixture::healthy().silent("node1")),
            "kube-proxy of node1 hangs: it answers nothing, and writes no rule"
        );
    }
}
