//! `kubectl netcheck pod-to-pod`: observe, place probe pods, probe every pair, judge, print.

use checks::MeshOptions;
use cluster::ConnectionArgs;
use observation::Observation;
use plugin::{Failure, Run};

use crate::args::PodToPod;
use session::Session;

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &PodToPod, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    wanted.look.conclude("pod-to-pod", run, observe).await
}

async fn observe(connection: &ConnectionArgs, wanted: &PodToPod, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let options = MeshOptions {
        full_mesh: wanted.full_mesh,
        count: wanted.count,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..MeshOptions::default()
    };
    let (placement, mesh) = session
        .with_pods(look.choice(), async |pods, spinner| {
            session::mesh::run_mesh(pods, &options, spinner).await
        })
        .await?;
    let mut observation = session.finish(Some(placement))?;
    observation.mesh = mesh;
    Ok(observation)
}
