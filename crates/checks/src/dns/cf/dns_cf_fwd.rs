use super::lints;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Nothing that forwards names outside of the cluster.
pub(crate) static CHECK: Check = Check {
    id: "dns-cf-fwd",
    claim: "names outside of the cluster are forwarded somewhere",
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
            "    forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }\n",
            "",
        );
        shown::finds(&CHECK, &broken.observe());
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn a_corefile_that_was_not_read_is_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().corefile_unseen().observe());
    }
}
