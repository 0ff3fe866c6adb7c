use report::{Finding, Severity};

use super::case::Case;
use super::lint::each;
use super::words::{about, field, some};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Which clients a load balancer turns away, and whether nodes go to it or take what is for it themselves.
pub(crate) static CHECK: Check = Check {
    id: "ep-lb-src",
    claim: "which clients load balancers turn away is listed",
    needs: &[Need::Backends],
    judge,
};

/// Annotations of providers that say the same as `loadBalancerSourceRanges`.
const RANGES: [&str; 2] = [
    "service.beta.kubernetes.io/load-balancer-source-ranges",
    "service.beta.kubernetes.io/azure-allowed-ip-ranges",
];

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[], |_, case| finding(case).into_iter().collect())
}

fn finding(case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    if service.kind != "LoadBalancer" {
        return None;
    }
    let annotated = RANGES
        .iter()
        .filter_map(|key| service.settings.annotations.get(*key));
    let mut ranges: Vec<&str> = service
        .settings
        .source_ranges
        .iter()
        .map(String::as_str)
        .collect();
    ranges.extend(annotated.flat_map(|value| value.split(',')).map(str::trim));
    let is_proxy = service.load_balancer.iter().any(|ingress| ingress.proxy);
    let subject = service.subject();
    let (summary, fact, hint) = if !ranges.is_empty() {
        let ranges = some(ranges);
        (
            format!("the load balancer of {subject} answers clients of {ranges} only"),
            format!("source ranges {ranges}"),
            "clients elsewhere get no answer; the ranges do not concern ClusterIP and node ports",
        )
    } else if is_proxy {
        (
            format!("nodes send what is for the load balancer of {subject} out to it"),
            "status.loadBalancer.ingress has ipMode Proxy".to_owned(),
            "from inside it is reached only if the load balancer lets the nodes come back",
        )
    } else {
        return None;
    };
    let mut finding = about(CHECK.id, Severity::Note, service, summary, field(service, fact));
    finding.hint = Some(hint.to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_services};
    use crate::shown;
    use observation::LoadBalancerIngress;

    fn balanced() -> Fixture {
        Fixture::shop().web(|service| service.kind = "LoadBalancer".into())
    }

    #[test]
    fn ranges_are_quoted_as_they_are() {
        let fixture = balanced().web(|service| service.settings.source_ranges = vec!["192.0.2.0/24".into()]);
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            "the load balancer of service/web -n shop answers clients of 192.0.2.0/24 only"
        );
    }

    #[test]
    fn a_load_balancer_that_nodes_go_out_to_is_told() {
        let fixture = balanced().web(|service| {
            service.load_balancer = vec![LoadBalancerIngress {
                ip: Some([192, 0, 2, 7].into()),
                hostname: None,
                proxy: true,
            }];
        });
        shown::finds(&CHECK, &fixture.observe());
    }

    #[test]
    fn a_load_balancer_for_everybody_passes() {
        shown::passes(&CHECK, &balanced().observe());
    }

    #[test]
    fn without_services_their_ranges_are_not_known() {
        shown::cannot_tell(&CHECK, &without_services(balanced()));
    }
}
