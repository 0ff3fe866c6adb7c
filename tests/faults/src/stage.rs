//! A lab that faults are played on: its places, its API, and the plugin that looks at it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use lab::{Lab, User};
use serde_json::Value;

use crate::corpus;
use crate::facts::{Facts, NAMESPACE};
use crate::fault::On;
use crate::state_of_node::{self, States};

/// What every script starts with.
const PRELUDE: &str = include_str!("prelude.sh");
/// A script that takes longer hangs.
const DEADLINE: &str = "60";
/// How often a condition is tried.
const PAUSE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Stage {
    lab: Lab,
    /// Where the plugin under test is.
    plugin: PathBuf,
}

/// What a plugin came to.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) took: Duration,
    pub(crate) output: Output,
}

impl Stage {
    pub(crate) fn new(lab: Lab, plugin: PathBuf) -> Self {
        Self { lab, plugin }
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// What the placeholders stand for at the moment.
    pub(crate) fn facts(&self) -> Result<Facts> {
        let listed = self.kubectl(&["get", "nodes,pods,services", "--all-namespaces", "--output=json"])?;
        let listed: Value = serde_json::from_str(&listed).context("read what kubectl listed")?;
        Facts::of(&listed)
    }

    /// Runs a script in a place.
    ///
    /// # Errors
    /// When it does not succeed, with what it wrote.
    pub(crate) fn run(&self, on: &On, script: &str) -> Result<()> {
        let places = match on {
            On::Nodes => self.lab.nodes(),
            _ => vec![on.to_string()],
        };
        for place in places {
            self.output_of(on, &place, script)
                .with_context(|| format!("on {place}"))?;
        }
        Ok(())
    }

    fn output_of(&self, on: &On, place: &str, script: &str) -> Result<String> {
        let script = format!("{PRELUDE}\n{script}");
        let words = ["timeout", "--kill-after=5", DEADLINE, "bash", "-c", &script];
        let mut command = match on {
            On::Node(_) | On::Nodes => self.lab.node(place).command(&words)?,
            On::ControlPlane => self.lab.control_plane().command(&words)?,
            On::Outside => self.lab.outside().command(&words)?,
            On::Api => {
                let mut command = Command::new(words[0]);
                command
                    .args(&words[1..])
                    .current_dir(corpus::home().join("workloads"));
                self.with_cluster(&mut command)?;
                command
            }
        };
        let output = command
            .stdin(Stdio::null())
            .output()
            .context("start the script")?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = [output.stderr, output.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        let status = output.status;
        match said.trim() {
            "" => bail!("`{}` ended with {status}", last_line(&script)),
            said => bail!("{said} ({status})"),
        }
    }

    /// Tries a script until it succeeds.
    ///
    /// # Errors
    /// With what it said last, after this time.
    pub(crate) fn await_success(&self, on: &On, script: &str, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            match self.run(on, script) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => sleep(PAUSE),
            }
        }
    }

    /// Runs the lab's own kubectl as its administrator.
    pub(crate) fn kubectl(&self, words: &[&str]) -> Result<String> {
        let output = self.kubectl_command(words)?.output().context("start kubectl")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("kubectl {}: {}", words.join(" "), said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Applies workloads and waits until their pods are ready.
    pub(crate) fn apply(&self, workloads: &[String]) -> Result<()> {
        let all = ["namespace"]
            .into_iter()
            .chain(workloads.iter().map(String::as_str));
        for workload in all {
            let file = corpus::workload(workload);
            self.kubectl(&["apply", "--filename", &file.to_string_lossy()])?;
        }
        let listed = self.kubectl(&[
            "--namespace",
            NAMESPACE,
            "get",
            "deployments,daemonsets",
            "--output=name",
        ])?;
        for workload in listed.lines() {
            self.kubectl(&[
                "--namespace",
                NAMESPACE,
                "rollout",
                "status",
                workload,
                "--timeout=60s",
            ])?;
        }
        Ok(())
    }

    /// Removes what [`Self::apply`] brought.
    pub(crate) fn remove(&self, workload: &str) -> Result<()> {
        let file = corpus::workload(workload);
        let file = file.to_string_lossy();
        self.kubectl(&["delete", "--ignore-not-found", "--filename", &file])
            .map(drop)
    }

    /// Runs `kubectl COMMAND WORDS…` with the plugin under test.
    pub(crate) fn look(&self, command: &str, words: &[&str]) -> Result<Look> {
        let words: Vec<&str> = command.split_whitespace().chain(words.iter().copied()).collect();
        let begin = Instant::now();
        let output = self.kubectl_command(&words)?.output().context("start kubectl")?;
        Ok(Look {
            took: begin.elapsed(),
            output,
        })
    }

    /// What each node has.
    pub(crate) fn states(&self) -> Result<States> {
        let mut states = States::new();
        for node in self.lab.nodes() {
            let output = self
                .lab
                .node(&node)
                .run(&["bash", "-c", state_of_node::SCRIPT])
                .with_context(|| node.clone())?;
            states.insert(node, String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Ok(states)
    }

    /// Waits until every node reaches every other one, and nodes are as they were.
    ///
    /// # Errors
    /// With what is still wrong, after this time.
    pub(crate) fn await_green(&self, before: Option<&States>, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            let wrong = self.wrong(before)?;
            if wrong.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{}", wrong.join("; "));
            }
            sleep(PAUSE);
        }
    }

    fn wrong(&self, before: Option<&States>) -> Result<Vec<String>> {
        if let Some(before) = before {
            let wrong = state_of_node::differences(before, &self.states()?);
            if !wrong.is_empty() {
                return Ok(wrong);
            }
        }
        let look = self.look("netcheck pod-to-pod", &["--count=1"])?;
        if look.output.status.success() {
            return Ok(Vec::new());
        }
        let said = [look.output.stdout, look.output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let summary = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        Ok(vec![format!("netcheck pod-to-pod: {summary}")])
    }

    fn kubectl_command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(self.lab.kubectl());
        command.args(words);
        self.with_cluster(&mut command)?;
        Ok(command)
    }

    /// Gives a command the cluster, and a `PATH` on which kubectl and the plugin are.
    fn with_cluster(&self, command: &mut Command) -> Result<()> {
        let kubeconfig = self.lab.kubeconfig(User::Admin);
        // What scripts keep of objects that they change goes with the lab.
        let kept = kubeconfig
            .ancestors()
            .nth(2)
            .context("where the lab is")?
            .join("kept");
        std::fs::create_dir_all(&kept).with_context(|| kept.display().to_string())?;
        command
            .env("KUBECONFIG", kubeconfig)
            .env("KEPT", kept)
            .env("PATH", self.path()?)
            .stdin(Stdio::null());
        Ok(())
    }

    fn path(&self) -> Result<OsString> {
        let kubectl = self.lab.kubectl();
        let programs = kubectl.parent().context("where kubectl is")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = [self.plugin.clone(), programs.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&path));
        std::env::join_paths(places).context("extend PATH")
    }
}

fn last_line(script: &str) -> &str {
    script.trim_end().lines().last().unwrap_or("").trim()
}
