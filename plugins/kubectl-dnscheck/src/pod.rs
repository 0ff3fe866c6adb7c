//! `kubectl dnscheck pod`: what one pod finds in its resolv.conf, by its settings and its kubelet's, and what lookups cost with it.

use checks::Selection;
use cluster::ConnectionArgs;
use observation::{DnsAskedPod, DnsAskerFiles, Observation};
use plugin::{Failure, Run};
use report::Observed;
use session::inside::{Own, files};
use session::{Look, Session};

use crate::status;

/// Names that show what is usual: one of the cluster, and one outside.
const USUAL: [&str; 2] = ["kubernetes.default", "www.example.com"];

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct PodArgs {
    /// The pod, as NAME or pod/NAME.
    #[arg(value_name = "POD")]
    pod: String,
    /// Names as a program in it would look them up.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Also read the resolv.conf that it really has, and which C library, through a privileged pod on its node. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &PodArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    let selection = Selection::of(|check| check.id.starts_with("dns-pod-") || check.id == "dns-kubelet");
    let about = |seen: &Observation| answered(seen, &wanted.pod, connection);
    wanted
        .look
        .conclude_about("pod", &selection, about, run, observe)
        .await
}

/// Refuses a bundle that is about another pod, or about none.
fn answered(seen: &Observation, pod: &str, connection: &ConnectionArgs) -> Result<(), Failure> {
    let name = pod_name(pod)?;
    let given = connection
        .namespace
        .as_deref()
        .filter(|namespace| !namespace.is_empty());
    let asked = seen.dns.as_ref().and_then(|dns| dns.pod.as_ref());
    let is_it = asked
        .and_then(|pod| pod.name.split_once(" -n "))
        .is_some_and(|(of, namespace)| of == name && given.is_none_or(|given| given == namespace));
    if is_it {
        return Ok(());
    }
    let about = asked.map_or("no pod".to_owned(), |pod| format!("pod/{}", pod.name));
    let place = given.map_or(String::new(), |given| format!(" -n {given}"));
    Err(Failure::new(format!(
        "error: the bundle is about {about}, not about pod/{name}{place}"
    )))
}

async fn observe(connection: &ConnectionArgs, wanted: &PodArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let name = pod_name(&wanted.pod)?;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let cluster = session.cluster.clone();
    let namespace = cluster.namespace().to_owned();
    let mut asker = session
        .observe("reading the pod", cluster.dns_asker(&namespace, name))
        .await?;
    if let Observed::Seen(None) = &asker {
        return Err(Failure::new(format!(
            "Error from server (NotFound): pods {name:?} not found"
        )));
    }
    let mut dns = status::dns(&mut session, false).await?.dns;
    if wanted.node_access
        && let Observed::Seen(Some(asker)) = &mut asker
    {
        let own = Own::read(&cluster, &namespace, name).await?;
        asker.files = Some(Box::new(match files(&mut session, &own).await? {
            Observed::Seen(files) => files,
            Observed::Unseen(gap) => DnsAskerFiles {
                resolv_conf: Observed::Unseen(gap.clone()),
                loaders: Observed::Unseen(gap),
            },
        }));
    }
    dns.askers = asker.clone().map(|asker| asker.into_iter().collect());
    if let Observed::Seen(events) = &mut dns.events {
        events.retain(|event| event.name == name && event.namespace == namespace);
    }
    let node = asker.seen().and_then(|asker| asker.as_ref()?.node.clone());
    dns.kubelets.retain(|of, _| Some(of) == node.as_ref());
    dns.pod = Some(DnsAskedPod {
        name: format!("{name} -n {namespace}"),
        asker,
        names: if wanted.names.is_empty() {
            USUAL.map(str::to_owned).to_vec()
        } else {
            wanted.names.clone()
        },
    });
    let mut observation = session.finish(None)?;
    observation.dns = Some(Box::new(dns));
    Ok(observation)
}

fn pod_name(text: &str) -> Result<&str, Failure> {
    match session::type_and_name(text)? {
        (None | Some("pod" | "pods" | "po"), name) => Ok(name),
        (Some(kind), _) => Err(Failure::new(format!(
            "error: {kind}/… is not a pod: expected POD or pod/NAME"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_named_as_kubectl_names_it() {
        for text in ["web-0", "pod/web-0", "po/web-0", "pods/web-0"] {
            assert_eq!(pod_name(text).unwrap(), "web-0");
        }
        assert!(pod_name("svc/web").is_err());
    }
}
