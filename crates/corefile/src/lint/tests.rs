use super::*;
use crate::parse;

const KUBEADM: &str = include_str!("kubeadm.Corefile");

fn facts() -> Facts {
    Facts {
        version: Some(Version::COMPARED),
        stock_image: true,
        cluster_domain: Some("cluster.local".to_owned()),
        service_addresses: vec!["10.96.0.10".parse().unwrap()],
        liveness_port: Some(8080),
        readiness_port: Some(8181),
        ..Facts::default()
    }
}

fn found(text: &str, facts: &Facts) -> Vec<(&'static str, Severity, usize)> {
    lint(&parse(text, &Sources::default()).unwrap(), facts)
        .into_iter()
        .map(|lint| (lint.id, lint.severity, lint.place.line))
        .collect()
}

/// The golden file with one line changed, or removed where `to` is empty.
fn changed(from: &str, to: &str) -> String {
    assert!(KUBEADM.contains(from), "{from}");
    KUBEADM.replace(from, to)
}

#[test]
fn the_file_of_kubeadm_has_nothing_to_say() {
    assert_eq!(found(KUBEADM, &facts()), []);
}

#[test]
fn an_unknown_property_is_an_error_at_its_line() {
    let text = changed("max_concurrent 1000", "timeout 2s");
    assert_eq!(found(&text, &facts()), [("dns-cf-prop", Severity::Error, 14)]);
    let text = changed("cache 30 {", "cache 30 {\n prefetch 10 10%");
    assert_eq!(
        found(&text, &facts()),
        [("dns-cf-cache-syntax", Severity::Error, 17)]
    );
}

#[test]
fn what_a_later_version_refuses_is_a_warning_before_the_upgrade() {
    let text = changed("pods insecure", "pods insecure\n upstream");
    let mut facts = facts();
    facts.version = Some(Version::new(1, 6, 7));
    let text = text.replace("max_concurrent 1000", "max_fails 2").replace(
        "disable success cluster.local\n       disable denial cluster.local",
        "success 9984",
    );
    assert_eq!(found(&text, &facts), []);
    facts.next_version = Some(Version::new(1, 8, 0));
    assert_eq!(found(&text, &facts), [("dns-cf-prop", Severity::Warning, 9)]);
}

#[test]
fn a_foreign_plugin_is_an_error_only_in_an_image_of_coredns() {
    let text = changed("    loop\n", "    loop\n    k8s_gateway\n");
    assert_eq!(found(&text, &facts()), [("dns-cf-parse", Severity::Error, 21)]);
    let facts = Facts {
        stock_image: false,
        ..facts()
    };
    assert_eq!(found(&text, &facts), [("dns-cf-parse", Severity::Warning, 21)]);
}

#[test]
fn upstreams_that_lead_back_or_nowhere_are_errors() {
    for (upstream, id) in [
        ("10.96.0.10", "dns-cf-fwd-self"),
        ("127.0.0.53", "dns-cf-fwd-self"),
        ("233.5.5.5", "dns-cf-fwd-reserved"),
        ("192.0.2.1", "dns-cf-fwd-reserved"),
    ] {
        let text = changed(
            "forward . /etc/resolv.conf",
            &format!("forward . {upstream} 10.0.0.2"),
        );
        assert_eq!(found(&text, &facts()), [(id, Severity::Error, 13)], "{upstream}");
    }
    let text = changed("forward . /etc/resolv.conf", "forward . 169.254.169.253");
    assert_eq!(found(&text, &facts()), []);
}

#[test]
fn a_resolv_conf_with_a_stub_in_it_is_a_loop() {
    let mut facts = facts();
    facts.resolv_conf = Some(vec!["127.0.0.53".parse().unwrap()]);
    assert_eq!(found(KUBEADM, &facts), [("dns-cf-fwd-self", Severity::Error, 13)]);
}

