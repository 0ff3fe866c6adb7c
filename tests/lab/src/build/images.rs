//! Which images the lab has and what is in them. They are made of the Go programs and of files of this
//! machine's Debian packages; nothing is downloaded.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::go::{COREDNS, FLANNEL, KUBE_ROUTER, KUBERNETES, Programs};
use super::image_tar::Image;
use crate::command::{program, run};

/// The names of the images, for the manifests.
#[derive(Debug)]
pub(crate) struct Images {
    pub(crate) kube_proxy: String,
    pub(crate) coredns: String,
    pub(crate) flannel: String,
    pub(crate) netpol: String,
}

/// The image of a pod's sandbox.
pub(crate) const PAUSE: &str = "registry.lab/pause:1";
/// A program with musl's resolver, and musl's loader by its name: what an image of Alpine shows.
const TINY: &str = "registry.lab/tiny:1";
/// busybox and curl, for whoever wants to look from inside of a pod.
const TOOLBOX: &str = "registry.lab/toolbox:1";

const BUSYBOX: &str = "/bin/busybox";
const CURL: &str = "/usr/bin/curl";
const IPTABLES: &str = "/usr/sbin/xtables-nft-multi";
/// What kube-proxy, flannel and the policy agent call.
const RULE_TOOLS: [&str; 4] = [
    IPTABLES,
    "/usr/sbin/nft",
    "/usr/sbin/ipset",
    "/usr/sbin/conntrack",
];

impl Images {
    pub(crate) fn new() -> Self {
        Self {
            kube_proxy: format!("registry.lab/kube-proxy:{KUBERNETES}"),
            coredns: format!("registry.lab/coredns:{COREDNS}"),
            flannel: format!("registry.lab/flannel:{FLANNEL}"),
            netpol: format!("registry.lab/netpol:{KUBE_ROUTER}"),
        }
    }
}

/// The files of Debian packages that go into images; when one of them changes the images are made anew.
pub(super) fn installed_files() -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = [BUSYBOX, CURL]
        .iter()
        .chain(&RULE_TOOLS)
        .map(PathBuf::from)
        .collect();
    files.extend(libraries(&RULE_TOOLS)?.into_iter().map(|(_, source)| source));
    files.extend(extensions()?);
    Ok(files)
}

/// Every image of the lab. `pause` is the built program of the sandbox, `lookup` that which asks for names through musl.
pub(super) fn all(programs: &Programs, pause: &Path, lookup: &Path) -> Result<Vec<Image>> {
    let names = Images::new();
    let mut kube_proxy = with_rule_tools(Image {
        reference: names.kube_proxy,
        files: vec![file("usr/local/bin/kube", &programs.kube)],
        // The file holds all components; the name it is started by chooses this one.
        links: vec![link("usr/local/bin/kube-proxy", "kube")],
        entrypoint: words(&["/usr/local/bin/kube-proxy"]),
        ..Image::default()
    })?;
    kube_proxy.directories.push("var/lib/kube-proxy".to_owned());
    let mut flannel = with_rule_tools(Image {
        reference: names.flannel,
        files: vec![file("opt/bin/flanneld", &programs.flannel)],
        entrypoint: words(&["/opt/bin/flanneld"]),
        ..Image::default()
    })?;
    add_busybox(&mut flannel)?;
    let netpol = with_rule_tools(Image {
        reference: names.netpol,
        files: vec![file("usr/local/bin/netpol", &programs.netpol)],
        entrypoint: words(&["/usr/local/bin/netpol"]),
        ..Image::default()
    })?;
    let coredns = Image {
        reference: names.coredns,
        files: vec![file("coredns", &programs.coredns)],
        entrypoint: words(&["/coredns"]),
        directories: words(&STANDARD_DIRECTORIES),
        ..Image::default()
    };
    let pause = Image {
        reference: PAUSE.to_owned(),
        files: vec![file("pause", pause)],
        entrypoint: words(&["/pause"]),
        directories: words(&STANDARD_DIRECTORIES),
        ..Image::default()
    };
    // The program has musl in itself; the loader is there to be seen, and nothing loads by it.
    let loader = format!("lib/ld-musl-{}.so.1", std::env::consts::ARCH);
    let tiny = Image {
        reference: TINY.to_owned(),
        files: vec![file("usr/bin/lookup", lookup)],
        links: vec![link(&loader, "../usr/bin/lookup")],
        entrypoint: words(&["/usr/bin/lookup"]),
        arguments: words(&["-"]),
        directories: words(&STANDARD_DIRECTORIES),
    };
    let mut toolbox = Image {
        reference: TOOLBOX.to_owned(),
        files: vec![file("usr/bin/curl", Path::new(CURL))],
        directories: words(&STANDARD_DIRECTORIES),
        arguments: words(&["sh"]),
        ..Image::default()
    };
    toolbox.files.extend(libraries(&[CURL])?);
    add_busybox(&mut toolbox)?;
    Ok(vec![pause, kube_proxy, coredns, flannel, netpol, tiny, toolbox])
}

