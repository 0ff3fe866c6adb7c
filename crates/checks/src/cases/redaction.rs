//! What `--redact` writes of every case: nothing that tells whose it is, and judged as the original.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use observation::Observation;
use report::{Format, RenderOptions, Report, Severity, Verdict, render};
use serde_json::Value;

use super::{cases, report, text};

/// What a cluster would not want to be told of it, read from a bundle without the help of what replaces it: names of
/// nodes, namespaces, pods and Services, and addresses.
fn private_words(bundle: &Value) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for node in bundle
        .pointer("/nodes/seen")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        words.extend(node["name"].as_str().map(str::to_owned));
    }
    collect(bundle, &mut words);
    words
}

fn collect(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_named = matches!(key.as_str(), "node" | "namespace" | "pod" | "service")
                    || (key == "name" && fields.contains_key("namespace"));
                words.extend(value.as_str().filter(|_| is_named).map(str::to_owned));
                collect(value, words);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Value::String(text) => {
            let parts =
                text.split(|character: char| !(character.is_ascii_hexdigit() || ".:".contains(character)));
            words.extend(
                parts
                    .filter(|part| part.parse::<IpAddr>().is_ok())
                    .map(str::to_owned),
            );
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What every cluster has says nothing of one. Common words are replaced where they are names, and stay in sentences.
fn is_of_every_cluster(word: &str) -> bool {
    let parts = [
        "kube-",
        "coredns",
        "kubernetes",
        "default",
        "calico",
        "cilium",
        "antrea",
        "flannel",
        "kindnet",
        "ovn",
        "terway",
        "tigera-",
        "netcheck",
    ];
    let common = ["client", "", "tunnel", "host"];
    // Blocks that everybody uses.
    let blocks = ["10.0.0.0", "192.168.0.0", "fe80::"];
    let is_plain = |address: IpAddr| match address {
        IpAddr::V4(it) => {
            let is_nobodys = it.is_documentation() || it.octets()[..3] == [192, 0, 0];
            it.is_loopback()
                || it.is_unspecified()
                || it.octets()[0] >= 224
                || it.is_link_local()
                || is_nobodys
        }
        IpAddr::V6(it) => it.is_loopback() || it.is_unspecified() || it.is_multicast(),
    };
    parts.iter().any(|part| word.starts_with(part))
        || common.contains(&word)
        || blocks.contains(&word)
        || word.parse().is_ok_and(is_plain)
        || word
            .parse::<SocketAddr>()
            .is_ok_and(|address| is_plain(address.ip()))
}

/// Whether a word stands in a text with nothing around it that would make it another.
fn has_word(text: &str, word: &str) -> bool {
    let is_inner = |it: char| it.is_ascii_alphanumeric();
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().last();
        let mut after = text[at + word.len()..].chars();
        let (next, over_next) = (after.next(), after.next());
        // An address goes on after a dot or a colon with a digit.
        let is_address = word.parse::<IpAddr>().is_ok();
        let goes_on = is_address
            && (matches!(next, Some('.')) && over_next.is_some_and(|it| it.is_ascii_digit())
                || (word.contains(':') && next == Some(':')));
        let went_on = is_address && before.is_some_and(|it| ".:".contains(it));
        !before.is_some_and(is_inner) && !next.is_some_and(is_inner) && !goes_on && !went_on
    })
}

/// What a report comes to, without names.
#[derive(Debug, PartialEq, Eq)]
struct Essence {
    verdict: Verdict,
    checks: Vec<(String, Verdict)>,
    findings: Vec<(String, Severity)>,
    causes: Vec<String>,
}

impl Essence {
    fn of(report: &Report) -> Self {
        let checks = report.checks().iter();
        let findings = report.findings().iter();
        let mut findings: Vec<_> = findings
            .map(|finding| (finding.id.clone(), finding.severity))
            .collect();
        findings.sort();
        Self {
            verdict: report.verdict(),
            checks: checks.map(|check| (check.id.clone(), check.verdict())).collect(),
            findings,
            causes: report.root_causes.iter().map(|cause| cause.id.clone()).collect(),
        }
    }
}

