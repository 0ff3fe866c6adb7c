//! Leftovers of dead runs, and runs that live.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use report::GapReason;
use serde_json::{Value, json};
use testkit::{Config, FakeApi, cluster_of};

use super::{access, left, options, see_nothing_left, visit};
use crate::leftovers::{self, Action, CleanupOptions, CleanupReport};
use crate::owner::{HEARTBEAT, Owner};

fn cleanup_options() -> CleanupOptions {
    CleanupOptions {
        tool: "netcheck".to_owned(),
        dry_run: false,
        run: None,
        probe_namespace: None,
        force: false,
    }
}

async fn clean(api: &FakeApi, options: &CleanupOptions) -> CleanupReport {
    let access = access(api);
    leftovers::clean(&access.client, &access.namespace, options).await
}

/// A ConfigMap and a pod of a run, in the namespace `default`.
fn put_run(api: &FakeApi, run: &str, annotations: &BTreeMap<String, String>) {
    let object = |kind: &str, name: &str| {
        json!({
            "apiVersion": "v1", "kind": kind,
            "metadata": {
                "name": name, "namespace": "default", "annotations": annotations,
                "labels": {"app.kubernetes.io/managed-by": "kubectl-netcheck", "netcheck.dev/run": run},
                "creationTimestamp": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
        })
    };
    api.put(object("ConfigMap", &format!("netcheck-{run}")));
    let mut pod: Value = object("Pod", &format!("netcheck-{run}-node-001"));
    pod["spec"] = json!({"nodeName": "node-001", "containers": [{"name": "netprobe", "image": "pause:3"}]});
    api.put(pod);
}

fn annotations(owner: &Owner) -> BTreeMap<String, String> {
    owner.annotations(Timestamp::now() - SignedDuration::from_secs(60))
}

fn elsewhere() -> Owner {
    Owner {
        host: Some("elsewhere".to_owned()),
        pid: 1,
        pid_started: Some(1),
        lasts: Duration::from_mins(10),
    }
}

/// An owner of this machine whose process does not exist: pids end at 2^22.
fn killed() -> Owner {
    Owner {
        pid: 1 << 23,
        ..Owner::this(Duration::from_mins(10))
    }
}

fn actions(report: &CleanupReport) -> Vec<(&str, &Action)> {
    report
        .runs
        .iter()
        .map(|(run, action)| (run.id.as_str(), action))
        .collect()
}

#[tokio::test]
async fn what_a_killed_run_left_is_removed_and_a_live_run_is_not() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    put_run(&api, "dead", &annotations(&killed()));
    put_run(&api, "live", &annotations(&Owner::this(Duration::from_mins(10))));
    let report = clean(&api, &cleanup_options()).await;
    assert_eq!(
        actions(&report),
        [("dead", &Action::Removed), ("live", &Action::Spared)],
        "{report:?}"
    );
    assert_eq!(report.gaps, []);
    let left = left(&api);
    assert!(
        left.len() == 2 && left.iter().all(|name| name.contains("live")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_run_that_was_kept_is_spared_while_its_process_lives_and_goes_when_forced() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let mut run_options = options();
    run_options.keep = true;
    let kept = visit(&api, &run_options, 2).await;
    let report = clean(&api, &cleanup_options()).await;
    assert_eq!(actions(&report), [(kept.placement.run.as_str(), &Action::Spared)]);
    let unnamed = CleanupOptions {
        force: true,
        ..cleanup_options()
    };
    assert_eq!(
        actions(&clean(&api, &unnamed).await),
        [(kept.placement.run.as_str(), &Action::Spared)]
    );
    let named = CleanupOptions {
        run: Some(kept.placement.run.clone()),
        ..unnamed
    };
    let report = clean(&api, &named).await;
    assert_eq!(
        actions(&report),
        [(kept.placement.run.as_str(), &Action::Removed)],
        "{report:?}"
    );
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    put_run(&api, "dead", &annotations(&killed()));
    let options = CleanupOptions {
        dry_run: true,
        ..cleanup_options()
    };
    let report = clean(&api, &options).await;
    assert_eq!(actions(&report), [("dead", &Action::WouldRemove)]);
    let names: Vec<String> = report.runs[0].0.objects.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "pod/netcheck-dead-node-001 -n default",
            "configmap/netcheck-dead -n default"
        ]
    );
    assert!(api.requests().iter().all(|request| request.method == "GET"));
}

#[tokio::test]
async fn runs_of_other_machines_are_judged_by_their_heartbeat() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let mut beating = annotations(&elsewhere());
    put_run(&api, "silent", &beating);
    beating.insert(HEARTBEAT.to_owned(), "1".to_owned());
    put_run(&api, "still", &beating);
    put_run(&api, "beats", &beating);
    let beat = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        beating.insert(HEARTBEAT.to_owned(), "2".to_owned());
        put_run(&api, "beats", &beating);
    };
    let options = cleanup_options();
    let (report, ()) = tokio::join!(clean(&api, &options), beat);
    assert_eq!(
        actions(&report),
        [
            ("beats", &Action::Spared),
            ("silent", &Action::Spared),
            ("still", &Action::Removed)
        ],
        "{report:?}"
    );
}

#[tokio::test]
async fn where_not_everything_may_be_listed_the_rest_is_a_gap() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    put_run(&api, "dead", &annotations(&killed()));
    api.deny("list", "namespaces");
    let report = clean(&api, &cleanup_options()).await;
    assert_eq!(actions(&report), [("dead", &Action::Removed)]);
    assert_eq!(report.gaps.len(), 1);
    assert!(matches!(&report.gaps[0].why, GapReason::Forbidden { resource, .. } if resource == "namespaces"));
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn what_may_not_be_deleted_is_said() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    put_run(&api, "dead", &annotations(&killed()));
    api.deny("delete", "configmaps");
    let report = clean(&api, &cleanup_options()).await;
    let Action::Failed(failed) = &report.runs[0].1 else {
        panic!("{report:?}")
    };
    assert!(
        failed[0].starts_with("configmap/netcheck-dead -n default: "),
        "{failed:?}"
    );
}
