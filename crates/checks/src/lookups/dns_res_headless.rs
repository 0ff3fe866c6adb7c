use observation::NameClass;
use report::Severity;

use super::judged;
use super::names::Names;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Names of headless Services, against their EndpointSlices.
pub(crate) static CHECK: Check = Check {
    id: "dns-res-headless",
    claim: "the names of headless Services resolve to their ready endpoints",
    needs: &[Need::Lookups],
    judge,
};

const NAMES: Names<'_> = Names {
    id: "dns-res-headless",
    classes: &[NameClass::Headless],
    severity: Severity::Error,
    what: "the headless Service",
    hint: "see whether CoreDNS may read EndpointSlices and follows them: `kubectl logs -n kube-system -l k8s-app=kube-dns --tail=50`",
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
        let observation = Scene::new().observe(|lookup| {
            (lookup.class == NameClass::Headless && lookup.qtype() != 28).then(|| dns(0, &[[10, 244, 1, 77]]))
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].subject.to_string(), "service/db -n shop");
        assert_eq!(findings[0].severity, Severity::Error);
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
