//! Building the plugins for one platform.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::platform::Platform;
use crate::tools::Zig;

/// The workspace, as cargo sees it.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// Where it lies.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
}

impl Workspace {
    /// The one that this program belongs to.
    ///
    /// # Errors
    /// When cargo does not say where it builds.
    pub fn own() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("this package lies in a workspace")?
            .to_owned();
        let output = cargo()
            .current_dir(&root)
            .args(["metadata", "--format-version=1", "--no-deps", "--locked"])
            .output()
            .context("start cargo")?;
        ensure!(
            output.status.success(),
            "`cargo metadata` failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let metadata: serde_json::Value =
            serde_json::from_slice(&output.stdout).context("read `cargo metadata`")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("`cargo metadata` names no target directory")?;
        Ok(Self {
            root,
            target: target.into(),
        })
    }

    /// When the commit was made that is built, in seconds since 1970: `SOURCE_DATE_EPOCH`, else what git says.
    ///
    /// # Errors
    /// When neither tells.
    pub fn time(&self) -> Result<u64> {
        if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
            return text.parse().context("SOURCE_DATE_EPOCH is no number of seconds");
        }
        let output = Command::new("git")
            .current_dir(&self.root)
            .args(["log", "-1", "--format=%ct"])
            .output()
            .context("ask git for the time of the commit, or set SOURCE_DATE_EPOCH")?;
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .context("this is no clone with a commit in it: set SOURCE_DATE_EPOCH to the seconds since 1970 of the release")
    }
}

/// Builds the plugins and returns the directory that they lie in.
///
/// # Errors
/// When this machine cannot build for the platform, or the build fails; then cargo has said why.
pub fn compile(
    workspace: &Workspace,
    plugins: &[&str],
    platform: Platform,
    profile: &str,
) -> Result<PathBuf> {
    if !platform.is_built_on(std::env::consts::OS) {
        bail!("{platform} is not built on {}", std::env::consts::OS);
    }
    ensure_target(workspace, platform.triple())?;
    let mut command = if platform.os == "darwin" {
        let mut cargo = cargo();
        cargo.arg("build");
        cargo
    } else {
        Zig::ensure(&workspace.target.join("packaging"))?.cargo()
    };
    command
        .current_dir(&workspace.root)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&workspace.root))
        .args(["--locked", "--profile", profile, "--target", platform.triple()])
        .arg("--target-dir")
        .arg(&workspace.target)
        .args(plugins.iter().flat_map(|plugin| ["--package", plugin]));
    let status = command.status().context("start cargo")?;
    ensure!(status.success(), "the plugins do not build for {platform}");
    Ok(workspace.target.join(platform.triple()).join(profile))
}

/// What rustc is told besides what the environment tells it: programs name no directory of whoever built them, and are the same wherever
/// they were built. In cargo's encoding, which allows for blanks.
fn flags(root: &Path) -> String {
    let given = std::env::var("CARGO_ENCODED_RUSTFLAGS").ok().or_else(|| {
        let flags = std::env::var("RUSTFLAGS").ok()?;
        Some(flags.split_whitespace().collect::<Vec<_>>().join("\x1f"))
    });
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let remapped = [(home, "/cargo"), (Some(root.to_owned()), "/build")];
    let remapped = remapped
        .into_iter()
        .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())));
    given
        .into_iter()
        .filter(|flags| !flags.is_empty())
        .chain(remapped)
        .collect::<Vec<_>>()
        .join("\x1f")
}

/// Installs Rust's standard library for a target. Where there is no rustup, cargo says what it lacks.
fn ensure_target(workspace: &Workspace, triple: &str) -> Result<()> {
    let mut rustup = Command::new("rustup");
    rustup
        .current_dir(&workspace.root)
        .args(["target", "add", triple]);
    match rustup.output() {
        Ok(output) if !output.status.success() => bail!(
            "`rustup target add {triple}` failed:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
        _ => Ok(()),
    }
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
