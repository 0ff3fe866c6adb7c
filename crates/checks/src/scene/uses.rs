//! Every selector of a policy, where it stands, and the pods that it can mean.

use netmodel::policy::{Direction, Peer, Pod, Policy, Rule, Selector};

use super::Scene;

/// A `podSelector` or `namespaceSelector` in a policy.
#[derive(Debug)]
pub(crate) struct Use<'a> {
    pub(crate) policy: &'a Policy,
    /// As `.spec.ingress[0].from[1].podSelector`.
    pub(crate) path: String,
    pub(crate) selector: &'a Selector,
    pub(crate) what: Meant<'a>,
}

/// What a selector selects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meant<'a> {
    /// The pods that the policy isolates.
    Subject,
    /// Pods of a peer, in the namespaces that the selector beside it selects.
    Peer {
        namespaces: Option<&'a Selector>,
        rule: &'a Rule,
    },
    /// Namespaces of a peer.
    Namespaces,
}

/// The selectors of a policy that ask for something.
pub(crate) fn uses(policy: &Policy) -> Vec<Use<'_>> {
    let mut all = vec![Use {
        policy,
        path: ".spec.podSelector".to_owned(),
        selector: &policy.pods,
        what: Meant::Subject,
    }];
    for direction in policy.directions() {
        let side = match direction {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        };
        for (index, rule) in policy.rules(direction).into_iter().flatten().enumerate() {
            for (number, peer) in rule.peers.iter().enumerate() {
                let Peer::Pods { namespaces, pods } = peer else {
                    continue;
                };
                let path = format!(".spec.{direction}[{index}].{side}[{number}]");
                all.extend(namespaces.as_ref().map(|selector| Use {
                    policy,
                    path: format!("{path}.namespaceSelector"),
                    selector,
                    what: Meant::Namespaces,
                }));
                all.extend(pods.as_ref().map(|selector| Use {
                    policy,
                    path: format!("{path}.podSelector"),
                    selector,
                    what: Meant::Peer {
                        namespaces: namespaces.as_ref(),
                        rule,
                    },
                }));
            }
        }
    }
    all.retain(|one| !one.selector.is_empty());
    all
}

impl Scene<'_> {
    /// The namespaces in which a selector of pods looks; `None` where that is not known.
    pub(crate) fn looks_in<'s>(&'s self, one: &Use<'s>) -> Option<Vec<&'s str>> {
        match one.what {
            Meant::Subject | Meant::Peer { namespaces: None, .. } => {
                Some(vec![one.policy.name.namespace.as_str()])
            }
            Meant::Peer {
                namespaces: Some(selector),
                ..
            } => {
                self.facts.namespaces.seen()?;
                let selected = self.world.namespaces().iter();
                let selected = selected.filter(|(_, labels)| selector.matches(labels));
                Some(selected.map(|(name, _)| name.as_str()).collect())
            }
            Meant::Namespaces => None,
        }
    }

    /// The pods that a selector can mean; `None` where not all of them were seen.
    pub(crate) fn candidates<'s>(&'s self, one: &Use<'s>) -> Option<Vec<&'s Pod>> {
        let namespaces = self.looks_in(one)?;
        if !namespaces.iter().all(|namespace| self.knows_pods_of(namespace)) {
            return None;
        }
        let pods = namespaces
            .iter()
            .flat_map(|namespace| self.world.pods_of(namespace));
        Some(pods.collect())
    }
}
