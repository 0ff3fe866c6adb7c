//! What devices do to packets by themselves.

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use netprobe::ReadOutcome;
use nix::net::if_::if_nameindex;
use socket2::{Domain, Socket, Type};

use crate::agent::kernel::sends_checksums;

/// Devices that cannot be asked are absent.
pub(super) fn send_checksums() -> ReadOutcome {
    let read = || -> std::io::Result<BTreeMap<String, bool>> {
        // Any socket will do: it stands for its network namespace.
        let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
        let mut by_device = BTreeMap::new();
        for interface in &if_nameindex()? {
            let Ok(name) = interface.name().to_str() else {
                continue;
            };
            if let Ok(checksums) = sends_checksums(socket.as_fd(), name) {
                by_device.insert(name.to_owned(), checksums);
            }
        }
        Ok(by_device)
    };
    match read() {
        Ok(by_device) => ReadOutcome::SendChecksums { by_device },
        Err(error) => ReadOutcome::Failed {
            message: format!("offloads: {error}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_leaves_checksums_to_nobody() {
        // Its packets never meet a wire: the kernel treats it as a device that fills them in.
        assert!(matches!(
            send_checksums(),
            ReadOutcome::SendChecksums { by_device } if by_device.get("lo") == Some(&true)
        ));
    }
}
