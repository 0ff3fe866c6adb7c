use std::fmt;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::flow::Direction;
use super::port::Port;
use super::selector::{Selector, null_is_empty};
use super::world::Pod;

/// Which policy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyRef {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// As kubectl prints it: `networkpolicy/deny -n shop`.
impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "networkpolicy/{} -n {}", self.name, self.namespace)
    }
}

/// A NetworkPolicy with its `policyTypes` worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which one.
    pub name: PolicyRef,
    /// `spec.podSelector`: the pods of its namespace that it isolates.
    pub pods: Selector,
    /// What it allows in: `None` where it says nothing about ingress, empty where it allows nothing.
    pub ingress: Option<Vec<Rule>>,
    /// As `ingress`, for egress.
    pub egress: Option<Vec<Rule>>,
}

/// One item of `ingress` or `egress`. It allows what one of its peers and one of its ports cover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `from` or `to`; empty means everybody.
    pub peers: Vec<Peer>,
    /// `ports`; empty means all ports of all protocols.
    pub ports: Vec<Port>,
}

/// One item of `from` or `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Pods: those that `pods` selects, all without it, in the namespaces that `namespaces` selects, in the policy's own without it.
    Pods {
        /// `namespaceSelector`.
        namespaces: Option<Selector>,
        /// `podSelector`.
        pods: Option<Selector>,
    },
    /// Addresses.
    Block(IpBlock),
    /// What this program does not know: it may cover anything. The text says what it is.
    Unreadable(String),
}

/// `ipBlock`. Meant for addresses outside of the cluster; whether it covers pods depends on the network plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpBlock {
    /// `cidr`.
    pub block: IpNet,
    /// `except`.
    pub except: Vec<IpNet>,
}

/// A NetworkPolicy that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{policy} cannot be read: {reason}")]
pub struct PolicyError {
    policy: PolicyRef,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(deserialize_with = "null_is_empty")]
    pod_selector: Selector,
    #[serde(deserialize_with = "null_is_empty")]
    policy_types: Vec<String>,
    #[serde(deserialize_with = "null_is_empty")]
    ingress: Vec<RuleObject>,
    #[serde(deserialize_with = "null_is_empty")]
    egress: Vec<RuleObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuleObject {
    #[serde(deserialize_with = "null_is_empty")]
    from: Vec<Value>,
    #[serde(deserialize_with = "null_is_empty")]
    to: Vec<Value>,
    #[serde(deserialize_with = "null_is_empty")]
    ports: Vec<Value>,
}

#[derive(Deserialize)]
struct Block {
    cidr: String,
    #[serde(default, deserialize_with = "null_is_empty")]
    except: Vec<String>,
}

impl Policy {
    /// Reads `spec` of a NetworkPolicy as the API writes it. Fields that are not known are passed over, save in an item of `from` or
    /// `to` of which nothing is known: that one becomes [`Peer::Unreadable`].
    ///
    /// # Errors
    /// The API would not hold such an object.
    pub fn read(namespace: &str, name: &str, spec: &Value) -> Result<Self, PolicyError> {
        let name = PolicyRef {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let fail = |reason: String| PolicyError {
            policy: name.clone(),
            reason,
        };
        let spec = Option::<Spec>::deserialize(spec).map_err(|error| fail(error.to_string()))?;
        let Some(spec) = spec else {
            return Err(fail("it has no spec".to_owned()));
        };
        if let Some(other) = spec
            .policy_types
            .iter()
            .find(|kind| !["Ingress", "Egress"].contains(&kind.as_str()))
        {
            return Err(fail(format!("there is no policyType {other:?}")));
        }
        let wants = |kind: &str| spec.policy_types.iter().any(|it| it == kind);
        // Without policyTypes every policy isolates for ingress, and those with egress rules for egress.
        let unsaid = spec.policy_types.is_empty();
        let is_ingress = unsaid || wants("Ingress");
        let is_egress = wants("Egress") || (unsaid && !spec.egress.is_empty());
        let rules = |objects: Vec<RuleObject>, direction| {
            let rules = objects.into_iter().map(|object| Rule::read(object, direction));
            rules.collect::<Result<Vec<_>, _>>().map_err(&fail)
        };
        let ingress = rules(spec.ingress, Direction::Ingress)?;
        let egress = rules(spec.egress, Direction::Egress)?;
        Ok(Self {
            pods: spec.pod_selector,
            ingress: is_ingress.then_some(ingress),
            egress: is_egress.then_some(egress),
            name,
        })
    }

    /// What it allows in a direction; `None` where it does not isolate for that direction.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Ingress => self.ingress.as_deref(),
            Direction::Egress => self.egress.as_deref(),
        }
    }

    /// Whether it selects a pod, for whichever direction.
    pub fn selects(&self, pod: &Pod) -> bool {
        pod.namespace == self.name.namespace && self.pods.matches(&pod.labels)
    }

    /// The directions for which it isolates what it selects.
    pub fn directions(&self) -> impl Iterator<Item = Direction> {
        [Direction::Ingress, Direction::Egress]
            .into_iter()
            .filter(|direction| self.rules(*direction).is_some())
    }
}

