use report::{Evidence, Finding, Observed, Severity};

use super::{Proxy, config, gap, on_running};
use crate::check::{Check, Judgement, Need};
use crate::shell::on_node;
use crate::view::View;

/// The mode ipvs takes a part of the kernel that not every one has. kube-proxy of today ends at once without it; older ones took
/// iptables instead, without a word. It is out of favour since Kubernetes 1.35.
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-ipvs-mod",
    claim: "the kernel has IPVS where kube-proxy is to use it",
    needs: &[Need::KubeProxy],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_running(view, |proxies, judgement| {
        let wanted = match &proxies.facts.config {
            Observed::Seen(config) => config::value(config.as_ref()).map(config::mode),
            // The mode that each runs in is asked for too.
            Observed::Unseen(_) => None,
        };
        let uses = |proxy: &&Proxy<'_>| wanted == Some("ipvs") || proxy.mode() == Some("ipvs");
        let using: Vec<&Proxy<'_>> = proxies.nodes.iter().filter(uses).collect();
        if using.is_empty() {
            match &proxies.facts.config {
                Observed::Unseen(gap) if proxies.nodes.iter().any(|proxy| proxy.mode().is_none()) => {
                    judgement.gaps.push(gap.clone());
                }
                _ => judgement.skipped = Some("nobody asks for the mode ipvs".to_owned()),
            }
        }
        for proxy in using {
            of_node(proxy, judgement);
        }
    })
}

fn of_node(proxy: &Proxy<'_>, judgement: &mut Judgement) {
    let name = proxy.name();
    // Who runs in the mode has it.
    if proxy.mode() == Some("ipvs") {
        return;
    }
    let has = proxy.looks().map(|(_, last)| &last.has_ipvs);
    match (proxy.gap(), has) {
        (Some(gap), _) | (None, Some(Observed::Unseen(gap))) => judgement.gaps.push(gap.clone()),
        (None, None) => judgement.gaps.push(gap(
            format!("whether the kernel of {name} has IPVS"),
            "nodes were not to be asked",
        )),
        (None, Some(Observed::Seen(true))) => {}
        (None, Some(Observed::Seen(false))) => {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Error,
                proxy.subject(),
                format!("kube-proxy is to use IPVS, which the kernel of {name} does not have"),
                Evidence::command(
                    "there is no /proc/net/ip_vs",
                    on_node(name, &["ls -l /proc/net/ip_vs"]),
                ),
            );
            finding.hint = Some(
                "set the mode iptables, or nftables from Kubernetes 1.33 on: `kubectl -n kube-system edit configmap kube-proxy`"
                    .to_owned(),
            );
            finding.explains = vec!["ep-kp-ds".to_owned(), "ep-kp-log".to_owned()];
            judgement.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    fn asked_for() -> Fixture {
        Fixture::healthy().config(json!({"mode": "ipvs"}))
    }

    #[test]
    fn a_kernel_without_it_is_found() {
        assert_eq!(shown::finds(&CHECK, &asked_for().observe()).len(), 3);
    }

    #[test]
    fn a_kernel_with_it_passes_and_so_does_who_runs_in_the_mode() {
        shown::passes(&CHECK, &asked_for().has_ipvs().observe());
        let running = ["node1", "node2", "node3"]
            .iter()
            .fold(asked_for(), |all, node| all.mode(node, "ipvs"));
        shown::passes(&CHECK, &running.observe());
    }

    #[test]
    fn a_node_that_was_not_asked_is_unknown() {
        shown::cannot_tell(&CHECK, &asked_for().has_ipvs().unasked("node2").observe());
    }
}
