//! `kubectl netcheck diagnose`: everything that applies, and one cause for it.

use checks::{JudgeOptions, MeshOptions};
use cluster::ConnectionArgs;
use observation::Observation;
use plugin::{Failure, Run};
use report::FailOn;

use crate::args::{self, Diagnose};
use crate::bundle;
use crate::node_reading;
use crate::pod_to_pod::run_mesh;
use crate::session::{NodeChoice, Session, tool};

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &Diagnose, run: &Run) -> Result<u8, Failure> {
    let observation = match &wanted.from_bundle {
        Some(path) => bundle::read(path)?,
        None => observe(connection, wanted, run).await?,
    };
    if let Some(path) = &wanted.save_bundle {
        bundle::write(path, &observation)?;
    }
    let judge = JudgeOptions {
        command: "diagnose".to_owned(),
        tool: tool(run),
    };
    let report = checks::judge(&observation, &judge);
    plugin::print(&report, &wanted.output)?;
    let fail_on = match wanted.fail_on {
        args::FailOn::Error => FailOn::Error,
        args::FailOn::Warning => FailOn::Warning,
    };
    Ok(report.exit_status(fail_on).into())
}

async fn observe(connection: &ConnectionArgs, wanted: &Diagnose, run: &Run) -> Result<Observation, Failure> {
    let mut session = Session::open(connection, &wanted.pods, &wanted.output, run).await?;
    let options = MeshOptions {
        count: wanted.count,
        timeout_ms: u64::try_from(wanted.timeout.as_millis()).unwrap_or(u64::MAX),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..MeshOptions::default()
    };
    let choice = NodeChoice {
        names: &wanted.nodes,
        selector: wanted.selector.as_deref(),
    };
    let looked = node_reading::around(&mut session, choice, &wanted.reading, async |session| {
        let probed = session.with_pods(choice, async |pods, spinner| {
            run_mesh(pods, &options, spinner).await
        });
        Box::pin(probed).await
    });
    let (nodes, (placement, mesh)) = Box::pin(looked).await?;
    let mut observation = session.finish(Some(placement))?;
    observation.mesh = mesh;
    observation.node_reading = Some(nodes.reading);
    observation.node_evidence = nodes.evidence;
    Ok(observation)
}
