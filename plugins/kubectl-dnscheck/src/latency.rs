//! `kubectl dnscheck latency`: how long answers take, and how many are lost, of each server by itself.

use std::time::Duration;

use checks::Series;
use cluster::ConnectionArgs;
use plugin::{Failure, Run};
use session::{Look, duration};

use crate::asking::{Ask, AskArgs};
use crate::resolve::observe;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct LatencyArgs {
    /// Questions a second, from each node.
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// For how long is asked, up to 5m.
    #[arg(long = "duration", default_value = "10s", value_name = "DURATION", value_parser = duration)]
    lasts: Duration,
    #[command(flatten)]
    asking: AskArgs,
    #[command(flatten)]
    look: Look,
}

/// Longer series need a load generator, and somebody who knows that it runs.
const LONGEST: Duration = Duration::from_mins(5);

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &LatencyArgs, run: &Run) -> Result<u8, Failure> {
    if wanted.lasts > LONGEST {
        return Err(Failure::new("error: --duration is at most 5m"));
    }
    let series = Series {
        rate: wanted.rate,
        duration_ms: u64::try_from(wanted.lasts.as_millis()).unwrap_or(u64::MAX),
    };
    let what = Ask::Series(series);
    let observe = Box::pin(observe(connection, &wanted.look, &wanted.asking, &what, run));
    wanted.look.conclude("latency", run, observe).await
}
