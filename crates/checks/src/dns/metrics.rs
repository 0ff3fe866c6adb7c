//! What a DNS pod counts, by the names that its series have in CoreDNS before 1.7, up to 1.10 and from 1.11 on.

use std::collections::BTreeMap;

use observation::DnsPod;
use report::Observed;

/// The series of one pod, all since its container started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metrics<'a> {
    series: &'a BTreeMap<String, String>,
}

impl<'a> Metrics<'a> {
    /// `None` where they were not read.
    pub(super) fn of(pod: &'a DnsPod) -> Option<Self> {
        let series = pod.metrics.as_ref()?.seen()?;
        Some(Self { series })
    }

    /// The sum of the series with this name, those only that have the label where one is named. `None` where there is none: a counter with
    /// labels is not there before it counts, so that only a name that other series vouch for may be taken for zero.
    pub(super) fn sum(self, name: &str, label: Option<&str>) -> Option<f64> {
        let mut sum = None;
        for (series, value) in self.series {
            let (base, labels) = series.split_once('{').unwrap_or((series, ""));
            if base != name || label.is_some_and(|label| !labels.contains(label)) {
                continue;
            }
            let value: f64 = value.parse().ok()?;
            *sum.get_or_insert(0.0) += value;
        }
        sum
    }

    /// The sum under the first of these names that there is.
    fn any(self, names: &[&str], label: Option<&str>) -> Option<f64> {
        names.iter().find_map(|name| self.sum(name, label))
    }

    /// All answers.
    pub(super) fn answers(self) -> Option<f64> {
        self.any(&RESPONSES, None)
    }

    /// Answers with this code; none where there are answers and none has it.
    pub(super) fn with_code(self, code: &str) -> Option<f64> {
        self.answers()?;
        Some(
            self.any(&RESPONSES, Some(&format!("rcode=\"{code}\"")))
                .unwrap_or(0.0),
        )
    }

    /// The share of answers with this code; `None` where nothing was answered.
    pub(super) fn share(self, code: &str) -> Option<f64> {
        let all = self.answers()?;
        (all > 0.0).then_some(self.with_code(code)? / all)
    }

    /// The share of queries that the cache answered.
    pub(super) fn cached(self) -> Option<f64> {
        let hits = self.any(&["coredns_cache_hits_total"], None).unwrap_or(0.0);
        let all = match self.sum("coredns_cache_requests_total", None) {
            Some(requests) => requests,
            None => hits + self.any(&["coredns_cache_misses_total"], None)?,
        };
        (all > 0.0).then_some(hits / all)
    }

    /// Checks of upstreams that failed.
    pub(super) fn upstream_failures(self) -> Option<f64> {
        self.any(
            &[
                "coredns_proxy_healthcheck_failures_total",
                "coredns_forward_healthcheck_failures_total",
            ],
            None,
        )
    }

    /// In bytes.
    pub(super) fn memory(self) -> Option<f64> {
        self.sum("process_resident_memory_bytes", None)
    }
}

const RESPONSES: [&str; 2] = [
    "coredns_dns_responses_total",
    "coredns_dns_response_rcode_count_total",
];

/// The gaps of pods whose metrics were asked for and not read; and whether any were asked for.
pub(super) fn gaps(scene: &super::Scene<'_>) -> (Vec<report::Gap>, bool) {
    let asked: Vec<&Observed<BTreeMap<String, String>>> =
        scene.pods().filter_map(|pod| pod.metrics.as_ref()).collect();
    let gaps = asked
        .iter()
        .filter_map(|metrics| metrics.gap())
        .cloned()
        .collect();
    (gaps, !asked.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(text: &str) -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.trim().rsplit_once(' '));
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn shares_are_of_all_answers_and_both_generations_of_names_are_read() {
        for name in RESPONSES {
            let series = metrics(&format!(
                "{name}{{rcode=\"NOERROR\",zone=\".\"}} 90\n{name}{{rcode=\"SERVFAIL\",zone=\".\"}} 10"
            ));
            let metrics = Metrics { series: &series };
            assert_eq!(metrics.share("SERVFAIL"), Some(0.1));
            assert_eq!(metrics.share("REFUSED"), Some(0.0));
        }
    }

    #[test]
    fn what_is_not_there_is_not_zero() {
        let series = BTreeMap::new();
        let metrics = Metrics { series: &series };
        assert_eq!((metrics.share("SERVFAIL"), metrics.cached()), (None, None));
        let old = self::metrics("coredns_cache_hits_total{type=\"success\"} 3\ncoredns_cache_misses_total 1");
        assert_eq!(Metrics { series: &old }.cached(), Some(0.75));
    }
}
