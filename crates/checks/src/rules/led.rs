use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use netmodel::rules::{proxy_modes, service_ports};
use observation::NodeReads;
use report::{Gap, GapReason, Observed};

use crate::firewall::parse;

/// Where the rules of a node lead connections to each address of a Service: every endpoint of every port.
pub type Led = BTreeMap<IpAddr, Vec<SocketAddr>>;

/// Where the rules of a node lead Services.
///
/// Unseen where there are none of kube-proxy that this can read: what of them could not be read is the reason then, else that IPVS or
/// something else does its work.
pub fn led(node: &str, reads: &NodeReads) -> Observed<Led> {
    let (rules, gaps) = parse(node, reads);
    if proxy_modes(&rules.sets).is_empty() {
        return Observed::Unseen(gaps.into_iter().next().unwrap_or_else(|| Gap {
            what: format!("rules of kube-proxy of {node}"),
            why: GapReason::Failed,
            message:
                "there are none in iptables or nftables: IPVS or something else does its work".to_owned(),
            hint: None,
        }));
    }
    let mut all = Led::new();
    for port in rules.sets.iter().flat_map(service_ports) {
        let Some(address) = port.address else { continue };
        let endpoints = port
            .endpoints
            .iter()
            .filter_map(|text| text.parse::<SocketAddr>().ok());
        all.entry(address.first.to_canonical())
            .or_default()
            .extend(endpoints);
    }
    Observed::Seen(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;

    fn led_of(fixture: Fixture) -> Observed<Led> {
        let observation = fixture.observe();
        let evidence = observation.node_evidence["node1"].seen().expect("it was read");
        led("node1", &evidence.before)
    }

    #[test]
    fn each_service_leads_to_its_endpoints() {
        let led = led_of(Fixture::healthy());
        let web: IpAddr = [10, 99, 43, 77].into();
        let endpoints = &led.seen().expect("the rules were read")[&web];
        let texts: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["10.244.0.3:8080", "10.244.1.2:8080", "10.244.2.3:8080"]);
    }

    #[test]
    fn rules_that_could_not_be_read_lead_nobody_knows_where() {
        let observation = Fixture::healthy().observe();
        let evidence = observation.node_evidence["node1"].seen().expect("it was read");
        let mut reads = evidence.before.clone();
        for rules in [
            &mut reads.iptables,
            &mut reads.iptables_legacy,
            &mut reads.ip6tables,
        ] {
            *rules = unread();
        }
        reads.nft = unread();
        let led = led("node1", &reads);
        assert_eq!(led.gap().expect("nothing is known").message, "exec failed");
    }

    fn unread() -> Observed<observation::RuleText> {
        Observed::Unseen(Gap {
            what: "rules of node1".into(),
            why: GapReason::Failed,
            message: "exec failed".into(),
            hint: None,
        })
    }
}
