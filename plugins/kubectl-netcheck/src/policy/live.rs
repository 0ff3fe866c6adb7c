//! Whether policies are enforced, seen on the run's own pods.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use checks::{MeshOptions, SourceAnswers};
use netprobe::Outcome;
use observation::{Enforcement, Mesh, Placement};
use plugin::Failure;
use probe::ProbeRun;
use report::{Gap, GapReason, Observed, Protocol};

use session::{NodeChoice, Session};

/// An engine that watches policies needs a moment until its rules are there; none of those measured needed more than a few seconds.
const SETTLING: Duration = Duration::from_secs(20);
/// Enough nodes for a way between two of them; more would say the same.
const NODES: usize = 2;

/// Starts probe pods on up to two nodes, and sees whether a policy that denies stops them from connecting to each other.
///
/// # Errors
/// When the user stopped it.
pub(super) async fn enforcement(
    session: &mut Session<'_>,
) -> Result<(Placement, Observed<Enforcement>), Failure> {
    let names = nodes(session);
    let choice = NodeChoice {
        names: &names,
        selector: None,
    };
    let manager = session.options.manager();
    let (tcp_port, udp_port) = (session.options.tcp_port, session.options.udp_port);
    let options = MeshOptions {
        protocols: BTreeSet::from([Protocol::Tcp]),
        count: 1,
        retries: 0,
        tcp_port,
        udp_port,
        ..MeshOptions::default()
    };
    let (placement, seen) = session
        .with_pods(choice, async |pods, spinner| {
            spinner.say("seeing whether a policy that denies is enforced");
            look(pods, &options, &manager).await
        })
        .await?;
    let seen = seen
        .unwrap_or_else(|| Observed::Unseen(gap(GapReason::NotStarted, "no probe pods could be started")));
    Ok((placement, seen))
}

/// The first nodes that are ready and take any pod.
fn nodes(session: &Session<'_>) -> Vec<String> {
    let reads = session.nodes.seen().into_iter().flatten();
    let usable = reads.filter(|read| {
        let condition = read.node.ready.as_ref();
        condition.is_some_and(|condition| condition.status == "True") && read.node.taints.is_empty()
    });
    usable.take(NODES).map(|read| read.node.name.clone()).collect()
}

async fn look(pods: &ProbeRun, options: &MeshOptions, manager: &str) -> Observed<Enforcement> {
    if let Observed::Unseen(why) = &pods.placement().own_namespace {
        let message = format!(
            "a policy that denies is only applied in a namespace of the run's own: {}",
            why.message
        );
        return Observed::Unseen(gap(GapReason::TierNotAllowed, &message));
    }
    let before = match answered(pods, options).await {
        Ok(answered) => answered.all,
        Err(gap) => return Observed::Unseen(gap),
    };
    if let Err(gap) = pods.deny_all(manager).await {
        return Observed::Unseen(gap);
    }
    let applied = Instant::now();
    let (mut during, mut applied_for) = (true, Duration::ZERO);
    while during && applied_for < SETTLING {
        tokio::time::sleep(Duration::from_secs(1)).await;
        applied_for = applied.elapsed();
        match answered(pods, options).await {
            Ok(answered) => during = answered.any,
            Err(gap) => return Observed::Unseen(gap),
        }
    }
    if let Err(gap) = pods.allow_again().await {
        return Observed::Unseen(gap);
    }
    let removed = Instant::now();
    let mut after = false;
    while !after && removed.elapsed() < SETTLING {
        tokio::time::sleep(Duration::from_secs(1)).await;
        match answered(pods, options).await {
            Ok(answered) => after = answered.all,
            Err(gap) => return Observed::Unseen(gap),
        }
    }
    let nodes = pods.placement().nodes.iter();
    Observed::Seen(Enforcement {
        nodes: nodes
            .filter(|(_, place)| matches!(place, observation::Place::Ready(_)))
            .map(|(node, _)| node.clone())
            .collect(),
        before,
        during,
        after,
        applied_for_ms: u64::try_from(applied_for.as_millis()).unwrap_or(u64::MAX),
    })
}

struct Answered {
    all: bool,
    any: bool,
}

/// Probes every pair once.
async fn answered(pods: &ProbeRun, options: &MeshOptions) -> Result<Answered, Gap> {
    let placement = pods.placement();
    let plan = checks::plan_mesh(&placement.nodes, &placement.run, options);
    let runs = plan.sources.iter().map(|(node, source)| async move {
        let executed = pods.execute(node, &source.plan).await;
        let answers = SourceAnswers {
            answers: executed.answers,
            complete: executed.seen,
        };
        (node.clone(), answers)
    });
    let answers: BTreeMap<String, SourceAnswers> =
        futures::future::join_all(runs).await.into_iter().collect();
    let mesh: Mesh = checks::fold(&plan, &answers);
    if let Some(gap) = mesh.sources.values().find_map(Observed::gap) {
        return Err(gap.clone());
    }
    if mesh.cells.is_empty() {
        return Err(gap(GapReason::NotStarted, "there is no pair of probe pods"));
    }
    let is_answered = |cell: &observation::Cell| {
        let mut samples = cell.samples.iter();
        samples.any(|sample| matches!(sample.outcome, Outcome::Ok { .. }))
    };
    Ok(Answered {
        all: mesh.cells.iter().all(is_answered),
        any: mesh.cells.iter().any(is_answered),
    })
}

fn gap(why: GapReason, message: &str) -> Gap {
    Gap {
        what: "whether policies are enforced".to_owned(),
        why,
        message: message.to_owned(),
        hint: None,
    }
}
