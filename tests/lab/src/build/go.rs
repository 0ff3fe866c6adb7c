//! The Go programs: Kubernetes, CoreDNS, flannel and what enforces network policies. They are imported as
//! modules and linked without cgo, so that each is one static file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cache::{Cache, Key};
use crate::command::{program, run};
use crate::progress::Progress;

/// The Kubernetes version of the lab, as its nodes report it; the same as in `go/kube/go.mod`.
pub(super) const KUBERNETES: &str = "v1.34.4";
/// The version of the kubectl that is newer than the lab's; its modules in `go/kubectl/go.mod` count from v0.
const KUBECTL: &str = "v1.35.10";
/// The CoreDNS version; the same as in `go/coredns/go.mod`.
pub(super) const COREDNS: &str = "v1.12.4";
/// The flannel version; the same as in `go/flannel/go.mod`.
pub(super) const FLANNEL: &str = "v0.28.4";
/// The version of kube-router, whose policy controller is used; the same as in `go/netpol/go.mod`.
pub(super) const KUBE_ROUTER: &str = "v2.2.1";

/// What a release is tried with; the versions are in `go/release/go.mod`.
const RELEASE_TOOLS: [&str; 3] = [
    "sigs.k8s.io/krew/cmd/krew",
    "sigs.k8s.io/krew/cmd/validate-krew-manifest",
    "github.com/rhysd/actionlint/cmd/actionlint",
];

const VERSION_PACKAGE: &str = "k8s.io/component-base/version";

/// Where each program lies, and the key it lies under.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) kube: PathBuf,
    pub(super) coredns: PathBuf,
    pub(super) flannel: PathBuf,
    pub(super) netpol: PathBuf,
}

/// Builds those programs that are not in the cache.
pub(super) fn build(cache: &Cache, progress: &Progress) -> Result<Programs> {
    let one = |name: &str| build_one(cache, name, progress);
    Ok(Programs {
        kube: one("kube")?,
        coredns: one("coredns")?,
        flannel: one("flannel")?,
        netpol: one("netpol")?,
    })
}

/// Builds the newer kubectl, if it is not in the cache.
pub(super) fn kubectl(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    build_one(cache, "kubectl", progress)
}

fn build_one(cache: &Cache, name: &str, progress: &Progress) -> Result<PathBuf> {
    let directory = build_packages(cache, name, &["."], progress)?;
    Ok(directory.join(name))
}

/// Builds what a release is tried with, unless it is in the cache; returns the directory of the programs.
pub(super) fn release_tools(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    build_packages(cache, "release", &RELEASE_TOOLS, progress)
}

/// Builds packages of a module into a directory of the cache. A single one, `.`, becomes a file of the module's name.
fn build_packages(cache: &Cache, name: &str, packages: &[&str], progress: &Progress) -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("go").join(name);
    let flags = linker_flags(name);
    let mut key = Key::default()
        .text_input(&flags)
        .text_input(std::env::consts::ARCH);
    for file in sources(&module)? {
        key = key.content(&file)?;
    }
    cache.entry(name, &key, |directory| {
        progress.line(name, "building; the first time this takes minutes");
        let to = if packages == ["."] {
            directory.join(name)
        } else {
            directory.to_owned()
        };
        let mut go = program("go", ["build", "-C"]);
        go.arg(&module);
        go.args(["-trimpath", "-buildvcs=false", "-ldflags", &flags, "-o"])
            .arg(to)
            .args(packages);
        run(go.env("CGO_ENABLED", "0")).map(drop)
    })
}

/// The files of a module that decide what is built, in a fixed order.
fn sources(module: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(module).with_context(|| format!("read {}", module.display()))? {
        files.push(entry?.path());
    }
    files.retain(|path| {
        path.extension()
            .is_some_and(|suffix| suffix == "go" || suffix == "mod" || suffix == "sum")
    });
    files.sort();
    Ok(files)
}

fn linker_flags(name: &str) -> String {
    let mut flags = "-s -w".to_owned();
    let version = match name {
        "kube" => Some(KUBERNETES),
        "kubectl" => Some(KUBECTL),
        _ => None,
    };
    if let Some(version) = version {
        // Otherwise every component says it is v0.0.0, and kubectl refuses to compare.
        let mut numbers = version.trim_start_matches('v').split('.');
        let [major, minor] = [(); 2].map(|()| numbers.next().unwrap_or("0"));
        for (variable, value) in [
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitTreeState", "clean"),
        ] {
            flags.extend([" -X ", VERSION_PACKAGE, ".", variable, "=", value]);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_go_modules() {
        for (module, wanted) in [
            ("kube", format!("k8s.io/kubernetes {KUBERNETES}")),
            (
                "kubectl",
                format!("k8s.io/kubectl {}", KUBECTL.replacen("v1", "v0", 1)),
            ),
            ("coredns", format!("github.com/coredns/coredns {COREDNS}")),
            ("flannel", format!("github.com/flannel-io/flannel {FLANNEL}")),
            (
                "netpol",
                format!("github.com/cloudnativelabs/kube-router/v2 {KUBE_ROUTER}"),
            ),
        ] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("go")
                .join(module)
                .join("go.mod");
            let text = fs::read_to_string(path).unwrap();
            assert!(text.contains(&wanted), "{module} does not require {wanted}");
        }
    }

    #[test]
    fn kubernetes_is_told_its_version() {
        assert!(linker_flags("kube").contains("version.gitMinor=34"));
        assert!(linker_flags("kubectl").contains("version.gitMinor=35"));
        assert_eq!(linker_flags("flannel"), "-s -w");
    }
}
