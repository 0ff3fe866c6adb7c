use report::{Evidence, Finding, Severity};

use super::{each, place};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Files that a Corefile imports and that are in no ConfigMap.
pub(crate) static CHECK: Check = Check {
    id: "dns-cf-read",
    claim: "the Corefile and all that it imports can be read",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, CHECK.id, |_, linted| {
        let unread = linted.parsed.iter().flat_map(|parsed| &parsed.unread);
        unread
            .map(|unread| {
                let controller = &linted.corefile.controller;
                Finding::new(
                    CHECK.id,
                    Severity::Warning,
                    controller.clone(),
                    format!(
                        "the Corefile imports {}, which is in no ConfigMap that was read: what stands in it is not judged",
                        unread.path
                    ),
                    Evidence::field(
                        format!("{} of the Corefile", place(&unread.place)),
                        format!("{controller} {}", linted.corefile.path),
                    ),
                )
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::Fixture;
    use crate::shown;

    #[test]
    fn an_import_from_nowhere_is_named() {
        let imports = Fixture::healthy()
            .corefile("    ready\n", "    ready\n    import /opt/more/own.conf\n")
            .corefile_incomplete();
        let findings = shown::finds(&CHECK, &imports.observe());
        assert!(
            findings[0]
                .summary
                .starts_with("the Corefile imports /opt/more/own.conf")
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_corefile_that_was_not_read_is_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().corefile_unseen().observe());
    }
}
