use super::judged;
use super::silence::dead;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Each server of the cluster by itself: the DNS Service, and every pod behind it.
pub(crate) static CHECK: Check = Check {
    id: "dns-res-server",
    claim: "every DNS server of the cluster answers from everywhere",
    needs: &[Need::Lookups],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| Judgement {
        findings: dead(CHECK.id, table),
        ..Judgement::default()
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use observation::LookupServer;

    use super::*;
    use crate::lookups::fixture::{Scene, is_pod, silence, unanswered};
    use crate::shown;

    #[test]
    fn the_sick_one_of_two_pods_is_named_with_the_share_of_lookups_that_fail() {
        let turn = Cell::new(0);
        let observation = Scene::new().observe(|lookup| {
            let is_lost = match &lookup.server {
                LookupServer::Service => {
                    turn.set(turn.get() + 1);
                    turn.get() % 2 == 0
                }
                _ => is_pod(lookup, "coredns-2"),
            };
            is_lost.then(silence)
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].subject.to_string(), "pod/coredns-2 -n kube-system");
        let summary = &findings[0].summary;
        let share: u32 = summary
            .split_once('%')
            .and_then(|(before, _)| before.rsplit(' ').next()?.parse().ok())
            .unwrap();
        assert!((45..=55).contains(&share), "{summary}");
    }

    #[test]
    fn a_service_that_does_not_lead_to_its_pods_is_the_matter_of_the_service_or_of_the_node() {
        let by_service = |lookup: &observation::Lookup| lookup.server == LookupServer::Service;
        let everywhere = Scene::new().observe(|lookup| by_service(lookup).then(silence));
        let findings = shown::finds(&CHECK, &everywhere);
        assert_eq!(findings[0].subject.to_string(), "service/kube-dns -n kube-system");
        let from_one = Scene::new()
            .observe(|lookup| (by_service(lookup) && lookup.source.node() == Some("node2")).then(silence));
        assert_eq!(
            shown::finds(&CHECK, &from_one)[0].subject.to_string(),
            "node/node2"
        );
    }

    #[test]
    fn all_answer_or_nothing_is_known() {
        shown::passes(&CHECK, &Scene::new().observe(|_| None));
        shown::cannot_tell(&CHECK, &unanswered());
    }
}
