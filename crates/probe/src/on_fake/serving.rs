//! A Service of the run's own.

use serde_json::Value;
use testkit::{Config, FakeApi, cluster_of};

use super::{options, run, see_nothing_left, targets};

const MANAGER: &str = "kubectl-netcheck";

/// The object of this kind that a run made.
fn own(api: &FakeApi, kind: &str) -> Option<Value> {
    let mut all = api.objects(kind).into_iter();
    all.find(|object| object["metadata"]["name"] == "own-service")
}

#[tokio::test]
async fn a_service_before_the_probe_pods_lives_in_the_namespace_of_the_run_and_goes_with_it() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let finished = run(&api, options(), targets(2), async |run| {
        let made = run.make_service(MANAGER).await;
        (made, own(&api, "EndpointSlice"))
    });
    let finished = finished.await.unwrap();
    let (made, slice) = finished.value;
    let (made, slice) = (made.unwrap(), slice.expect("a slice"));
    assert_eq!(made.namespace, finished.placement.namespace);
    assert_eq!((made.addresses.len(), made.port), (1, 80));
    assert_eq!(slice["endpoints"].as_array().map(Vec::len), Some(2), "{slice}");
    assert_eq!(
        slice["metadata"]["labels"]["kubernetes.io/service-name"],
        "own-service"
    );
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn it_can_be_removed_before_the_end_and_twice() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let finished = run(&api, options(), targets(2), async |run| {
        run.make_service(MANAGER).await.unwrap();
        run.remove_service().await.unwrap();
        let left = own(&api, "Service");
        (left.is_none(), run.remove_service().await)
    });
    let (is_gone, again) = finished.await.unwrap().value;
    assert!(is_gone);
    assert_eq!(again, Ok(()));
}

#[tokio::test]
async fn where_it_may_not_be_made_or_the_namespace_is_anothers_there_is_a_gap() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    api.deny("create", "services");
    let finished = run(&api, options(), targets(2), async |run| {
        run.make_service(MANAGER).await
    });
    assert!(finished.await.unwrap().value.is_err());
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    api.deny("create", "namespaces");
    let finished = run(&api, options(), targets(2), async |run| {
        run.make_service(MANAGER).await
    });
    assert!(finished.await.unwrap().value.is_err());
    assert!(own(&api, "Service").is_none());
}
