//! The one sentence on the cluster's DNS that a reader reads first.

use report::Verdict;

use super::Scene;
use crate::view::View;

/// The answer; `None` where the causes or the findings are the answer, and where the cluster's DNS was not asked about.
pub(crate) fn answer(view: &View<'_>, verdict: Verdict, warnings: &str) -> Option<String> {
    let scene = view.dns.as_ref()?;
    match verdict {
        Verdict::Fail => None,
        Verdict::Warn => Some(format!("{}, but {warnings}", healthy(scene))),
        Verdict::Pass => Some(healthy(scene)),
        Verdict::Unknown if warnings.is_empty() => {
            Some("nothing wrong was seen, but not all could be seen".to_owned())
        }
        Verdict::Unknown => Some(format!("{warnings}; and not all could be seen")),
        Verdict::Skipped => Some("nothing was looked at".to_owned()),
    }
}

/// Says no more than was seen: that pods are ready and where they are, not that they answer.
fn healthy(scene: &Scene<'_>) -> String {
    if let Some(file) = scene.controllers().find(|it| it.kind == "file") {
        return format!("nothing is wrong in {}", file.name);
    }
    let servers: Vec<String> = scene
        .controllers()
        .map(|it| format!("{} has {} of {} pods ready", it.subject(), it.ready, it.wanted))
        .collect();
    let behind: Vec<String> = scene
        .services()
        .map(|service| {
            let addresses: Vec<String> = service.cluster_ips.iter().map(ToString::to_string).collect();
            format!("{} ({})", service.subject(), addresses.join(", "))
        })
        .collect();
    let behind = if behind.is_empty() {
        String::new()
    } else {
        format!(" behind {}", behind.join(" and "))
    };
    match servers.as_slice() {
        [] => "nothing wrong was seen of the cluster's DNS".to_owned(),
        all => format!("{}{behind}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use crate::judge::{JudgeOptions, judge};

    fn summary(fixture: &Fixture) -> String {
        let options = JudgeOptions {
            command: "status".into(),
            tool: "test".into(),
        };
        judge(&fixture.observe(), &options).summary
    }

    #[test]
    fn the_answer_says_what_was_seen() {
        assert_eq!(
            summary(&Fixture::healthy()),
            "deployment/coredns -n kube-system has 2 of 2 pods ready behind service/kube-dns -n kube-system (10.96.0.10)"
        );
        assert_eq!(
            summary(&Fixture::healthy().corefile_unseen()),
            "nothing wrong was seen, but not all could be seen"
        );
        assert!(
            summary(&Fixture::healthy().corefile("kubernetes cluster.local", "kubernetes cluster.lokal"))
                .starts_with("`kubernetes` answers for")
        );
    }
}
