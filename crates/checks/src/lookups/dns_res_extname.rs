use observation::NameClass;
use report::Severity;

use super::judged;
use super::names::Names;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Services of type ExternalName: the name that they stand for has to resolve too.
pub(crate) static CHECK: Check = Check {
    id: "dns-res-extname",
    claim: "Services that stand for other names resolve",
    needs: &[Need::Lookups],
    judge,
};

const NAMES: Names<'_> = Names {
    id: "dns-res-extname",
    classes: &[NameClass::ExternalName],
    severity: Severity::Error,
    what: "the ExternalName Service",
    hint: "correct the name that the Service stands for: `kubectl get services -A --field-selector spec.type=ExternalName`",
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
            (lookup.class == NameClass::ExternalName && lookup.qtype() != 28).then(|| dns(2, &[]))
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].subject.to_string(), "service/mail -n shop");
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
