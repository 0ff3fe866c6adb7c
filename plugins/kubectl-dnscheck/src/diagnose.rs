//! `kubectl dnscheck`, or `diagnose`: what the API says of the cluster's DNS, and what comes of asking it.

use checks::{Need, Selection};
use cluster::ConnectionArgs;
use observation::Observation;
use plugin::{Failure, Run};
use session::Look;

use crate::asking::{self, Ask, AskArgs};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct DiagnoseArgs {
    #[command(flatten)]
    asking: AskArgs,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(
    connection: &ConnectionArgs,
    wanted: &DiagnoseArgs,
    run: &Run,
) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    wanted
        .look
        .conclude_selected("diagnose", &about_names(), run, observe)
        .await
}

/// Of policies only what takes names away: of all else `kubectl netcheck policy` tells.
fn about_names() -> Selection {
    Selection::of(|check| !check.needs.contains(&Need::Policies) || check.id.starts_with("net-pol-dns"))
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &DiagnoseArgs,
    run: &Run,
) -> Result<Observation, Failure> {
    let (look, asking) = (&wanted.look, &wanted.asking);
    let asked = asking::observe(connection, look, asking, &Ask::Everything, true, run);
    let (mut observation, dns) = asked.await?;
    observation.dns = Some(Box::new(dns));
    Ok(observation)
}
