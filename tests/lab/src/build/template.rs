//! The images, imported and unpacked once into a containerd root directory. Nodes link its files instead of
//! importing: that makes the difference between 16 and 4 seconds until a node registers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::cache::{Cache, Key};
use super::go::Programs;
use super::images;
use crate::command::{program, run, succeeds};
use crate::progress::Progress;

/// Part of the key: what is done here and in the neighbours, apart from its inputs. Count up on a change.
const RECIPE: &str = "3";

const START_PATIENCE: Duration = Duration::from_secs(20);

/// The root directory with all images.
pub(super) fn build(cache: &Cache, programs: &Programs, progress: &Progress) -> Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("images");
    let (pause_source, lookup_source) = (sources.join("pause.rs"), sources.join("lookup.rs"));
    let containerd = which::which("containerd").context("containerd")?;
    let mut key = Key::default()
        .text_input(RECIPE)
        .content(&pause_source)?
        .content(&lookup_source)?
        .installed(&containerd)?;
    // A program's path names the key of its own inputs.
    for one in [
        &programs.kube,
        &programs.coredns,
        &programs.flannel,
        &programs.netpol,
    ] {
        key = key.text_input(&one.to_string_lossy());
    }
    for file in images::installed_files()? {
        key = key.installed(&file)?;
    }
    let directory = cache.entry("images", &key, |directory| {
        progress.line("images", "packing and unpacking");
        let (pause, lookup) = (directory.join("pause"), directory.join("lookup"));
        build_static(&pause_source, &pause)?;
        build_static(&lookup_source, &lookup)?;
        let containerd = Containerd::start(directory)?;
        for image in images::all(programs, &pause, &lookup)? {
            let archive = directory.join("image.tar");
            image
                .write(&archive)
                .with_context(|| format!("pack {}", image.reference))?;
            containerd
                .import(&archive)
                .with_context(|| format!("import {}", image.reference))?;
            fs::remove_file(archive)?;
        }
        containerd.stop()?;
        fs::remove_file(lookup)?;
        Ok(fs::remove_file(pause)?)
    })?;
    Ok(directory.join("root"))
}

/// Builds a program as one static file, with musl for a C library.
fn build_static(source: &Path, target: &Path) -> Result<()> {
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let mut rustc = program(
        "rustc",
        [
            "--edition=2024",
            "-Copt-level=z",
            "-Cpanic=abort",
            "-Cstrip=symbols",
        ],
    );
    run(rustc.args(["--target", &triple, "-o"]).arg(target).arg(source))
        .with_context(|| format!("build {}", source.display()))
        .map(drop)
}

/// A containerd that only imports: no CRI, its own root, its own socket.
struct Containerd {
    process: Child,
    directory: PathBuf,
}

impl Containerd {
    fn start(directory: &Path) -> Result<Self> {
        let at = |name: &str| directory.join(name).display().to_string();
        let config = format!(
            "version = 2\nroot = \"{}\"\nstate = \"{}\"\n\
             disabled_plugins = [\"io.containerd.internal.v1.opt\", \"io.containerd.grpc.v1.cri\", \"io.containerd.cri.v1.images\", \
             \"io.containerd.cri.v1.runtime\"]\n[grpc]\n  address = \"{}\"\n",
            at("root"),
            at("run"),
            at("run/socket")
        );
        fs::write(directory.join("config.toml"), config)?;
        let log = File::create(directory.join("log"))?;
        let process = program("containerd", ["--config", &at("config.toml")])
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start containerd")?;
        let containerd = Self {
            process,
            directory: directory.to_owned(),
        };
        let deadline = Instant::now() + START_PATIENCE;
        while !succeeds(&mut containerd.ctr(&["version"])) {
            if Instant::now() > deadline {
                let said = fs::read_to_string(directory.join("log"))?;
                bail!("containerd does not answer; its last words: {}", last_line(&said));
            }
            sleep(Duration::from_millis(50));
        }
        Ok(containerd)
    }

    fn ctr(&self, words: &[&str]) -> std::process::Command {
        let mut command = program("ctr", ["--address"]);
        command
            .arg(self.directory.join("run/socket"))
            .args(["--namespace", "k8s.io"])
            .args(words);
        command
    }

    fn import(&self, archive: &Path) -> Result<()> {
        run(self.ctr(&["images", "import"]).arg(archive)).map(drop)
    }

    /// Ends it and removes everything but the root directory.
    fn stop(mut self) -> Result<()> {
        // Everything imported is on disk once `ctr` has returned.
        self.process.kill().context("end containerd")?;
        self.process.wait()?;
        fs::remove_dir_all(self.directory.join("run"))?;
        for file in ["config.toml", "log"] {
            fs::remove_file(self.directory.join(file))?;
        }
        Ok(())
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // After `stop` there is nothing to end, and on an error there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn last_line(text: &str) -> &str {
    text.trim_end().lines().next_back().unwrap_or("(none)")
}
