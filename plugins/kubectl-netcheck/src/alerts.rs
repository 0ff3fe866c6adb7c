//! `kubectl netcheck alerts`: alert rules that somebody has, and some to begin with. Nothing is ever applied.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ::alerts::{Document, EmitFormat, EmitOptions, Input, emit, lint};
use clap::{Subcommand, ValueEnum};
use cluster::{Cluster, ConnectionArgs, Identity, ListQuery};
use plugin::{Failure, OutputArgs, Run, Spinner};
use report::Observed;
use serde_json::Value;

use session::{FailOn, tell};

const EXIT_STATUS: &str = "\
Exit status, the same for every output format:
  0  nothing wrong was seen (warnings included, unless --fail-on warning)
  1  a problem was found
  2  could not run: usage, a file that holds no rules, or no way to the API server
  3  nothing wrong was seen, but not enough could be seen";

#[derive(clap::Args, Clone, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    command: AlertsCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum AlertsCommand {
    /// Say which rules can never fire, or always do.
    ///
    /// Reads rule files of Prometheus, PrometheusRule, ServiceMonitor and PodMonitor objects.
    #[command(after_help = EXIT_STATUS)]
    Lint(LintArgs),
    /// Print rules for the network, DNS and Services. Applies nothing.
    Emit(EmitArgs),
}

#[derive(clap::Args, Clone, Debug)]
struct LintArgs {
    /// Files with rules and monitors; `-` reads standard input.
    #[arg(value_name = "FILE", required_unless_present = "from_cluster")]
    files: Vec<PathBuf>,
    /// Read the rules and monitors of all namespaces from the cluster.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    from_cluster: bool,
    /// What counts as a failure for the exit status.
    #[arg(long, value_enum, default_value = "error", value_name = "SEVERITY")]
    fail_on: FailOn,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Args, Clone, Debug)]
struct EmitArgs {
    /// Output format.
    #[arg(short, long, value_enum, ignore_case = true, default_value = "yaml")]
    output: Format,
    /// Also rules on what `-o prometheus` writes; where no such file is scraped they never fire.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    own_metrics: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A rule file of Prometheus.
    Yaml,
    /// A PrometheusRule object.
    #[value(name = "prometheusrule")]
    PrometheusRule,
    /// A rule file as JSON.
    Json,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &Alerts, run: &Run) -> Result<u8, Failure> {
    match &wanted.command {
        AlertsCommand::Lint(wanted) => look(connection, wanted, run).await,
        AlertsCommand::Emit(wanted) => {
            let format = match wanted.output {
                Format::Yaml => EmitFormat::Yaml,
                Format::PrometheusRule => EmitFormat::PrometheusRule,
                Format::Json => EmitFormat::Json,
            };
            let options = EmitOptions {
                on_own_metrics: wanted.own_metrics,
            };
            plugin::write(&emit(format, &options))?;
            Ok(report::ExitStatus::NoProblem.into())
        }
    }
}

async fn look(connection: &ConnectionArgs, wanted: &LintArgs, run: &Run) -> Result<u8, Failure> {
    let mut input = Input::default();
    for path in &wanted.files {
        let name = path.display().to_string();
        let documents = Document::of_file(&name, &contents(path)?).map_err(|error| Failure::of(&error))?;
        for document in documents {
            input.add(&document).map_err(|error| Failure::of(&error))?;
        }
    }
    if wanted.from_cluster {
        let spinner = Spinner::new(wanted.output.progress_on_stderr());
        spinner.say("reading rules and monitors");
        tokio::select! {
            read = from_cluster(connection, run, &mut input) => read?,
            () = run.interrupt.token().cancelled() => return Err(Failure::new("error: interrupted")),
        }
        spinner.clear();
    }
    let report = lint(
        &input,
        &format!("{} v{}", run.program.binary, run.program.version),
    );
    tell(&report, &wanted.output, wanted.fail_on)
}

fn contents(path: &Path) -> Result<String, Failure> {
    let named =
        |error: std::io::Error| Failure::new(format!("error: could not read {}: {error}", path.display()));
    if path != Path::new("-") {
        return std::fs::read_to_string(path).map_err(named);
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).map_err(named)?;
    Ok(text)
}

/// Adds what the cluster has. What may not be read, or is not served, is a gap.
async fn from_cluster(connection: &ConnectionArgs, run: &Run, input: &mut Input) -> Result<(), Failure> {
    let identity = Identity::new(run.program.binary, run.program.version);
    let cluster = Cluster::connect(connection, &identity).await?;
    if let Observed::Unseen(gap) = cluster.server_version().await {
        return Err(Failure::new(gap.message).with_hint(gap.hint));
    }
    let query = |resource: &str| ListQuery::new("monitoring.coreos.com", "v1", resource);
    let read = |what: &'static str, resource: &'static str| {
        let cluster = &cluster;
        async move { cluster.list::<Value>(what, &query(resource)).await }
    };
    let (rules, services, pods) = tokio::join!(
        read("prometheusrules", "prometheusrules"),
        read("servicemonitors", "servicemonitors"),
        read("podmonitors", "podmonitors"),
    );
    match rules {
        Observed::Seen(rules) => add(input, "PrometheusRule", rules)?,
        Observed::Unseen(gap) => input.rules_unseen(gap),
    }
    for (kind, monitors) in [("ServiceMonitor", services), ("PodMonitor", pods)] {
        match monitors {
            Observed::Seen(monitors) => {
                input.monitors_seen();
                add(input, kind, monitors)?;
            }
            Observed::Unseen(gap) => input.monitors_unseen(gap),
        }
    }
    cluster.check_warnings()?;
    Ok(())
}

/// Items of a list need not say what they are.
fn add(input: &mut Input, kind: &str, items: Vec<Value>) -> Result<(), Failure> {
    for mut value in items {
        let of = |field: &str| {
            let text = value
                .pointer(&format!("/metadata/{field}"))
                .and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let from = format!("{}/{} -n {}", kind.to_lowercase(), of("name"), of("namespace"));
        if let Some(object) = value.as_object_mut() {
            object.insert("kind".to_owned(), Value::from(kind));
        }
        input
            .add(&Document { from, value })
            .map_err(|error| Failure::of(&error))?;
    }
    Ok(())
}
