//! The objects that make a bare API server a cluster.

use anyhow::{Result, bail};

use crate::build::Images;
use crate::plan;
use crate::state::Options;

/// What nodes need to become ready and pods to talk to each other and to the API.
pub(crate) fn network(options: &Options) -> Result<String> {
    let mut parts = vec![
        include_str!("../manifests/access.yaml"),
        include_str!("../manifests/flannel.yaml"),
        include_str!("../manifests/kube-proxy.yaml"),
    ];
    if options.network_policy {
        parts.push(include_str!("../manifests/network-policy.yaml"));
    }
    fill(&parts.join("\n---\n"), options)
}

/// The cluster's DNS.
pub(crate) fn dns(options: &Options) -> Result<String> {
    fill(include_str!("../manifests/coredns.yaml"), options)
}

fn fill(template: &str, options: &Options) -> Result<String> {
    let images = Images::new();
    let mut policy_arguments = vec![
        "-v=1".to_owned(),
        format!("-service-cidrs={}", plan::service_cidrs(options.dual_stack)),
    ];
    if options.dual_stack {
        policy_arguments.push("-ipv6".to_owned());
    }
    let values = [
        ("PROXY_MODE", options.proxy_mode.as_str().to_owned()),
        ("POD_CIDRS", plan::pod_cidrs(options.dual_stack)),
        ("API_ADDRESS", plan::ROUTER_V4.to_owned()),
        ("DNS_ADDRESS", plan::DNS_SERVICE.to_owned()),
        ("FLANNEL_NETWORK", plan::flannel_network(options.dual_stack)),
        ("NETPOL_ARGS", serde_json::to_string(&policy_arguments)?),
        ("IMAGE_KUBE_PROXY", images.kube_proxy),
        ("IMAGE_COREDNS", images.coredns),
        ("IMAGE_FLANNEL", images.flannel),
        ("IMAGE_NETPOL", images.netpol),
    ];
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), &value);
    }
    if let Some(line) = text.lines().find(|line| line.contains('@')) {
        bail!("nothing fills the manifest's line {line:?}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ProxyMode;

    fn options() -> Options {
        Options {
            nodes: 3,
            proxy_mode: ProxyMode::Iptables,
            dual_stack: false,
            network_policy: true,
        }
    }

    #[test]
    fn every_combination_of_options_fills_every_place() {
        for proxy_mode in [ProxyMode::Iptables, ProxyMode::Nftables] {
            for dual_stack in [false, true] {
                for network_policy in [false, true] {
                    let options = Options {
                        nodes: 1,
                        proxy_mode,
                        dual_stack,
                        network_policy,
                    };
                    let text = network(&options).unwrap();
                    assert!(dns(&options).unwrap().contains("clusterIP: 10.96.0.10"));
                    assert!(text.contains(&format!("mode: {}", proxy_mode.as_str())));
                    assert_eq!(text.contains("fd00:244::/56"), dual_stack);
                    assert_eq!(text.contains("name: netpol"), network_policy);
                }
            }
        }
    }

    #[test]
    fn a_place_that_nothing_fills_is_an_error() {
        assert!(fill("image: @IMAGE_OF_NOBODY@", &options()).is_err());
    }
}
