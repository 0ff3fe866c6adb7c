//! `kubectl epcheck rules`: what kube-proxy made of Services on each node, held against the API.

use std::time::Duration;

use checks::{Need, Selection};
use cluster::ConnectionArgs;
use observation::Observation;
use plugin::{Failure, Run};
use session::node_reading::Around;
use session::{Look, Session, node_reading};

use crate::asked;
use crate::svc::{again, backends, question, reading};

/// How long apart rules are read twice: longer than kube-proxy takes to write a change.
const APART: Duration = Duration::from_secs(4);

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RulesArgs {
    /// Only of this Service, as NAME, svc/NAME or NAME.NAMESPACE. Without one: of all Services of the cluster.
    #[arg(value_name = "SERVICE")]
    name: Option<String>,
    /// Allow the privileged pod on each node that reading rules takes. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
    /// Also show the way of a connection to the Service through the rules of a node, chain by chain.
    #[arg(long, requires = "name", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    explain_path: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &RulesArgs, run: &Run) -> Result<u8, Failure> {
    if !wanted.node_access && wanted.look.from_bundle.is_none() {
        return Err(Failure::new(
            "error: rules of nodes are read by a privileged pod on each node: --node-access allows it",
        ));
    }
    let selection = Selection::of(|check| match check.id {
        "ep-explain-path" => wanted.explain_path,
        "ep-extip" => true,
        id => id.starts_with("ep-rule") && check.needs.contains(&Need::NodeAccess),
    });
    let observe = Box::pin(observe(connection, wanted, run));
    let about = |seen: &Observation| asked::answered(seen, wanted.name.as_slice(), connection);
    wanted
        .look
        .conclude_about("rules", &selection, about, run, observe)
        .await
}

async fn observe(connection: &ConnectionArgs, wanted: &RulesArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let question = question(wanted.name.as_deref(), session.cluster.namespace())?;
    let first = backends(&mut session, question, true).await?;
    let wait = async |session: &mut Session<'_>, _: Option<&_>| {
        session.spinner.say("waiting before the second look");
        tokio::time::sleep(APART).await;
        Ok(())
    };
    let reading = reading();
    let around = Around {
        nodes: look.choice(),
        reading: &reading,
        pods: false,
        probes: None,
    };
    let looked = node_reading::around(&mut session, around, wait);
    let (read, ()) = Box::pin(looked).await?;
    let backends = again(&mut session, first, true).await?;
    let mut observation = session.finish(None)?;
    read.note(&mut observation);
    observation.backends = Some(Box::new(backends));
    Ok(observation)
}
