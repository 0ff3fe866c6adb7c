//! `kubectl epcheck scan`: all Services, by what the API says.

use checks::Selection;
use cluster::ConnectionArgs;
use observation::{BackendsQuestion, Observation};
use plugin::{Failure, Run};
use session::{Look, Session};

use crate::asked;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ScanArgs {
    /// All namespaces.
    #[arg(short = 'A', long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    all_namespaces: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &ScanArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    let about = |seen: &Observation| asked::answered(seen, &[], connection);
    let all = Selection::default();
    wanted
        .look
        .conclude_about("scan", &all, about, run, observe)
        .await
}

async fn observe(connection: &ConnectionArgs, wanted: &ScanArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let namespace = (!wanted.all_namespaces).then(|| session.cluster.namespace().to_owned());
    let question = BackendsQuestion {
        namespace,
        selector: look.selector.clone(),
        ..BackendsQuestion::default()
    };
    let backends = crate::svc::backends(&mut session, question, false).await?;
    let mut observation = session.finish(None)?;
    observation.backends = Some(Box::new(backends));
    Ok(observation)
}
