use super::lints;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// `autopath` without the pods that it needs to know.
pub(crate) static CHECK: Check = Check {
    id: "dns-cf-pods",
    claim: "the ways of naming pods fit together",
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
        let broken = Fixture::healthy().corefile("    ready\n", "    ready\n    autopath @kubernetes\n");
        shown::finds(&CHECK, &broken.observe());
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_corefile_that_was_not_read_is_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().corefile_unseen().observe());
    }
}
