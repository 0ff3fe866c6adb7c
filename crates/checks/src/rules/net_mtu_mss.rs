use netmodel::rules::{Action, Hook, Mss};
use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, evidence};
use crate::view::View;

/// A rule that lowers TCP's segment size is why TCP works where large packets of other protocols do not. No fault, but good to
/// know when sizes are in question.
pub(crate) static CHECK: Check = Check {
    id: "net-mtu-mss",
    claim: "it is known which nodes lower the segment size of TCP",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::each(view, |firewall, findings, _| findings.extend(finding(firewall)))
}

fn finding(firewall: &Firewall<'_>) -> Option<Finding> {
    let node = firewall.name();
    let flows = firewall.forwarded();
    let walks = flows.iter().flat_map(|flow| {
        [Hook::Forward, Hook::Postrouting].map(|hook| firewall.rules.walk(hook, &flow.packet))
    });
    let mut found: Vec<(netmodel::rules::Decider<'_>, Mss)> = Vec::new();
    for effect in walks.flat_map(|walk| walk.effects) {
        if let Action::ClampMss(mss) = effect.action
            && !found.iter().any(|(by, _)| *by == effect.by)
        {
            found.push((effect.by, *mss));
        }
    }
    let to = |mss: &Mss| match mss {
        Mss::Bytes(bytes) => format!("{bytes} bytes"),
        Mss::PathMtu => "what the MTU of the route allows".to_owned(),
    };
    let (_, first) = found.first()?;
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject: Subject::node(node),
        summary: format!("{node} lowers the segment size of TCP of pods to {}", to(first)),
        evidence: found
            .iter()
            .map(|(by, mss)| evidence(firewall, by, &format!("lowers it to {}", to(mss))))
            .collect(),
        hint: None,
        explains: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_clamp_is_a_note_with_its_value() {
        let rule = "-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1300";
        let observation = Fixture::healthy().rule("node1", "filter", rule).observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].summary,
            "node1 lowers the segment size of TCP of pods to 1300 bytes"
        );
        shown::passes(&CHECK, &observation);
        let rule =
            "-A POSTROUTING -o flannel.1 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu";
        shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node1", "mangle", rule).observe(),
        );
    }

    #[test]
    fn without_a_clamp_there_is_nothing_to_note() {
        let observation = Fixture::healthy().observe();
        assert_eq!(judge(&View::new(&observation)).findings, []);
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
