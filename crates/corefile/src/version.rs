//! Versions of CoreDNS, and what came and went with them.

use std::fmt;

/// A version of CoreDNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub patch: u32,
}

impl Version {
    /// The version whose refusals this crate was compared with, one by one.
    pub const COMPARED: Self = Self::new(1, 12, 4);

    /// A version by its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads a version as image tags and `coredns --version` have it: `1.12.4`, `v1.9.3-eksbuild.2`,
    /// `registry.k8s.io/coredns/coredns:v1.11.3`, `CoreDNS-1.12.4`.
    pub fn read(text: &str) -> Option<Self> {
        let tag = text.split('@').next()?.rsplit([':', '/']).next()?;
        let start = tag.find(|letter: char| letter.is_ascii_digit())?;
        let mut numbers = tag[start..]
            .split(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .next()?
            .split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let patch = match numbers.next() {
            Some(patch) => patch.parse().ok()?,
            None => 0,
        };
        Some(Self::new(major, minor, patch))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The versions in which something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first that has it, if not every version that is known has it.
    pub since: Option<Version>,
    /// The first that does not have it any more.
    pub until: Option<Version>,
}

impl Span {
    /// Whether that version has it.
    pub fn has(&self, version: Version) -> bool {
        self.since.is_none_or(|since| since <= version) && self.until.is_none_or(|until| version < until)
    }
}

const fn since(major: u32, minor: u32, patch: u32) -> Span {
    Span {
        since: Some(Version::new(major, minor, patch)),
        until: None,
    }
}

const fn until(major: u32, minor: u32, patch: u32) -> Span {
    Span {
        since: None,
        until: Some(Version::new(major, minor, patch)),
    }
}

const ALWAYS: Span = Span {
    since: None,
    until: None,
};

/// The plugins in the order in which 1.12.4 runs them, those that came later or went earlier beside their neighbours.
///
/// Source: plugin.cfg and the release notes of CoreDNS.
const PLUGINS: &[(&str, Span)] = &[
    ("root", ALWAYS),
    ("metadata", since(1, 2, 0)),
    ("geoip", since(1, 8, 5)),
    ("cancel", since(1, 5, 0)),
    ("tls", ALWAYS),
    ("proxyproto", since(1, 14, 2)),
    ("quic", since(1, 12, 2)),
    ("grpc_server", since(1, 14, 3)),
    ("https", since(1, 14, 3)),
    ("https3", since(1, 14, 3)),
    ("timeouts", since(1, 10, 1)),
    ("multisocket", since(1, 12, 0)),
    ("reload", since(1, 1, 0)),
    ("nsid", ALWAYS),
    ("bufsize", since(1, 6, 6)),
    ("bind", ALWAYS),
    ("debug", ALWAYS),
    ("trace", ALWAYS),
    ("ready", since(1, 5, 0)),
    ("health", ALWAYS),
    ("pprof", ALWAYS),
    ("shed", since(1, 14, 7)),
    ("prometheus", ALWAYS),
    ("errors", ALWAYS),
    ("log", ALWAYS),
    ("dnstap", ALWAYS),
    ("local", since(1, 8, 1)),
    ("dns64", since(1, 7, 0)),
    ("siit", since(1, 15, 0)),
    ("acl", since(1, 6, 4)),
    ("any", since(1, 5, 1)),
    ("chaos", ALWAYS),
    ("loadbalance", ALWAYS),
    ("tsig", since(1, 9, 4)),
    ("cache", ALWAYS),
    ("rewrite", ALWAYS),
    ("header", since(1, 8, 5)),
    ("dnssec", ALWAYS),
    ("autopath", ALWAYS),
    ("minimal", since(1, 8, 4)),
    ("reverse", until(1, 2, 0)),
    ("template", ALWAYS),
    ("transfer", since(1, 6, 5)),
    ("dynupdate", since(1, 15, 0)),
    ("hosts", ALWAYS),
    ("route53", ALWAYS),
    ("azure", since(1, 6, 2)),
    ("clouddns", since(1, 6, 3)),
    ("federation", until(1, 7, 0)),
    ("k8s_external", since(1, 3, 0)),
    ("kubernetes", ALWAYS),
    ("file", ALWAYS),
    ("auto", ALWAYS),
    ("secondary", ALWAYS),
    ("etcd", ALWAYS),
    ("loop", since(1, 2, 1)),
    ("forward", ALWAYS),
    ("proxy", until(1, 5, 0)),
    ("grpc", since(1, 5, 0)),
    ("erratic", ALWAYS),
    ("whoami", ALWAYS),
    ("on", ALWAYS),
    ("startup", until(1, 1, 0)),
    ("shutdown", until(1, 1, 0)),
    ("sign", since(1, 6, 3)),
    ("view", since(1, 10, 0)),
    ("nomad", since(1, 13, 0)),
];

/// Properties that not every version has. Those of a plugin that are not here are in all of them.
///
/// Source: the release notes, and the sources of 1.12.4, 1.14.3, 1.14.7 and 1.15.0.
const PROPERTIES: &[(&str, &str, Span)] = &[
    ("forward", "max_concurrent", since(1, 7, 0)),
    ("forward", "next", since(1, 12, 0)),
    ("forward", "failfast_all_unhealthy_upstreams", since(1, 12, 1)),
    ("forward", "failover", since(1, 13, 0)),
    ("forward", "max_connect_attempts", since(1, 14, 0)),
    ("forward", "max_age", since(1, 14, 3)),
    ("forward", "max_idle_conns", since(1, 14, 4)),
    ("forward", "read_timeout", since(1, 14, 4)),
    ("forward", "doh_method", since(1, 14, 4)),
    ("forward", "next_on_nodata", since(1, 14, 4)),
    ("forward", "resolver", since(1, 14, 4)),
    ("forward", "source_address", since(1, 14, 4)),
    ("cache", "serve_stale", since(1, 7, 0)),
    ("cache", "servfail", since(1, 9, 4)),
    ("cache", "disable", since(1, 10, 1)),
    ("cache", "keepttl", since(1, 10, 1)),
    ("cache", "serve_stale_policy", since(1, 14, 7)),
    ("cache", "prefer_positive", since(1, 14, 4)),
    ("kubernetes", "resyncperiod", until(1, 7, 0)),
    ("kubernetes", "upstream", until(1, 7, 0)),
    ("kubernetes", "transfer", until(1, 8, 0)),
    ("kubernetes", "namespace_labels", since(1, 6, 7)),
    ("kubernetes", "multicluster", since(1, 12, 2)),
    ("kubernetes", "startup_timeout", since(1, 12, 3)),
    ("kubernetes", "apiserver_qps", since(1, 14, 0)),
    ("kubernetes", "apiserver_burst", since(1, 14, 0)),
    ("kubernetes", "apiserver_max_inflight", since(1, 14, 0)),
    ("kubernetes", "zonal", since(1, 14, 7)),
];

/// In which versions CoreDNS has that plugin. `None`: it is none of CoreDNS' own.
pub fn plugin_span(name: &str) -> Option<Span> {
    PLUGINS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, span)| *span)
}

