//! Files of `/proc`, as values.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use observation::{Conntrack, Listener};
use report::Observed;

use super::{Answers, COUNTERS, SYSCTLS, id};

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

/// The table's use. The kernel without connection tracking has no such file, and then there is nothing to see.
pub(super) fn conntrack(answers: &Answers<'_>) -> Observed<Conntrack> {
    let sysctls = match sysctls(answers) {
        Observed::Seen(sysctls) => sysctls,
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    let setting = |name: &str| -> Option<u64> {
        sysctls
            .get(&format!("net.netfilter.nf_conntrack_{name}"))?
            .parse()
            .ok()
    };
    let (Some(count), Some(max)) = (setting("count"), setting("max")) else {
        return Observed::Unseen(answers.gap(
            "connection tracking",
            "the kernel shows no table: connection tracking is not loaded, or not visible here",
        ));
    };
    answers
        .texts(id::CONNTRACK, 1, "connection tracking")
        .map(|files| {
            let text = files.values().find_map(|text| text.seen().cloned());
            Conntrack {
                count,
                max,
                buckets: setting("buckets"),
                counters: text.as_deref().map(per_processor).unwrap_or_default(),
            }
        })
}

/// A line of names, then a line of hexadecimal values for each processor.
fn per_processor(text: &str) -> BTreeMap<String, u64> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split_whitespace().collect();
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for line in lines {
        for (name, value) in names.iter().zip(line.split_whitespace()) {
            let Ok(value) = u64::from_str_radix(value, 16) else {
                continue;
            };
            // The size of the table, which each line repeats.
            if *name != "entries" {
                *sums.entry((*name).to_owned()).or_default() += value;
            }
        }
    }
    sums
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
    fn counters_of_all_processors_are_summed() {
        let text = "entries  drop early_drop\n00000010  00000001 0000000a\n00000010  00000002 00000001\n";
        let sums = per_processor(text);
        assert_eq!(sums.get("drop"), Some(&3));
        assert_eq!(sums.get("early_drop"), Some(&11));
        assert_eq!(sums.get("entries"), None);
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
