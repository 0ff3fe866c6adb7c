//! Places that are made for runs, and not always used.

use testkit::{Config, FakeApi, cluster_of};
use tokio_util::sync::CancellationToken;

use super::{access, left, options, see_nothing_left, targets};
use crate::Removal;
use crate::prepared::prepare_at;

#[tokio::test]
async fn a_place_that_was_made_and_not_used_is_taken_away() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let cancel = CancellationToken::new();
    let prepared = prepare_at(access(&api), &options(), &targets(2), &cancel, &()).await;
    assert!(!left(&api).is_empty(), "the namespace and its ConfigMaps");
    assert_eq!(prepared.remove().await, Removal::Done);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_place_for_a_run_that_was_interrupted_holds_nothing() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let cancel = CancellationToken::new();
    cancel.cancel();
    let prepared = prepare_at(access(&api), &options(), &targets(2), &cancel, &()).await;
    assert_eq!(left(&api), Vec::<String>::new());
    assert_eq!(prepared.remove().await, Removal::Done);
}
