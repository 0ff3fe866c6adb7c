//! Metrics of kube-proxy.

use std::collections::BTreeMap;

use observation::ProxyLook;

/// When rules were written last, in seconds since 1970.
const SYNCED: &str = "kubeproxy_sync_proxy_rules_last_timestamp_seconds";
/// When a change was last put in line to be written.
const QUEUED: &str = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds";

/// The series that one kube-proxy showed at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metrics<'a> {
    series: &'a BTreeMap<String, String>,
    now: Option<f64>,
}

impl<'a> Metrics<'a> {
    /// `None` where they were not read.
    pub(super) fn of(look: &'a ProxyLook) -> Option<Self> {
        let millis = look
            .unix_ms
            .seen()
            .and_then(|millis| u32::try_from(millis / 1000).ok());
        Some(Self {
            series: look.metrics.seen()?,
            now: millis.map(f64::from),
        })
    }

    /// The series of a metric: their labels, and their values.
    fn named(&self, name: &str) -> impl Iterator<Item = (&'a str, f64)> {
        let of = move |(series, value): (&'a String, &'a String)| {
            let labels = series.strip_prefix(name)?;
            let is_it = labels.is_empty() || labels.starts_with('{');
            Some((labels, value.parse().ok()?)).filter(|_| is_it)
        };
        self.series.iter().filter_map(of)
    }

    /// The sum over all labels; `None` where there is no such metric.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        let mut values = self.named(name).map(|(_, value)| value).peekable();
        values.peek()?;
        Some(values.sum())
    }

    /// How many seconds ago rules were written last, for any family. Never is `None`, as unread is.
    pub(super) fn synced_ago(&self) -> Option<f64> {
        let last = self.named(SYNCED).map(|(_, at)| at).fold(0.0, f64::max);
        (last > 0.0).then_some(self.now? - last)
    }

    /// For how many seconds at least a change waits to be written, of the family that waits longest; 0 where none does. `None`
    /// where it is not known.
    pub(super) fn waiting(&self) -> Option<f64> {
        let now = self.now?;
        let synced: BTreeMap<&str, f64> = self.named(SYNCED).collect();
        let mut queued = self.named(QUEUED).peekable();
        queued.peek()?;
        let waits = queued.filter(|(labels, at)| at > synced.get(labels).unwrap_or(&0.0));
        Some(waits.map(|(_, at)| now - at).fold(0.0, f64::max))
    }

    /// Below how many seconds so large a share of a histogram lies, over all labels, and of how many observations that is. Infinite
    /// where they lie above the last bound. `None` without observations.
    pub(super) fn quantile(&self, name: &str, share: f64) -> Option<(f64, f64)> {
        let mut by_bound: Vec<(f64, f64)> = Vec::new();
        for (labels, count) in self.named(&format!("{name}_bucket")) {
            let bound = match label(labels, "le")? {
                "+Inf" => f64::INFINITY,
                text => text.parse().ok()?,
            };
            match by_bound
                .iter_mut()
                .find(|(known, _)| known.total_cmp(&bound).is_eq())
            {
                Some((_, sum)) => *sum += count,
                None => by_bound.push((bound, count)),
            }
        }
        by_bound.sort_by(|one, other| one.0.total_cmp(&other.0));
        let total = by_bound.last()?.1;
        if total <= 0.0 {
            return None;
        }
        let bound = by_bound.iter().find(|(_, count)| *count >= total * share)?;
        Some((bound.0, total))
    }

    /// The version that was built, as `v1.34.4`.
    pub(super) fn version(&self) -> Option<&'a str> {
        let (labels, _) = self.named("kubernetes_build_info").next()?;
        label(labels, "git_version")
    }
}

/// The value of a label. Those that are asked for have no quotes in them.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = labels;
    loop {
        let at = rest.find(&format!("{name}=\""))?;
        let begins = rest[..at].ends_with(['{', ',']);
        let value = &rest[at + name.len() + 2..];
        if begins {
            return value.split('"').next();
        }
        rest = value;
    }
}

/// Seconds in a few words.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds.is_infinite() {
        "longer than is measured".to_owned()
    } else if seconds >= 120.0 {
        format!("{:.0} min", (seconds / 60.0).floor())
    } else if seconds >= 10.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn metrics(series: &BTreeMap<String, String>, now: f64) -> Metrics<'_> {
        Metrics {
            series,
            now: Some(now),
        }
    }

    fn series(lines: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        lines.iter().map(owned).collect()
    }

    fn is(value: Option<f64>, expected: f64) {
        assert!(
            value.is_some_and(|value| (value - expected).abs() < 1e-6),
            "{value:?}"
        );
    }

    #[test]
    fn a_change_waits_from_when_it_was_put_in_line_until_rules_are_written() {
        let waits = series(&[
            (&format!("{SYNCED}{{ip_family=\"IPv4\"}}"), "1000"),
            (&format!("{QUEUED}{{ip_family=\"IPv4\"}}"), "1100"),
            (&format!("{SYNCED}{{ip_family=\"IPv6\"}}"), "1190"),
            (&format!("{QUEUED}{{ip_family=\"IPv6\"}}"), "1150"),
        ]);
        is(metrics(&waits, 1200.0).waiting(), 100.0);
        is(metrics(&waits, 1200.0).synced_ago(), 10.0);
        // A long time without changes is no wait.
        let idle = series(&[(SYNCED, "1000.5"), (QUEUED, "1000")]);
        is(metrics(&idle, 9000.0).waiting(), 0.0);
        assert_eq!(metrics(&series(&[]), 1.0).waiting(), None);
    }

    #[test]
    fn shares_of_histograms_are_taken_over_all_labels() {
        let buckets = series(&[
            ("d_bucket{ip_family=\"IPv4\",le=\"1\"}", "90"),
            ("d_bucket{ip_family=\"IPv4\",le=\"10\"}", "94"),
            ("d_bucket{ip_family=\"IPv4\",le=\"+Inf\"}", "100"),
            ("d_bucket{ip_family=\"IPv6\",le=\"1\"}", "0"),
            ("d_bucket{ip_family=\"IPv6\",le=\"10\"}", "100"),
            ("d_bucket{ip_family=\"IPv6\",le=\"+Inf\"}", "100"),
        ]);
        let metrics = metrics(&buckets, 0.0);
        assert_eq!(metrics.quantile("d", 0.95), Some((10.0, 200.0)));
        assert_eq!(metrics.quantile("d", 0.99), Some((f64::INFINITY, 200.0)));
        assert_eq!(metrics.quantile("other", 0.95), None);
    }

    #[test]
    fn names_that_begin_alike_are_not_taken_for_each_other() {
        let both = series(&[("a_total", "1"), ("a_total_more", "5"), ("a_total{x=\"y\"}", "2")]);
        is(metrics(&both, 0.0).sum("a_total"), 3.0);
        assert_eq!(metrics(&both, 0.0).sum("b"), None);
        assert_eq!(label("{table=\"x\",le=\"3\"}", "le"), Some("3"));
        let built = series(&[("kubernetes_build_info{git_version=\"v1.34.4\"}", "1")]);
        assert_eq!(metrics(&built, 0.0).version(), Some("v1.34.4"));
    }

    proptest! {
        #[test]
        fn any_labels_are_read(labels in "\\PC*", name in "[a-z]{1,3}") {
            let _ = label(&labels, &name);
        }
    }
}
