//! Files of `/proc`, as values.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netprobe::ReadOutcome;
use observation::{Conntrack, Listener};
use report::Observed;

use super::plan::{COUNTERS, SYSCTLS};
use super::{Answers, id};

/// Kernel settings by their names, as `net.ipv4.ip_forward`. What may not be read is left out, as `sysctl -a` does.
pub(super) fn sysctls(answers: &Answers<'_>) -> Observed<BTreeMap<String, String>> {
    answers.texts(id::SYSCTLS, SYSCTLS.len(), "sysctls").map(|files| {
        let read = files.into_iter().filter_map(|(path, text)| {
            let name = sysctl_name(path.strip_prefix("/proc/sys/")?);
            Some((name, text.seen()?.trim().to_owned()))
        });
        read.collect()
    })
}

/// A dot in a component, as in the device `eth0.100`, is written as a slash, the way sysctl(8) does it.
fn sysctl_name(path: &str) -> String {
    path.chars()
        .map(|character| match character {
            '/' => '.',
            '.' => '/',
            other => other,
        })
        .collect()
}

pub(super) fn counters(answers: &Answers<'_>) -> Observed<BTreeMap<String, u64>> {
    answers
        .texts(id::COUNTERS, COUNTERS.len(), "network counters")
        .map(|files| {
            let mut counters = BTreeMap::new();
            for (path, text) in &files {
                let Some(text) = text.seen() else { continue };
                if path.ends_with("snmp6") {
                    counters.extend(single(text));
                } else {
                    counters.extend(paired(text));
                }
            }
            counters
        })
}

/// Lines of a name and a value.
fn single(text: &str) -> impl Iterator<Item = (String, u64)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    })
}

/// Pairs of lines, `Ip: InReceives …` above `Ip: 12 …`. The names get the prefix, as nstat(8) prints them.
fn paired(text: &str) -> Vec<(String, u64)> {
    let mut counters = Vec::new();
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let Some((prefix, names)) = names.split_once(':') else {
            continue;
        };
        let values = values.split_once(':').map_or("", |(_, values)| values);
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            if let Ok(value) = value.parse() {
                counters.push((format!("{prefix}{name}"), value));
            }
        }
    }
    counters
}

pub(super) fn conntrack(answers: &Answers<'_>) -> Observed<Conntrack> {
    let what = "connection tracking";
    match answers.outcome(id::TRACKING, what) {
        Observed::Seen(ReadOutcome::Tracking {
            count,
            max,
            buckets,
            counters,
        }) => Observed::Seen(Conntrack {
            count: *count,
            max: *max,
            buckets: *buckets,
            counters: counters.clone(),
        }),
        Observed::Seen(ReadOutcome::Absent) => Observed::Unseen(answers.gap(
            what,
            "the kernel shows no table: connection tracking is not loaded, or not visible here",
        )),
        Observed::Seen(_) => Observed::Unseen(answers.gap(what, "another answer than a table")),
        Observed::Unseen(gap) => Observed::Unseen(gap),
    }
}

/// The agent has left out of each table what does not listen. A table that could not be read whole is not an empty one.
pub(super) fn listeners(answers: &Answers<'_>) -> Observed<Vec<Listener>> {
    let files = match answers.texts(id::SOCKETS, 1, "sockets that listen") {
        Observed::Seen(files) => files,
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    let mut listeners = Vec::new();
    for (path, text) in files {
        let text = match text {
            Observed::Seen(text) => text,
            Observed::Unseen(gap) => return Observed::Unseen(gap),
        };
        let protocol = if path.contains("tcp") { "tcp" } else { "udp" };
        listeners.extend(text.lines().skip(1).filter_map(|line| {
            let local = line.split_whitespace().nth(1)?;
            let (address, port) = local.split_once(':')?;
            Some(Listener {
                protocol: protocol.to_owned(),
                address: address_of_hex(address)?,
                port: u16::from_str_radix(port, 16).ok()?,
            })
        }));
    }
    listeners.sort();
    listeners.dedup();
    Observed::Seen(listeners)
}

/// Words of 32 bits in the order of the processor, which is little-endian on all that the agent runs on.
fn address_of_hex(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_le_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for part in 0..4 {
                bytes[part * 4..][..4].copy_from_slice(&word(part * 8)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_settings_are_those_of_sysctl() {
        assert_eq!(sysctl_name("net/ipv4/ip_forward"), "net.ipv4.ip_forward");
        assert_eq!(
            sysctl_name("net/ipv4/conf/eth0.100/rp_filter"),
            "net.ipv4.conf.eth0/100.rp_filter"
        );
    }

    #[test]
    fn counters_have_the_names_of_nstat() {
        let text = "Ip: Forwarding InAddrErrors\nIp: 1 42\nUdp: NoPorts Odd\nUdp: 7 -1\n";
        assert_eq!(
            paired(text),
            [
                ("IpForwarding".to_owned(), 1),
                ("IpInAddrErrors".to_owned(), 42),
                ("UdpNoPorts".to_owned(), 7)
            ]
        );
    }

    #[test]
    fn addresses_of_sockets_are_read_from_the_kernels_words() {
        assert_eq!(address_of_hex("0100007F"), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(
            address_of_hex("00000000000000000000000001000000"),
            Some("::1".parse().unwrap())
        );
        assert_eq!(address_of_hex("zz"), None);
    }
}
