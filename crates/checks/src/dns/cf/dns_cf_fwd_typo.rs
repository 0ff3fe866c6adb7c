use report::Severity;

use super::heard::{answers, logged, silence};
use super::{each, finding};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// An upstream that is one digit away from a well-known resolver, and does not answer.
///
/// Addresses beside a well-known one are resolvers too, some of them: one that answers is what was meant. Where nobody asked it, and no
/// DNS pod logged that it failed, it is only told.
pub(crate) static CHECK: Check = Check {
    id: "dns-cf-fwd-typo",
    claim: "no upstream that is silent is one digit away from a well-known resolver",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, CHECK.id, |scene, linted| {
        let own = linted.lints.iter().filter(|lint| lint.id == CHECK.id);
        own.filter_map(|lint| {
            let upstream = lint.upstream?;
            let mut finding = finding(linted, lint);
            let heard = match answers(view, upstream) {
                Some(true) => return None,
                Some(false) => vec![silence(upstream)],
                None => logged(scene, upstream),
            };
            if !heard.is_empty() {
                finding.severity = Severity::Error;
                let slip = finding.summary.split(": ").next().unwrap_or_default();
                finding.summary = format!("{slip}, and it does not answer");
                finding.evidence.extend(heard);
            }
            Some(finding)
        })
        .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, logged};
    use crate::shown;

    const UPSTREAM: &str = "/etc/resolv.conf";

    #[test]
    fn a_slip_is_an_error_where_it_does_not_answer_and_else_only_told() {
        let quiet = Fixture::healthy().corefile(UPSTREAM, "8.8.8.9 10.0.0.2");
        assert_eq!(shown::finds(&CHECK, &quiet.observe())[0].severity, Severity::Note);
        let line =
            "[ERROR] plugin/errors: 2 www.example.com. A: read udp 10.244.1.5:4000->8.8.8.9:53: i/o timeout";
        let failing = quiet.with(|dns| logged(dns, &[line]));
        let finding = &shown::finds(&CHECK, &failing.observe())[0];
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(
            finding.summary,
            "8.8.8.9 is one slip away from 8.8.8.8, which is a well-known resolver, and it does not answer"
        );
        assert!(finding.concerns("dns-up"));
    }

    #[test]
    fn resolvers_and_private_addresses_pass() {
        for upstream in ["1.1.1.2 8.8.8.8", "10.8.8.8", UPSTREAM] {
            shown::passes(&CHECK, &Fixture::healthy().corefile(UPSTREAM, upstream).observe());
        }
    }

    #[test]
    fn a_corefile_that_was_not_read_is_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().corefile_unseen().observe());
    }
}
