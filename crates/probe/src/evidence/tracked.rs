//! Tracked connections to Services, entry by entry.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use netprobe::{MOST_LISTED, Read, ReadOutcome, ReadPlan, WIRE_VERSION};
use observation::{TrackedFlow, TrackedLook};
use report::Observed;

use super::Answers;
use super::plan::{DEADLINE_MS, MOST_CONNECTIONS};
use crate::options::Tier;
use crate::run::ProbeRun;

const CONNECTIONS: u32 = 1;
const MEMORY: u32 = 2;
const MEMORY_INFO: &str = "/proc/meminfo";
/// Of more addresses than this, all entries of the protocol are listed: the agent compares each line with each word.
const MOST_WORDS: usize = 64;

/// What one node tracks, and its memory in KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackedOnce {
    /// The entries.
    pub look: TrackedLook,
    /// The memory of the node, in KiB.
    pub memory_kib: Observed<u64>,
}

/// Which entries are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackedWanted {
    /// To these addresses, or from them.
    pub addresses: Vec<IpAddr>,
    /// To these ports of any address: node ports.
    pub ports: Vec<u16>,
    /// Whether only those over UDP are kept.
    pub udp_only: bool,
}

impl ProbeRun {
    /// Lists tracked connections of one node. It takes a privileged pod there.
    ///
    /// A node without one, and an exec that failed, are unseen as a whole.
    pub async fn tracked(&self, node: &str, wanted: &TrackedWanted) -> Observed<TrackedOnce> {
        let plan = plan(&self.placement().run, wanted);
        self.answered(node, Tier::Privileged, &plan, |answers| once(answers, wanted))
            .await
    }
}

fn plan(run: &str, wanted: &TrackedWanted) -> ReadPlan {
    let connections = Read::Connections {
        most: MOST_CONNECTIONS,
        words: words(wanted),
    };
    let memory = Read::Files {
        pattern: MEMORY_INFO.to_owned(),
        most_bytes: 64 * 1024,
    };
    ReadPlan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        deadline_ms: DEADLINE_MS,
        reads: BTreeMap::from([(CONNECTIONS, connections), (MEMORY, memory)]),
    }
}

/// What the lines of wanted entries have. `dst=` stands in a line for whom the connection meant and for whom is answered.
fn words(wanted: &TrackedWanted) -> Vec<String> {
    let addresses = wanted.addresses.iter().map(|address| match address {
        IpAddr::V4(address) => format!("dst={address} "),
        IpAddr::V6(address) => format!("dst={} ", expanded(*address)),
    });
    let ports = wanted.ports.iter().map(|port| format!("dport={port} "));
    let words: Vec<String> = addresses.chain(ports).collect();
    if words.len() <= MOST_WORDS {
        words
    } else if wanted.udp_only {
        vec![" udp ".to_owned()]
    } else {
        vec!["src=".to_owned()]
    }
}

/// The kernel writes all eight groups of an address, with their zeros.
fn expanded(address: std::net::Ipv6Addr) -> String {
    let groups = address.segments().map(|group| format!("{group:04x}"));
    groups.join(":")
}

fn once(answers: &Answers<'_>, wanted: &TrackedWanted) -> TrackedOnce {
    let what = "tracked connections";
    let (flows, more) = match answers.outcome(CONNECTIONS, what) {
        Observed::Seen(ReadOutcome::Connections { lines, more, .. }) => {
            let flows = lines.iter().filter_map(|line| flow(line));
            let kept = flows.filter(|flow| wanted.has(flow)).collect();
            (Observed::Seen(kept), *more || lines.len() >= MOST_LISTED)
        }
        Observed::Seen(ReadOutcome::Absent) => {
            let message = "the kernel does not list them in /proc/net/nf_conntrack";
            (Observed::Unseen(answers.gap(what, message)), false)
        }
        Observed::Seen(_) => (
            Observed::Unseen(answers.gap(what, "another answer than entries")),
            false,
        ),
        Observed::Unseen(gap) => (Observed::Unseen(gap), false),
    };
    TrackedOnce {
        look: TrackedLook { flows, more },
        memory_kib: memory(answers),
    }
}

impl TrackedWanted {
    fn has(&self, flow: &TrackedFlow) -> bool {
        (!self.udp_only || flow.protocol == "udp")
            && (self.addresses.contains(&flow.destination.ip())
                || self.ports.contains(&flow.destination.port()))
    }
}

fn memory(answers: &Answers<'_>) -> Observed<u64> {
    let what = "memory";
    let text = match answers.texts(MEMORY, 1, what) {
        Observed::Seen(files) => files.into_values().next(),
        Observed::Unseen(gap) => return Observed::Unseen(gap),
    };
    match text {
        Some(Observed::Seen(text)) => {
            let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
            let kib = total.and_then(|line| line.split_whitespace().next()?.parse().ok());
            kib.map_or_else(
                || Observed::Unseen(answers.gap(what, "/proc/meminfo does not say how much there is")),
                Observed::Seen,
            )
        }
        Some(Observed::Unseen(gap)) => Observed::Unseen(gap),
        None => Observed::Unseen(answers.gap(what, "there is no /proc/meminfo")),
    }
}

