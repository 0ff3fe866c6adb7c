//! Runs that are interrupted, wherever they are.

use std::time::{Duration, Instant};

use testkit::{Config, Effect, FakeApi, Fault, NodeBehaviour, cluster_of};
use tokio_util::sync::CancellationToken;

use super::{NOT_WAITED, access, options, patient, see_nothing_left, targets};
use crate::run::bracket;
use crate::{ProbeError, Removal};

/// Interrupts a run after a while; how it ended, and how long that took from the interruption.
async fn interrupt(api: &FakeApi, after: Duration) -> (ProbeError, Duration) {
    let cancel = CancellationToken::new();
    let (options, targets) = (patient(), targets(3));
    let run = bracket(access(api), &options, &targets, &cancel, &(), async |_| {
        std::future::pending::<()>().await;
    });
    let stop = async {
        tokio::time::sleep(after).await;
        cancel.cancel();
        Instant::now()
    };
    let (result, stopped) = tokio::join!(run, stop);
    (result.unwrap_err(), stopped.elapsed())
}

#[tokio::test]
async fn whenever_a_run_is_interrupted_nothing_is_left() {
    // A run of these delays takes about 90 ms to its work: each of these falls elsewhere.
    for after in (0..120).step_by(8) {
        let mut config = Config::new(cluster_of(3)).quick();
        config.service_account_delay = Duration::from_millis(20);
        config.kubelet_delay = Duration::from_millis(30);
        let api = FakeApi::start(config);
        let (error, took) = interrupt(&api, Duration::from_millis(after)).await;
        assert!(
            matches!(
                &error,
                ProbeError::Cancelled {
                    removal: Removal::Done
                }
            ),
            "after {after} ms: {error:?}"
        );
        assert!(took < NOT_WAITED, "after {after} ms: {took:?}");
        see_nothing_left(&api).await;
    }
}

#[tokio::test]
async fn pods_whose_creation_is_under_way_are_caught() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    // The first pod is quick, the others are made half a second after they are asked for.
    api.inject(Fault::new("create", "*/pods", Effect::Slow(Duration::from_millis(500))).times(10));
    let (error, took) = interrupt(&api, Duration::from_millis(650)).await;
    assert!(
        matches!(
            &error,
            ProbeError::Cancelled {
                removal: Removal::Done
            }
        ),
        "{error:?}"
    );
    assert!(took < NOT_WAITED, "{took:?}");
    tokio::time::sleep(Duration::from_millis(700)).await;
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_creation_without_an_answer_is_not_waited_for_for_long() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    api.inject(Fault::new("create", "*/configmaps", Effect::Hang));
    let (error, took) = interrupt(&api, Duration::from_millis(200)).await;
    assert!(matches!(&error, ProbeError::Cancelled { .. }), "{error:?}");
    assert!(took < NOT_WAITED, "{took:?}");
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn pods_of_a_dead_kubelet_are_removed() {
    let dead = NodeBehaviour::DeadKubelet {
        ready: "True".to_owned(),
    };
    let api = FakeApi::start(Config::new(cluster_of(3)).quick().behaviour("node-002", dead));
    let (error, _) = interrupt(&api, Duration::from_millis(300)).await;
    assert!(
        matches!(
            &error,
            ProbeError::Cancelled {
                removal: Removal::Done
            }
        ),
        "{error:?}"
    );
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_namespace_of_which_the_answer_was_lost_is_removed() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    api.inject(Fault::new("create", "*/namespaces", Effect::Truncate(3)));
    let error = super::run(&api, options(), targets(1), async |_| ())
        .await
        .unwrap_err();
    assert!(
        matches!(
            &error,
            ProbeError::NotPrepared {
                removal: Removal::Done,
                ..
            }
        ),
        "{error:?}"
    );
    see_nothing_left(&api).await;
}
