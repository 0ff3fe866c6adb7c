//! A home for krew of the test's own, with nothing in reach but kubectl, krew and git.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use packaging::manifest::{Release, Wanted, render};
use packaging::platform::Platform;
use packaging::{PLUGINS, Packer, VERSION, checksums, krew_name, template};
use tempfile::TempDir;

/// The platform of this machine.
pub(crate) fn platform() -> Platform {
    let arch = if cfg!(target_arch = "x86_64") {
        "amd64"
    } else {
        "arm64"
    };
    format!("linux/{arch}").parse().unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Bench {
    home: TempDir,
    archives: PathBuf,
    validator: PathBuf,
}

impl Bench {
    /// Says why and returns nothing where krew or the archives are not there.
    pub(crate) fn new() -> Option<Self> {
        let [krew, archives] = ["NETCHECK_RELEASE_TOOLS", "NETCHECK_ARCHIVES"].map(std::env::var_os);
        let (Some(krew), Some(archives)) = (krew, archives) else {
            println!(
                "skipped: NETCHECK_RELEASE_TOOLS and NETCHECK_ARCHIVES do not name krew and archives: run `cargo lab test`"
            );
            return None;
        };
        let krew = PathBuf::from(krew);
        let bench = Self {
            home: tempfile::tempdir().unwrap(),
            archives: archives.into(),
            validator: krew.join("validate-krew-manifest"),
        };
        let programs = bench.directory("programs");
        symlink(krew.join("krew"), programs.join("kubectl-krew")).unwrap();
        for name in ["kubectl", "git"] {
            symlink(found(name), programs.join(name)).unwrap();
        }
        bench.init_index();
        Some(bench)
    }

    pub(crate) fn archives(&self) -> &Path {
        &self.archives
    }

    /// The archive of a plugin for this machine.
    pub(crate) fn archive(&self, plugin: &str) -> PathBuf {
        self.archives.join(platform().archive(plugin, VERSION))
    }

    /// An empty directory.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.home.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The same programs as those of the archives, under another version; their times differ, and so do the checksums.
    pub(crate) fn repack(&self, version: &str) -> PathBuf {
        let to = self.directory(version);
        let from = self.directory("unpacked");
        let packer = Packer {
            version,
            license: b"licence\n",
            time: 1_000_000_000,
            to: &to,
        };
        for plugin in PLUGINS {
            let file = fs::File::open(self.archive(plugin)).unwrap();
            tar::Archive::new(flate2::read::GzDecoder::new(file))
                .unpack(&from)
                .unwrap();
            packer.pack(plugin, platform(), &from).unwrap();
        }
        to
    }

    /// Writes the manifests of all plugins into the index, for archives in `archives` that are served at `url`.
    pub(crate) fn render(&self, version: &str, archives: &Path, url: &str) {
        for plugin in PLUGINS {
            self.render_one(plugin, version, archives, url);
        }
    }

    pub(crate) fn render_one(&self, plugin: &str, version: &str, archives: &Path, url: &str) {
        let release = Release {
            version: version.to_owned(),
            repository: "https://example.org/team/suite".to_owned(),
            downloads: url.to_owned(),
        };
        let sums = checksums::of_directory(archives).unwrap();
        let template = template(root(), plugin).unwrap();
        let text = render(&template, plugin, &release, &sums, Wanted::Present).unwrap();
        fs::write(self.manifest(plugin), text).unwrap();
    }

    /// Where the manifest of a plugin is written: into the index.
    pub(crate) fn manifest(&self, plugin: &str) -> PathBuf {
        let plugins = self.directory("index/plugins");
        plugins.join(format!("{}.yaml", krew_name(plugin)))
    }

    /// A repository as ours: manifests lie beside the directories of crates.
    fn init_index(&self) {
        let index = self.directory("index");
        for plugin in PLUGINS {
            let crate_directory = self.directory(&format!("index/plugins/{plugin}"));
            fs::write(crate_directory.join("Cargo.toml"), "[package]\n").unwrap();
        }
        self.git(&["init", "--quiet", "--initial-branch=main"], &index);
    }

    /// Commits what was rendered.
    pub(crate) fn publish(&self, message: &str) {
        let index = self.directory("index");
        self.git(&["add", "--all"], &index);
        let author = ["-c", "user.name=release", "-c", "user.email=release@example.org"];
        self.git(
            &[&author[..], &["commit", "--quiet", "-m", message]].concat(),
            &index,
        );
    }

    fn git(&self, words: &[&str], directory: &Path) {
        self.run("git", words, |command| {
            command.current_dir(directory);
        })
        .well();
    }

    pub(crate) fn index_uri(&self) -> String {
        format!("file://{}", self.directory("index").display())
    }

    /// `kubectl krew ARGS…`.
    pub(crate) fn krew(&self, words: &[&str]) -> Outcome {
        self.kubectl(&[&["krew"], words].concat())
    }

    pub(crate) fn kubectl(&self, words: &[&str]) -> Outcome {
        self.run("kubectl", words, |_| ())
    }

    pub(crate) fn kubectl_on(&self, kubeconfig: &OsStr, words: &[&str]) -> Outcome {
        self.run("kubectl", words, |command| {
            command.env("KUBECONFIG", kubeconfig);
        })
    }

    /// What the index of krew runs on a manifest that is handed in.
    pub(crate) fn validate(&self, plugin: &str) -> Outcome {
        let manifest = self.manifest(plugin);
        let program = self.validator.to_string_lossy().into_owned();
        self.run(&program, &["-manifest", &manifest.to_string_lossy()], |_| ())
    }

    /// The versions of the installed plugins, in the order of [`PLUGINS`], by krew's receipts: `krew list` tells them to
    /// terminals only.
    pub(crate) fn versions(&self) -> Vec<String> {
        let receipts = self.directory("krew/receipts");
        let version = |plugin: &&str| {
            let receipt = receipts.join(format!("{}.yaml", krew_name(plugin)));
            let text = fs::read_to_string(receipt).unwrap();
            let receipt: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
            receipt["spec"]["version"].as_str().unwrap_or_default().to_owned()
        };
        PLUGINS.iter().map(version).collect()
    }

    /// Everything of installed plugins that lies in krew's home.
    pub(crate) fn installed_files(&self) -> Vec<String> {
        let krew = self.directory("krew");
        let mut files = Vec::new();
        for part in ["bin", "store", "receipts"] {
            walk(&krew.join(part), &mut files);
        }
        files
    }

    fn run(&self, program: &str, words: &[&str], more: impl FnOnce(&mut Command)) -> Outcome {
        let programs = self.directory("programs");
        let path = [self.directory("krew").join("bin"), programs.clone()];
        // Not by name: the system would look along the PATH of this process.
        let mut command = Command::new(programs.join(program));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.home.path())
            .env("KREW_ROOT", self.directory("krew"))
            .env("KREW_NO_UPGRADE_CHECK", "1")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null());
        more(&mut command);
        let begin = Instant::now();
        let output = command.output().unwrap();
        Outcome {
            line: format!("{program} {}", words.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: begin.elapsed(),
        }
    }
}

fn walk(directory: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, files);
        } else {
            files.push(path.display().to_string());
        }
    }
}

/// The full path of a program on `PATH`.
fn found(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not on PATH"))
        .canonicalize()
        .unwrap()
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Outcome {
    /// The same, if it ended with 0.
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}` ended with {:?}", self.line, self.code)?;
        write!(f, "--- stdout\n{}--- stderr\n{}", self.stdout, self.stderr)
    }
}
