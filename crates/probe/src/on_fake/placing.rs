//! Where a run settles.

use report::{GapReason, Observed};
use serde_json::json;
use testkit::{Admission, Config, FakeApi, cluster_of};

use super::{count, left, options, run, see_nothing_left, targets, visit};
use crate::{ProbeError, Removal};

#[tokio::test]
async fn a_run_makes_its_own_namespace_and_leaves_nothing() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    let finished = run(&api, options(), targets(3), async |run| {
        let namespace = format!("netcheck-{}", run.placement().run);
        assert_eq!(run.placement().namespace, namespace);
        assert!(
            left(&api).contains(&format!("namespaces/{namespace}")),
            "{:?}",
            left(&api)
        );
    });
    let finished = finished.await.unwrap();
    assert_eq!(finished.placement.own_namespace, Observed::Seen(()));
    assert_eq!(finished.placement.notes, Vec::<String>::new());
    assert_eq!(finished.removal, Removal::Done);
    assert!(
        api.objects("Pod")
            .iter()
            .all(|pod| pod["metadata"]["namespace"] == "kube-system")
    );
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn requests_do_not_grow_with_more_than_the_nodes() {
    let api = FakeApi::start(Config::new(cluster_of(50)).quick());
    visit(&api, &options(), 50).await;
    let requests = api.requests().len();
    // Two pods for each node, and a few of the run; the rest are retries for the service account.
    assert!(requests <= 2 * 50 + 20, "{requests}");
    assert_eq!(count(&api, "deletecollection", "/pods"), 1);
}

#[tokio::test]
async fn without_the_right_to_make_namespaces_the_contexts_is_used_and_said() {
    for (verb, what) in [
        ("create", "a namespace for the run was refused"),
        ("delete", "you may not delete namespaces"),
    ] {
        let api = FakeApi::start(Config::new(cluster_of(2)).quick());
        api.deny(verb, "namespaces");
        let finished = visit(&api, &options(), 2).await;
        assert_eq!(finished.placement.namespace, "default");
        let gap = finished.placement.own_namespace.gap().unwrap();
        assert!(
            matches!(&gap.why, GapReason::Forbidden { resource, .. } if resource == "namespaces"),
            "{gap:?}"
        );
        assert!(
            finished.placement.notes[0]
                .starts_with(&format!("the probe pods ran in namespace default: {what}")),
            "{:?}",
            finished.placement.notes
        );
        assert_eq!(finished.removal, Removal::Done);
        see_nothing_left(&api).await;
    }
}

#[tokio::test]
async fn a_namespace_in_which_nothing_may_be_made_is_given_up_again() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    api.refuse(Admission::new("configmaps", "you cannot create resource").within("netcheck-*"));
    let finished = visit(&api, &options(), 2).await;
    assert_eq!(finished.placement.namespace, "default");
    assert_eq!(finished.removal, Removal::Done);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn policies_of_a_users_namespace_that_select_the_pods_are_said() {
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": "shop"}, "spec": {"podSelector": {}},
    });
    let shop = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    let api = FakeApi::start(Config::new(cluster_of(1).with(shop).with(policy)).quick());
    let mut options = options();
    options.probe_namespace = Some("shop".to_owned());
    let finished = visit(&api, &options, 1).await;
    assert!(
        finished.placement.notes[0].contains("networkpolicy/deny of namespace shop"),
        "{:?}",
        finished.placement
    );

    api.deny("list", "networkpolicies");
    let finished = visit(&api, &options, 1).await;
    assert!(
        finished.placement.notes[0].contains("is not known"),
        "{:?}",
        finished.placement.notes
    );
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn where_nothing_may_be_made_at_all_the_run_says_so() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    api.deny("create", "namespaces");
    api.deny("create", "configmaps");
    let error = run(&api, options(), targets(1), async |_| ()).await.unwrap_err();
    let ProbeError::NotPrepared { gap, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        matches!(&gap.why, GapReason::Forbidden { resource, .. } if resource == "configmaps"),
        "{gap:?}"
    );
    assert!(
        gap.hint
            .as_deref()
            .unwrap()
            .contains("kubectl auth can-i create configmaps -n default"),
        "{gap:?}"
    );
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_role_without_deletecollection_removes_pods_one_by_one() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    api.deny("create", "namespaces");
    api.deny("deletecollection", "pods");
    let finished = visit(&api, &options(), 2).await;
    assert_eq!(finished.removal, Removal::Done);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn what_cannot_be_removed_is_said_with_the_command_that_does() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    api.deny("create", "namespaces");
    let finished = run(&api, options(), targets(1), async |_| {
        api.deny("deletecollection", "pods");
        api.deny("delete", "pods");
        api.deny("delete", "configmaps");
    });
    let finished = finished.await.unwrap();
    let Removal::Incomplete { left, command } = &finished.removal else {
        panic!("{:?}", finished.removal)
    };
    assert!(left.iter().any(|left| left.contains("pod/")), "{left:?}");
    assert_eq!(
        *command,
        format!(
            "kubectl delete pods,configmaps -n default -l netcheck.dev/run={}",
            finished.placement.run
        )
    );
}

#[tokio::test]
async fn what_is_kept_is_said_with_the_command_that_removes_it() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let mut options = options();
    options.keep = true;
    let finished = visit(&api, &options, 1).await;
    let command = format!("kubectl delete namespace {}", finished.placement.namespace);
    assert_eq!(finished.removal, Removal::Kept { command });
    assert!(!left(&api).is_empty());
}

#[tokio::test]
async fn two_runs_at_once_do_not_meet() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    api.deny("create", "namespaces");
    let options = options();
    let (one, other) = tokio::join!(visit(&api, &options, 2), visit(&api, &options, 2));
    assert_ne!(one.placement.run, other.placement.run);
    assert_eq!((one.removal, other.removal), (Removal::Done, Removal::Done));
    see_nothing_left(&api).await;
}
