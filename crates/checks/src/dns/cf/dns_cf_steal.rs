use super::lints;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A server block, or `hosts`, that takes the names of Services from `kubernetes`.
pub(crate) static CHECK: Check = Check {
    id: "dns-cf-steal",
    claim: "no other server block takes the names of Services",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    lints(view, CHECK.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::Fixture;
    use crate::shown;

    #[test]
    fn it_is_found_in_a_corefile_that_breaks_it_and_not_in_that_of_installers() {
        let broken = Fixture::healthy().corefile(
            "    ready\n",
            "    ready\n    hosts /etc/hosts {\n        192.0.2.1 a.example\n    }\n",
        );
        shown::finds(&CHECK, &broken.observe());
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_corefile_that_was_not_read_is_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().corefile_unseen().observe());
    }
}
