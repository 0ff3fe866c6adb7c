//! `kubectl dnscheck corefile`: the Corefile of the cluster, or one in a file, for which no cluster is needed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use checks::{JudgeOptions, Selection};
use cluster::ConnectionArgs;
use observation::{Dns, DnsContainer, DnsController, DnsCorefile, DnsRole, KubeletDns, Observation};
use plugin::{Failure, Run};
use report::{Gap, GapReason, Observed};
use serde_json::Value;
use session::{Look, contents, tell, tool};

use crate::status;

pub(crate) const AFTER: &str = "\
Exit status, the same for every output format:
  0  nothing wrong was found (warnings included, unless --fail-on warning)
  1  a problem was found
  2  could not run: usage, a file that cannot be read, or no way to the API server
  3  nothing wrong was found, but not all could be read, as what it imports";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct CorefileArgs {
    /// A file to look at instead of the cluster's. `-` reads standard input.
    #[arg(value_name = "FILE", conflicts_with = "filename")]
    file: Option<PathBuf>,
    /// The same as FILE.
    #[arg(short, long, value_name = "FILE")]
    filename: Option<PathBuf>,
    /// The version of CoreDNS that is to read the file.
    #[arg(long, default_value = "1.12.4", value_name = "VERSION")]
    coredns_version: String,
    /// The domain of the cluster's names, for a file.
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// The file is that of NodeLocal DNSCache.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_local: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(
    connection: &ConnectionArgs,
    wanted: &CorefileArgs,
    run: &Run,
) -> Result<u8, Failure> {
    let selection = of_corefiles();
    if let Some(path) = wanted.file.as_deref().or(wanted.filename.as_deref()) {
        return of_file(path, wanted, &selection, run);
    }
    let observe = Box::pin(status::observe(connection, &wanted.look, false, run));
    wanted
        .look
        .conclude_selected("corefile", &selection, run, observe)
        .await
}

fn of_corefiles() -> Selection {
    Selection::of(|check| check.id.starts_with("dns-cf-"))
}

fn of_file(path: &Path, wanted: &CorefileArgs, selection: &Selection, run: &Run) -> Result<u8, Failure> {
    let version = wanted.coredns_version.trim_start_matches('v');
    let is_version = version.split('.').count() >= 2
        && version
            .split('.')
            .all(|part| part.starts_with(|first: char| first.is_ascii_digit()));
    if !is_version {
        return Err(Failure::new(format!(
            "error: invalid argument {:?} for \"--coredns-version\" flag: must be a version, as 1.12.4",
            wanted.coredns_version
        )));
    }
    let text = contents(path)?;
    let name = if path == Path::new("-") {
        "Corefile".to_owned()
    } else {
        path.display().to_string()
    };
    let (text, beside) = corefile_of(&text).ok_or_else(|| {
        Failure::new(format!("error: {name} is a ConfigMap without the key Corefile"))
            .with_hint(Some("name the file that holds the Corefile".to_owned()))
    })?;
    let dns = dns_of(&name, text, beside, version, wanted);
    let observation = wanted.look.redaction.apply(observation(dns, run))?;
    let options = JudgeOptions {
        command: "corefile".to_owned(),
        tool: tool(run),
    };
    let report = checks::judge_selected(&observation, &options, selection);
    tell(&report, &wanted.look.output, wanted.look.fail_on)
}

/// The Corefile of a text that is one, or a ConfigMap that holds one, with the files beside it by their keys; `None` where a ConfigMap has
/// none.
fn corefile_of(text: &str) -> Option<(String, BTreeMap<String, String>)> {
    let value = serde_saphyr::from_str::<Value>(text).ok();
    let map = value.filter(|value| value.get("kind").and_then(Value::as_str) == Some("ConfigMap"));
    let Some(map) = map else {
        return Some((text.to_owned(), BTreeMap::new()));
    };
    let data = map.get("data")?.as_object()?;
    let mut files: BTreeMap<String, String> = data
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let corefile = files.remove("Corefile")?;
    Some((corefile, files))
}

/// A file in the place of what a cluster would have.
fn dns_of(
    name: &str,
    text: String,
    beside: BTreeMap<String, String>,
    version: &str,
    wanted: &CorefileArgs,
) -> Dns {
    let role = if wanted.node_local {
        DnsRole::NodeLocal
    } else {
        DnsRole::Cluster
    };
    let controller = DnsController {
        role,
        kind: "file".to_owned(),
        name: name.to_owned(),
        container: DnsContainer {
            // Which probes ask it is not in the file.
            image: format!("coredns:v{version}"),
            ..DnsContainer::default()
        },
        ..DnsController::default()
    };
    let corefile = DnsCorefile {
        role,
        controller: controller.subject(),
        path: "/etc/coredns/Corefile".to_owned(),
        source: None,
        text: Observed::Seen(text),
        files: beside
            .into_iter()
            .map(|(key, text)| (format!("/etc/coredns/{key}"), text))
            .collect(),
        is_complete: false,
        variables: BTreeMap::new(),
    };
    let kubelet = KubeletDns {
        domain: wanted.cluster_domain.trim_matches('.').to_owned(),
        ..KubeletDns::default()
    };
    Dns {
        kubelets: BTreeMap::from([(String::new(), Observed::Seen(kubelet))]),
        controllers: Observed::Seen(vec![controller]),
        corefiles: Observed::Seen(vec![corefile]),
        ..Dns::unseen(jiff::Timestamp::now().to_string(), &not_asked())
    }
}

fn not_asked() -> Gap {
    Gap {
        what: "the cluster".to_owned(),
        why: GapReason::TierNotAllowed,
        message: "a file was asked about".to_owned(),
        hint: None,
    }
}

fn nothing<T>() -> Observed<T> {
    Observed::Unseen(not_asked())
}

fn observation(dns: Dns, run: &Run) -> Observation {
    let taken_at = dns.read_at.clone();
    let mut observation = Observation::new(tool(run), taken_at, nothing(), nothing());
    observation.dns = Some(Box::new(dns));
    observation
}

#[cfg(test)]
mod tests {
    use checks::CHECKS;

    use super::*;

    #[test]
    fn a_config_map_is_a_corefile_with_files_beside_it() {
        let map = "apiVersion: v1\nkind: ConfigMap\ndata:\n  Corefile: |\n    . {\n    }\n  more.server: x\n";
        let (text, beside) = corefile_of(map).expect("a Corefile");
        assert_eq!((text.as_str(), beside["more.server"].as_str()), (". {\n}\n", "x"));
        assert!(corefile_of("kind: ConfigMap\ndata: {}\n").is_none());
        let (text, _) = corefile_of(".:53 {\n    errors\n}\n").expect("a Corefile");
        assert!(text.starts_with(".:53"));
    }

    #[test]
    fn checks_of_corefiles_are_made_and_no_others() {
        let selection = of_corefiles();
        let made = CHECKS.iter().filter(|check| selection.has(check.id)).count();
        assert!(made > 10 && !selection.has("dns-ep"));
    }
}
