//! Lists pods with this crate alone: `list-pods [flags]` does what `kubectl get pods -o name [flags]` does, so that
//! the two can be compared.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser};
use cluster::{Cluster, ClusterError, ConnectionArgs, Identity, ListQuery, kubectl_habits, normalize_args};
use serde::Deserialize;

/// List pods as kubectl does
#[derive(Parser)]
#[command(name = "list-pods")]
struct Args {
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let line: Vec<OsString> = normalize_args(std::env::args_os());
    let matches = kubectl_habits(Args::command()).get_matches_from(line);
    let parsed = match Args::from_arg_matches(&matches) {
        Ok(parsed) => parsed,
        Err(error) => error.exit(),
    };
    match list(&parsed.connection).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody can be told that stderr is closed.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

async fn list(connection: &ConnectionArgs) -> Result<(), ClusterError> {
    let identity = Identity::new("list-pods", env!("CARGO_PKG_VERSION"));
    let cluster = Cluster::connect(connection, &identity).await?;
    let query = ListQuery::new("", "v1", "pods").in_namespace(cluster.namespace());
    let pods: Vec<Pod> = cluster
        .try_list(&query)
        .await
        .map_err(|error| cluster.error(&error))?;
    for pod in pods {
        if writeln!(io::stdout(), "pod/{}", pod.metadata.name).is_err() {
            break;
        }
    }
    cluster.check_warnings()
}
