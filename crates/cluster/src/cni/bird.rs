//! What BIRD says of its sessions.

use observation::{BgpSession, BirdProtocols};

/// The kinds of Calico's sessions, by how it names their protocols.
const KINDS: [(&str, &str); 3] = [
    ("Mesh_", "nodeMesh"),
    ("Node_", "nodePeer"),
    ("Global_", "globalPeer"),
];

/// Reads what `birdcl show protocols` prints. `None` where it is not that: then nothing is known of the sessions.
pub(super) fn protocols(text: &str) -> Option<BirdProtocols> {
    let mut lines = text.lines();
    lines.find(|line| line.trim_start().to_lowercase().starts_with("name"))?;
    let sessions = lines.filter_map(session).collect();
    Some(BirdProtocols { sessions })
}

/// As `Mesh_10_0_0_2 BGP      master   start  08:00:00    Connect       Socket: Connection refused`.
fn session(line: &str) -> Option<BgpSession> {
    let mut words = line.split_ascii_whitespace();
    let (name, protocol, _table, state) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if protocol != "BGP" {
        return None;
    }
    // Since when: a time, or a date and a time.
    let rest: Vec<&str> = words
        .skip_while(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let (prefix, kind) = KINDS.iter().find(|(prefix, _)| name.starts_with(prefix))?;
    let bgp = rest.first().copied();
    Some(BgpSession {
        peer: address(name.strip_prefix(prefix)?),
        state: bgp.unwrap_or(state).to_owned(),
        info: rest.get(1..).unwrap_or_default().join(" "),
        kind: (*kind).to_owned(),
    })
}

/// An address as BIRD's names have it, which have neither dots nor colons. A port stands behind `_port_`.
fn address(name: &str) -> String {
    let name = name.split("_port_").next().unwrap_or(name);
    let dotted = name.replace('_', ".");
    if dotted.parse::<std::net::Ipv4Addr>().is_ok() {
        dotted
    } else {
        let colons = name.replace('_', ":");
        if colons.parse::<std::net::Ipv6Addr>().is_ok() {
            colons
        } else {
            name.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "BIRD v0.3.3+birdv1.6.8 ready.\n\
        name     proto    table    state  since       info\n\
        static1  Static   master   up     08:00:00\n\
        kernel1  Kernel   master   up     08:00:00\n\
        Mesh_10_0_0_2 BGP      master   up     2026-02-28 10:00:00    Established\n\
        Mesh_10_0_0_3 BGP      master   start  08:00:00    Connect       Socket: Connection refused\n\
        Global_192_0_2_1_port_1790 BGP master start 08:00:00 Active Socket: Host is unreachable\n\
        Node_fd00__9 BGP      master   up     08:00:00    Established\n";

    #[test]
    fn sessions_are_read_with_their_peers_and_why_they_are_not_up() {
        let read = protocols(TEXT).unwrap().sessions;
        let all: Vec<(&str, &str, &str)> = read
            .iter()
            .map(|it| (it.peer.as_str(), it.state.as_str(), it.kind.as_str()))
            .collect();
        assert_eq!(
            all,
            [
                ("10.0.0.2", "Established", "nodeMesh"),
                ("10.0.0.3", "Connect", "nodeMesh"),
                ("192.0.2.1", "Active", "globalPeer"),
                ("fd00::9", "Established", "nodePeer"),
            ]
        );
        assert_eq!(read[1].info, "Socket: Connection refused");
    }

    #[test]
    fn what_is_no_table_says_nothing_rather_than_that_there_are_no_sessions() {
        assert_eq!(protocols("Unable to connect to server control socket"), None);
        assert_eq!(protocols(""), None);
        let none = "BIRD ready.\nname proto table state since info\n";
        assert_eq!(protocols(none).unwrap().sessions.len(), 0);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC*") {
            protocols(&text);
            protocols(&format!("name\nMesh_{text}"));
            session(&text);
        }
    }
}
