//! Dumps of the kernel's tables, as the kernel writes them: whoever asked for them reads them.

use std::os::fd::AsRawFd;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use netprobe::{NetlinkTable, ReadOutcome};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;

/// `linux/netlink.h` and `linux/rtnetlink.h`.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_DUMP: u16 = 0x300;
const HEADER: usize = 16;
const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const RTM_GETNEIGH: u16 = 30;
const RTM_GETRULE: u16 = 34;
const AF_UNSPEC: u8 = 0;
const AF_BRIDGE: u8 = 7;
/// The longest of the fixed parts that follow the header: `struct ifinfomsg` has 16 bytes. A request may carry more
/// than its kind needs, as long as it is zero.
const FIXED: usize = 16;

pub(super) fn dump(table: NetlinkTable) -> ReadOutcome {
    let (kind, family) = match table {
        NetlinkTable::Links => (RTM_GETLINK, AF_UNSPEC),
        NetlinkTable::Addresses => (RTM_GETADDR, AF_UNSPEC),
        NetlinkTable::Routes => (RTM_GETROUTE, AF_UNSPEC),
        NetlinkTable::Rules => (RTM_GETRULE, AF_UNSPEC),
        NetlinkTable::Neighbours => (RTM_GETNEIGH, AF_UNSPEC),
        NetlinkTable::Forwarding => (RTM_GETNEIGH, AF_BRIDGE),
    };
    match messages(kind, family) {
        Ok(bytes) => ReadOutcome::Netlink {
            base64: STANDARD.encode(bytes),
        },
        Err(error) => ReadOutcome::Failed {
            message: format!("netlink: {error}"),
        },
    }
}

fn messages(kind: u16, family: u8) -> Result<Vec<u8>, Errno> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(5, 0))?;
    let request = request(kind, family);
    sendto(
        socket.as_raw_fd(),
        &request,
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut all = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let part = &buffer[..length];
        match scan(part)? {
            Some(end) => {
                all.extend_from_slice(&part[..end]);
                return Ok(all);
            }
            None if length == 0 => return Err(Errno::EIO),
            None => all.extend_from_slice(part),
        }
    }
}

fn request(kind: u16, family: u8) -> Vec<u8> {
    let length = u32::try_from(HEADER + FIXED).unwrap_or_default();
    let mut request = Vec::with_capacity(HEADER + FIXED);
    request.extend_from_slice(&length.to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    request.extend_from_slice(&1_u32.to_ne_bytes());
    request.extend_from_slice(&0_u32.to_ne_bytes());
    request.push(family);
    request.resize(HEADER + FIXED, 0);
    request
}

/// Where the dump ends in these messages, or `None` when it goes on.
fn scan(mut part: &[u8]) -> Result<Option<usize>, Errno> {
    let whole = part.len();
    while part.len() >= HEADER {
        let length = u32::from_ne_bytes([part[0], part[1], part[2], part[3]]);
        let length = usize::try_from(length).map_err(|_| Errno::EBADMSG)?;
        let kind = u16::from_ne_bytes([part[4], part[5]]);
        if length < HEADER || length > part.len() {
            return Err(Errno::EBADMSG);
        }
        match kind {
            NLMSG_DONE => return Ok(Some(whole - part.len())),
            NLMSG_ERROR => {
                let code = part.get(HEADER..HEADER + 4).ok_or(Errno::EBADMSG)?;
                let code = i32::from_ne_bytes([code[0], code[1], code[2], code[3]]);
                return Err(Errno::from_raw(-code));
            }
            _ => {}
        }
        // Messages are aligned to four bytes.
        let next = (length + 3) & !3;
        part = part.get(next..).unwrap_or_default();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_lists_at_least_loopback() {
        let ReadOutcome::Netlink { base64 } = dump(NetlinkTable::Links) else {
            panic!("links can be read by anybody")
        };
        let bytes = STANDARD.decode(base64).unwrap();
        assert!(bytes.windows(3).any(|name| name == b"lo\0"));
    }

    #[test]
    fn every_table_can_be_dumped_without_rights() {
        for table in [
            NetlinkTable::Links,
            NetlinkTable::Addresses,
            NetlinkTable::Routes,
            NetlinkTable::Rules,
            NetlinkTable::Neighbours,
            NetlinkTable::Forwarding,
        ] {
            let outcome = dump(table);
            assert!(
                matches!(outcome, ReadOutcome::Netlink { .. }),
                "{table:?}: {outcome:?}"
            );
        }
    }

    #[test]
    fn damaged_messages_are_an_error() {
        let mut message = request(RTM_GETLINK, AF_UNSPEC);
        message[0] = 5;
        assert_eq!(scan(&message), Err(Errno::EBADMSG));
        message[0] = 200;
        assert_eq!(scan(&message), Err(Errno::EBADMSG));
    }
}
