//! Virtual servers of IPVS, as the kernel lists them in `/proc/net/ip_vs`.
//!
//! kube-proxy in its mode `ipvs` makes one for each port of each address of a Service, and one destination for each
//! endpoint. The layout is that of `ip_vs_info_seq_show` in the kernel's `net/netfilter/ipvs/ip_vs_ctl.c`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;

/// Where packets are taken from, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualServer {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// As the address and the port of a Service.
    pub address: SocketAddr,
    /// As `rr`.
    pub scheduler: String,
    /// For how long a client stays with its destination, in seconds.
    pub persistent: Option<u32>,
    /// In the kernel's order.
    pub destinations: Vec<Destination>,
}

/// Where packets of a virtual server go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// As the address and the port of an endpoint.
    pub address: SocketAddr,
    /// As `Masq`.
    pub forward: String,
    /// 0 takes no new connections.
    pub weight: i32,
    /// Connections that are open.
    pub active: u32,
    /// Connections that are not, and are remembered.
    pub inactive: u32,
}

/// A list that is not one of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {number} of the list of virtual servers cannot be read: {line:?}")]
pub struct Unreadable {
    /// From 1 on.
    pub number: usize,
    /// The beginning of the line.
    pub line: String,
}

/// What is kept of a line that cannot be read.
const KEPT: usize = 80;
/// The lines above the first server: the version, and two lines of names.
const HEADINGS: [&str; 3] = ["IP Virtual Server", "Prot LocalAddress", "-> RemoteAddress"];

/// Reads the list. Servers by firewall marks have no address and are left out: kube-proxy makes none.
///
/// # Errors
/// When a line is none of the kernel's; half a list would look like missing servers.
pub fn parse(text: &str) -> Result<Vec<VirtualServer>, Unreadable> {
    let mut servers: Vec<VirtualServer> = Vec::new();
    let mut is_marked = false;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || HEADINGS.iter().any(|heading| trimmed.starts_with(heading)) {
            continue;
        }
        let unreadable = || Unreadable {
            number: index + 1,
            line: trimmed.chars().take(KEPT).collect(),
        };
        let words: Vec<&str> = trimmed.split_whitespace().collect();
        match words.as_slice() {
            ["->", rest @ ..] => {
                let destination = destination(rest).ok_or_else(unreadable)?;
                if !is_marked {
                    let server = servers.last_mut().ok_or_else(unreadable)?;
                    server.destinations.push(destination);
                }
            }
            ["FWM", ..] => is_marked = true,
            words => {
                is_marked = false;
                servers.push(server(words).ok_or_else(unreadable)?);
            }
        }
    }
    Ok(servers)
}

fn server(words: &[&str]) -> Option<VirtualServer> {
    let [
        protocol @ ("TCP" | "UDP" | "SCTP"),
        address,
        scheduler,
        flags @ ..,
    ] = words
    else {
        return None;
    };
    let mut flags = flags.iter();
    let mut persistent = None;
    while let Some(flag) = flags.next() {
        // Others are `ops`, one packet at a time, and the mask of a persistent server.
        if *flag == "persistent" {
            persistent = Some(flags.next()?.parse().ok()?);
        }
    }
    Some(VirtualServer {
        protocol: (*protocol).to_owned(),
        address: socket(address)?,
        scheduler: (*scheduler).to_owned(),
        persistent,
        destinations: Vec::new(),
    })
}

fn destination(words: &[&str]) -> Option<Destination> {
    let [address, forward, weight, active, inactive] = words else {
        return None;
    };
    Some(Destination {
        address: socket(address)?,
        forward: (*forward).to_owned(),
        weight: weight.parse().ok()?,
        active: active.parse().ok()?,
        inactive: inactive.parse().ok()?,
    })
}

/// `0A600001:01BB`, or `[fd00:0096:…:0001]:01BB`.
fn socket(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.rsplit_once(':')?;
    let address: IpAddr = match address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok()?.into(),
        None if address.len() == 8 => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?).into(),
        None => return None,
    };
    Some(SocketAddr::new(address, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// In the layout of Linux 5.15, written from its source.
    const LIST: &str = "\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr \n  -> AC1E0001:192B      Masq    1      2          0         
UDP  0A60000A:0035 rr persistent 10800 FFFFFFFF
  -> 0AF40002:0035      Masq    1      0          3         
  -> 0AF40103:0035      Masq    0      0          0         
FWM  00000001 wlc \n  -> 0AF40103:0035      Masq    1      0          0         
TCP  [fd00:0096:0000:0000:0000:0000:0000:0001]:01BB rr
";

    #[test]
    fn servers_and_their_destinations_are_read() {
        let servers = parse(LIST).unwrap();
        let shown: Vec<(String, Vec<String>)> = servers
            .iter()
            .map(|server| {
                let destinations = server.destinations.iter();
                (
                    format!("{} {}", server.protocol, server.address),
                    destinations.map(|one| one.address.to_string()).collect(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("TCP 10.96.0.1:443".to_owned(), vec!["172.30.0.1:6443".to_owned()]),
                (
                    "UDP 10.96.0.10:53".to_owned(),
                    vec!["10.244.0.2:53".to_owned(), "10.244.1.3:53".to_owned()]
                ),
                ("TCP [fd00:96::1]:443".to_owned(), vec![]),
            ]
        );
        assert_eq!(servers[1].persistent, Some(10_800));
        assert_eq!(servers[1].destinations[1].weight, 0);
        assert_eq!(servers[1].destinations[0].inactive, 3);
    }

    #[test]
    fn a_kernel_that_uses_ipvs_for_nothing_has_no_servers() {
        let headings = LIST.lines().take(3).collect::<Vec<_>>().join("\n");
        assert_eq!(parse(&headings), Ok(Vec::new()));
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn a_line_that_is_cut_off_is_no_shorter_list() {
        for damaged in [
            "TCP  0A6000",
            "TCP  0A600001:01BB rr\n  -> AC1E0001:192B      Masq",
            "  -> AC1E0001:192B      Masq    1      2          0",
            "IPX  0A600001:01BB rr",
        ] {
            let error = parse(damaged).unwrap_err();
            assert!(error.to_string().contains("cannot be read"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_the_kernel_would_write_is_read_back(
            address: [u8; 4], port: u16, destinations in prop::collection::vec((any::<[u8; 4]>(), any::<u16>(), 0..100_i32), 0..5)
        ) {
            let hex = |address: [u8; 4], port: u16| format!("{:08X}:{port:04X}", u32::from_be_bytes(address));
            let mut text = format!("TCP  {} rr \n", hex(address, port));
            for (address, port, weight) in &destinations {
                let _ = writeln!(text, "  -> {}      Masq    {weight:<6} 0          0         ", hex(*address, *port));
            }
            let servers = parse(&text).unwrap();
            prop_assert_eq!(servers[0].address, SocketAddr::from((address, port)));
            let read: Vec<_> = servers[0].destinations.iter().map(|one| (one.address, one.weight)).collect();
            let wanted: Vec<_> = destinations.into_iter().map(|(address, port, weight)| (SocketAddr::from((address, port)), weight)).collect();
            prop_assert_eq!(read, wanted);
        }
    }
}
