use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Client;
use kube::api::{Api, AttachParams};
use netprobe::{Kind, Line, Outcome, Plan, Probe, Retry, WIRE_VERSION, encode_plan};
use testkit::{CommandOutput, Config, ExecEffect, ExecFault, FakeApi, V4, cluster_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{client, namespace, running};

/// Two running pods, on node-001 and node-002; gives the address of the second.
async fn two_pods(client: &Client) -> SocketAddr {
    namespace(client, "run").await;
    running(client, "run", "a", "node-001").await;
    let second = running(client, "run", "b", "node-002").await;
    format!("{}:4100", second.status.unwrap().pod_ip.unwrap())
        .parse()
        .unwrap()
}

fn plan(target: SocketAddr) -> Plan {
    let probe = |id, kind| Probe {
        id,
        target,
        kind,
        count: 2,
        timeout_ms: 4000,
    };
    Plan {
        version: WIRE_VERSION,
        run: "r".to_owned(),
        concurrency: 10,
        deadline_ms: 10_000,
        gap_ms: 0,
        retry: Some(Retry {
            gap_ms: 1000,
            most: 1,
        }),
        probes: vec![
            probe(1, Kind::Tcp),
            probe(2, Kind::Icmp),
            probe(3, Kind::Bulk { bytes: 200_000 }),
        ],
    }
}

/// Runs the plan in pod `a`: what it wrote, and its status where one came.
async fn run(client: &Client, plan: &Plan) -> Result<(String, Option<Status>), kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), "run");
    let params = AttachParams::default()
        .stdin(true)
        .stdout(true)
        .stderr(false)
        .max_stdout_buf_size(1 << 20);
    let mut process = pods.exec("a", ["/netprobe", "run"], &params).await?;
    let mut stdout = process.stdout().unwrap();
    let mut stdin = process.stdin().unwrap();
    let status = process.take_status().unwrap();
    stdin.write_all(&encode_plan(plan).unwrap()).await.unwrap();
    let status = status.await;
    let mut text = Vec::new();
    if status.is_some() {
        stdout.read_to_end(&mut text).await.unwrap();
    } else {
        // Without a status the end of the stream may never be told.
        let _ = tokio::time::timeout(Duration::from_millis(200), stdout.read_to_end(&mut text)).await;
    }
    Ok((String::from_utf8(text).unwrap(), status))
}

fn lines(text: &str) -> Vec<Line> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[tokio::test]
async fn the_agent_answers_a_plan_from_the_function_of_the_test() {
    let config = Config::new(cluster_of(2)).quick().connectivity(|path| {
        if *path.kind == Kind::Icmp && !path.retry {
            path.timed_out()
        } else {
            path.ok()
        }
    });
    let api = FakeApi::start(config);
    let client = client(&api);
    let target = two_pods(&client).await;
    let (text, status) = run(&client, &plan(target)).await.unwrap();
    assert_eq!(status.unwrap().status.as_deref(), Some("Success"));
    let lines = lines(&text);
    let Line::Hello(hello) = &lines[0] else {
        panic!("{:?}", lines[0])
    };
    assert_eq!(hello.name, "node-001");
    let answer = |index: usize| match &lines[index] {
        Line::Answer(answer) => answer.samples.clone(),
        other => panic!("{other:?}"),
    };
    let Outcome::Ok { peer: Some(peer), .. } = &answer(1)[1].outcome else {
        panic!("{:?}", answer(1))
    };
    assert_eq!((peer.name.as_str(), peer.saw), ("node-002", hello.addresses[0]));
    let icmp: Vec<bool> = answer(2).iter().map(|sample| sample.retry).collect();
    assert_eq!(icmp, [false, true]);
    assert!(matches!(&lines[4], Line::End(end) if end.answers == 3));
}

#[tokio::test]
async fn a_server_that_speaks_v4_only_answers_too() {
    let mut config = Config::new(cluster_of(2)).quick();
    config.exec_protocols = vec![V4.to_owned()];
    let api = FakeApi::start(config);
    let client = client(&api);
    let target = two_pods(&client).await;
    let (text, status) = run(&client, &plan(target)).await.unwrap();
    assert_eq!(
        (lines(&text).len(), status.unwrap().status.as_deref()),
        (5, Some("Success"))
    );
}

#[tokio::test]
async fn execs_break_as_asked_and_heal() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let client = client(&api);
    let plan = plan(two_pods(&client).await);
    let refuse = |code| ExecEffect::Refuse {
        code,
        message: "error dialing backend".to_owned(),
    };
    for effect in [
        refuse(500),
        refuse(503),
        ExecEffect::Protocol(String::new()),
        ExecEffect::BreakAfter(1),
        ExecEffect::LoseStatus,
        ExecEffect::Exit {
            code: 3,
            stderr: "no".to_owned(),
        },
    ] {
        api.inject_exec(ExecFault::new("node-001", effect).times(1));
    }
    for code in [500, 503] {
        let error = run(&client, &plan).await.unwrap_err();
        assert!(
            matches!(&error, kube::Error::Api(status) if status.code == code),
            "{error:?}"
        );
    }
    let error = run(&client, &plan).await.unwrap_err();
    assert!(format!("{error:?}").contains("Protocol"), "{error:?}");
    let (text, status) = run(&client, &plan).await.unwrap();
    assert!(status.is_none());
    // The last line is half a line.
    assert_eq!(
        (lines(&text).len(), text.lines().count(), text.ends_with('\n')),
        (2, 3, false),
        "{text}"
    );
    let (text, status) = run(&client, &plan).await.unwrap();
    assert_eq!((lines(&text).len(), status.is_none()), (5, true));
    let (_, status) = run(&client, &plan).await.unwrap();
    let causes = status.unwrap().details.unwrap().causes.unwrap();
    assert_eq!(causes[0].message.as_deref(), Some("3"));
    let (text, _) = run(&client, &plan).await.unwrap();
    assert_eq!(lines(&text).len(), 5);
}

#[tokio::test]
async fn an_exec_can_hang() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let client = client(&api);
    let plan = plan(two_pods(&client).await);
    api.inject_exec(ExecFault::new("*", ExecEffect::Hang));
    assert!(
        tokio::time::timeout(Duration::from_millis(150), run(&client, &plan))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_missing_right_to_exec_is_named() {
    let mut config = Config::new(cluster_of(2)).quick();
    config.git_version = "v1.35.0".to_owned();
    let api = FakeApi::start(config);
    let client = client(&api);
    let plan = plan(two_pods(&client).await);
    api.deny("create", "pods/exec");
    let error = run(&client, &plan).await.unwrap_err();
    let want = "pods \"a\" is forbidden: User \"tester\" cannot create resource \"pods/exec\" in API group \"\" \
                in the namespace \"run\"";
    assert!(error.to_string().contains(want), "{error}");
}

#[tokio::test]
async fn commands_without_input_print_what_the_test_says() {
    let config = Config::new(cluster_of(1)).quick().commands(|command| {
        (command.argv == ["iptables-save"]).then(|| CommandOutput {
            stdout: format!("# rules of {}\n", command.node).into_bytes(),
            ..CommandOutput::default()
        })
    });
    let api = FakeApi::start(config);
    let pods: Api<Pod> = Api::namespaced(client(&api), "kube-system");
    let mut process = pods
        .exec("kube-proxy-00001", ["iptables-save"], &AttachParams::default())
        .await
        .unwrap();
    let mut text = String::new();
    process.stdout().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "# rules of node-001\n");
}
