use observation::Service;
use report::{Finding, Severity};

use super::lint::each;
use super::words::{about, field};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Where to look at a provider, whose own API cannot be read from here.
pub(crate) static CHECK: Check = Check {
    id: "ep-lb-cloud",
    claim: "where to look at the provider of a load balancer is said",
    needs: &[Need::Backends],
    judge,
};

/// A provider: how the host names of its load balancers end, how keys of its annotations begin, and what to look at there.
struct Provider {
    name: &'static str,
    hosts: &'static [&'static str],
    annotations: &'static [&'static str],
    look: &'static str,
}

const PROVIDERS: [Provider; 3] = [
    Provider {
        name: "AWS",
        hosts: &[".elb.amazonaws.com", ".amazonaws.com"],
        annotations: &["service.beta.kubernetes.io/aws-"],
        look: "the health of the target group, the security groups of load balancer and nodes, and the tags of the subnets",
    },
    Provider {
        name: "Google Cloud",
        hosts: &[],
        annotations: &["cloud.google.com/", "networking.gke.io/"],
        look: "the health of the backend service or network endpoint group, and firewall rules for health checks",
    },
    Provider {
        name: "Azure",
        hosts: &[".cloudapp.azure.com"],
        annotations: &["service.beta.kubernetes.io/azure-"],
        look: "the health probe and the backend pool of the load balancer, and the network security groups of the nodes",
    },
];

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[], |_, case| finding(case.service).into_iter().collect())
}

fn finding(service: &Service) -> Option<Finding> {
    if service.kind != "LoadBalancer" {
        return None;
    }
    let (provider, fact) = PROVIDERS
        .iter()
        .find_map(|provider| Some((provider, sign(service, provider)?)))?;
    let summary = format!(
        "the load balancer of {} is {}'s, whose API cannot be read from here",
        service.subject(),
        provider.name
    );
    let mut finding = about(CHECK.id, Severity::Note, service, summary, field(service, fact));
    finding.hint = Some(format!(
        "where it does not answer, look there at {}",
        provider.look
    ));
    Some(finding)
}

/// By what a load balancer is known as a provider's.
fn sign(service: &Service, provider: &Provider) -> Option<String> {
    let hosts = service
        .load_balancer
        .iter()
        .filter_map(|ingress| ingress.hostname.as_deref());
    let mut known = hosts.filter(|host| provider.hosts.iter().any(|end| host.ends_with(end)));
    if let Some(host) = known.next() {
        return Some(format!("its host name is {host}"));
    }
    let mut keys = service.settings.annotations.keys();
    let key = keys.find(|key| provider.annotations.iter().any(|start| key.starts_with(start)))?;
    Some(format!("it has the annotation {key}"))
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
    fn a_provider_is_known_by_host_names_and_annotations() {
        let fixture = balanced().web(|service| {
            service.load_balancer = vec![LoadBalancerIngress {
                ip: None,
                hostname: Some("a-1.eu-west-1.elb.amazonaws.com".into()),
                proxy: false,
            }];
        });
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert!(findings[0].summary.contains("is AWS's"));
        let fixture = balanced().web(|service| {
            let key = "service.beta.kubernetes.io/azure-load-balancer-internal";
            service.settings.annotations.insert(key.into(), "true".into());
        });
        assert!(
            shown::finds(&CHECK, &fixture.observe())[0]
                .summary
                .contains("is Azure's")
        );
    }

    #[test]
    fn a_load_balancer_of_ones_own_passes() {
        shown::passes(&CHECK, &balanced().observe());
    }

    #[test]
    fn without_services_their_providers_are_not_known() {
        shown::cannot_tell(&CHECK, &without_services(balanced()));
    }
}
