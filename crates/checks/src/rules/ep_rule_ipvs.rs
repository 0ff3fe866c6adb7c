use netmodel::rules::{ProxyMode, proxy_modes};
use report::{Evidence, Finding, Gap, Severity, Subject};

use super::expected::{Compared, Difference, Kind, addresses, compared_ipvs};
use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, gap};
use crate::shell::on_node;
use crate::view::View;

/// In mode `ipvs` kube-proxy writes no rule for each Service but virtual servers of the kernel: one for each port at each address, with
/// a destination for each endpoint. One of weight 0 takes no new connections, as an endpoint that is on its way out.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-ipvs",
    claim: "in mode ipvs every Service port has its virtual server, and that every endpoint",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

/// What lists them.
const LIST: &str = "ipvsadm -L -n";

fn judge(view: &View<'_>) -> Judgement {
    compared_ipvs(view, |all, judgement| {
        for node in all {
            judgement.gaps.extend(unread(node.firewall));
            judgement.findings.extend(finding(node));
        }
    })
}

/// Why the servers of a node are not known.
fn unread(firewall: &Firewall<'_>) -> Option<Gap> {
    if !firewall.virtual_servers().is_empty() {
        return None;
    }
    let is_ipvs = |mode: &ProxyMode| matches!(mode, ProxyMode::Ipvs(_));
    let is_wanted = proxy_modes(&firewall.rules.sets).iter().any(is_ipvs);
    let own = firewall.reads.kernel.ipvs.gap().cloned();
    is_wanted.then(|| {
        own.unwrap_or_else(|| {
            gap(
                firewall,
                "the virtual servers",
                "the kernel's list could not be read",
            )
        })
    })
}

