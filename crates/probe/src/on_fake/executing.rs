//! Plans that run, and execs that break.

use std::time::Instant;

use report::GapReason;
use testkit::{Config, ExecEffect, ExecFault, FakeApi, V4, V5, cluster_of};

use super::{NOT_WAITED, ask, count, options, plan, run, see_nothing_left, targets};

#[tokio::test]
async fn answers_arrive_whole_under_both_protocols() {
    for protocol in [V4, V5] {
        let mut config = Config::new(cluster_of(3)).quick();
        config.exec_protocols = vec![protocol.to_owned()];
        let api = FakeApi::start(config);
        let executed = ask(&api).await;
        assert_eq!(executed.seen.gap(), None, "{protocol}");
        assert_eq!(executed.hello.unwrap().name, "node-001");
        assert!(
            executed.answers.len() == 2
                && executed
                    .answers
                    .iter()
                    .all(|answer| answer.samples[0].outcome.is_ok())
        );
        see_nothing_left(&api).await;
    }
}

#[tokio::test]
async fn a_lost_status_loses_no_answers() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    api.inject_exec(ExecFault::new("*", ExecEffect::LoseStatus));
    let executed = ask(&api).await;
    assert_eq!((executed.seen.gap(), executed.answers.len()), (None, 2));
}

#[tokio::test]
async fn a_connection_that_breaks_keeps_the_answers_that_arrived_and_is_not_tried_again() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    api.inject_exec(ExecFault::new("*", ExecEffect::BreakAfter(1)));
    let executed = ask(&api).await;
    assert_eq!(executed.answers.len(), 1);
    let gap = executed.seen.gap().unwrap();
    assert_eq!(gap.why, GapReason::Truncated);
    assert!(gap.message.contains("cut off after 1 answers"), "{gap:?}");
    assert_eq!(count(&api, "get", "/exec"), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_first_answer_is_tried_again() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    api.inject_exec(ExecFault::new("*", ExecEffect::BreakAfter(0)).times(2));
    let executed = ask(&api).await;
    assert_eq!((executed.seen.gap(), executed.answers.len()), (None, 2));
    assert_eq!(count(&api, "get", "/exec"), 3);
}

#[tokio::test]
async fn a_kubelet_that_the_api_server_cannot_reach_is_called_so() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    let dial = "dial tcp 172.16.0.10:10250: connect: connection refused";
    let words = format!("error dialing backend: {dial}");
    api.inject_exec(ExecFault::new(
        "*",
        ExecEffect::Refuse {
            code: 500,
            message: words,
        },
    ));
    let executed = ask(&api).await;
    let gap = executed.seen.gap().unwrap();
    assert_eq!(
        gap.message,
        format!("the API server cannot reach the kubelet of node-001: {dial}")
    );
    assert_eq!(count(&api, "get", "/exec"), 3);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_role_without_exec_is_told_both_verbs() {
    for (version, verb) in [("v1.34.4", "get"), ("v1.35.0", "create")] {
        let mut config = Config::new(cluster_of(3)).quick();
        config.git_version = version.to_owned();
        let api = FakeApi::start(config);
        api.deny(verb, "pods/exec");
        let executed = ask(&api).await;
        let gap = executed.seen.gap().unwrap();
        assert!(
            matches!(&gap.why, GapReason::Forbidden { verb: denied, resource, .. } if denied == verb && resource == "pods/exec"),
            "{gap:?}"
        );
        let hint = gap.hint.as_deref().unwrap();
        assert!(
            hint.contains("get pods --sub") && hint.contains("create pods --sub"),
            "{hint}"
        );
        assert_eq!(
            count(&api, "get", "/exec") + count(&api, "create", "/exec"),
            1,
            "not tried again"
        );
    }
}

#[tokio::test]
async fn an_agent_that_fails_says_why() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    let stderr = "netprobe: plan of version 7\n".to_owned();
    api.inject_exec(ExecFault::new("*", ExecEffect::Exit { code: 2, stderr }));
    let executed = ask(&api).await;
    let gap = executed.seen.gap().unwrap();
    assert!(
        gap.message
            .contains("the agent says: netprobe: plan of version 7"),
        "{gap:?}"
    );
}

#[tokio::test]
async fn an_exec_that_hangs_ends_with_the_plans_deadline() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    api.inject_exec(ExecFault::new("*", ExecEffect::Hang));
    let began = Instant::now();
    let finished = run(&api, options(), targets(2), async |run| {
        let mut plan = plan(run, &["node-002"]);
        plan.deadline_ms = 100;
        run.execute("node-001", &plan).await
    });
    let executed = finished.await.unwrap().value;
    assert!(
        matches!(
            executed.seen.gap().unwrap().why,
            GapReason::TimedOut { after_ms: 5100 }
        ),
        "{executed:?}"
    );
    assert!(began.elapsed() < NOT_WAITED);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_node_without_a_pod_has_no_answers() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let finished = run(&api, options(), targets(1), async |run| {
        run.execute("node-009", &plan(run, &["node-001"])).await
    });
    let executed = finished.await.unwrap().value;
    assert_eq!(executed.seen.gap().unwrap().why, GapReason::NotStarted);
}

#[tokio::test]
async fn all_nodes_answer_at_once() {
    let api = FakeApi::start(Config::new(cluster_of(20)).quick());
    let finished = run(&api, options(), targets(20), async |run| {
        let names: Vec<String> = run.placement().nodes.keys().cloned().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let plan = plan(run, &names);
        futures::future::join_all(names.iter().map(|node| run.execute(node, &plan))).await
    });
    let executed = finished.await.unwrap().value;
    assert!(
        executed
            .iter()
            .all(|executed| executed.seen.gap().is_none() && executed.answers.len() == 20)
    );
}
