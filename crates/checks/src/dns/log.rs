//! What lines of CoreDNS' log say.

use std::net::IpAddr;

use observation::{DnsPod, LogTail};
use report::{Observed, Severity};

/// A kind of line that says something is wrong, or nearly.
#[derive(Debug)]
pub(super) struct Pattern {
    /// One of these texts is in the line.
    any: &'static [&'static str],
    /// And all of these.
    all: &'static [&'static str],
    /// What it means, as a clause behind `N lines of its log say that`.
    pub(super) means: &'static str,
    /// How much it matters where it is seen.
    pub(super) severity: Severity,
    /// What to look at next.
    pub(super) next: &'static str,
}

/// The first that fits counts: those that say more stand before those that say less.
pub(super) const PATTERNS: &[Pattern] = &[
    Pattern {
        any: &["plugin/loop: Loop ("],
        all: &["detected for zone"],
        means: "queries that it forwards come back to it, for which it ends",
        severity: Severity::Error,
        next: "see where it forwards to: `kubectl dnscheck corefile`",
    },
    Pattern {
        any: &["HINFO: read udp", "HINFO: dial"],
        all: &[],
        means: "the first query that it sent to an upstream at its start failed; that is no loop",
        severity: Severity::Note,
        next: "if names outside do not resolve, see its upstreams: `kubectl dnscheck upstream`",
    },
    Pattern {
        any: &["is forbidden", "forbidden:"],
        all: &[],
        means: "the API server forbids it to read what it serves",
        severity: Severity::Error,
        next: "see which right is missing: `kubectl dnscheck status`",
    },
    Pattern {
        any: &["Failed to watch", "Failed to list"],
        all: &["plugin/kubernetes"],
        means: "it cannot read what it serves: the API server forbids it, or is not reached",
        severity: Severity::Warning,
        next: "see whether a right is missing: `kubectl dnscheck status`",
    },
    Pattern {
        any: &[
            "Error during parsing",
            "Unknown directive",
            "unknown property",
            "time: unknown unit",
        ],
        all: &[],
        means: "it does not understand its Corefile",
        severity: Severity::Error,
        next: "see what it does not understand: `kubectl dnscheck corefile`",
    },
    Pattern {
        any: &["Corefile changed but reload failed"],
        all: &[],
        means: "it did not take over the changed Corefile and runs with the one before",
        severity: Severity::Warning,
        next: "see what it does not understand: `kubectl dnscheck corefile`",
    },
    Pattern {
        any: &["bind: address already in use"],
        all: &["listen"],
        means: "its port is taken by something else",
        severity: Severity::Error,
        next: "another server listens on its port, in its own pod or, with hostNetwork, on the node",
    },
    Pattern {
        any: &["dial tcp", "Get \"https://"],
        all: &[":443", "timeout"],
        means: "it does not reach the API server",
        severity: Severity::Warning,
        next: "see whether its node reaches the API's Service: `kubectl netcheck control-plane`",
    },
    Pattern {
        any: &["operation not permitted"],
        all: &["plugin/errors"],
        means: "its node or a policy does not let its queries out",
        severity: Severity::Warning,
        next: "see what forbids it: `kubectl netcheck egress`",
    },
    Pattern {
        any: &["no route to host", "network is unreachable"],
        all: &["plugin/errors"],
        means: "there is no way to an upstream",
        severity: Severity::Warning,
        next: "see what its node reaches: `kubectl netcheck egress`",
    },
    Pattern {
        any: &["connection refused"],
        all: &["plugin/errors"],
        means: "an upstream refuses queries",
        severity: Severity::Warning,
        next: "see its upstreams: `kubectl dnscheck upstream`",
    },
    Pattern {
        any: &["i/o timeout"],
        all: &["plugin/errors"],
        means: "an upstream does not answer",
        severity: Severity::Warning,
        next: "see its upstreams: `kubectl dnscheck upstream`",
    },
    Pattern {
        any: &["concurrent queries exceeded maximum"],
        all: &[],
        means: "it refused queries because as many as max_concurrent allows waited for upstreams",
        severity: Severity::Warning,
        next: "see why upstreams are slow before raising `max_concurrent`: `kubectl dnscheck upstream`",
    },
    Pattern {
        any: &["Local health request"],
        all: &["plugin/health"],
        means: "it is starved: a request to itself failed or took more than a second",
        severity: Severity::Warning,
        next: "see its limits and the load of its node: `kubectl top pods -n kube-system -l k8s-app=kube-dns`",
    },
    Pattern {
        any: &[
            "Plugins not ready: \"kubernetes\"",
            "Still waiting on: \"kubernetes\"",
            "waiting for Kubernetes API before starting server",
            "starting server with unsynced Kubernetes API",
        ],
        all: &[],
        means: "it waited for the API server before it answered",
        severity: Severity::Note,
        next: "it is usual for seconds after a start",
    },
];

