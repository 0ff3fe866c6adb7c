//! `kubectl dnscheck upstream`: the servers to which CoreDNS passes names on, asked from the nodes on which it runs.

use cluster::ConnectionArgs;
use plugin::{Failure, Run};
use session::Look;

use crate::asking::{Ask, AskArgs};
use crate::resolve::observe;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct UpstreamArgs {
    #[command(flatten)]
    asking: AskArgs,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(
    connection: &ConnectionArgs,
    wanted: &UpstreamArgs,
    run: &Run,
) -> Result<u8, Failure> {
    let observe = Box::pin(observe(
        connection,
        &wanted.look,
        &wanted.asking,
        &Ask::Outside,
        run,
    ));
    wanted.look.conclude("upstream", run, observe).await
}
