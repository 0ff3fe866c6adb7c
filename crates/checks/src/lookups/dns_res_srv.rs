use observation::NameClass;
use report::Severity;

use super::judged;
use super::names::Names;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// SRV records of named ports.
pub(crate) static CHECK: Check = Check {
    id: "dns-res-srv",
    claim: "named ports of Services have SRV records",
    needs: &[Need::Lookups],
    judge,
};

const NAMES: Names<'_> = Names {
    id: "dns-res-srv",
    classes: &[NameClass::Port],
    severity: Severity::Warning,
    what: "the port",
    hint: "ports without a name have no record: `kubectl get services -A -o yaml`",
    explains: &[],
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| NAMES.judge(table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::fixture::{Scene, dns, silence, unanswered};
    use crate::shown;

    #[test]
    fn an_answer_that_is_not_what_the_api_says_is_found() {
        let observation = Scene::new()
            .observe(|lookup| (lookup.class == NameClass::Port && lookup.qtype() != 28).then(|| dns(3, &[])));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].subject.to_string(), "service/kube-dns -n kube-system");
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn right_answers_pass() {
        shown::passes(&CHECK, &Scene::new().observe(|_| None));
    }

    #[test]
    fn without_an_answer_of_any_server_or_of_the_probe_pod_nothing_is_told() {
        shown::cannot_tell(&CHECK, &unanswered());
        shown::cannot_tell(&CHECK, &Scene::new().observe(|_| Some(silence())));
    }
}
