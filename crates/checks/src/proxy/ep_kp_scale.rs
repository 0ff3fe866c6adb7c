use report::{Evidence, Finding, Severity};

use super::metrics::Metrics;
use super::{Proxy, gap, on_asked};
use crate::check::{Check, Judgement, Need};
use crate::shell::on_node;
use crate::view::View;

/// In the mode iptables every packet that begins a connection passes the rules one by one, and a full write takes all of them.
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-scale",
    claim: "no node has more rules for Services than its mode carries well",
    needs: &[Need::KubeProxy],
    judge,
};

const RULES: &str = "kubeproxy_sync_proxy_rules_iptables_total";
const MOST: f64 = 20_000.0;

/// How many rules kube-proxy keeps; `None` where it does not say, as in other modes.
pub(super) fn rules(proxy: &Proxy<'_>) -> Option<f64> {
    let (_, last) = proxy.looks()?;
    Metrics::of(last)?.sum(RULES)
}

fn judge(view: &View<'_>) -> Judgement {
    on_asked(view, |proxies, judgement| {
        for proxy in proxies.nodes.iter().filter(|proxy| proxy.said.is_some()) {
            match rules(proxy) {
                Some(count) if count > MOST => judgement.findings.push(finding(proxy, count)),
                Some(_) => {}
                // Other modes look up a packet in a table, however many Services there are.
                None if proxy.mode().is_some_and(|mode| mode != "iptables")
                    && proxy
                        .looks()
                        .is_some_and(|(_, last)| last.metrics.seen().is_some()) => {}
                None => {
                    let what = format!("how many rules kube-proxy of {} keeps", proxy.name());
                    let unseen = proxy.gap().or_else(|| proxy.looks()?.1.metrics.gap());
                    judgement
                        .gaps
                        .push(unseen.cloned().unwrap_or_else(|| gap(what, "it does not say")));
                }
            }
        }
    })
}

fn finding(proxy: &Proxy<'_>, count: f64) -> Finding {
    let name = proxy.name();
    let address = proxy
        .looks()
        .map_or("127.0.0.1:10249", |(_, look)| look.metrics_address.as_str());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        proxy.subject(),
        format!(
            "{name} has {count:.0} rules for Services in mode iptables: new connections and changes take longer with each"
        ),
        Evidence::command(
            format!("{RULES} is {count:.0}, above {MOST:.0}"),
            on_node(
                name,
                &[&format!("curl -s -m 3 http://{address}/metrics | grep {RULES}")],
            ),
        ),
    );
    finding.hint = Some(
        "the mode nftables looks up instead, from a kernel 5.13 and nft 1.0.1 on; try it on one node first: \
         `kubectl get nodes -o wide`"
            .to_owned(),
    );
    finding
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn many_rules_are_a_warning_in_mode_iptables() {
        let many = Fixture::healthy().metric("node1", &format!("{RULES}{{table=\"nat\"}}"), "30000");
        let findings = shown::finds(&CHECK, &many.observe());
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Warning));
    }

    #[test]
    fn few_rules_pass_and_so_does_a_mode_that_looks_up() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn a_count_that_was_not_read_is_unknown() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().without_metrics("node1").observe());
    }
}
