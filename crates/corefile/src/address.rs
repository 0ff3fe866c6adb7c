//! The zones at the head of server blocks: what they mean, and which cannot be served together.

use std::collections::HashMap;

use crate::ast::{Corefile, Key, ServerBlock};
use crate::error::{Place, Refusal, Rule};
use crate::value;

/// One zone that a server block serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Served {
    /// With its final dot, in the letters in which it is written.
    pub zone: String,
    /// As it is written, or what the scheme stands for.
    pub port: String,
    /// `dns`, `tls`, `https`, `grpc` or `quic`.
    pub scheme: &'static str,
}

impl ServerBlock {
    /// The zones of the block. A prefix (`10.0.0.0/8`) is one or several reverse zones.
    ///
    /// The error is the first that CoreDNS would refuse.
    pub fn served(&self) -> Result<Vec<Served>, Refusal> {
        let mut served = Vec::new();
        for key in &self.keys {
            served.extend(served_by(key)?);
        }
        Ok(served)
    }

    /// The zones as plugins compare them: lower case, with the final dot. Empty where an address is refused.
    pub fn zones(&self) -> Vec<String> {
        self.served()
            .unwrap_or_default()
            .into_iter()
            .map(|served| value::normal_name(&served.zone))
            .collect()
    }
}

fn served_by(key: &Key) -> Result<Vec<Served>, Refusal> {
    let (scheme, rest) = value::scheme(&key.text);
    let (zones, port) = split(rest).map_err(|what| Refusal {
        place: key.place.clone(),
        what: format!("`{}` is no zone to serve: {what}", key.text),
        next: "write it as [SCHEME://]ZONE[:PORT], for example `example.org:53`".to_owned(),
        rule: Rule::Address,
    })?;
    let port = port.unwrap_or_else(|| {
        match scheme {
            "tls" | "quic" => "853",
            "grpc" | "https" => "443",
            "unix" => "",
            _ => "53",
        }
        .to_owned()
    });
    Ok(zones
        .into_iter()
        .map(|zone| Served {
            zone: value::fully_qualified(&zone),
            port: port.clone(),
            scheme,
        })
        .collect())
}

/// The zones and the port of an address without its scheme.
pub(crate) fn split(address: &str) -> Result<(Vec<String>, Option<String>), &'static str> {
    let mut zone = address;
    let mut port = None;
    // An empty address has no colon at its end, but CoreDNS takes its absence for one.
    if address.is_empty() || address.ends_with(':') {
        return Err("something is missing behind its last colon");
    }
    if let Some((before, after)) = address.rsplit_once(':')
        && let Some(number) = value::integer(after)
    {
        zone = before;
        port = Some(number.to_string());
    }
    if zone.len() > 255 {
        return Err("it is longer than 255 bytes");
    }
    if !value::is_domain_name(zone) {
        return Err("it is no domain name");
    }
    let Some((ip, length)) = value::cidr(zone) else {
        return Ok((vec![zone.to_owned()], port));
    };
    if zone.starts_with(':') || (zone.starts_with('0') && zone.contains(':')) || value::is_mapped(ip) {
        return Err("the prefix has to start with a number that is not 0");
    }
    Ok((value::reverse_zones(ip, length), port))
}

/// The zones that a name among the arguments of a plugin means. Empty: CoreDNS passes over it in silence.
pub(crate) fn normal_zones(text: &str) -> Vec<String> {
    split(value::scheme(text).1)
        .map(|(zones, _)| zones.iter().map(|zone| value::normal_name(zone)).collect())
        .unwrap_or_default()
}

