//! What is known of a kubelet that does nothing about a pod. Its requests are few: they are made only for pods that hang.

use std::time::Duration;

use http_body_util::BodyExt;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::ListParams;
use kube::core::Request;
use kube::{Api, Client, Resource};
use report::{Gap, GapReason, Observed};

use crate::over::{self, Over};
use crate::trouble::{Trouble, within};

/// Kubelets renew their lease every 10 s (`nodeLeaseDurationSeconds` / 4); this is nearly two missed renewals. The node
/// controller waits for 40 to 50 s before it calls the node NotReady.
pub(crate) const STALE: Duration = Duration::from_secs(18);
const REQUEST: Duration = Duration::from_secs(3);

/// What the API says about a kubelet.
#[derive(Clone, Debug)]
pub(crate) struct KubeletView {
    /// How long ago it renewed its lease, by the API server's clock.
    pub(crate) lease_age: Observed<Duration>,
    /// The condition `Ready` of its node, where it is not `True`.
    pub(crate) not_ready: Observed<Option<String>>,
}

/// Looks at the lease and the condition of a node.
pub(crate) async fn view(client: &Client, node: &str) -> KubeletView {
    let (lease_age, not_ready) = tokio::join!(lease_age(client, node), not_ready(client, node));
    KubeletView {
        lease_age: observed(lease_age, "get", "leases", Some("kube-node-lease"), node),
        not_ready: observed(not_ready, "get", "nodes", None, node),
    }
}

fn observed<T>(
    result: Result<T, Trouble>,
    verb: &str,
    resource: &str,
    namespace: Option<&str>,
    node: &str,
) -> Observed<T> {
    match result {
        Ok(value) => Observed::Seen(value),
        Err(trouble) => {
            Observed::Unseen(trouble.gap(format!("{resource} of {node}"), verb, resource, namespace))
        }
    }
}

/// The age by the `Date` of the same answer: the clocks of this machine and of the cluster need not agree.
async fn lease_age(client: &Client, node: &str) -> Result<Duration, Trouble> {
    let lost = |error: &dyn std::error::Error| Trouble::Lost(crate::trouble::chain(error));
    let path = Lease::url_path(&(), Some("kube-node-lease"));
    let request = Request::new(path)
        .get(node, &kube::api::GetParams::default())
        .map_err(|error| lost(&error))?;
    let request = request.map(kube::client::Body::from);
    let response = within(REQUEST, client.send(request)).await?;
    let now = server_time(response.headers());
    let code = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| lost(&error))?
        .to_bytes();
    if !code.is_success() {
        let status = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let mut status = kube::core::Status::failure(code.canonical_reason().unwrap_or("refused"), "");
            status.code = code.as_u16();
            status
        });
        return Err(Trouble::Refused(Box::new(status)));
    }
    let lease: Lease = serde_json::from_slice(&body).map_err(|error| lost(&error))?;
    let renewed = lease.spec.and_then(|spec| spec.renew_time);
    let renewed = renewed.ok_or_else(|| Trouble::Lost("the lease was never renewed".to_owned()))?;
    Ok(age(now.unwrap_or_else(Timestamp::now), renewed.0))
}

/// When the API server answered, by its own clock.
pub(crate) fn server_time(headers: &http::HeaderMap) -> Option<Timestamp> {
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(date).ok().map(|time| time.timestamp())
}

/// `Date` has whole seconds, so that a fresh lease may seem to come from the future.
fn age(now: Timestamp, renewed: Timestamp) -> Duration {
    let age = now.duration_since(renewed).max(SignedDuration::ZERO);
    age.unsigned_abs()
}

async fn not_ready(client: &Client, node: &str) -> Result<Option<String>, Trouble> {
    let node = within(REQUEST, Api::<Node>::all(client.clone()).get(node)).await?;
    let ready = node
        .status
        .and_then(|status| status.conditions)
        .and_then(|conditions| {
            conditions
                .into_iter()
                .find(|condition| condition.type_ == "Ready")
        });
    Ok(match ready {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => Some(format!(
            "{}: {}",
            ready
                .reason
                .unwrap_or_else(|| format!("Ready is {}", ready.status)),
            ready.message.unwrap_or_else(|| "without a message".to_owned())
        )),
        None => Some("it has no condition Ready".to_owned()),
    })
}

