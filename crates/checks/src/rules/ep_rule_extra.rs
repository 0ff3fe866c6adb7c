use std::collections::BTreeSet;

use report::{Finding, Severity, Subject};

use super::expected::{Compared, Leftover, compared};
use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Rules of a Service that no longer exists. They do harm where another Service has got its address.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-extra",
    claim: "no rule is left of a Service that is gone",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    compared(view, |all, judgement| {
        for node in all {
            judgement.findings.extend(finding(node));
        }
    })
}

fn finding(node: &Compared<'_, '_>) -> Option<Finding> {
    // What does harm goes first.
    let worst = node
        .leftovers
        .iter()
        .max_by_key(|leftover| leftover.taken.is_some())?;
    let name = node.firewall.name();
    let what = described(worst);
    // A port of a Service is at several places.
    let all: BTreeSet<String> = node.leftovers.iter().map(described).collect();
    let more = match all.len() {
        1 => String::new(),
        several => format!(", and {} more", several - 1),
    };
    let (severity, harm) = match &worst.taken {
        Some(service) => (Severity::Error, format!(", and {service} has that address now")),
        None => (Severity::Warning, String::new()),
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(name),
        format!("{name} has rules of {what}, which no Service is{more}{harm}"),
        node.rules(format!("rules for {}", worst.at)),
    );
    finding.hint = Some(rewritten(name));
    Some(finding)
}

fn described(leftover: &Leftover) -> String {
    match &leftover.name {
        Some(name) => format!("Service port {name}"),
        None => leftover.at.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::api;
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn rules_of_a_service_that_is_gone_are_a_warning() {
        let mut observation = api(Fixture::healthy().observe());
        let backends = observation.backends.as_mut().unwrap();
        if let report::Observed::Seen(services) = &mut backends.services {
            services.retain(|service| service.name != "web");
        }
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 3, "{findings:#?}");
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].summary,
            "node1 has rules of Service port shop/web:http, which no Service is"
        );
    }

    #[test]
    fn services_of_namespaces_that_were_not_read_are_not_known_to_be_gone() {
        let mut observation = api(Fixture::healthy().observe());
        let backends = observation.backends.as_mut().unwrap();
        backends.question.namespace = Some("elsewhere".into());
        backends.services = report::Observed::Seen(Vec::new());
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn rules_that_are_as_the_api_says_pass() {
        shown::passes(&CHECK, &api(Fixture::healthy().observe()));
        shown::passes(&CHECK, &api(Fixture::nftables().observe()));
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        let observation = Fixture::healthy().unread_legacy("node2").observe();
        shown::cannot_tell(&CHECK, &api(observation));
    }
}
