//! `kubectl epcheck`: Services by the API, by trying, and by the rules of nodes, on a cluster where one thing is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use e2e::{Bench, Frozen, User};
use serde_json::{Value, json};

const SHOP: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: epcheck-e2e}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: epcheck-e2e}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      containers:
      - name: web
        image: registry.lab/toolbox:1
        imagePullPolicy: IfNotPresent
        command: [sh, -c, "mkdir /tmp/www; echo well > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www"]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: epcheck-e2e}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
"#;

/// The workload, as long as this lives.
struct Shop<'a>(&'a Bench);

impl<'a> Shop<'a> {
    fn open(bench: &'a Bench) -> Self {
        bench.apply(SHOP);
        let shop = Self(bench);
        shop.rolled_out();
        shop.alone();
        shop
    }

    /// Waits until no node has rules of a shop before this one. Whoever enforces policies on the lab writes the filter table as a whole, and
    /// with it now and then what kube-proxy has just removed; kube-proxy removes it again when it looks next, after half a minute at most.
    fn alone(&self) {
        let jsonpath = "-o=jsonpath={.spec.clusterIP}";
        let own = self
            .0
            .kubectl(&["get", "service", "web", "-n", "epcheck-e2e", jsonpath]);
        let begin = Instant::now();
        for node in self.0.nodes().nodes() {
            loop {
                let script =
                    r"iptables-save | grep 'epcheck-e2e/web' | grep -o -e '-d 10[0-9.]*' | sort -u; true";
                let named = on(self.0, &node, script);
                let others: Vec<&str> = named
                    .lines()
                    .filter(|line| *line != format!("-d {own}"))
                    .collect();
                if others.is_empty() {
                    break;
                }
                assert!(
                    begin.elapsed() < Duration::from_mins(2),
                    "{node} keeps {others:?}"
                );
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    }

    fn rolled_out(&self) {
        let deployment = [
            "rollout",
            "status",
            "deployment/web",
            "-n",
            "epcheck-e2e",
            "--timeout=90s",
        ];
        self.0.kubectl(&deployment);
    }

    fn patch(&self, patch: &str) {
        self.0.kubectl(&[
            "patch",
            "service",
            "web",
            "-n",
            "epcheck-e2e",
            "--type=merge",
            "-p",
            patch,
        ]);
    }
}

impl Drop for Shop<'_> {
    fn drop(&mut self) {
        self.0.run(&[
            "delete",
            "namespace",
            "epcheck-e2e",
            "--ignore-not-found",
            "--wait=true",
        ]);
    }
}

fn one(check: &str, subject: &str) -> Vec<(String, String)> {
    vec![(check.to_owned(), subject.to_owned())]
}

fn on_node1(bench: &Bench, script: &str) -> String {
    on(bench, "node1", script)
}

fn on(bench: &Bench, node: &str, script: &str) -> String {
    let output = bench
        .nodes()
        .node(node)
        .run(&["sh", "-c", script])
        .expect("the node runs it");
    assert!(output.status.success(), "{script}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The chains of node1 for the endpoints of the Service, each with where it leads. By way of the Service's own chain: those of endpoints
/// that are gone stay for a while.
fn endpoint_chains(bench: &Bench) -> BTreeMap<String, String> {
    let listed = on_node1(
        bench,
        r#"rules=$(iptables-save -t nat)
        service=$(echo "$rules" | grep -- '-A KUBE-SERVICES' | grep epcheck-e2e/web | grep -o 'KUBE-SVC-[A-Z0-9]*')
        for chain in $(echo "$rules" | grep -- "-A $service " | grep -o 'KUBE-SEP-[A-Z0-9]*'); do
            echo "$chain $(echo "$rules" | grep -- "-A $chain .*--to-destination" | grep -o '[^ ]*$')"
        done"#,
    );
    let chains = listed.lines().filter_map(|line| line.split_once(' '));
    chains
        .map(|(chain, address)| (chain.to_owned(), address.to_owned()))
        .collect()
}

/// Waits until node1 leads to the pods that are ready and to nobody else: a kube-proxy that still has something to write would write over
/// what is changed here. Returns the chain of one of them.
fn led_to_the_ready(bench: &Bench) -> String {
    let slices = [
        "get",
        "endpointslices",
        "-n",
        "epcheck-e2e",
        "-o",
        "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}",
    ];
    let begin = Instant::now();
    loop {
        let ready = bench.kubectl(&slices);
        let ready: BTreeSet<String> = ready.split_whitespace().map(|it| format!("{it}:8080")).collect();
        let chains = endpoint_chains(bench);
        if ready.len() == 3 && chains.values().cloned().collect::<BTreeSet<_>>() == ready {
            return chains.into_keys().next().expect("three");
        }
        assert!(
            begin.elapsed() < Duration::from_mins(1),
            "node1 leads to {chains:?}, ready are {ready:?}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Lets node1 send a part of the connections to the Service to an address that nobody has, until its pods are replaced.
fn mislead(bench: &Bench) {
    let chain = led_to_the_ready(bench);
    on_node1(
        bench,
        &format!(
            "iptables -w 5 -t nat -R {chain} 2 -p tcp -m tcp -j DNAT --to-destination 10.244.2.250:8080"
        ),
    );
}

const KUBE_PROXY: &str = "grep -lx kube-proxy /proc/[0-9]*/comm | cut -d / -f 3";

#[test]
fn a_service_that_works_has_no_cause_from_any_side() {
    let Some(bench) = Bench::lab() else { return };
    let _shop = Shop::open(&bench);
    let before = bench.objects();
    for args in [
        &["scan", "-A", "-o", "json"][..],
        &["scan", "-n", "epcheck-e2e", "-o", "json"],
        &["svc", "web", "-n", "epcheck-e2e", "-o", "json"],
        &["svc", "svc/web.epcheck-e2e", "--node-access", "-o", "json"],
        &["rules", "--node-access", "-o", "json"],
        &["lb", "web", "-n", "epcheck-e2e", "--node-access", "-o", "json"],
        &["proxy", "-o", "json"],
        &["conntrack", "--node-access", "-o", "json"],
    ] {
        let run = bench.epcheck(args);
        assert_eq!((run.code, run.causes()), (Some(0), Vec::new()), "{run}");
    }
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    assert_eq!(bench.objects(), before);
}

#[test]
fn a_selector_that_is_misspelt_is_the_cause_and_a_bundle_says_the_same() {
    let Some(bench) = Bench::lab() else { return };
    let shop = Shop::open(&bench);
    shop.patch(r#"{"spec":{"selector":{"app":"wbe"}}}"#);
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle.json");
    let bundle = bundle.to_str().unwrap();
    let scan = bench.epcheck(&["scan", "-n", "epcheck-e2e", "-o", "json", "--save-bundle", bundle]);
    assert_eq!(
        (scan.code, scan.causes()),
        (Some(1), one("ep-sel-near", "service/web")),
        "{scan}"
    );
    let replayed = bench.epcheck(&["scan", "-o", "json", "--from-bundle", bundle]);
    assert_eq!((replayed.code, &replayed.stdout), (scan.code, &scan.stdout));
    let svc = bench.epcheck(&["svc", "web", "-n", "epcheck-e2e", "-o", "json"]);
    assert_eq!(
        svc.causes().first(),
        one("ep-sel-near", "service/web").first(),
        "{svc}"
    );

    let fix = scan.json()["rootCauses"][0]["fix"].to_string();
    assert!(fix.contains("kubectl patch service web -n epcheck-e2e"), "{fix}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn a_name_that_is_no_service_is_told_with_the_nearest() {
    let Some(bench) = Bench::lab() else { return };
    let _shop = Shop::open(&bench);
    let run = bench.epcheck(&["svc", "wbe", "-n", "epcheck-e2e"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stdout.contains("web"), "{run}");
}

#[test]
fn an_endpoint_that_one_node_sends_elsewhere_is_found_on_that_node() {
    let Some(bench) = Bench::lab() else { return };
    let shop = Shop::open(&bench);
    mislead(&bench);
    let rules = bench.epcheck(&["rules", "web", "-n", "epcheck-e2e", "--node-access", "-o", "json"]);
    assert_eq!(
        (rules.code, rules.causes()),
        (Some(1), one("ep-rule-stale-ep", "node/node1")),
        "{rules}"
    );
    let svc = bench.epcheck(&["svc", "web", "-n", "epcheck-e2e", "--node-access", "-o", "json"]);
    assert_eq!(svc.causes(), one("ep-rule-stale-ep", "node/node1"), "{svc}");
    // The chain goes with its endpoint.
    bench.kubectl(&["delete", "pods", "-n", "epcheck-e2e", "-l", "app=web"]);
    shop.rolled_out();
    led_to_the_ready(&bench);
    let healed = bench.epcheck(&["rules", "web", "-n", "epcheck-e2e", "--node-access", "-o", "json"]);
    assert_eq!((healed.code, healed.causes()), (Some(0), Vec::new()), "{healed}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn a_kube_proxy_that_hangs_is_found_on_its_node_and_who_runs_again_is_not() {
    let Some(bench) = Bench::lab() else { return };
    let frozen = Frozen::new(bench.nodes().node("node1"), KUBE_PROXY);
    let hung = bench.epcheck(&["proxy", "-o", "json"]);
    assert_eq!(
        (hung.code, hung.causes()),
        (Some(1), one("ep-kp-metrics", "node/node1")),
        "{hung}"
    );
    drop(frozen);
    let healed = bench.epcheck(&["proxy", "-o", "json"]);
    assert_eq!((healed.code, healed.causes()), (Some(0), Vec::new()), "{healed}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn an_entry_that_ties_a_udp_client_to_who_is_gone_is_found_on_its_node() {
    let Some(bench) = Bench::lab() else { return };
    let dns = [
        "get",
        "service",
        "kube-dns",
        "-n",
        "kube-system",
        "-o",
        "jsonpath={.spec.clusterIP}",
    ];
    let dns = bench.kubectl(&dns).trim().to_owned();
    // It would forget the entry as soon as any endpoint changes.
    let frozen = Frozen::new(bench.nodes().node("node1"), KUBE_PROXY);
    on_node1(
        &bench,
        &format!(
            "conntrack -I -t 120 -p udp -s 10.244.0.200 -d {dns} --sport 4000 --dport 53 \\
             --reply-src 10.244.9.9 --reply-dst 10.244.0.200 --reply-port-src 53 --reply-port-dst 4000"
        ),
    );
    let stuck = bench.epcheck(&["conntrack", "--node-access", "-o", "json"]);
    on_node1(
        &bench,
        &format!("conntrack -D -p udp --orig-dst {dns} --orig-port-src 4000"),
    );
    drop(frozen);
    assert_eq!(
        (stuck.code, stuck.causes()),
        (Some(1), one("ep-ct-stale", "node/node1")),
        "{stuck}"
    );
    assert!(stuck.stdout.contains("10.244.9.9:53"), "{stuck}");
    let healed = bench.epcheck(&["conntrack", "--node-access", "-o", "json"]);
    assert_eq!((healed.code, healed.causes()), (Some(0), Vec::new()), "{healed}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn connections_that_one_node_sends_to_nobody_are_counted_there() {
    let Some(bench) = Bench::lab() else { return };
    let _shop = Shop::open(&bench);
    mislead(&bench);
    let args = ["lb", "web", "-n", "epcheck-e2e", "--node-access", "-o", "json"];
    let spread = bench.epcheck(&args);
    assert_eq!(
        (spread.code, spread.causes()),
        (Some(1), one("ep-spread", "service/web")),
        "{spread}"
    );
    assert!(spread.stdout.contains("node1 sends"), "{spread}");
    assert!(spread.stdout.contains("10.244.2.250:8080"), "{spread}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn datagrams_to_a_service_are_counted_by_the_endpoint_though_nobody_answers_them() {
    let Some(bench) = Bench::lab() else { return };
    let args = [
        "lb",
        "kube-dns",
        "-n",
        "kube-system",
        "--node-access",
        "-o",
        "json",
    ];
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle.json");
    let run = bench.epcheck(&[&args[..], &["--save-bundle", bundle.to_str().unwrap()]].concat());
    assert_eq!((run.code, run.causes()), (Some(0), Vec::new()), "{run}");
    let text = std::fs::read_to_string(&bundle).unwrap();
    let seen: Value = serde_json::from_str(&text).unwrap();
    let ports = seen["spread"]["ports"].as_array().unwrap();
    let udp: Vec<&Value> = ports.iter().filter(|port| port["port"] == "dns").collect();
    assert_eq!(udp.len(), 1, "{ports:?}");
    for (node, from) in udp[0]["from"].as_object().unwrap() {
        let from = &from["seen"];
        let to = from["to"].as_array().unwrap().iter();
        let counted: u64 = to.filter_map(|to| to["connections"].as_u64()).sum();
        assert_eq!(from["made"], 100, "{node}: {from}");
        // Each datagram has a socket of its own, one after the other: of 100 ports among the 28,232 that the kernel chooses from, two are the
        // same once in six times, and share an entry. Three such pairs are one case in a thousand.
        assert!((97..=100).contains(&counted), "{node}: {from}");
    }
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn what_becomes_of_endpoints_is_told_with_how_long_nodes_take_to_follow() {
    let Some(bench) = Bench::lab() else { return };
    let shop = Shop::open(&bench);
    let args = [
        "epcheck",
        "watch",
        "web",
        "-n",
        "epcheck-e2e",
        "--node-access",
        "--duration",
        "40s",
        "-o",
        "json",
    ];
    let watching = bench
        .command(&args)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Its pods have to run first.
    std::thread::sleep(Duration::from_secs(15));
    let pods = ["get", "pods", "-n", "epcheck-e2e", "-l", "app=web", "-o", "name"];
    let first = bench.kubectl(&pods).lines().next().unwrap().to_owned();
    bench.kubectl(&["delete", "-n", "epcheck-e2e", &first]);
    shop.rolled_out();
    let ended = watching.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&ended.stdout);
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| {
        events
            .iter()
            .filter(|event| event["event"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("gone").len(), 1, "{text}");
    let ready = of("ready");
    assert_eq!(ready.len(), 1, "{text}");
    assert!(ready[0]["afterMs"].as_u64().unwrap() < 10_000, "{text}");
    let followed: std::collections::BTreeSet<&str> = of("rulesFollow")
        .iter()
        .filter_map(|event| event["node"].as_str())
        .collect();
    assert_eq!(Vec::from_iter(followed), ["node1", "node2", "node3"], "{text}");
    let summary = events.last().unwrap();
    assert_eq!(summary["behind"], json!([]), "{text}");
    assert_eq!(
        summary["services"]["service/web -n epcheck-e2e"]["went"], 1,
        "{text}"
    );
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn who_may_read_nothing_but_a_namespace_gets_what_it_shows_and_the_rest_as_gaps() {
    let Some(bench) = Bench::lab() else { return };
    let shop = Shop::open(&bench);
    shop.patch(r#"{"spec":{"selector":{"app":"wbe"}}}"#);
    let vera = bench.as_user(User::Vera);
    let run = vera.epcheck(&["svc", "web", "-n", "epcheck-e2e", "--static", "-o", "json"]);
    assert_eq!(
        (run.code, run.causes()),
        (Some(1), one("ep-sel-near", "service/web")),
        "{run}"
    );
    let rules = vera.epcheck(&["rules", "--node-access", "-o", "json"]);
    assert_eq!(rules.code, Some(3), "{rules}");
    assert!(
        rules.stdout.contains("forbidden") || rules.stdout.contains("cannot"),
        "{rules}"
    );
}