fn finding(node: &Compared<'_, '_>) -> Option<Finding> {
    // What has no server at all goes first.
    let rank = |difference: &&Difference<'_>| difference.kind != Kind::Missing;
    let first = node.differences.iter().min_by_key(rank)?;
    let (name, what) = (node.firewall.name(), first.what());
    let (summary, fact) = match &first.kind {
        Kind::Led { lacks, extra, .. } if extra.is_empty() => (
            format!(
                "the virtual server of {name} for {what} does not lead to {}",
                addresses(lacks)
            ),
            format!(
                "the server for {} has no destination {}",
                first.at(),
                addresses(lacks)
            ),
        ),
        Kind::Led { extra, .. } => (
            format!(
                "the virtual server of {name} for {what} leads to {}, which is no endpoint of it",
                addresses(extra)
            ),
            format!(
                "the server for {} has the destination {}",
                first.at(),
                addresses(extra)
            ),
        ),
        Kind::Missing | Kind::Refused { .. } | Kind::Open => (
            format!("{name} has no virtual server for {what}"),
            format!("no server is for {}", first.at()),
        ),
    };
    let more = match node.differences.len() {
        1 => String::new(),
        several => format!("; {} more differ", several - 1),
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!("{summary}{more}"),
        Evidence::command(fact, on_node(name, &[LIST])),
    );
    finding.evidence.push(first.slices());
    finding.hint = Some(rewritten(name));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use observation::Observation;
    use report::Observed;

    use super::super::api::{api, with_endpoints};
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    /// Servers, each with its destinations and the weight of those.
    type Rows<'a> = &'a [(&'a str, [u8; 4], u16, &'a [[u8; 4]], u16)];

    const DNS: &[[u8; 4]] = &[[10, 244, 0, 2], [10, 244, 2, 2]];
    const WEB: &[[u8; 4]] = &[[10, 244, 0, 3], [10, 244, 1, 2], [10, 244, 2, 3]];
    const SERVERS: Rows<'static> = &[
        ("TCP", [10, 96, 0, 1], 443, &[[172, 30, 0, 1]], 6443),
        ("UDP", [10, 96, 0, 10], 53, DNS, 53),
        ("TCP", [10, 96, 0, 10], 53, DNS, 53),
        ("TCP", [10, 96, 0, 10], 9153, DNS, 9153),
        ("TCP", [10, 99, 43, 77], 80, WEB, 8080),
        ("TCP", [10, 97, 134, 127], 80, &[], 8080),
        ("TCP", [172, 30, 0, 11], 30_080, WEB, 8080),
        ("TCP", [172, 30, 0, 12], 30_080, WEB, 8080),
        ("TCP", [172, 30, 0, 13], 30_080, WEB, 8080),
    ];

    /// As the kernel lists them.
    fn listed(rows: Rows<'_>) -> String {
        let hex = |address: [u8; 4], port: u16| format!("{:08X}:{port:04X}", u32::from_be_bytes(address));
        let mut text = String::from(
            "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward \
             Weight ActiveConn InActConn\n",
        );
        for (protocol, address, port, destinations, to) in rows {
            let _ = writeln!(text, "{protocol}  {} rr ", hex(*address, *port));
            for destination in *destinations {
                let to = hex(*destination, *to);
                let _ = writeln!(text, "  -> {to}      Masq    1      0          0         ");
            }
        }
        text
    }

    fn with(text: impl Fn(&str) -> Observed<Option<String>>) -> Observation {
        let mut observation = Fixture::ipvs().observe();
        for (node, evidence) in &mut observation.node_evidence {
            if let Observed::Seen(evidence) = evidence {
                evidence.before.kernel.ipvs = text(node);
            }
        }
        api(observation)
    }

    fn healthy() -> Observation {
        with(|_| Observed::Seen(Some(listed(SERVERS))))
    }

    #[test]
    fn servers_and_destinations_that_are_as_the_api_says_pass() {
        shown::passes(&CHECK, &healthy());
    }

    #[test]
    fn no_other_check_takes_virtual_servers_for_missing_rules() {
        for check in crate::CHECKS
            .iter()
            .filter(|check| check.id.starts_with("ep-rule"))
        {
            let judgement = (check.judge)(&View::new(&healthy()));
            let wrong = judgement
                .findings
                .iter()
                .filter(|it| it.severity != Severity::Note);
            assert_eq!(wrong.count(), 0, "{}: {:#?}", check.id, judgement.findings);
        }
    }

    #[test]
    fn a_server_that_one_node_lacks_is_found_there() {
        let without: Vec<_> = SERVERS
            .iter()
            .filter(|row| row.1 != [10, 99, 43, 77])
            .copied()
            .collect();
        let lists = |node: &str| {
            if node == "node2" {
                listed(&without)
            } else {
                listed(SERVERS)
            }
        };
        let findings = shown::finds(&CHECK, &with(|node| Observed::Seen(Some(lists(node)))));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(
            findings[0].summary,
            "node2 has no virtual server for Service port shop/web:http"
        );
    }

    #[test]
    fn a_destination_of_weight_zero_takes_no_connections() {
        let drained = listed(SERVERS).replace(
            "-> 0AF40203:1F90      Masq    1 ",
            "-> 0AF40203:1F90      Masq    0 ",
        );
        let findings = shown::finds(&CHECK, &with(|_| Observed::Seen(Some(drained.clone()))));
        assert_eq!(
            findings[0].summary,
            "the virtual server of node1 for Service port shop/web:http does not lead to 10.244.2.3:8080"
        );
        // An endpoint that is gone drains so.
        let mut observation = with(|_| Observed::Seen(Some(drained.clone())));
        with_endpoints(&mut observation, "web", &["10.244.0.3", "10.244.1.2"]);
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn a_destination_that_is_no_endpoint_is_found() {
        let mut observation = healthy();
        with_endpoints(&mut observation, "web", &["10.244.0.3", "10.244.1.2"]);
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 3, "{findings:#?}");
        assert!(
            findings[0]
                .summary
                .ends_with("leads to 10.244.2.3:8080, which is no endpoint of it")
        );
    }

    #[test]
    fn a_list_that_was_not_read_or_is_cut_off_is_a_gap() {
        shown::cannot_tell(&CHECK, &api(Fixture::ipvs().observe()));
        shown::cannot_tell(&CHECK, &with(|_| Observed::Seen(Some("TCP  0A6000".into()))));
    }

    #[test]
    fn in_other_modes_there_is_nothing_to_judge() {
        assert!(
            judge(&View::new(&api(Fixture::healthy().observe())))
                .skipped
                .is_some()
        );
    }
}
