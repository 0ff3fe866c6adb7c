use report::Severity;

use super::judged;
use super::silence::{OneProtocol, no_server};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Ways to DNS servers on which lookups over UDP get no answer and those over TCP do.
pub(crate) static CHECK: Check = Check {
    id: "dns-port-udp",
    claim: "DNS servers answer over UDP",
    needs: &[Need::Lookups],
    judge,
};

const THIS: OneProtocol = OneProtocol {
    id: "dns-port-udp",
    tcp: false,
    severity: Severity::Error,
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| Judgement {
        findings: THIS.findings(table),
        gaps: no_server(table),
        ..Judgement::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::fixture::{Scene, silence, unanswered};
    use crate::shown;

    #[test]
    fn lookups_over_one_protocol_that_are_lost_everywhere_are_the_services_matter() {
        let observation = Scene::new().observe(|lookup| (!lookup.is_tcp()).then(silence));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.to_string(), "service/kube-dns -n kube-system");
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn those_of_one_node_are_that_nodes() {
        let observation = Scene::new()
            .observe(|lookup| (!lookup.is_tcp() && lookup.source.node() == Some("node3")).then(silence));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].subject.to_string(), "node/node3");
    }

    #[test]
    fn where_both_are_answered_it_passes() {
        shown::passes(&CHECK, &Scene::new().observe(|_| None));
    }

    #[test]
    fn a_place_without_an_answer_is_a_gap_and_so_is_silence_over_both() {
        shown::cannot_tell(&CHECK, &unanswered());
        shown::cannot_tell(&CHECK, &Scene::new().observe(|_| Some(silence())));
    }
}
