//! The lab: a real Kubernetes cluster of several nodes on this machine, for tests of what only a cluster has.
//!
//! `cargo lab` is its command line. Tests open a lab that is up and work on it:
//!
//! ```no_run
//! # fn main() -> Result<(), lab::LabError> {
//! let lab = lab::Lab::open("lab")?;
//! let links = lab.node("node1").run(&["ip", "link"])?;
//! assert!(links.status.success());
//! # Ok(())
//! # }
//! ```

mod build;
mod cargo;
mod cgroups;
pub mod cli;
mod command;
mod demo;
mod down;
mod error;
mod health;
mod inside;
mod leftovers;
mod manifests;
mod pki;
mod places;
mod plan;
mod progress;
mod requirements;
mod start;
mod state;
mod suite;
mod up;

use std::path::PathBuf;
use std::process::Output;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use error::LabError;
use inside::supervisor_marks;
use places::Place;
pub use state::{Options, ProxyMode};
use state::{Settings, StateDir};

/// How long a node or a kubelet may take to be gone or back.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who talks to the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum User {
    /// May do everything.
    Admin,
    /// Has the role `edit` in the namespace `shop` and nothing anywhere else.
    Alice,
    /// Reads everything that the role `view` shows, and nodes.
    Vera,
}

impl User {
    fn file(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Alice => "alice",
            Self::Vera => "vera",
        }
    }
}

/// A lab that has been started. It may lose parts at any time: each call looks anew.
#[derive(Clone, Debug)]
pub struct Lab {
    state: StateDir,
    settings: Settings,
}

impl Lab {
    /// The lab of this name; `lab` where none was given to `cargo lab`.
    ///
    /// # Errors
    /// [`LabError::NotUp`] when it was not started.
    pub fn open(name: &str) -> Result<Self, LabError> {
        let state = StateDir::of(name)?;
        match state.settings()? {
            Some(settings) if Place::ControlPlane.holder(&state).is_some() => Ok(Self { state, settings }),
            _ => Err(LabError::NotUp(name.to_owned())),
        }
    }

    /// The name it was opened with.
    pub fn name(&self) -> &str {
        self.state.name()
    }

    /// What was asked for when it was started.
    pub fn options(&self) -> &Options {
        &self.settings.options
    }

    /// The names of its nodes, running or not: `node1`, `node2`, …
    pub fn nodes(&self) -> Vec<String> {
        self.settings.node_numbers().map(plan::node_name).collect()
    }

    /// The kubeconfig of a user. It works on this machine and needs no other file.
    pub fn kubeconfig(&self, user: User) -> PathBuf {
        self.state.kubeconfig(user.file())
    }

    /// The lab's own kubectl, of the same version as its cluster.
    pub fn kubectl(&self) -> PathBuf {
        self.state.program("kubectl")
    }

