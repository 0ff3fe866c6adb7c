//! What kube-proxy of a node says of itself: its health, its mode, its metrics, and what it is configured with. Most of it
//! listens on loopback, so that it takes a pod in the node's network, without any right.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netprobe::{Read, ReadOutcome, ReadPlan, WIRE_VERSION};
use observation::{ConfigDocument, HttpAnswer, ProxyConfig, ProxyLook};
use report::{Gap, GapReason, Observed};
use serde_json::Value;

use super::plan::DEADLINE_MS;
use super::{Answers, kernel};
use crate::options::Tier;
use crate::run::ProbeRun;

const CLOCK: u32 = 1;
const HEALTH: u32 = 2;
const MODE: u32 = 3;
const METRICS: u32 = 4;
const CONFIG: u32 = 5;
const IPVS: u32 = 6;

/// Metrics of kube-proxy take some 100 kB.
const MOST_OF_METRICS: u32 = 2 * 1024 * 1024;
const MOST_OF_CONFIG: u32 = 64 * 1024;
const MOST_OF_A_LINE: u32 = 4 * 1024;
/// The series that are kept.
const KEPT: [&str; 2] = ["kubeproxy_", "kubernetes_build_info"];
const IPVS_TABLE: &str = "/proc/net/ip_vs";

/// Where kube-proxy answers on its own node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyAddresses {
    /// `healthzBindAddress`.
    pub health: SocketAddr,
    /// `metricsBindAddress`.
    pub metrics: SocketAddr,
}

impl ProxyAddresses {
    /// As its configuration says, and by default where it does not. An address of all interfaces is asked on loopback.
    pub fn of(config: Option<&ProxyConfig>) -> Self {
        let value = config.and_then(|config| match &config.document {
            ConfigDocument::Read { value } => Some(value),
            ConfigDocument::Broken { .. } => None,
        });
        let at = |key: &str, port: u16| {
            let text = value
                .and_then(|value| value.get(key))
                .and_then(Value::as_str)
                .unwrap_or_default();
            bound(text, port)
        };
        Self {
            health: at("healthzBindAddress", 10256),
            metrics: at("metricsBindAddress", 10249),
        }
    }
}

/// `0.0.0.0:10256`, `[::1]:10249`, an address without a port, or nothing.
fn bound(text: &str, port: u16) -> SocketAddr {
    let given = text.parse::<SocketAddr>().ok();
    let bare = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, port));
    let address = given
        .or_else(bare)
        .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl ProbeRun {
    /// Asks kube-proxy of one node. It needs a pod in the node's network.
    ///
    /// A node without one, and an exec that failed, are unseen as a whole; what kube-proxy did not answer is unseen in its part.
    pub async fn ask_kube_proxy(&self, node: &str, tier: Tier, at: ProxyAddresses) -> Observed<ProxyLook> {
        let plan = plan(&self.placement().run, at);
        self.answered(node, tier, &plan, |answers| look(answers, at))
            .await
    }
}

fn plan(run: &str, at: ProxyAddresses) -> ReadPlan {
    let ask = |address, path: &str, most_bytes| Read::Http {
        address,
        path: path.to_owned(),
        most_bytes,
    };
    let ipvs = Read::Files {
        pattern: IPVS_TABLE.to_owned(),
        most_bytes: 1,
    };
    ReadPlan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        deadline_ms: DEADLINE_MS,
        reads: BTreeMap::from([
            (CLOCK, Read::Clock),
            (HEALTH, ask(at.health, "/healthz", MOST_OF_A_LINE)),
            (MODE, ask(at.metrics, "/proxyMode", MOST_OF_A_LINE)),
            (METRICS, ask(at.metrics, "/metrics", MOST_OF_METRICS)),
            (CONFIG, ask(at.metrics, "/configz", MOST_OF_CONFIG)),
            (IPVS, ipvs),
        ]),
    }
}

fn look(answers: &Answers<'_>, at: ProxyAddresses) -> ProxyLook {
    let body =
        |id, path: &str, most| match kernel::asked(answers, id, &format!("http://{}{path}", at.metrics)) {
            HttpAnswer::Answered {
                status: 200, body, ..
            } if body.len() + 1024 < most => Observed::Seen(body),
            HttpAnswer::Answered { status: 200, .. } => Observed::Unseen(Gap {
                why: GapReason::Truncated,
                ..unanswered(answers, path, "it is too long to be read whole")
            }),
            HttpAnswer::Answered { status, .. } => {
                Observed::Unseen(unanswered(answers, path, &format!("kube-proxy answers {status}")))
            }
            HttpAnswer::Refused => {
                let message = format!("nothing listens on {}", at.metrics);
                Observed::Unseen(unanswered(answers, path, &message))
            }
            HttpAnswer::Silent { after_ms, .. } => Observed::Unseen(Gap {
                why: GapReason::TimedOut { after_ms },
                ..unanswered(answers, path, "it was silent")
            }),
            HttpAnswer::Unasked(gap) => Observed::Unseen(gap),
        };
    let whole = |most: u32| usize::try_from(most).unwrap_or(usize::MAX);
    let config = match body(CONFIG, "/configz", whole(MOST_OF_CONFIG)) {
        Observed::Seen(text) => match running(&text) {
            Some(value) => Observed::Seen(value),
            None => Observed::Unseen(unanswered(
                answers,
                "/configz",
                "it is no configuration of kube-proxy",
            )),
        },
        Observed::Unseen(gap) => Observed::Unseen(gap),
    };
    ProxyLook {
        unix_ms: match answers.outcome(CLOCK, "clock") {
            Observed::Seen(ReadOutcome::Clock { unix_ms }) => Observed::Seen(*unix_ms),
            Observed::Seen(_) => Observed::Unseen(answers.gap("clock", "another answer than a time")),
            Observed::Unseen(gap) => Observed::Unseen(gap),
        },
        health_address: at.health.to_string(),
        metrics_address: at.metrics.to_string(),
        health: kernel::asked(answers, HEALTH, &format!("http://{}/healthz", at.health)),
        mode: kernel::asked(answers, MODE, &format!("http://{}/proxyMode", at.metrics)),
        metrics: body(METRICS, "/metrics", whole(MOST_OF_METRICS)).map(|text| series(&text)),
        config,
        has_ipvs: match answers.outcome(IPVS, IPVS_TABLE) {
            Observed::Seen(ReadOutcome::Files { files }) => Observed::Seen(!files.is_empty()),
            Observed::Seen(_) => Observed::Unseen(answers.gap(IPVS_TABLE, "another answer than files")),
            Observed::Unseen(gap) => Observed::Unseen(gap),
        },
    }
}

