//! `kubectl dnscheck resolve`: names, asked of every DNS server of the cluster from several nodes.

use cluster::ConnectionArgs;
use netmodel::resolv::Libc;
use observation::Observation;
use plugin::{Failure, Run};
use session::Look;

use crate::asking::{self, Ask, AskArgs};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ResolveArgs {
    /// Names to ask for, each completed as the resolver of a pod of the namespace would; a final dot keeps a name as it is. Without one, names of every kind.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Whose resolver completes names: musl (Alpine) leaves search lists aside where glibc does not.
    #[arg(long, value_enum, default_value = "glibc")]
    libc: LibcArg,
    #[command(flatten)]
    asking: AskArgs,
    #[command(flatten)]
    look: Look,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum LibcArg {
    /// Debian, Ubuntu, Red Hat, distroless.
    Glibc,
    /// Alpine.
    Musl,
}

impl From<LibcArg> for Libc {
    fn from(arg: LibcArg) -> Self {
        match arg {
            LibcArg::Glibc => Self::Glibc,
            LibcArg::Musl => Self::Musl,
        }
    }
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &ResolveArgs, run: &Run) -> Result<u8, Failure> {
    let what = if wanted.names.is_empty() {
        Ask::Everything
    } else {
        Ask::Names {
            names: wanted.names.clone(),
            libc: wanted.libc.into(),
        }
    };
    let observe = Box::pin(observe(connection, &wanted.look, &wanted.asking, &what, run));
    wanted.look.conclude("resolve", run, observe).await
}

/// Asks, and judges what came of that alone.
///
/// # Errors
/// When there is no way to the cluster, and when the user stopped it.
pub(crate) async fn observe(
    connection: &ConnectionArgs,
    look: &Look,
    asking: &AskArgs,
    what: &Ask,
    run: &Run,
) -> Result<Observation, Failure> {
    let (observation, _) = asking::observe(connection, look, asking, what, false, run).await?;
    Ok(observation)
}
