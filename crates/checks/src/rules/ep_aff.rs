use netmodel::rules::{masquerades_every_client, service_ports};
use observation::Service;
use report::{Evidence, Finding, Severity};

use super::expected::{Compared, compared};
use crate::check::{Check, Judgement, Need};
use crate::firewall::joined;
use crate::shell::word;
use crate::view::View;

/// A Service that keeps each client with one endpoint by the client's address, on nodes that hide the address of every client
/// (`masqueradeAll`): kube-proxy itself still tells clients apart, and whatever is behind the Service does not.
pub(crate) static CHECK: Check = Check {
    id: "ep-aff",
    claim: "clients that are to stay with an endpoint can be told apart",
    needs: &[Need::Backends, Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    compared(view, |nodes, judgement| {
        let backends = view.observation.backends.as_ref();
        let services = backends.and_then(|backends| backends.services.seen());
        let sticky = services.into_iter().flatten().filter(|service| {
            let is_asked = backends.is_some_and(|backends| backends.question.is_about(service));
            is_asked && service.settings.affinity_seconds.is_some()
        });
        judgement
            .findings
            .extend(sticky.filter_map(|service| hidden(service, nodes)));
    })
}

fn hidden(service: &Service, nodes: &[Compared<'_, '_>]) -> Option<Finding> {
    let hiding: Vec<(&Compared<'_, '_>, &str)> = nodes
        .iter()
        .filter_map(|node| Some((node, rule(service, node)?)))
        .collect();
    let (first, rule) = *hiding.first()?;
    let names: Vec<&str> = hiding.iter().map(|(node, _)| node.firewall.name()).collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        service.subject(),
        format!(
            "{} keeps clients apart by their address, and its pods see the address of a node for all of them: {} \
             {} the address of every client",
            service.subject(),
            joined(&names),
            if names.len() == 1 { "hides" } else { "hide" }
        ),
        first.rules(rule.to_owned()),
    );
    finding.evidence.push(Evidence::command(
        "sessionAffinity: ClientIP",
        format!(
            "kubectl get service {} -n {} -o yaml",
            word(&service.name),
            word(&service.namespace)
        ),
    ));
    finding.hint = Some(
        "a proxy behind this Service that tells clients apart by address takes them for one. `masqueradeAll: true` in \
         kube-proxy's configuration does it: `kubectl get configmap kube-proxy -n kube-system -o yaml`"
            .to_owned(),
    );
    Some(finding)
}

/// The rule of a node that hides all clients of a Service.
fn rule<'a>(service: &Service, node: &'a Compared<'_, '_>) -> Option<&'a str> {
    node.firewall.rules.sets.iter().find_map(|set| {
        let ports = service_ports(set).into_iter();
        let mut own = ports.filter(|port| {
            let address = port.address.map(|address| address.to_string());
            address.is_some_and(|address| service.cluster_ips.iter().any(|own| own.to_string() == address))
        });
        own.find_map(|port| Some(masquerades_every_client(set, &port.chain)?.text.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use report::Observed;

    use super::super::api::api;
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    fn sticky(mut observation: observation::Observation) -> observation::Observation {
        let backends = observation.backends.as_mut().expect("the API's side");
        if let Observed::Seen(services) = &mut backends.services {
            let web = services.iter_mut().find(|service| service.name == "web");
            web.unwrap().settings.affinity_seconds = Some(10_800);
        }
        observation
    }

    const OUTSIDE: &str = "! -s 10.244.0.0/16 -d 10.99.43.77/32";

    #[test]
    fn clients_that_a_node_hides_are_found() {
        let hiding = Fixture::healthy().exchange("node1", OUTSIDE, "-d 10.99.43.77/32");
        let findings = shown::finds(&CHECK, &sticky(api(hiding.observe())));
        assert_eq!(
            findings[0].summary,
            "service/web -n shop keeps clients apart by their address, and its pods see the address of a node for all of them: \
             node1 hides the address of every client"
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn clients_of_which_only_those_from_outside_are_hidden_are_told_apart() {
        shown::passes(&CHECK, &sticky(api(Fixture::healthy().observe())));
    }

    #[test]
    fn who_does_not_tell_clients_apart_may_have_them_hidden() {
        let hiding = Fixture::healthy().exchange("node1", OUTSIDE, "-d 10.99.43.77/32");
        shown::passes(&CHECK, &api(hiding.observe()));
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        let unread = Fixture::healthy().unread("node2");
        shown::cannot_tell(&CHECK, &sticky(api(unread.observe())));
    }
}