const STANDARD_DIRECTORIES: [&str; 8] = ["dev", "etc", "proc", "run", "sys", "tmp", "usr/bin", "var"];

/// Adds iptables (the nf_tables kind), nft, ipset and conntrack with everything they load.
fn with_rule_tools(mut image: Image) -> Result<Image> {
    image.directories.extend(words(&STANDARD_DIRECTORIES));
    for tool in RULE_TOOLS {
        image
            .files
            .push(file(tool.trim_start_matches('/'), Path::new(tool)));
    }
    image.files.extend(rule_tool_libraries()?);
    for family in ["iptables", "ip6tables"] {
        for suffix in ["", "-save", "-restore", "-nft", "-nft-save", "-nft-restore"] {
            image
                .links
                .push(link(&format!("usr/sbin/{family}{suffix}"), "xtables-nft-multi"));
        }
    }
    Ok(image)
}

/// The shared libraries of the rule tools, the extensions that iptables loads by name, and the libraries of
/// those: `statistic` needs one that nothing else does, and kube-proxy needs `statistic` once a Service has two
/// endpoints.
fn rule_tool_libraries() -> Result<Vec<(String, PathBuf)>> {
    let mut found = libraries(&RULE_TOOLS)?;
    let extensions = extensions()?;
    let paths: Vec<String> = extensions.iter().map(|path| path.display().to_string()).collect();
    found.extend(libraries(&paths)?);
    found.extend(
        extensions
            .iter()
            .map(|path| file(path.to_string_lossy().trim_start_matches('/'), path)),
    );
    found.sort();
    found.dedup();
    Ok(found)
}

fn extensions() -> Result<Vec<PathBuf>> {
    let directory = xtables_directory()?;
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("read {}", directory.display()))? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

/// Where iptables has its extensions: a directory of Debian's multiarch triplet.
fn xtables_directory() -> Result<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let path = Path::new("/usr/lib").join(triplet).join("xtables");
    anyhow::ensure!(
        path.is_dir(),
        "{} is missing: is the package iptables installed?",
        path.display()
    );
    Ok(path)
}

/// busybox under each of its names that the image does not have otherwise.
fn add_busybox(image: &mut Image) -> Result<()> {
    image.files.push(file("bin/busybox", Path::new(BUSYBOX)));
    for applet in run(&mut program(BUSYBOX, ["--list"]))?.lines() {
        // The static wget of Debian 12 dies of SIGSEGV: better none than that one.
        if applet != "wget" && applet != "busybox" {
            image.links.push(link(&format!("bin/{applet}"), "busybox"));
        }
    }
    Ok(())
}

/// The shared libraries of some programs and the loader, each at the path where the loader looks for it.
fn libraries<S: AsRef<OsStr>>(programs: &[S]) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for path in parse_ldd(&run(&mut program("ldd", programs))?) {
        let real = fs::canonicalize(&path).with_context(|| format!("find the library {path}"))?;
        found.push((path.trim_start_matches('/').to_owned(), real));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The paths in what `ldd` prints: after `=>`, or alone where a library is named by its path.
fn parse_ldd(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let (name, _) = line.trim().split_once(" (0x")?;
            let path = name.split_once("=> ").map_or(name, |(_, path)| path);
            path.starts_with('/').then(|| path.to_owned())
        })
        .collect()
}

fn file(target: &str, source: &Path) -> (String, PathBuf) {
    (target.to_owned(), source.to_owned())
}

fn link(path: &str, target: &str) -> (String, String) {
    (path.to_owned(), target.to_owned())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldd_names_libraries_and_the_loader_but_not_the_vdso() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f4e)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f4f)\n";
        assert_eq!(
            parse_ldd(text),
            ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]
        );
        assert_eq!(parse_ldd("\tstatically linked\n"), Vec::<String>::new());
    }
}
