//! What a lab needs of this machine, and how to get what is missing.

use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use crate::command::{program, run};
use crate::progress::Progress;

/// A file that must be there, and the Debian package that brings it.
struct Need {
    /// A program that is looked for on `PATH` and in the `sbin` directories, or an absolute path.
    file: &'static str,
    package: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        file: "containerd",
        package: "containerd",
    },
    Need {
        file: "ctr",
        package: "containerd",
    },
    Need {
        file: "runc",
        package: "runc",
    },
    Need {
        file: "/usr/lib/cni/bridge",
        package: "containernetworking-plugins",
    },
    Need {
        file: "/usr/sbin/xtables-nft-multi",
        package: "iptables",
    },
    Need {
        file: "/usr/sbin/nft",
        package: "nftables",
    },
    Need {
        file: "/usr/sbin/ipset",
        package: "ipset",
    },
    Need {
        file: "/usr/sbin/conntrack",
        package: "conntrack",
    },
    Need {
        file: "/bin/busybox",
        package: "busybox-static",
    },
    Need {
        file: "/usr/bin/curl",
        package: "curl",
    },
    Need {
        file: "ip",
        package: "iproute2",
    },
    Need {
        file: "ethtool",
        package: "ethtool",
    },
    Need {
        file: "unshare",
        package: "util-linux",
    },
    Need {
        file: "nsenter",
        package: "util-linux",
    },
    Need {
        file: "ldd",
        package: "libc-bin",
    },
];

/// What packing the plugins and trying them with krew needs beyond that.
const PACKAGE_NEEDS: &[Need] = &[
    Need {
        file: "git",
        package: "git",
    },
    Need {
        file: "pip3",
        package: "python3-pip",
    },
];

/// Where Debian keeps programs for root, which need not be on `PATH`.
const SBIN: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The oldest Go that builds the components.
const GO: &str = "Go 1.25 or newer (https://go.dev/dl)";

/// What to do about what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Say so and stop.
    Report,
    /// Install it where that is possible, then look again.
    Install,
}

/// Sees that everything is there to start a lab.
pub(crate) fn ensure(missing: Missing) -> Result<()> {
    ensure_root()?;
    if missing == Missing::Install {
        install()?;
    }
    let mut lacking = Vec::new();
    let packages = missing_packages();
    if !packages.is_empty() {
        lacking.push(format!(
            "Debian packages: {packages}; `apt-get update && apt-get install --yes {packages}`, or add --install",
            packages = packages.join(" ")
        ));
    }
    if find("go").is_none() {
        lacking.push(GO.to_owned());
    }
    let triple = agent_triple();
    if !target_is_installed(&triple) {
        lacking.push(format!(
            "the Rust target {triple}; `rustup target add {triple}`, or add --install"
        ));
    }
    if lacking.is_empty() {
        return Ok(());
    }
    bail!("missing on this machine:\n  {}", lacking.join("\n  "))
}

/// A lab makes namespaces and control groups.
pub(crate) fn ensure_root() -> Result<()> {
    if geteuid().is_root() {
        return Ok(());
    }
    bail!("a lab needs root: run it with `sudo --preserve-env=PATH cargo lab …`")
}

/// Installs what packing the plugins needs.
pub(crate) fn install_for_packages() -> Result<()> {
    install_packages(&packages_of(PACKAGE_NEEDS, |file| find(file).is_some()))
}

fn install() -> Result<()> {
    install_packages(&missing_packages())?;
    let triple = agent_triple();
    if !target_is_installed(&triple) && find("rustup").is_some() {
        Progress::new().line("rust target", &triple);
        run(&mut program("rustup", ["target", "add", &triple]))?;
    }
    Ok(())
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if !packages.is_empty() {
        let apt = find("apt-get").with_context(|| {
            format!(
                "this machine has no apt-get: install what brings these yourself: {}",
                packages.join(" ")
            )
        })?;
        Progress::new().line("packages", packages.join(" "));
        run(program(&apt, ["update"]).env("DEBIAN_FRONTEND", "noninteractive")).context("apt-get update")?;
        let mut command = program(&apt, ["install", "--yes", "--no-install-recommends"]);
        run(command.args(packages).env("DEBIAN_FRONTEND", "noninteractive")).context("apt-get install")?;
    }
    Ok(())
}

/// The packages of what is missing, each once.
fn missing_packages() -> Vec<&'static str> {
    packages_of(NEEDS, |file| find(file).is_some())
}

fn packages_of(needs: &[Need], is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages: Vec<&str> = needs
        .iter()
        .filter(|need| !is_there(need.file))
        .map(|need| need.package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn find(file: &str) -> Option<std::path::PathBuf> {
    if file.starts_with('/') {
        return Path::new(file).exists().then(|| file.into());
    }
    which::which(file).ok().or_else(|| {
        SBIN.iter()
            .map(|directory| Path::new(directory).join(file))
            .find(|path| path.exists())
    })
}

/// The target of what runs in pods: static, for this machine.
fn agent_triple() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

fn target_is_installed(triple: &str) -> bool {
    let Ok(directory) = run(&mut program(
        "rustc",
        ["--print=target-libdir", "--target", triple],
    )) else {
        return false;
    };
    Path::new(directory.trim()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_brings_two_files_is_named_once() {
        assert_eq!(
            packages_of(NEEDS, |file| file != "containerd" && file != "ctr"),
            ["containerd"]
        );
        assert_eq!(packages_of(NEEDS, |_| true), Vec::<&str>::new());
    }

    #[test]
    fn a_file_that_is_not_there_is_not_found() {
        assert!(find("/nowhere/at/all").is_none());
        assert!(find("no-such-program-anywhere").is_none());
        assert!(find("/").is_some());
    }
}