/// What is refused about the addresses of all blocks together.
pub(crate) fn overlaps(corefile: &Corefile) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut taken: HashMap<(Served, String), Place> = HashMap::new();
    let mut zones: HashMap<Served, Place> = HashMap::new();
    for block in corefile.blocks.iter().filter(|block| !block.keys.is_empty()) {
        let hosts = listen_hosts(block);
        let filtered = block.first("view").is_some();
        for served in block.served().unwrap_or_default() {
            if let Some(refusal) = port_refusal(block, &served) {
                refusals.push(refusal);
                continue;
            }
            for host in &hosts {
                let key = (served.clone(), host.clone());
                let unbound = (served.clone(), String::new());
                let clash = taken.get(&key).or_else(|| match zones.get(&served) {
                    Some(place) if host.is_empty() => Some(place),
                    _ => taken.get(&unbound),
                });
                if let Some(other) = clash {
                    refusals.push(Refusal {
                        place: block.place.clone(),
                        what: format!(
                            "{}://{}:{} is served by two server blocks: the other is at {other}",
                            served.scheme, served.zone, served.port
                        ),
                        next: "merge the blocks, or give one another zone or port".to_owned(),
                        rule: Rule::Address,
                    });
                } else if !filtered {
                    taken.insert(key, block.place.clone());
                    zones.insert(served.clone(), block.place.clone());
                }
            }
        }
    }
    refusals
}

fn port_refusal(block: &ServerBlock, served: &Served) -> Option<Refusal> {
    let fits = served.port.is_empty() || value::unsigned_up_to(&served.port, 65535).is_some();
    (!fits).then(|| Refusal {
        place: block.place.clone(),
        what: format!("{} is no port", served.port),
        next: "use one from 1 to 65535".to_owned(),
        rule: Rule::Address,
    })
}

/// The addresses that a block listens on; an empty text is all of them.
fn listen_hosts(block: &ServerBlock) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    let mut bound = false;
    for bind in block.all("bind") {
        bound = true;
        let except: Vec<String> = bind
            .properties()
            .into_iter()
            .filter(|property| property.name == "except")
            .flat_map(|property| property.args)
            .collect();
        let names = bind.args().into_iter().map(str::to_owned);
        hosts.extend(names.filter(|name| !except.contains(name)));
    }
    if bound { hosts } else { vec![String::new()] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sources, parse};

    fn served(keys: &str) -> Vec<String> {
        let corefile = parse(&format!("{keys} {{\n}}\n"), &Sources::default()).unwrap();
        corefile.blocks[0]
            .served()
            .unwrap()
            .into_iter()
            .map(|served| format!("{}://{}:{}", served.scheme, served.zone, served.port))
            .collect()
    }

    fn overlapping(text: &str) -> usize {
        overlaps(&parse(text, &Sources::default()).unwrap()).len()
    }

    #[test]
    fn schemes_have_their_ports() {
        assert_eq!(
            served("., example.org:1053 tls://a https://b grpc://c quic://d"),
            [
                "dns://.:53",
                "dns://example.org.:1053",
                "tls://a.:853",
                "https://b.:443",
                "grpc://c.:443",
                "quic://d.:853"
            ]
        );
    }

    #[test]
    fn prefixes_become_reverse_zones() {
        assert_eq!(
            served("10.96.0.0/15:5353"),
            ["dns://96.10.in-addr.arpa.:5353", "dns://97.10.in-addr.arpa.:5353"]
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for address in ["a..b", "a:", "::/0", &"a".repeat(70)] {
            assert!(split(address).is_err(), "{address}");
        }
    }

    #[test]
    fn a_zone_and_port_is_served_once() {
        assert_eq!(overlapping(". {\n}\n. {\n}\n"), 1);
        assert_eq!(overlapping(". {\n}\n.:54 {\n}\ntls://. {\n}\n"), 0);
        assert_eq!(
            overlapping(". {\n bind 127.0.0.1\n}\n. {\n bind 127.0.0.2\n}\n"),
            0
        );
        assert_eq!(overlapping(". {\n bind 127.0.0.1\n}\n. {\n}\n"), 1);
        assert_eq!(overlapping(". {\n}\n. {\n bind 127.0.0.1\n}\n"), 1);
        assert_eq!(overlapping(".:99999 {\n}\n"), 1);
    }

    #[test]
    fn blocks_with_views_may_share_a_zone() {
        assert_eq!(
            overlapping(". {\n view a {\n expr true\n }\n}\n. {\n view b {\n expr true\n }\n}\n. {\n}\n"),
            0
        );
    }
}