/// In which versions a plugin has that property, as far as it is not all of them.
pub fn property_span(plugin: &str, property: &str) -> Option<Span> {
    PROPERTIES
        .iter()
        .find(|(known, name, _)| *known == plugin && *name == property)
        .map(|(_, _, span)| *span)
}

/// The plugins of that version, in the order in which they see a query.
pub fn plugins(version: Version) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = PLUGINS
        .iter()
        .filter(|(_, span)| span.has(version))
        .map(|(name, _)| *name)
        .collect();
    let mut move_before = |name: &str, before: &str| {
        if let Some(from) = names.iter().position(|known| *known == name) {
            let moved = names.remove(from);
            let to = names
                .iter()
                .position(|known| *known == before)
                .unwrap_or(names.len());
            names.insert(to, moved);
        }
    };
    if version >= Version::new(1, 14, 2) {
        move_before("acl", "header");
    }
    if version >= Version::new(1, 14, 7) {
        move_before("rewrite", "cache");
        move_before("autopath", "cache");
        move_before("acl", "cache");
        move_before("tls", "minimal");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_names_them() {
        for text in [
            "1.11.3",
            "v1.11.3-eksbuild.2",
            "registry.k8s.io:5000/coredns/coredns:v1.11.3@sha256:00",
            "CoreDNS-1.11.3",
        ] {
            assert_eq!(Version::read(text), Some(Version::new(1, 11, 3)), "{text}");
        }
        assert_eq!(Version::read("latest"), None);
    }

    #[test]
    fn plugins_come_and_go() {
        assert!(!plugins(Version::new(1, 5, 0)).contains(&"proxy"));
        assert!(plugins(Version::new(1, 4, 0)).contains(&"proxy"));
        assert!(!plugins(Version::new(1, 9, 3)).contains(&"view"));
        assert_eq!(plugin_span("k8s_gateway"), None);
    }

    #[test]
    fn rewriting_comes_before_the_cache_only_in_late_versions() {
        let order = |version| {
            let names = plugins(version);
            let at = |name| names.iter().position(|known| *known == name);
            at("rewrite") < at("cache")
        };
        assert!(!order(Version::COMPARED));
        assert!(order(Version::new(1, 14, 7)));
    }

    #[test]
    fn no_plugin_and_no_property_is_listed_twice() {
        for (index, (name, _)) in PLUGINS.iter().enumerate() {
            assert!(PLUGINS[index + 1..].iter().all(|(other, _)| other != name));
        }
        for (index, (plugin, name, _)) in PROPERTIES.iter().enumerate() {
            assert!(
                PROPERTIES[index + 1..]
                    .iter()
                    .all(|(other, property, _)| (other, property) != (plugin, name))
            );
        }
    }
}
