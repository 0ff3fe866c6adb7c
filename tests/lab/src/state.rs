//! What a lab keeps on disk: one directory per lab, named after it, outside of the clone.

use std::fmt;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::plan::{self, Leg, MAX_LABS};

/// Where the directories of all labs are.
const ROOT: &str = "/var/lib/netcheck-lab";

/// How kube-proxy writes its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ProxyMode {
    /// With iptables: what most clusters have.
    Iptables,
    /// With nftables. With nft 1.0.6 every Service is dead after a restart of kube-proxy.
    Nftables,
}

impl ProxyMode {
    /// The value of `mode` in kube-proxy's configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Nftables => "nftables",
        }
    }
}

/// What was asked for when the lab was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// How many nodes, at least 1.
    pub nodes: u8,
    /// How kube-proxy works.
    pub proxy_mode: ProxyMode,
    /// IPv4 and IPv6 for pods and Services.
    pub dual_stack: bool,
    /// Whether NetworkPolicy objects are enforced.
    pub network_policy: bool,
}

/// As a person reads it.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.nodes == 1 { "" } else { "s" };
        let families = if self.dual_stack { "IPv4 and IPv6" } else { "IPv4" };
        let policies = if self.network_policy {
            "enforced"
        } else {
            "not enforced"
        };
        let proxy = self.proxy_mode.as_str();
        write!(
            f,
            "{} node{plural}, kube-proxy with {proxy}, {families}, network policies {policies}",
            self.nodes
        )
    }
}

/// Everything about a lab that its parts need to know; written once, before anything starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The index of its leg.
    pub(crate) index: u8,
    /// What was asked for.
    pub(crate) options: Options,
}

impl Settings {
    /// The leg that the index stands for.
    pub(crate) fn leg(&self) -> Result<Leg> {
        Leg::new(self.index).with_context(|| format!("there is no leg {}", self.index))
    }

    /// The numbers of the nodes.
    pub(crate) fn node_numbers(&self) -> std::ops::RangeInclusive<u8> {
        1..=self.options.nodes
    }
}

/// The directory of one lab. The directory need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateDir {
    name: String,
    path: PathBuf,
}

/// Holds off every other `up` and `down` of the same lab until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing the file is what gives the lock back")] File);

impl StateDir {
    /// The directory of the lab of this name.
    ///
    /// # Errors
    /// When the name could not be part of a path, of a cgroup and of a host name.
    pub(crate) fn of(name: &str) -> Result<Self> {
        let fits = (1..=32).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !fits {
            bail!("{name:?} is no name for a lab: use up to 32 of a-z, 0-9 and -, and start with a letter");
        }
        Ok(Self {
            name: name.to_owned(),
            path: Path::new(ROOT).join(name),
        })
    }

    /// The lab whose directory this is: the programs inside of a lab are told their directory.
    pub(crate) fn at(path: &Path) -> Result<Self> {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .context("no name of a lab in the path")?;
        Self::of(name)
    }

    /// The names of the labs that have a directory.
    pub(crate) fn all() -> Result<Vec<String>> {
        let entries = match fs::read_dir(ROOT) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).with_context(|| format!("read {ROOT}")),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The lab's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the lab's control group in each hierarchy.
    pub(crate) fn group(&self) -> String {
        format!("netcheck-lab-{}", self.name)
    }