    /// One node, to run commands in. Whether there is such a node shows when something is run.
    pub fn node(&self, name: &str) -> Inside<'_> {
        Inside {
            lab: self,
            place: Place::Node(name.to_owned()),
        }
    }

    /// The world outside of the cluster: the DNS server 198.51.100.53 and the web server 198.51.100.80.
    pub fn outside(&self) -> Inside<'_> {
        Inside {
            lab: self,
            place: Place::Outside,
        }
    }

    /// The router between nodes, outside world and this machine; the control plane runs on it.
    pub fn control_plane(&self) -> Inside<'_> {
        Inside {
            lab: self,
            place: Place::ControlPlane,
        }
    }

    /// Ends a node at once, as when its plug is pulled. Its disk stays.
    pub fn node_stop(&self, name: &str) -> Result<(), LabError> {
        let place = Place::Node(self.checked(name)?);
        let Some(holder) = place.holder(&self.state) else {
            return Ok(());
        };
        kill(Pid::from_raw(holder), Signal::SIGKILL).context("end the node's first process")?;
        self.wait_until(&format!("{name} to end"), || place.holder(&self.state).is_none())
    }

    /// Starts a node that was stopped, with what is on its disk. Returns before the node is ready.
    pub fn node_start(&self, name: &str) -> Result<(), LabError> {
        let name = self.checked(name)?;
        if Place::Node(name.clone()).holder(&self.state).is_some() {
            return Ok(());
        }
        let number = self
            .settings
            .node_numbers()
            .find(|&number| plan::node_name(number) == name)
            .context("a node without a number")?;
        // Such a node has its images already, so there is nothing to fill it from.
        Ok(start::node(&self.state, number, &self.state.node(&name))?)
    }

    /// Ends the kubelet of a node and keeps it down; the node's pods go on running.
    pub fn kubelet_stop(&self, node: &str) -> Result<(), LabError> {
        let service = self.kubelet(node)?;
        std::fs::write(self.state.mark(&supervisor_marks::stopped(&service)), "")
            .context("set the mark that stops it")?;
        let running = self.state.mark(&supervisor_marks::running(&service));
        self.wait_until(&format!("{service} to end"), || !running.exists())
    }

    /// Lets the kubelet of a node run again. Returns when it has been started.
    pub fn kubelet_start(&self, node: &str) -> Result<(), LabError> {
        let service = self.kubelet(node)?;
        match std::fs::remove_file(self.state.mark(&supervisor_marks::stopped(&service))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(anyhow!(error).context("remove the mark that stops it").into());
            }
            _ => {}
        }
        let running = self.state.mark(&supervisor_marks::running(&service));
        self.wait_until(&format!("{service} to start"), || running.exists())
    }

    /// Puts an image of static programs on every node, each at `/` under its own name, as `FROM scratch` and `COPY` make it. It has
    /// no registry to come from, so pods that want it need `imagePullPolicy: IfNotPresent`.
    ///
    /// # Errors
    /// When a file cannot be read, a node does not run, or its containerd does not take the image.
    pub fn load(&self, reference: &str, programs: &[PathBuf]) -> Result<(), LabError> {
        let directory = tempfile::tempdir().context("create a directory for the image")?;
        let archive = build::pack_image(reference, programs, directory.path())?;
        for node in self.nodes() {
            let packed = std::fs::File::open(&archive).context("read the packed image")?;
            let output = self
                .node(&node)
                .command(&["ctr", "--namespace", "k8s.io", "images", "import", "-"])?
                .stdin(packed)
                .output()
                .context("start nsenter")?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(anyhow!("{node} does not take {reference}: {}", said.trim()).into());
            }
        }
        Ok(())
    }

    /// What of this lab exists on this machine, one line per thing. After `down` there is nothing.
    pub fn leftovers(&self) -> Vec<String> {
        leftovers::of(&self.state, Some(&self.settings))
    }

    /// The kubelet of a node that runs, by the name it is supervised under.
    fn kubelet(&self, node: &str) -> Result<String, LabError> {
        let place = Place::Node(self.checked(node)?);
        if place.holder(&self.state).is_none() {
            return Err(LabError::NotRunning {
                lab: self.name().to_owned(),
                place: place.to_string(),
            });
        }
        Ok(format!("kubelet@{node}"))
    }

    fn checked(&self, node: &str) -> Result<String, LabError> {
        let nodes = self.nodes();
        if nodes.iter().any(|known| known == node) {
            return Ok(node.to_owned());
        }
        Err(LabError::NoSuchNode {
            lab: self.name().to_owned(),
            node: node.to_owned(),
            nodes,
        })
    }

    fn wait_until(&self, what: &str, done: impl Fn() -> bool) -> Result<(), LabError> {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            if Instant::now() > deadline {
                return Err(anyhow!(
                    "waited {} s in vain for {what} in lab {}",
                    PATIENCE.as_secs(),
                    self.name()
                )
                .into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// What of a lab exists on this machine, also when it cannot be opened (any more).
pub fn leftovers(name: &str) -> Result<Vec<String>, LabError> {
    let state = StateDir::of(name)?;
    let settings = state.settings()?;
    Ok(leftovers::of(&state, settings.as_ref()))
}

/// A place of a lab that commands can run in: its network, its processes, its files.
#[derive(Clone, Debug)]
pub struct Inside<'a> {
    lab: &'a Lab,
    place: Place,
}

impl Inside<'_> {
    /// Runs a command to its end. Its working directory is `/`; its status is for the caller to judge.
    ///
    /// # Errors
    /// When there is no such node, when it does not run, or when `nsenter` cannot be started. A command that
    /// does not exist ends with 127 instead.
    pub fn run(&self, words: &[&str]) -> Result<Output, LabError> {
        Ok(self.command(words)?.output().context("start nsenter")?)
    }

    /// The command that [`Self::run`] runs, for those who want other pipes.
    pub fn command(&self, words: &[&str]) -> Result<std::process::Command, LabError> {
        if let Place::Node(name) = &self.place {
            self.lab.checked(name)?;
        }
        let holder = self
            .place
            .holder(&self.lab.state)
            .ok_or_else(|| LabError::NotRunning {
                lab: self.lab.name().to_owned(),
                place: self.place.to_string(),
            })?;
        Ok(places::enter(holder, words))
    }
}
