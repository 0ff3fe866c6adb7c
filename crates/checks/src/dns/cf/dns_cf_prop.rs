use super::latent::latent;
use super::lints;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A property of `forward`, `cache` or `kubernetes` that the running version does not have.
pub(crate) static CHECK: Check = Check {
    id: "dns-cf-prop",
    claim: "every property exists in the version that runs",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    latent(view, lints(view, CHECK.id))
}

#[cfg(test)]
mod tests {
    use report::Severity;

    use super::*;
    use crate::dns::fixture::Fixture;
    use crate::shown;

    #[test]
    fn pods_that_run_with_the_file_before_will_not_start_again() {
        let broken = Fixture::healthy().corefile("max_concurrent 1000", "timeout 2s");
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(
            findings[0].summary.ends_with("do not start with it again"),
            "{findings:?}"
        );
        let down = broken.with(|dns| crate::dns::fixture::each_pod(dns, |pod| pod.ready = false));
        let findings = shown::finds(&CHECK, &down.observe());
        assert!(findings[0].explains.contains(&"dns-deploy".to_owned()));
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn without_the_text_or_the_version_it_cannot_be_told() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().corefile_unseen().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().image("example.com/dns:latest").observe(),
        );
    }
}
