//! `cargo packaging`: the release step.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use packaging::compile::{Workspace, compile};
use packaging::manifest::{Release, Wanted, missing, render};
use packaging::platform::{PLATFORMS, Platform};
use packaging::{PLUGINS, Packer, VERSION, checksums, krew_name, template};

/// Build the plugins for every platform, pack them, and render krew's manifests.
#[derive(Debug, Parser)]
#[command(name = "cargo packaging", bin_name = "cargo packaging")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build and pack all plugins, and write checksums.txt.
    Build(Build),
    /// Write checksums.txt and krew's manifests for archives that are there.
    Manifests(Manifests),
}

#[derive(Debug, Args)]
struct Build {
    /// Only these, as linux/amd64; without it, all that this machine can build.
    #[arg(long, value_name = "OS/ARCH")]
    platform: Vec<Platform>,
    /// cargo's profile: dist is what users get, release is built faster.
    #[arg(long, default_value = "dist")]
    profile: String,
    /// Where archives are put.
    #[arg(long, value_name = "DIR", default_value = "dist")]
    dist: PathBuf,
}

#[derive(Debug, Args)]
struct Manifests {
    /// Where the archives of the release lie, those of all platforms.
    #[arg(long, value_name = "DIR", default_value = "dist")]
    dist: PathBuf,
    /// Where the code lives, as https://github.com/TEAM/REPOSITORY. Archives are looked for in its release.
    #[arg(long, value_name = "URL")]
    repository: String,
    /// What the archives lie under, if it is not a release on GitHub.
    #[arg(long, value_name = "URL")]
    downloads: Option<String>,
    /// Where manifests are written; without it krew-manifests/ and plugins/, which is what a custom index reads.
    #[arg(long, value_name = "DIR")]
    out: Vec<PathBuf>,
    /// Leave out platforms of which there are no archives. For tests: no release is partial.
    #[arg(long)]
    partial: bool,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Build(wanted) => build(&wanted),
        Command::Manifests(wanted) => manifests(&wanted),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn build(wanted: &Build) -> Result<()> {
    let workspace = Workspace::own()?;
    let mut platforms = wanted.platform.clone();
    if platforms.is_empty() {
        platforms.extend(
            PLATFORMS
                .iter()
                .filter(|platform| platform.is_built_on(std::env::consts::OS)),
        );
    }
    if platforms.is_empty() {
        bail!("nothing is built on {}: use Linux or macOS", std::env::consts::OS);
    }
    let license = fs::read(workspace.root.join("LICENSE")).context("read LICENSE")?;
    fs::create_dir_all(&wanted.dist).with_context(|| format!("create {}", wanted.dist.display()))?;
    let packer = Packer {
        version: VERSION,
        license: &license,
        time: workspace.time()?,
        to: &wanted.dist,
    };
    let mut rows = Vec::new();
    for platform in platforms {
        let begin = Instant::now();
        let built = compile(&workspace, &PLUGINS, platform, &wanted.profile)?;
        let seconds = begin.elapsed().as_secs();
        for plugin in PLUGINS {
            let done = packer.pack(plugin, platform, &built)?;
            let [program, archive] = [done.program, done.size].map(kilobytes);
            rows.push(format!(
                "{plugin:<18} {:<15} {program:>8} {archive:>9} {seconds:>8} s",
                platform.to_string()
            ));
        }
    }
    let sums = write_checksums(&wanted.dist)?;
    result(format_args!(
        "{:<18} {:<15} {:>8} {:>9} {:>10}",
        "plugin", "platform", "program", "archive", "all built"
    ));
    for row in rows {
        result(row);
    }
    let lacking = missing(&PLUGINS, VERSION, &sums);
    if !lacking.is_empty() {
        note(format_args!(
            "{} archives of {VERSION} are not in {} yet:\n  {}",
            lacking.len(),
            wanted.dist.display(),
            lacking.join("\n  ")
        ));
    }
    Ok(())
}

fn kilobytes(bytes: u64) -> String {
    format!("{} kB", bytes.div_ceil(1000))
}

fn manifests(wanted: &Manifests) -> Result<()> {
    let workspace = Workspace::own()?;
    let mut release = Release::on_github(VERSION, &wanted.repository);
    if let Some(downloads) = &wanted.downloads {
        downloads.trim_end_matches('/').clone_into(&mut release.downloads);
    }
    let sums = write_checksums(&wanted.dist)?;
    let lacking = missing(&PLUGINS, VERSION, &sums);
    if !lacking.is_empty() && !wanted.partial {
        bail!(
            "{} archives are not in {}, and no checksum is made up:\n  {}\n\
             build them where they can be built, and put them there",
            lacking.len(),
            wanted.dist.display(),
            lacking.join("\n  ")
        );
    }
    let platforms = if wanted.partial {
        Wanted::Present
    } else {
        Wanted::Every
    };
    let mut rendered = Vec::new();
    for plugin in PLUGINS {
        let template = template(&workspace.root, plugin)?;
        let text = render(&template, plugin, &release, &sums, platforms)?;
        rendered.push((format!("{}.yaml", krew_name(plugin)), text));
    }
    let mut directories = wanted.out.clone();
    if directories.is_empty() {
        directories.extend(["krew-manifests", "plugins"].map(|directory| workspace.root.join(directory)));
    }
    for directory in &directories {
        write_all(directory, &rendered)?;
    }
    Ok(())
}

fn write_all(directory: &Path, files: &[(String, String)]) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    for (name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        result(path.display());
    }
    Ok(())
}

fn write_checksums(dist: &Path) -> Result<checksums::Checksums> {
    let sums = checksums::of_directory(dist)?;
    let path = dist.join(checksums::FILE);
    fs::write(&path, checksums::text(&sums)).with_context(|| format!("write {}", path.display()))?;
    Ok(sums)
}

/// A line on standard output: a result.
fn result(text: impl std::fmt::Display) {
    // A reader that went away must not end the work.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line on standard error.
fn note(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