/// An entry as `/proc/net/nf_conntrack` writes it: family, protocol, the seconds left, for TCP a state, then the way there and
/// the way back, with words in brackets among them. `None` where it has no ports.
fn flow(line: &str) -> Option<TrackedFlow> {
    let mut words = line.split_ascii_whitespace();
    let protocol = words.nth(2)?.to_owned();
    let left_s = words.nth(1)?.parse().ok()?;
    let mut state = None;
    let mut ways: [[Option<&str>; 4]; 2] = [[None; 4]; 2];
    let (mut replied, mut assured) = (true, false);
    for word in words {
        match word {
            "[UNREPLIED]" => replied = false,
            "[ASSURED]" => assured = true,
            _ => match word.split_once('=') {
                Some((key, value)) => {
                    let index = match key {
                        "src" => 0,
                        "dst" => 1,
                        "sport" => 2,
                        "dport" => 3,
                        _ => continue,
                    };
                    // The second of a kind is of the way back.
                    let way = usize::from(ways[0][index].is_some());
                    ways[way][index].get_or_insert(value);
                }
                None if state.is_none() && !word.starts_with('[') => state = Some(word.to_owned()),
                None => {}
            },
        }
    }
    let end = |way: [Option<&str>; 4], address: usize| {
        let ip: IpAddr = way[address]?.parse().ok()?;
        Some(SocketAddr::new(ip, way[address + 2]?.parse().ok()?))
    };
    Some(TrackedFlow {
        protocol,
        state,
        left_s,
        source: end(ways[0], 0)?,
        destination: end(ways[0], 1)?,
        reply_source: end(ways[1], 0)?,
        reply_destination: end(ways[1], 1)?,
        replied,
        assured,
    })
}

#[cfg(test)]
mod tests {
    use netprobe::ReadAnswer;
    use proptest::prelude::*;

    use super::*;

    const UDP: &str = "ipv4     2 udp      17 117 src=10.244.1.2 dst=10.96.0.10 sport=4000 dport=53 src=10.244.2.2 dst=10.244.1.2 sport=53 dport=4000 [ASSURED] mark=0 zone=0 use=2";
    const TCP: &str = "ipv4     2 tcp      6 86399 ESTABLISHED src=10.244.1.2 dst=10.96.0.10 sport=4001 dport=80 src=10.244.2.2 dst=10.244.1.2 sport=8080 dport=4001 [ASSURED] mark=0 zone=0 use=2";
    const LOST: &str = "ipv6     10 udp      17 29 src=fd00:0244:0000:0000:0000:0000:0000:0002 dst=fd00:0096:0000:0000:0000:0000:0000:000a sport=4000 dport=53 [UNREPLIED] src=fd00:0096:0000:0000:0000:0000:0000:000a dst=fd00:0244:0000:0000:0000:0000:0000:0002 sport=53 dport=4000 mark=0 zone=0 use=2";

    #[test]
    fn both_ways_of_an_entry_are_read() {
        let udp = flow(UDP).unwrap();
        assert_eq!(
            (udp.protocol.as_str(), &udp.state, udp.left_s),
            ("udp", &None, 117)
        );
        assert_eq!(udp.destination.to_string(), "10.96.0.10:53");
        assert_eq!(udp.reply_source.to_string(), "10.244.2.2:53");
        assert!(udp.replied && udp.assured);
        let tcp = flow(TCP).unwrap();
        assert_eq!(tcp.state.as_deref(), Some("ESTABLISHED"));
        assert_eq!(tcp.reply_source.to_string(), "10.244.2.2:8080");
        let lost = flow(LOST).unwrap();
        assert!(!lost.replied && !lost.assured);
        assert_eq!(lost.reply_source, lost.destination);
    }

    #[test]
    fn entries_without_ports_are_left_out() {
        let icmp = "ipv4     2 icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1 mark=0 use=1";
        assert_eq!(flow(icmp), None);
        assert_eq!(flow(""), None);
    }

    fn wanted(addresses: &[&str], ports: &[u16], udp_only: bool) -> TrackedWanted {
        TrackedWanted {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            ports: ports.to_vec(),
            udp_only,
        }
    }

    #[test]
    fn what_is_asked_for_is_in_the_lines_of_the_kernel() {
        let by_address = words(&wanted(&["10.96.0.10", "fd00:96::a"], &[], true));
        assert!(UDP.contains(&by_address[0]) && LOST.contains(&by_address[1]));
        assert!(TCP.contains(&words(&wanted(&[], &[80], false))[0]));
        let many: Vec<u16> = (1..100).collect();
        assert_eq!(words(&wanted(&[], &many, true)), [" udp "]);
    }

    #[test]
    fn only_what_was_asked_for_is_kept_and_a_full_list_is_not_all() {
        let answer = |lines: Vec<String>| ReadAnswer {
            id: CONNECTIONS,
            outcome: ReadOutcome::Connections {
                by_state: BTreeMap::new(),
                more: false,
                lines,
            },
        };
        let read = |lines, wanted: &TrackedWanted| {
            let given = [answer(lines)];
            let answers = Answers {
                node: "node1",
                tier: Tier::Privileged,
                by_id: given.iter().map(|answer| (answer.id, answer)).collect(),
                cut_off: None,
            };
            once(&answers, wanted)
        };
        let both = || vec![UDP.to_owned(), TCP.to_owned()];
        let udp = read(both(), &wanted(&["10.96.0.10"], &[], true));
        assert_eq!(udp.look.flows.seen().unwrap().len(), 1);
        assert!(!udp.look.more && udp.memory_kib.gap().is_some());
        let all = read(both(), &wanted(&["10.96.0.10"], &[], false));
        assert_eq!(all.look.flows.seen().unwrap().len(), 2);
        let other = read(both(), &wanted(&["10.96.0.11"], &[], false));
        assert_eq!(other.look.flows.seen().unwrap().len(), 0);
        let full = read(
            vec![UDP.to_owned(); MOST_LISTED],
            &wanted(&["10.96.0.10"], &[], true),
        );
        assert!(full.look.more);
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "(\\PC|src=|dst=|sport=|dport=| ){0,40}") {
            let _ = flow(&line);
        }
    }
}