    /// A program that the lab runs; a link to the cache, so that the lab outlives what is built later.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.path.join("bin").join(name)
    }

    /// A certificate (`.crt`) or key (`.key`, `.pub`).
    pub(crate) fn pki(&self, file: &str) -> PathBuf {
        self.path.join("pki").join(file)
    }

    /// The kubeconfig of a user or component.
    pub(crate) fn kubeconfig(&self, who: &str) -> PathBuf {
        self.path.join("kubeconfig").join(who)
    }

    /// The log of a component, as `apiserver` or `kubelet@node1`.
    pub(crate) fn log(&self, component: &str) -> PathBuf {
        self.path.join("logs").join(format!("{component}.log"))
    }

    /// What one node keeps.
    pub(crate) fn node(&self, node: &str) -> PathBuf {
        self.path.join("nodes").join(node)
    }

    /// A file whose being there is a message between the parts of the lab.
    pub(crate) fn mark(&self, name: &str) -> PathBuf {
        self.path.join("marks").join(name)
    }

    /// Reads the settings, or `None` where there are none.
    pub(crate) fn settings(&self) -> Result<Option<Settings>> {
        let path = self.path.join("lab.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("read {}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Creates the directory, chooses an index that no other lab has, and writes the settings.
    ///
    /// `usable` says whether a leg collides with something else on this machine.
    pub(crate) fn create(&self, options: &Options, usable: impl Fn(Leg) -> bool) -> Result<Settings> {
        let root = Self::root()?;
        // Two labs that start at once must not choose the same index.
        root.lock().with_context(|| format!("lock {ROOT}"))?;
        let mut taken = Vec::new();
        for other in Self::all()? {
            if other != self.name
                && let Some(settings) = Self::of(&other)?.settings()?
            {
                taken.push(settings.index);
            }
        }
        let index = (0..MAX_LABS)
            .filter(|index| !taken.contains(index))
            .find(|&index| Leg::new(index).is_some_and(&usable))
            .context("every leg of the address plan is in use: see `ip route` and `cargo lab status`")?;
        let settings = Settings {
            index,
            options: options.clone(),
        };
        for directory in ["bin", "pki", "kubeconfig", "logs", "marks", "etcd", "outside"] {
            fs::create_dir_all(self.path.join(directory))?;
        }
        for number in settings.node_numbers() {
            fs::create_dir_all(self.node(&plan::node_name(number)))?;
        }
        fs::write(self.path.join("lab.json"), serde_json::to_vec_pretty(&settings)?)?;
        Ok(settings)
    }

    /// Waits until no other `up` or `down` of this lab runs, and keeps them waiting.
    pub(crate) fn lock(&self) -> Result<Lock> {
        Self::root()?;
        loop {
            fs::create_dir_all(&self.path).with_context(|| format!("create {}", self.path.display()))?;
            let directory = File::open(&self.path)?;
            directory
                .lock()
                .with_context(|| format!("lock {}", self.path.display()))?;
            // `down` removes the directory while it holds the lock: then this one is not it any more.
            match fs::metadata(&self.path) {
                Ok(now) if now.ino() == directory.metadata()?.ino() => return Ok(Lock(directory)),
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Removes everything in the directory and the directory itself.
    pub(crate) fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.path.display()))
            }
            _ => {
                // The root goes with the last lab; until then it is not empty.
                let _ = fs::remove_dir(ROOT);
                Ok(())
            }
        }
    }

    /// Removes everything in the directory; the directory, and with it the lock, stays.
    pub(crate) fn empty(&self) -> Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let path = entry.path();
            let removed = if entry.file_type()?.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            removed.with_context(|| format!("remove {}", path.display()))?;
        }
        Ok(())
    }

    fn root() -> Result<File> {
        fs::create_dir_all(ROOT).with_context(|| format!("create {ROOT}"))?;
        File::open(ROOT).with_context(|| format!("open {ROOT}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_directory_is_refused() {
        for name in ["", "..", "a/b", "A", "1a", "-a", "a b", &"a".repeat(33)] {
            assert!(StateDir::of(name).is_err(), "{name:?}");
        }
        for name in ["lab", "a", "e2e-1"] {
            assert!(StateDir::of(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn the_programs_inside_find_the_lab_by_its_directory() {
        let state = StateDir::of("second").unwrap();
        assert_eq!(StateDir::at(state.path()).unwrap(), state);
    }

    #[test]
    fn settings_survive_being_written() {
        let settings = Settings {
            index: 3,
            options: Options {
                nodes: 2,
                proxy_mode: ProxyMode::Nftables,
                dual_stack: true,
                network_policy: false,
            },
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }
}
