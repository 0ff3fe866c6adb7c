//! What the plugins are built for.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};

/// An operating system and an architecture, by the names that Go and krew have for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// `linux`, `darwin` or `windows`.
    pub os: &'static str,
    /// `amd64` or `arm64`.
    pub arch: &'static str,
}

/// Every platform that a release has archives for.
pub const PLATFORMS: [Platform; 6] = [
    Platform::of("linux", "amd64"),
    Platform::of("linux", "arm64"),
    Platform::of("darwin", "amd64"),
    Platform::of("darwin", "arm64"),
    Platform::of("windows", "amd64"),
    Platform::of("windows", "arm64"),
];

impl Platform {
    const fn of(os: &'static str, arch: &'static str) -> Self {
        Self { os, arch }
    }

    /// Rust's name for it.
    pub fn triple(self) -> &'static str {
        match (self.os, self.arch) {
            ("linux", "amd64") => "x86_64-unknown-linux-musl",
            ("linux", _) => "aarch64-unknown-linux-musl",
            ("darwin", "amd64") => "x86_64-apple-darwin",
            ("darwin", _) => "aarch64-apple-darwin",
            (_, "amd64") => "x86_64-pc-windows-gnu",
            // There is no GCC for Windows on arm64; this is the same ABI with LLVM's libraries.
            (_, _) => "aarch64-pc-windows-gnullvm",
        }
    }

    /// The file that a plugin of this name is on it.
    pub fn binary(self, plugin: &str) -> String {
        if self.os == "windows" {
            format!("{plugin}.exe")
        } else {
            plugin.to_owned()
        }
    }

    /// The file that a plugin is packed in: `kubectl-netcheck_v0.1.0_linux_amd64.tar.gz`.
    pub fn archive(self, plugin: &str, version: &str) -> String {
        format!("{plugin}_{version}_{}_{}.tar.gz", self.os, self.arch)
    }

    /// Whether a machine with this operating system (as `std::env::consts::OS` names it) can build for it. Linux builds
    /// for Linux and Windows; what runs on a Mac needs Apple's SDK, which may be used on a Mac only.
    pub fn is_built_on(self, host: &str) -> bool {
        match self.os {
            "darwin" => host == "macos",
            _ => host == "linux",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)
    }
}

impl FromStr for Platform {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = PLATFORMS.iter().find(|platform| platform.to_string() == text);
        let Some(platform) = known else {
            let all = PLATFORMS.map(|platform| platform.to_string()).join(", ");
            bail!("there is no platform {text:?}; there are {all}");
        };
        Ok(*platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_read_as_it_is_printed() {
        for platform in PLATFORMS {
            assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
        let error = "linux/x86_64".parse::<Platform>().unwrap_err();
        assert!(error.to_string().contains("linux/amd64"), "{error}");
    }

    #[test]
    fn each_platform_has_a_triple_of_its_own_and_a_host_that_builds_it() {
        let mut triples = PLATFORMS.map(Platform::triple);
        triples.sort_unstable();
        assert!(triples.windows(2).all(|pair| pair[0] != pair[1]));
        for platform in PLATFORMS {
            assert!(["linux", "macos"].iter().any(|host| platform.is_built_on(host)));
        }
    }

    #[test]
    fn only_windows_has_suffixes() {
        assert_eq!(
            PLATFORMS.map(|platform| platform.binary("kubectl-netcheck"))[3..5],
            ["kubectl-netcheck", "kubectl-netcheck.exe"]
        );
    }
}
