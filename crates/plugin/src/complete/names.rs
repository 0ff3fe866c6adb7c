//! Names of what is in the cluster and in the kubeconfig, for whoever has typed their beginning. Whatever goes wrong, there
//! are then none: nobody reads an error in the middle of a line that is being typed.

use std::time::Duration;

use clap::{Arg, Args as _, Command, FromArgMatches as _};
use cluster::{Cluster, ConnectionArgs, Environment, Identity, KubeconfigNames, ListQuery, WarningSink};
use serde::Deserialize;

use super::kind::Type;
use crate::entry::Program;

/// For how long a shell is kept waiting.
const PATIENCE: Duration = Duration::from_secs(3);

/// The connection flags of a line that is still being typed.
pub(super) fn connection(flags: &[(&Arg, Option<String>)]) -> ConnectionArgs {
    let command = cluster::kubectl_habits(ConnectionArgs::augment_args(Command::new("line")));
    let words = flags.iter().filter_map(|(flag, value)| {
        let long = flag.get_long()?;
        command
            .get_arguments()
            .find(|known| known.get_long() == Some(long))?;
        Some(match value {
            Some(value) => format!("--{long}={value}"),
            None => format!("--{long}"),
        })
    });
    let words: Vec<String> = std::iter::once("line".to_owned()).chain(words).collect();
    command
        .try_get_matches_from(words)
        .and_then(|matches| ConnectionArgs::from_arg_matches(&matches))
        .unwrap_or_default()
}

/// What the kubeconfig has names for.
pub(super) fn of_kubeconfig(connection: &ConnectionArgs) -> KubeconfigNames {
    KubeconfigNames::read(connection, &Environment::of_process()).unwrap_or_default()
}

/// The names of all objects of a type, in the namespace of the line where the type has namespaces, sorted.
pub(super) fn of_cluster(connection: &ConnectionArgs, program: &Program, objects: &Type) -> Vec<String> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Vec::new();
    };
    let mut connection = connection.clone();
    connection
        .request_timeout
        .get_or_insert_with(|| format!("{}s", PATIENCE.as_secs()));
    let listed =
        runtime.block_on(async { tokio::time::timeout(PATIENCE, list(&connection, program, objects)).await });
    // A name that is being looked up on a thread of its own must not hold the prompt back.
    runtime.shutdown_background();
    let mut names = listed.ok().flatten().unwrap_or_default();
    names.sort();
    names
}

async fn list(connection: &ConnectionArgs, program: &Program, objects: &Type) -> Option<Vec<String>> {
    let identity = Identity::new(program.binary, program.version);
    let silent = std::sync::Arc::new(Silent);
    let cluster = Cluster::connect_in(connection, &identity, &Environment::of_process(), silent)
        .await
        .ok()?;
    let mut query = ListQuery::new(objects.group, "v1", objects.resource).from_cache();
    if objects.namespaced {
        query = query.in_namespace(cluster.namespace());
    }
    let found: Vec<Object> = cluster.try_list(&query).await.ok()?;
    Some(found.into_iter().map(|object| object.metadata.name).collect())
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug)]
struct Silent;

impl WarningSink for Silent {
    fn warning(&self, _: &str) {}
}
