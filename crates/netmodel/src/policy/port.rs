use std::fmt;

use serde_json::Value;

use super::flow::Protocol;

/// One item of `ports` of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// TCP where the policy does not say.
    pub protocol: Protocol,
    /// Which ports of the destination pod.
    pub port: PortMatch,
}

/// Which ports an item of `ports` covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortMatch {
    /// All ports of the protocol.
    Any,
    /// This one.
    Number(u16),
    /// From the first to the last, both included.
    Range(u16, u16),
    /// The port that the destination pod declares under this name, for the same protocol.
    Named(String),
}

impl Port {
    /// Reads an item of `ports`; the error says what about it cannot be read.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let protocol = match value.get("protocol") {
            None | Some(Value::Null) => Protocol::Tcp,
            Some(Value::String(text)) => {
                Protocol::named(text).ok_or_else(|| format!("there is no protocol {text:?}"))?
            }
            Some(other) => return Err(format!("the protocol {other} is no text")),
        };
        let last = match value.get("endPort") {
            None | Some(Value::Null) => None,
            Some(number) => Some(port_number(number)?),
        };
        let port = match (value.get("port"), last) {
            (None | Some(Value::Null), None) => PortMatch::Any,
            (None | Some(Value::Null), Some(last)) => return Err(format!("endPort {last} without a port")),
            (Some(Value::String(name)), None) => PortMatch::Named(name.clone()),
            (Some(Value::String(name)), Some(last)) => {
                return Err(format!("endPort {last} with the named port {name:?}"));
            }
            (Some(number), None) => PortMatch::Number(port_number(number)?),
            (Some(number), Some(last)) => PortMatch::Range(port_number(number)?, last),
        };
        Ok(Self { protocol, port })
    }

    /// Whether the item covers all that another does, whatever the destination declares.
    pub fn covers(&self, protocol: Protocol, number: u16) -> bool {
        self.protocol == protocol
            && match &self.port {
                PortMatch::Any => true,
                PortMatch::Number(port) => *port == number,
                PortMatch::Range(first, last) => (*first..=*last).contains(&number),
                PortMatch::Named(_) => false,
            }
    }
}

fn port_number(value: &Value) -> Result<u16, String> {
    let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{value} is no port number"))
}

/// As people write it: `TCP 80`, `UDP 5000-5010`, `TCP port named http`, `any TCP port`.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol;
        match &self.port {
            PortMatch::Any => write!(f, "any {protocol} port"),
            PortMatch::Number(port) => write!(f, "{protocol} {port}"),
            PortMatch::Range(first, last) => write!(f, "{protocol} {first}-{last}"),
            PortMatch::Named(name) => write!(f, "the {protocol} port named {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_are_read_as_the_api_writes_them() {
        let read = |value: Value| Port::read(&value).map(|port| port.to_string());
        assert_eq!(read(json!({"port": 80})), Ok("TCP 80".into()));
        assert_eq!(read(json!({"protocol": "UDP"})), Ok("any UDP port".into()));
        assert_eq!(
            read(json!({"port": "http"})),
            Ok("the TCP port named http".into())
        );
        assert_eq!(
            read(json!({"protocol": "SCTP", "port": 1, "endPort": 9})),
            Ok("SCTP 1-9".into())
        );
        assert!(read(json!({"port": 0})).is_err());
        assert!(read(json!({"port": 70000})).is_err());
        assert!(read(json!({"endPort": 9})).is_err());
        assert!(read(json!({"port": "http", "endPort": 9})).is_err());
        assert!(read(json!({"protocol": "ICMP"})).is_err());
    }
}
