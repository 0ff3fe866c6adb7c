use super::*;
use crate::parse;

fn refusals(directives: &str, version: Version) -> Vec<String> {
    let text = format!(".:53 {{\n{directives}\n}}\n");
    let sources = Sources::default();
    check(&parse(&text, &sources).unwrap(), version, &sources)
        .into_iter()
        .map(|refusal| refusal.to_string())
        .collect()
}

fn accepts(directives: &str) -> bool {
    refusals(directives, Version::COMPARED).is_empty()
}

#[test]
fn a_refusal_says_where_what_and_what_to_do() {
    assert_eq!(
        refusals("forward . 1.1.1.1 {\n timeout 2s\n}", Version::COMPARED),
        [
            "Corefile:3: forward has no property `timeout` in CoreDNS 1.12.4; remove the line, or correct its first word"
        ]
    );
}

#[test]
fn properties_depend_on_the_version() {
    let next = "forward . 1.1.1.1 {\n next NXDOMAIN\n}";
    assert!(accepts(next));
    assert!(refusals(next, Version::new(1, 11, 3))[0].contains("only since CoreDNS 1.12.0"));
    let upstream = "kubernetes cluster.local {\n upstream\n}";
    assert!(refusals(upstream, Version::new(1, 6, 2)).is_empty());
    assert!(!accepts(upstream));
}

#[test]
fn a_plugin_that_was_removed_says_since_when() {
    assert!(refusals("proxy . 1.1.1.1", Version::COMPARED)[0].contains("removed in CoreDNS 1.5.0"));
    assert!(refusals("nomad", Version::COMPARED)[0].contains("there since CoreDNS 1.13.0"));
    assert!(refusals("k8s_gateway", Version::COMPARED)[0].contains("no plugin"));
}

#[test]
fn forward_may_stand_several_times_since_1_9_4() {
    let two = "forward a.test 1.1.1.1\nforward . 1.1.1.1";
    assert!(accepts(two));
    assert!(!refusals(two, Version::new(1, 9, 3)).is_empty());
}

#[test]
fn the_percentage_of_prefetch_comes_third() {
    assert!(accepts("cache 30 {\n prefetch 10 1m 10%\n}"));
    assert!(!accepts("cache 30 {\n prefetch 10 10%\n}"));
}

#[test]
fn names_are_no_upstreams_but_files_may_be() {
    assert!(accepts("forward . /etc/resolv.conf"));
    assert!(!accepts("forward . dns.google"));
    assert!(!accepts("forward . 8.8.8.8{\n}"));
}

#[test]
fn every_plugin_of_the_compared_version_has_a_reader_but_those_that_need_more_than_words() {
    let without: Vec<_> = crate::plugins(Version::COMPARED)
        .into_iter()
        .filter(|name| setup_of(name).is_none())
        .collect();
    assert_eq!(
        without,
        [
            "geoip", "trace", "chaos", "dnssec", "route53", "azure", "clouddns", "sign"
        ]
    );
}
