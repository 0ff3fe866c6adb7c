//! `kubectl epcheck conntrack`: which connections nodes track to Services, and whether the table carries them.

use checks::{Need, Selection};
use cluster::ConnectionArgs;
use observation::{Observation, Tracked};
use plugin::{Failure, Run};
use session::node_reading::Around;
use session::{Look, Session, node_reading, tracked};

use crate::asked;
use crate::svc::{again, backends, question, reading};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ConntrackArgs {
    /// Only connections to this Service, of every protocol, as NAME, svc/NAME or NAME.NAMESPACE. Without one: those over UDP to all
    /// Services of the cluster.
    #[arg(value_name = "SERVICE")]
    name: Option<String>,
    /// Allow the privileged pod on each node that listing connections takes. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(
    connection: &ConnectionArgs,
    wanted: &ConntrackArgs,
    run: &Run,
) -> Result<u8, Failure> {
    if !wanted.node_access && wanted.look.from_bundle.is_none() {
        return Err(Failure::new(
            "error: tracked connections are listed by a privileged pod on each node: --node-access allows it",
        ));
    }
    let observe = Box::pin(observe(connection, wanted, run));
    let about = |seen: &Observation| asked::answered(seen, wanted.name.as_slice(), connection);
    wanted
        .look
        .conclude_about(
            "conntrack",
            &selection(wanted.name.is_some()),
            about,
            run,
            observe,
        )
        .await
}

/// The table of nodes, what is in it of Services, and whether the Service that was named is there at all.
fn selection(is_named: bool) -> Selection {
    Selection::of(|check| {
        check.needs.contains(&Need::Tracked)
            || check.id.starts_with("net-ct-")
            || (is_named && check.id == "ep-notfound")
    })
}

async fn observe(
    connection: &ConnectionArgs,
    wanted: &ConntrackArgs,
    run: &Run,
) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let question = question(wanted.name.as_deref(), session.cluster.namespace())?;
    let udp_only = wanted.name.is_none();
    let first = backends(&mut session, question, true).await?;
    let asked = checks::tracked_asked(&first, udp_only);
    let mut listed = Tracked {
        all_protocols: !udp_only,
        ..Tracked::default()
    };
    let listing = &mut listed;
    let list = async |session: &mut Session<'_>, hosts: Option<&_>| {
        if let Some(asked) = asked {
            *listing = tracked::list(session, hosts, asked, udp_only).await;
        }
        Ok(())
    };
    let reading = reading();
    let around = Around {
        nodes: look.choice(),
        reading: &reading,
        pods: false,
        probes: None,
    };
    let looked = node_reading::around(&mut session, around, list);
    let (read, ()) = Box::pin(looked).await?;
    let backends = again(&mut session, first, true).await?;
    let mut observation = session.finish(None)?;
    read.note(&mut observation);
    observation.backends = Some(Box::new(backends));
    observation.tracked = Some(Box::new(listed));
    Ok(observation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_of_the_table_and_of_what_is_in_it_are_made_and_no_others() {
        for is_named in [false, true] {
            let selection = selection(is_named);
            for id in ["ep-ct", "ep-ct-stale", "net-ct-full"] {
                assert!(selection.has(id), "{id}");
            }
            assert!(!selection.has("ep-sel") && !selection.has("ep-rule-stale"));
            assert_eq!(selection.has("ep-notfound"), is_named);
        }
    }
}
