//! The probe agent, as `build.rs` has built it for the architectures of nodes.

/// The architecture of a node, as far as there is an agent for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// Those for which there is an agent.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// From Kubernetes' name, as in `status.nodeInfo.architecture` and the label `kubernetes.io/arch`; `None` where
    /// there is no agent for it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|architecture| architecture.as_str() == name)
    }

    /// Kubernetes' name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// The program for this architecture: a static Linux executable that needs nothing of the image it runs in, small
/// enough for a ConfigMap.
pub fn agent(architecture: Architecture) -> &'static [u8] {
    match architecture {
        Architecture::Amd64 => include_bytes!(concat!(env!("OUT_DIR"), "/netprobe-amd64")),
        Architecture::Arm64 => include_bytes!(concat!(env!("OUT_DIR"), "/netprobe-arm64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ConfigMap holds 1 MiB. An eighth of it is left for metadata, and for the agent to grow.
    const COMFORTABLE: usize = 900 * 1024;

    /// Program header types of `elf.h`.
    const PT_INTERP: u32 = 3;

    fn machine(architecture: Architecture) -> u16 {
        match architecture {
            Architecture::Amd64 => 62,
            Architecture::Arm64 => 183,
        }
    }

    fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
        bytes[at..at + N].try_into().unwrap()
    }

    #[test]
    fn every_agent_is_a_static_executable_for_its_architecture() {
        for architecture in Architecture::ALL {
            let elf = agent(architecture);
            assert_eq!(
                &elf[..6],
                b"\x7fELF\x02\x01",
                "{architecture:?}: 64 bit, little endian"
            );
            assert_eq!(
                u16::from_le_bytes(number(elf, 18)),
                machine(architecture),
                "{architecture:?}"
            );
            let headers = usize::try_from(u64::from_le_bytes(number(elf, 32))).unwrap();
            let size = usize::from(u16::from_le_bytes(number(elf, 54)));
            for header in 0..usize::from(u16::from_le_bytes(number(elf, 56))) {
                let kind = u32::from_le_bytes(number(elf, headers + header * size));
                assert_ne!(kind, PT_INTERP, "{architecture:?} asks for a dynamic loader");
            }
        }
    }

    #[test]
    fn every_agent_fits_into_a_config_map_with_room_to_grow() {
        for architecture in Architecture::ALL {
            let size = agent(architecture).len();
            assert!(size < COMFORTABLE, "{architecture:?} takes {size} bytes");
        }
    }

    #[test]
    fn kubernetes_names_lead_to_an_architecture_or_to_none() {
        for architecture in Architecture::ALL {
            assert_eq!(Architecture::from_name(architecture.as_str()), Some(architecture));
        }
        assert_eq!(Architecture::from_name("riscv64"), None);
    }
}