#[test]
fn the_zone_has_to_be_the_one_that_pods_search() {
    let mut facts = facts();
    facts.cluster_domain = Some("corp.local".to_owned());
    assert_eq!(found(KUBEADM, &facts), [("dns-cf-zone", Severity::Error, 7)]);
}

#[test]
fn a_block_below_the_zone_of_the_cluster_takes_its_names() {
    let text = format!("{KUBEADM}svc.cluster.local {{\n forward . 10.0.0.2\n cache 30\n}}\n");
    let ids: Vec<_> = found(&text, &facts()).into_iter().map(|(id, ..)| id).collect();
    assert!(ids.contains(&"dns-cf-steal"), "{ids:?}");
    let text = format!("{KUBEADM}corp.test {{\n forward . 10.0.0.2\n cache 30\n}}\n");
    assert_eq!(found(&text, &facts()), []);
}

#[test]
fn hosts_needs_to_let_names_through() {
    let text = changed(
        "    loop\n",
        "    hosts {\n     10.0.0.1 a.test\n    }\n    loop\n",
    );
    assert_eq!(found(&text, &facts()), [("dns-cf-steal", Severity::Error, 20)]);
    let text = text.replace("10.0.0.1 a.test", "10.0.0.1 a.test\n fallthrough");
    assert_eq!(found(&text, &facts()), []);
}

#[test]
fn probes_need_their_plugins_and_ports() {
    assert_eq!(
        found(&changed("    ready\n", ""), &facts()),
        [("dns-cf-ready", Severity::Error, 1)]
    );
    assert_eq!(
        found(&changed("    ready\n", "    ready :8182\n"), &facts()),
        [("dns-cf-ready", Severity::Error, 6)]
    );
}

#[test]
fn what_is_missing_is_said_once() {
    assert_eq!(
        found(&changed("    reload\n", ""), &facts()),
        [("dns-cf-misc", Severity::Warning, 1)]
    );
    assert_eq!(
        found(&changed("    loop\n", ""), &facts()),
        [("dns-cf-misc", Severity::Note, 1)]
    );
}

#[test]
fn rewriting_of_parts_of_names_needs_answers() {
    let rule = |rule: &str| changed("    loop\n", &format!("    rewrite {rule}\n    loop\n"));
    assert_eq!(
        found(&rule("name suffix .a.test .b.test"), &facts()),
        [("dns-cf-misc", Severity::Warning, 20)]
    );
    assert_eq!(
        found(&rule("name suffix .a.test .b.test answer auto"), &facts()),
        []
    );
    assert_eq!(found(&rule("name a.test b.test"), &facts()), []);
}

#[test]
fn autopath_needs_verified_pods() {
    let text = changed("    loop\n", "    autopath @kubernetes\n    loop\n");
    assert_eq!(found(&text, &facts()), [("dns-cf-pods", Severity::Error, 7)]);
}

#[test]
fn node_local_has_no_kubernetes_on_purpose_and_placeholders_of_its_own() {
    let text = ".:53 {\n errors\n cache 30\n reload\n loop\n bind 169.254.20.10\n \
                forward . __PILLAR__UPSTREAM__SERVERS__\n prometheus :9253\n health 169.254.20.10:8080\n}\n";
    let facts = Facts {
        role: Role::NodeLocal,
        liveness_port: Some(8080),
        ..Facts::default()
    };
    assert_eq!(found(text, &facts), []);
    let left = text.replace("bind 169.254.20.10", "bind __PILLAR__LOCAL__DNS__");
    assert_eq!(found(&left, &facts), [("dns-cf-parse", Severity::Error, 6)]);
}

#[test]
fn nothing_is_called_missing_while_an_import_is_unread() {
    let text = ". {\n import custom/*.override\n}\n";
    assert!(
        found(text, &facts())
            .iter()
            .all(|(id, ..)| *id != "dns-cf-zone" && *id != "dns-cf-misc")
    );
}