fn unanswered(answers: &Answers<'_>, path: &str, message: &str) -> Gap {
    answers.gap(&format!("{path} of kube-proxy"), message)
}

/// The configuration in what `/configz` says: by the group of its kind.
fn running(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.get("kubeproxy.config.k8s.io").cloned()
}

/// The series of a text in the format of Prometheus that are kept, by name and labels.
fn series(text: &str) -> BTreeMap<String, String> {
    let of_line = |line: &str| {
        let line = line.trim();
        if !KEPT.iter().any(|kept| line.starts_with(kept)) {
            return None;
        }
        // Labels may hold spaces, and behind the value there may be a time.
        let end = match line.rfind('}') {
            Some(brace) => brace + 1,
            None => line.find(' ')?,
        };
        let value = line.get(end..)?.split_whitespace().next()?;
        value.parse::<f64>().ok()?;
        Some((line[..end].to_owned(), value.to_owned()))
    };
    text.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use netprobe::ReadAnswer;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> ProxyConfig {
        ProxyConfig {
            config_map: "kube-proxy".to_owned(),
            key: "config.conf".to_owned(),
            document: ConfigDocument::Read { value },
        }
    }

    #[test]
    fn it_is_asked_where_its_configuration_says() {
        let usual = ProxyAddresses::of(None);
        assert_eq!(usual.health.to_string(), "127.0.0.1:10256");
        assert_eq!(usual.metrics.to_string(), "127.0.0.1:10249");
        let other = config(json!({"metricsBindAddress": "[::]:9249", "healthzBindAddress": "10.0.0.1"}));
        let other = ProxyAddresses::of(Some(&other));
        assert_eq!(other.metrics.to_string(), "[::1]:9249");
        assert_eq!(other.health.to_string(), "10.0.0.1:10256");
        let empty = config(json!({"metricsBindAddress": ""}));
        assert_eq!(ProxyAddresses::of(Some(&empty)).metrics, usual.metrics);
    }

    #[test]
    fn only_series_of_kube_proxy_are_kept_with_their_labels() {
        let text = "# HELP kubeproxy_x y\n\
                    kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family=\"IPv4\"} 1.7e+09\n\
                    kubeproxy_a{b=\"c } d\"} 3 1700000000000\n\
                    kubeproxy_plain 4\n\
                    kubeproxy_broken{\n\
                    kubeproxy_none{a=\"b\"} x\n\
                    go_goroutines 7\n";
        let kept: Vec<(String, String)> = series(text).into_iter().collect();
        let expected = [
            ("kubeproxy_a{b=\"c } d\"}", "3"),
            ("kubeproxy_plain", "4"),
            (
                "kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family=\"IPv4\"}",
                "1.7e+09",
            ),
        ];
        assert_eq!(
            kept,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }

    fn said(id: u32, status: u16, body: &str) -> ReadAnswer {
        ReadAnswer {
            id,
            outcome: ReadOutcome::Http {
                status,
                body: body.to_owned(),
                took_ms: 1,
            },
        }
    }

    fn of(given: &[ReadAnswer]) -> ProxyLook {
        let answers = Answers {
            node: "node1",
            tier: Tier::HostNetwork,
            by_id: given.iter().map(|answer| (answer.id, answer)).collect(),
            cut_off: None,
        };
        look(&answers, ProxyAddresses::of(None))
    }

    #[test]
    fn what_it_does_not_answer_is_unseen_in_its_part_alone() {
        let given = [
            said(HEALTH, 200, "{}"),
            said(METRICS, 404, "no"),
            said(
                CONFIG,
                200,
                r#"{"kubeproxy.config.k8s.io": {"Mode": "iptables"}}"#,
            ),
        ];
        let look = of(&given);
        assert!(matches!(look.health, HttpAnswer::Answered { status: 200, .. }));
        assert!(matches!(look.mode, HttpAnswer::Unasked(_)));
        assert!(look.metrics.gap().unwrap().message.contains("404"));
        assert_eq!(look.config.seen().unwrap()["Mode"], "iptables");
        assert!(look.unix_ms.gap().is_some() && look.has_ipvs.gap().is_some());
    }

    #[test]
    fn a_configuration_of_something_else_is_none() {
        assert!(of(&[said(CONFIG, 200, "{}")]).config.gap().is_some());
        assert!(of(&[said(CONFIG, 200, "<html>")]).config.gap().is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC*(\n(kubeproxy_)?\\PC*){0,6}") {
            let kept = series(&text);
            prop_assert!(kept.keys().all(|name| KEPT.iter().any(|kept| name.starts_with(kept))));
        }
    }
}
