//! `kubectl dnscheck`: the cluster's DNS by what the API says, on a cluster that is well and on one where one thing is wrong.

use e2e::{Bench, Run};

fn causes(run: &Run) -> Vec<String> {
    let report = run.json();
    let causes = report["rootCauses"].as_array().cloned().unwrap_or_default();
    causes
        .iter()
        .map(|cause| {
            let subject = &cause["subject"];
            let of = |field: &str| subject[field].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {}/{}",
                cause["id"].as_str().unwrap_or_default(),
                of("kind"),
                of("name")
            )
        })
        .collect()
}

#[test]
fn the_dns_of_a_cluster_that_works_has_no_cause_and_nothing_is_left() {
    let Some(bench) = Bench::lab() else { return };
    let before = bench.objects();
    for args in [
        &["status", "-o", "json"][..],
        &["corefile", "-o", "json"],
        &["logs", "-o", "json"],
        &["scale", "-o", "json"],
    ] {
        let run = bench.dnscheck(args);
        assert_eq!((run.code, causes(&run)), (Some(0), Vec::new()), "{run}");
    }
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    assert_eq!(bench.objects(), before);
}

/// Puts the selector of the DNS Service back, however the test ends.
struct Misspelt<'a>(&'a Bench);

impl<'a> Misspelt<'a> {
    fn new(bench: &'a Bench) -> Self {
        let this = Self(bench);
        this.select("kube-dsn");
        this
    }

    fn select(&self, label: &str) {
        let patch = format!("{{\"spec\":{{\"selector\":{{\"k8s-app\":\"{label}\"}}}}}}");
        self.0
            .kubectl(&["patch", "service", "kube-dns", "-n", "kube-system", "-p", &patch]);
    }
}

impl Drop for Misspelt<'_> {
    fn drop(&mut self) {
        self.select("kube-dns");
    }
}

#[test]
fn a_dns_service_that_selects_nobody_is_the_cause_and_a_bundle_says_the_same() {
    let Some(bench) = Bench::lab() else { return };
    let _misspelt = Misspelt::new(&bench);
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle.json");
    let bundle = bundle.to_str().unwrap();
    // The controller takes a moment to empty the slice.
    let mut status = bench.dnscheck(&["status", "-o", "json", "--save-bundle", bundle]);
    for _ in 0..10 {
        if status.code != Some(0) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
        status = bench.dnscheck(&["status", "-o", "json", "--save-bundle", bundle]);
    }
    assert_eq!(
        (status.code, causes(&status)),
        (Some(1), vec!["dns-ep service/kube-dns".to_owned()]),
        "{status}"
    );
    let fix = status.json()["rootCauses"][0]["fix"].to_string();
    assert!(
        fix.contains("kubectl patch service kube-dns -n kube-system"),
        "{fix}"
    );
    let replayed = bench.dnscheck(&["status", "-o", "json", "--from-bundle", bundle]);
    assert_eq!((replayed.code, &replayed.stdout), (status.code, &status.stdout));
}

#[test]
fn a_corefile_is_judged_without_a_cluster() {
    let Some(bench) = Bench::cluster() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bad = file(
        "bad",
        ".:53 {\n    kubernetes cluster.local in-addr.arpa ip6.arpa\n    forward . 8.8.8.8 9.9.9.9 {\n        timeout 2s\n    }\n}\n",
    );
    let run = bench.dnscheck(&["corefile", &bad, "-o", "json"]);
    assert_eq!(
        (run.code, causes(&run)),
        (Some(1), vec![format!("dns-cf-prop file/{bad}")]),
        "{run}"
    );
    let missing = bench.dnscheck(&["corefile", "/nonexistent/Corefile"]);
    assert_eq!(missing.code, Some(2), "{missing}");
    let imports = file(
        "imports",
        ".:53 {\n    import /etc/coredns/custom/*.override\n    kubernetes cluster.local\n}\n",
    );
    let run = bench.dnscheck(&["corefile", &imports]);
    assert_eq!(run.code, Some(3), "{run}");
}
