use report::{Finding, Severity};

use super::case::Case;
use super::lint::each;
use super::words::{about, field};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Names of Services that are no DNS labels by RFC 1035: newer API servers may allow a digit at the beginning, and some resolvers and
/// libraries do not.
pub(crate) static CHECK: Check = Check {
    id: "ep-naming",
    claim: "Services have names that every resolver takes",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[], |_, case| finding(case).into_iter().collect())
}

fn finding(case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    if is_label(&service.name) {
        return None;
    }
    let summary = format!("the name of {} is no DNS label by RFC 1035", service.subject());
    let evidence = field(
        service,
        format!(
            "{:?} does not begin with a letter, or has other characters than a-z, 0-9 and -",
            service.name
        ),
    );
    let mut finding = about(CHECK.id, Severity::Note, service, summary, evidence);
    finding.hint =
        Some("where clients do not find it, make it anew under a name that begins with a letter".to_owned());
    Some(finding)
}

/// At most 63 lower-case letters, digits and `-`, the first a letter, the last no `-`.
fn is_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.last().is_some_and(|last| *last != b'-')
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, service, without_services};
    use crate::shown;

    #[test]
    fn a_name_that_begins_with_a_digit_is_told() {
        let findings = shown::finds(&CHECK, &Fixture::shop().beside(service("2web")).observe());
        assert_eq!(findings[0].subject.to_string(), "service/2web -n shop");
    }

    #[test]
    fn labels_are_known_from_other_names() {
        for (name, is) in [
            ("web", true),
            ("w-1", true),
            ("1w", false),
            ("w-", false),
            ("", false),
            ("W", false),
        ] {
            assert_eq!(is_label(name), is, "{name}");
        }
        assert!(!is_label(&"a".repeat(64)));
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_services_their_names_are_not_known() {
        shown::cannot_tell(&CHECK, &without_services(Fixture::shop()));
    }
}