/// Which pattern a line has.
pub(super) fn pattern(line: &str) -> Option<&'static Pattern> {
    PATTERNS.iter().find(|pattern| {
        pattern.any.iter().any(|text| line.contains(text))
            && pattern.all.iter().all(|text| line.contains(text))
    })
}

/// The patterns of a log with how often each is there and its last line, in the order of the table.
pub(super) fn said(log: &LogTail) -> Vec<(&'static Pattern, usize, &str)> {
    let found: Vec<(&'static Pattern, &str)> = log
        .lines
        .iter()
        .filter_map(|line| Some((pattern(line)?, line.as_str())))
        .collect();
    PATTERNS
        .iter()
        .filter_map(|pattern| {
            let own: Vec<&str> = found
                .iter()
                .filter(|(it, _)| std::ptr::eq(*it, pattern))
                .map(|(_, line)| *line)
                .collect();
            Some((pattern, own.len(), *own.last()?))
        })
        .collect()
}

/// How many lines of a pod's log tell of a query to this upstream that failed.
pub(super) fn failures_of(pod: &DnsPod, upstream: IpAddr) -> usize {
    let logs = [Some(&pod.log), pod.previous_log.as_ref()];
    let lines = logs.into_iter().flatten().filter_map(Observed::seen);
    let to = format!(
        "->{}:",
        std::net::SocketAddr::new(upstream, 0)
            .to_string()
            .trim_end_matches(":0")
    );
    let dial = format!("dial udp {}:", to.trim_start_matches("->").trim_end_matches(':'));
    lines
        .flat_map(|log| &log.lines)
        .filter(|line| line.contains("plugin/errors") && (line.contains(&to) || line.contains(&dial)))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_coredns_are_told_apart() {
        let cases = [
            (
                "[FATAL] plugin/loop: Loop (127.0.0.1:3 -> :53) detected for zone \".\", see",
                "come back",
            ),
            (
                "[ERROR] plugin/errors: 2 1.2. HINFO: read udp 10.244.0.2:4->192.0.2.53:53: i/o timeout",
                "no loop",
            ),
            (
                "[ERROR] plugin/errors: 2 a. A: read udp 10.244.0.2:4->192.0.2.53:53: i/o timeout",
                "does not answer",
            ),
            (
                "[ERROR] plugin/errors: 2 a. A: read udp 10.244.0.2:4->192.0.2.53:53: read: connection refused",
                "refuses",
            ),
            (
                "Failed to watch *v1.EndpointSlice: endpointslices.discovery.k8s.io is forbidden: User",
                "forbids",
            ),
            ("[ERROR] plugin/kubernetes: Failed to watch", "not reached"),
            (
                "plugin/health: Local health request to \"http://:8080/health\" took more than 1s: 2s",
                "starved",
            ),
            (
                "Corefile:4 - Error during parsing: unknown property 'timeout'",
                "understand",
            ),
            ("listen udp :53: bind: address already in use", "taken"),
            ("[INFO] plugin/ready: Plugins not ready: \"kubernetes\"", "waited"),
        ];
        for (line, words) in cases {
            let found = pattern(line).unwrap_or_else(|| panic!("{line}"));
            assert!(found.means.contains(words), "{line}: {}", found.means);
        }
        for line in [
            "CoreDNS-1.12.4",
            "[INFO] plugin/reload: Running configuration SHA512 = ab",
        ] {
            assert!(pattern(line).is_none(), "{line}");
        }
    }
}