impl Rule {
    fn read(object: RuleObject, direction: Direction) -> Result<Self, String> {
        let peers = match direction {
            Direction::Ingress => object.from,
            Direction::Egress => object.to,
        };
        Ok(Self {
            peers: peers.iter().map(Peer::read).collect::<Result<_, _>>()?,
            ports: object.ports.iter().map(Port::read).collect::<Result<_, _>>()?,
        })
    }
}

impl Peer {
    fn read(value: &Value) -> Result<Self, String> {
        let selector = |field: &str| match value.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(selector) => Selector::deserialize(selector)
                .map(Some)
                .map_err(|error| format!("{field}: {error}")),
        };
        let (namespaces, pods) = (selector("namespaceSelector")?, selector("podSelector")?);
        let block = value.get("ipBlock").filter(|block| !block.is_null());
        match (block, &namespaces, &pods) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                Err("an ipBlock stands beside a selector in one item".to_owned())
            }
            (Some(block), None, None) => {
                let block = Block::deserialize(block).map_err(|error| format!("ipBlock: {error}"))?;
                let range = |text: &String| {
                    text.parse::<IpNet>()
                        .map_err(|_| format!("ipBlock: {text:?} is no range of addresses"))
                };
                Ok(Self::Block(IpBlock {
                    block: range(&block.cidr)?,
                    except: block.except.iter().map(range).collect::<Result<_, _>>()?,
                }))
            }
            (None, None, None) => Ok(Self::Unreadable(value.to_string())),
            (None, _, _) => Ok(Self::Pods { namespaces, pods }),
        }
    }
}

/// As people say it: `pods app=web of the same namespace`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods { namespaces, pods } => {
                match pods {
                    Some(pods) if !pods.is_empty() => write!(f, "pods {pods}")?,
                    Some(_) | None => f.write_str("all pods")?,
                }
                match namespaces {
                    Some(namespaces) if namespaces.is_empty() => f.write_str(" of all namespaces"),
                    Some(namespaces) => write!(f, " of namespaces {namespaces}"),
                    None => f.write_str(" of the policy's namespace"),
                }
            }
            Self::Block(block) => write!(f, "{block}"),
            Self::Unreadable(text) => write!(f, "{text}"),
        }
    }
}

impl fmt::Display for IpBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.block)?;
        match self.except.as_slice() {
            [] => Ok(()),
            except => {
                let except: Vec<String> = except.iter().map(ToString::to_string).collect();
                write!(f, " except {}", except.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(spec: &Value) -> Policy {
        Policy::read("shop", "it", spec).unwrap()
    }

    #[test]
    fn absent_policy_types_follow_from_the_rules() {
        let policy = read(&json!({"podSelector": {}}));
        assert_eq!((policy.ingress.is_some(), policy.egress.is_some()), (true, false));
        let policy = read(&json!({"podSelector": {}, "egress": [{}]}));
        assert_eq!((policy.ingress.is_some(), policy.egress.is_some()), (true, true));
        let policy = read(&json!({"podSelector": {}, "egress": []}));
        assert_eq!(policy.egress, None);
        let policy = read(&json!({"policyTypes": ["Egress"], "ingress": [{}]}));
        assert_eq!((policy.ingress, policy.egress), (None, Some(vec![])));
    }

    #[test]
    fn null_absent_and_empty_are_the_same() {
        let one = read(
            &json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": null, "ports": null}]}),
        );
        let other = read(&json!({"podSelector": {}, "ingress": [{"from": [], "ports": []}], "egress": null}));
        assert_eq!(one, other);
        assert_eq!(one.ingress, Some(vec![Rule::default()]));
    }

    #[test]
    fn a_peer_of_which_nothing_is_known_is_not_taken_for_everybody() {
        let policy = read(&json!({"ingress": [{"from": [{"cloudSelector": {"a": "b"}}]}]}));
        assert!(matches!(policy.ingress.unwrap()[0].peers[0], Peer::Unreadable(_)));
    }

    #[test]
    fn what_the_api_would_not_hold_is_refused_by_name() {
        for spec in [
            json!(null),
            json!({"policyTypes": ["Both"]}),
            json!({"ingress": [{"ports": [{"port": 0}]}]}),
            json!({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}]}),
            json!({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]}),
        ] {
            let error = Policy::read("shop", "it", &spec).unwrap_err().to_string();
            assert!(
                error.starts_with("networkpolicy/it -n shop cannot be read: "),
                "{error}"
            );
        }
    }
}
