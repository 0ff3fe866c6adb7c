//! The ends of a flow, as they are typed.

use observation::PolicyEnd;
use plugin::Failure;

/// `--port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) number: u16,
    /// As the API writes it: `TCP`.
    pub(super) protocol: Option<String>,
}

/// Reads `80`, `53/udp` or `53/UDP`.
pub(super) fn port(text: &str) -> Result<Port, String> {
    let (number, protocol) = match text.split_once('/') {
        Some((number, protocol)) => (number, Some(protocol.to_ascii_uppercase())),
        None => (text, None),
    };
    if let Some(other) = protocol
        .as_ref()
        .filter(|it| !["TCP", "UDP", "SCTP"].contains(&it.as_str()))
    {
        return Err(format!("{other:?} is none of tcp, udp and sctp"));
    }
    let number = number.parse().ok().filter(|number| *number > 0);
    number
        .map(|number| Port { number, protocol })
        .ok_or_else(|| "must be a port number, alone or followed by a protocol (e.g. 80 | 53/udp)".to_owned())
}

/// Reads an address, `POD`, `TYPE/NAME`, `NAMESPACE/POD` or `NAMESPACE/TYPE/NAME`; without a namespace it is in this one.
pub(super) fn end(text: &str, namespace: &str) -> Result<PolicyEnd, Failure> {
    if let Ok(address) = text.parse() {
        return Ok(PolicyEnd::Address { address });
    }
    let parts: Vec<&str> = text.split('/').collect();
    let object = |namespace: &str, kind: &str, name: &str| PolicyEnd::Object {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let wrong = || {
        Failure::new(format!("error: {text:?} names neither a pod nor what has pods")).with_hint(Some(
            "as POD, TYPE/NAME, NAMESPACE/POD, NAMESPACE/TYPE/NAME or an address; types: pod, service, deployment, statefulset, \
             daemonset, cronjob"
                .to_owned(),
        ))
    };
    if parts.iter().any(|part| part.is_empty()) {
        return Err(wrong());
    }
    match parts.as_slice() {
        [name] => Ok(object(namespace, "pod", name)),
        [first, name] => Ok(match kind(first) {
            Some(kind) => object(namespace, kind, name),
            None => object(first, "pod", name),
        }),
        [other, first, name] => kind(first)
            .map(|kind| object(other, kind, name))
            .ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// kubectl's names of the types, with their short names.
fn kind(text: &str) -> Option<&'static str> {
    Some(match text {
        "pod" | "pods" | "po" => "pod",
        "service" | "services" | "svc" => "service",
        "deployment" | "deployments" | "deploy" | "deployment.apps" => "deployment",
        "statefulset" | "statefulsets" | "sts" | "statefulset.apps" => "statefulset",
        "daemonset" | "daemonsets" | "ds" | "daemonset.apps" => "daemonset",
        "cronjob" | "cronjobs" | "cj" | "cronjob.batch" => "cronjob",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, kind: &str, name: &str) -> PolicyEnd {
        PolicyEnd::Object {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    #[test]
    fn ends_are_read_as_kubectl_reads_objects() {
        let read = |text: &str| end(text, "shop").map_err(|failure| failure.text());
        assert_eq!(read("web-1"), Ok(object("shop", "pod", "web-1")));
        assert_eq!(read("svc/web"), Ok(object("shop", "service", "web")));
        assert_eq!(read("ops/prometheus"), Ok(object("ops", "pod", "prometheus")));
        assert_eq!(
            read("ops/deploy/grafana"),
            Ok(object("ops", "deployment", "grafana"))
        );
        assert_eq!(
            read("fd00::1"),
            Ok(PolicyEnd::Address {
                address: "fd00::1".parse().unwrap()
            })
        );
        for wrong in ["", "/", "a/b/c", "a/pod/b/c", "pod/"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn ports_are_read_with_or_without_a_protocol() {
        let of = |number, protocol: Option<&str>| {
            Ok(Port {
                number,
                protocol: protocol.map(str::to_owned),
            })
        };
        assert_eq!(port("80"), of(80, None));
        assert_eq!(port("53/udp"), of(53, Some("UDP")));
        for wrong in ["", "0", "65536", "80/icmp", "http", "/tcp"] {
            assert!(port(wrong).is_err(), "{wrong:?}");
        }
    }
}
