//! To whom queries are passed on.

use std::net::SocketAddr;

use crate::address::normal_zones;
use crate::ast::Corefile;
use crate::value;

/// One upstream of one `forward`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Names in this zone are passed on, with its final dot: `.` for all.
    pub zone: String,
    /// To whom.
    pub to: UpstreamAddress,
}

/// Who an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// A server that is asked in the usual way.
    Plain(SocketAddr),
    /// One that is asked by other means, as TLS, as it is written.
    Other(String),
    /// The nameservers of this file in the container.
    File(String),
}

impl Corefile {
    /// All upstreams of `forward`, in the order of the file. What is no address is taken for the name of a file, as CoreDNS does.
    pub fn upstreams(&self) -> Vec<Upstream> {
        let blocks = self.blocks.iter().filter(|block| !block.keys.is_empty());
        let mut all = Vec::new();
        for forward in blocks.flat_map(|block| block.all("forward")) {
            let args = forward.args();
            let Some((from, to)) = args.split_first() else {
                continue;
            };
            for zone in normal_zones(from) {
                all.extend(to.iter().map(|word| Upstream {
                    zone: zone.clone(),
                    to: address(word),
                }));
            }
        }
        all
    }
}

fn address(word: &str) -> UpstreamAddress {
    let (scheme, host) = value::scheme(word);
    let (address, port) = value::host_port(host).unwrap_or((host, ""));
    match (scheme, value::ip_without_zone(address)) {
        (_, None) if scheme == "dns" => UpstreamAddress::File(host.to_owned()),
        ("dns", Some(ip)) => UpstreamAddress::Plain(SocketAddr::new(ip, port.parse().unwrap_or(53))),
        _ => UpstreamAddress::Other(word.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sources, parse};

    #[test]
    fn upstreams_are_addresses_files_or_reached_by_other_means() {
        let text = ".:53 {\n forward . /etc/resolv.conf 192.0.2.1 192.0.2.2:5353 tls://9.9.9.9\n}\ncorp.example {\n forward . [fd00::1]:53\n forward a.b 192.0.2.3\n}\n";
        let corefile = parse(text, &Sources::default()).unwrap();
        let all: Vec<(String, String)> = corefile
            .upstreams()
            .into_iter()
            .map(|upstream| {
                let to = match upstream.to {
                    UpstreamAddress::Plain(address) => address.to_string(),
                    UpstreamAddress::Other(text) | UpstreamAddress::File(text) => text,
                };
                (upstream.zone, to)
            })
            .collect();
        let plain: Vec<(&str, &str)> = all
            .iter()
            .map(|(zone, to)| (zone.as_str(), to.as_str()))
            .collect();
        assert_eq!(
            plain,
            [
                (".", "/etc/resolv.conf"),
                (".", "192.0.2.1:53"),
                (".", "192.0.2.2:5353"),
                (".", "tls://9.9.9.9"),
                (".", "[fd00::1]:53"),
                ("a.b.", "192.0.2.3:53"),
            ]
        );
    }
}
