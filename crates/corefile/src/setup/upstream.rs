//! The addresses that queries are sent to.

use crate::Refusal;
use crate::sources::Sources;
use crate::stanza::Stanza;
use crate::value;

/// The scheme of every upstream. Names of files stand for the servers that they list; a file that is not known
/// counts as one.
pub(super) fn upstreams(stanza: &Stanza<'_>, args: &[&str]) -> Result<Vec<&'static str>, Refusal> {
    let mut schemes = Vec::new();
    for arg in args {
        let (scheme, host) = value::scheme(arg);
        if host.is_empty() {
            return Err(stanza.bad(arg, "an address behind the scheme"));
        }
        if scheme == "unix" {
            schemes.push(scheme);
            continue;
        }
        let address = value::host_port(host).map_or(host, |(address, _)| address);
        if value::ip_without_zone(address).is_some() {
            schemes.push(scheme);
            continue;
        }
        schemes.extend(std::iter::repeat_n("dns", servers_of_file(stanza, host)?));
    }
    if schemes.is_empty() {
        return Err(stanza.refuse(
            "the files that are named as upstreams list no nameserver",
            "name the addresses of resolvers",
        ));
    }
    Ok(schemes)
}

fn servers_of_file(stanza: &Stanza<'_>, path: &str) -> Result<usize, Refusal> {
    let sources = stanza.around.sources;
    let text = sources.files.get(&Sources::absolute("/", path));
    match text {
        Some(text) => Ok(text
            .lines()
            .filter(|line| {
                let mut words = line.split_whitespace();
                words.next() == Some("nameserver") && words.next().is_some()
            })
            .count()),
        // Names of hosts look like names of files. One with a slash may well be a file that is not known here.
        None if !sources.files_are_complete && path.contains('/') => Ok(1),
        None => Err(stanza.bad(
            path,
            "IP addresses, or a file like /etc/resolv.conf: names are not looked up",
        )),
    }
}