impl KubeletView {
    /// Whether it is clear that the kubelet does not work, and by what. `None` while that is not clear.
    pub(crate) fn verdict(&self, node: &str) -> Option<Gap> {
        let message = match (&self.lease_age, &self.not_ready) {
            (Observed::Seen(age), _) if *age > STALE => format!(
                "the kubelet of {node} does not answer: it has not renewed its lease for {} s (it does so every 10 s)",
                age.as_secs()
            ),
            (_, Observed::Seen(Some(condition))) => format!("{node} is not ready: {condition}"),
            _ => return None,
        };
        Some(Gap {
            what: format!("probe pod on {node}"),
            why: GapReason::NotStarted,
            message,
            hint: Some(format!(
                "kubectl describe node {node}; look at the kubelet on it: systemctl status kubelet"
            )),
        })
    }

    /// When the lease will be stale unless it is renewed; `None` when it is, or is not known.
    pub(crate) fn stale_in(&self) -> Option<Duration> {
        let left = STALE.checked_sub(*self.lease_age.seen()?)?;
        // The server's clock has whole seconds.
        Some(left + Duration::from_secs(1))
    }

    /// A clause about the kubelet for a wait that ended without a verdict.
    pub(crate) fn clause(&self) -> String {
        match &self.lease_age {
            Observed::Seen(age) => format!("its lease was renewed {} s ago", age.as_secs()),
            Observed::Unseen(gap) => gap.message.clone(),
        }
    }
}

/// Looks for an event of a pod that says why it hangs. The newest decides; `Err` when events cannot be read.
pub(crate) async fn hanging(client: &Client, namespace: &str, pod: &str) -> Result<Option<Over>, Trouble> {
    let events = Api::<Event>::namespaced(client.clone(), namespace);
    let params = ListParams::default().fields(&format!("involvedObject.kind=Pod,involvedObject.name={pod}"));
    let mut events = within(REQUEST, events.list(&params)).await?.items;
    events.sort_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0));
    Ok(events.iter().rev().find_map(|event| {
        over::judge_event(
            event.reason.as_deref().unwrap_or_default(),
            event.message.as_deref().unwrap_or_default(),
        )
    }))
}

/// The images of the containers that run on a node, for nodes that list none.
pub(crate) async fn running_images(client: &Client, node: &str) -> Result<Vec<String>, Trouble> {
    let params = ListParams::default()
        .fields(&format!("spec.nodeName={node}"))
        .limit(100);
    let pods = within(REQUEST, Api::<Pod>::all(client.clone()).list(&params))
        .await?
        .items;
    Ok(pods
        .into_iter()
        .filter_map(|pod| pod.status?.container_statuses)
        .flatten()
        .filter(|container| {
            container
                .state
                .as_ref()
                .is_some_and(|state| state.running.is_some())
        })
        .map(|container| container.image)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unseen<T>() -> Observed<T> {
        Observed::Unseen(Gap {
            what: String::new(),
            why: GapReason::Failed,
            message: String::new(),
            hint: None,
        })
    }

    #[test]
    fn a_kubelet_is_called_dead_only_on_evidence() {
        let view = |age: Option<u64>, condition: Option<Option<&str>>| KubeletView {
            lease_age: age.map_or_else(unseen, |age| Observed::Seen(Duration::from_secs(age))),
            not_ready: condition.map_or_else(unseen, |words| Observed::Seen(words.map(str::to_owned))),
        };
        for (view, expected) in [
            (
                view(Some(34), Some(None)),
                Some(
                    "the kubelet of n does not answer: it has not renewed its lease for 34 s (it does so every 10 s)",
                ),
            ),
            (view(Some(12), Some(None)), None),
            (
                view(None, Some(Some("KubeletNotReady: cni plugin not initialized"))),
                Some("n is not ready: KubeletNotReady: cni plugin not initialized"),
            ),
            (view(None, Some(None)), None),
            (view(None, None), None),
        ] {
            assert_eq!(view.verdict("n").map(|gap| gap.message).as_deref(), expected);
        }
    }

    #[test]
    fn the_servers_clock_is_read_from_the_date_of_its_answer() {
        let mut headers = http::HeaderMap::new();
        assert_eq!(server_time(&headers), None);
        headers.insert(
            http::header::DATE,
            "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap(),
        );
        let now = server_time(&headers).unwrap();
        assert_eq!(now.to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(
            age(now, "1994-11-06T08:49:03Z".parse().unwrap()),
            Duration::from_secs(34)
        );
        assert_eq!(
            age(now, "1994-11-06T08:49:37.9Z".parse().unwrap()),
            Duration::ZERO
        );
    }
}