#[test]
fn a_redacted_bundle_is_judged_as_the_original() {
    for (name, observation) in cases() {
        let redacted = observation
            .redacted(7)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let again = Observation::from_bundle(&redacted.to_bundle()).expect("it is a bundle");
        let (before, after) = (report(&observation), report(&again));
        assert_eq!(
            Essence::of(&before),
            Essence::of(&after),
            "{name}\n{}\n{}",
            text(&before),
            text(&after)
        );
    }
}

#[test]
fn whoever_enforces_policies_is_still_recognised() {
    let deny =
        || crate::scene::fixture::Fixture::shop().with("shop", "deny", crate::scene::fixture::deny_all());
    let flannel = || {
        deny().daemon(
            "kube-flannel",
            "kube-flannel-ds",
            "registry.example/flannel:v0.28.4",
        )
    };
    let with = |name: &str, image: &str| flannel().daemon("kube-system", name, image);
    for fixture in [
        flannel(),
        with("netpol", "registry.example/netpol:v2"),
        with("own-network-policies", "registry.example/own:1"),
        with("own", "netpol.example.com/own:1"),
        with("weave-npc", "registry.example/own:1"),
        with("own", "registry.example/weave-npc:1"),
    ] {
        let observation = fixture.observe();
        let redacted = observation.redacted(7).expect("it can be redacted");
        assert_eq!(
            Essence::of(&report(&observation)),
            Essence::of(&report(&redacted))
        );
    }
}

#[test]
fn no_name_and_no_address_survives_redaction() {
    for (name, observation) in cases() {
        let bundle = serde_json::to_value(&observation).expect("a bundle is JSON");
        let private: Vec<String> = private_words(&bundle)
            .into_iter()
            .filter(|word| !is_of_every_cluster(word))
            .collect();
        assert!(!private.is_empty(), "{name} names nothing");
        let redacted = observation.redacted(7).expect("it can be redacted");
        let report = report(&redacted);
        let mut texts = vec![("the bundle", redacted.to_bundle())];
        for (what, format) in [
            ("text", Format::Wide),
            ("json", Format::Json),
            ("junit", Format::Junit),
            ("html", Format::Html),
            ("prometheus", Format::Prometheus),
        ] {
            texts.push((what, render(&report, format, &RenderOptions::default())));
        }
        for (what, text) in &texts {
            for word in &private {
                assert!(!has_word(text, word), "{name}: {word} is still in {what}");
            }
        }
    }
}

/// Names that are words of the format too, or too short to be searched for.
#[test]
fn nodes_whose_names_are_common_words_are_hidden_and_judged_as_before() {
    for (name, observation) in cases() {
        let mut bundle = observation.to_bundle();
        for (old, new) in [("node1", "control"), ("node2", "db"), ("node3", "infra")] {
            bundle = bundle.replace(&format!("\"{old}\""), &format!("\"{new}\""));
        }
        let renamed = Observation::from_bundle(&bundle).expect("it is a bundle");
        let redacted = renamed.redacted(7).expect("it can be redacted");
        assert_eq!(
            Essence::of(&report(&renamed)),
            Essence::of(&report(&redacted)),
            "{name}"
        );
        let text = redacted.to_bundle();
        for word in ["\"control\"", "\"db\"", "\"infra\""] {
            assert!(!text.contains(word), "{name}: {word} is still in the bundle");
        }
    }
}

#[test]
fn a_slip_in_a_policy_is_still_found() {
    let spec =
        serde_json::json!({"podSelector": {"matchLabels": {"app": "wbe"}}, "policyTypes": ["Ingress"]});
    let observation = crate::scene::fixture::Fixture::shop()
        .with("shop", "slip", spec)
        .observe();
    let before = Essence::of(&report(&observation));
    assert!(
        before.findings.iter().any(|(id, _)| id == "net-pol-selmiss"),
        "{before:?}"
    );
    let redacted = observation.redacted(7).expect("it can be redacted");
    assert_eq!(before, Essence::of(&report(&redacted)));
}
