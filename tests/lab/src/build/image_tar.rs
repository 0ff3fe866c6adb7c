//! Writing a container image as a file that `ctr images import` reads: the archive that `docker save` makes,
//! with one layer.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::hex;
use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

/// An image of one layer.
#[derive(Debug, Default)]
pub(super) struct Image {
    /// The name that pods use, as `registry.lab/toolbox:1`.
    pub(super) reference: String,
    /// Files: the path in the image without a leading slash, and the file of this machine that goes there.
    pub(super) files: Vec<(String, PathBuf)>,
    /// Symbolic links: the path in the image, and what it points to.
    pub(super) links: Vec<(String, String)>,
    /// Directories beyond those that the files need.
    pub(super) directories: Vec<String>,
    /// What runs where a pod names no command.
    pub(super) entrypoint: Vec<String>,
    /// The arguments where a pod names none.
    pub(super) arguments: Vec<String>,
}

/// Where programs are looked for in every image.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Image {
    /// Writes the archive. The same image gives the same bytes.
    pub(super) fn write(&self, archive: &Path) -> Result<()> {
        let layer = archive.with_extension("layer");
        let digest = self.write_layer(&layer)?;
        let config = json!({
            "architecture": go_architecture(),
            "os": "linux",
            "config": {"Env": [PATH], "Entrypoint": self.entrypoint, "Cmd": self.arguments},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        })
        .to_string();
        let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
        let manifest =
            json!([{"Config": config_name, "RepoTags": [self.reference], "Layers": ["layer.tar"]}])
                .to_string();

        let mut tar = Builder::new(BufWriter::new(File::create(archive)?));
        append_bytes(&mut tar, &config_name, config.as_bytes())?;
        append_bytes(&mut tar, "manifest.json", manifest.as_bytes())?;
        append_file(&mut tar, "layer.tar", &layer, 0o644)?;
        tar.into_inner()?.flush()?;
        std::fs::remove_file(layer)?;
        Ok(())
    }

    /// Writes the one layer and returns its digest.
    fn write_layer(&self, path: &Path) -> Result<String> {
        let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
        let mut tar = Builder::new(Hashing {
            hash: Sha256::new(),
            out: BufWriter::with_capacity(1 << 20, file),
        });
        for directory in self.all_directories() {
            let mut header = header(
                EntryType::Directory,
                if directory == "tmp" { 0o1777 } else { 0o755 },
            );
            tar.append_data(&mut header, format!("{directory}/"), io::empty())?;
        }
        for (target, source) in &self.files {
            append_file(&mut tar, target, source, 0o755)?;
        }
        for (link, target) in &self.links {
            tar.append_link(&mut header(EntryType::Symlink, 0o777), link, target)?;
        }
        let mut hashing = tar.into_inner()?;
        hashing.out.flush()?;
        Ok(hex(&hashing.hash.finalize()))
    }

    /// The directories that are named and those that anything lies in, parents first.
    fn all_directories(&self) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = self.directories.iter().cloned().collect();
        let paths = self
            .files
            .iter()
            .map(|(path, _)| path)
            .chain(self.links.iter().map(|(path, _)| path));
        for path in paths.chain(&self.directories) {
            let mut rest = path.as_str();
            while let Some((parent, _)) = rest.rsplit_once('/') {
                all.insert(parent.to_owned());
                rest = parent;
            }
        }
        all
    }
}

/// Passes everything on and hashes it.
struct Hashing<W> {
    hash: Sha256,
    out: W,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn append_bytes<W: Write>(tar: &mut Builder<W>, name: &str, bytes: &[u8]) -> Result<()> {
    let mut header = header(EntryType::Regular, 0o644);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, name, bytes)
        .with_context(|| format!("add {name} to an image"))
}

fn append_file<W: Write>(tar: &mut Builder<W>, name: &str, source: &Path, mode: u32) -> Result<()> {
    let file = File::open(source).with_context(|| format!("open {} for an image", source.display()))?;
    let mut header = header(EntryType::Regular, mode);
    header.set_size(file.metadata()?.len());
    tar.append_data(&mut header, name, file)
        .with_context(|| format!("add {name} to an image"))
}

/// A header that says nothing about this machine: root's, from the beginning of time.
fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// This machine's architecture, in Go's words.
fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Read;

    use super::*;

    fn example(directory: &Path) -> Image {
        let program = directory.join("program");
        std::fs::write(&program, "#!").unwrap();
        Image {
            reference: "registry.lab/example:1".to_owned(),
            files: vec![("opt/bin/program".to_owned(), program)],
            links: vec![("bin/sh".to_owned(), "/opt/bin/program".to_owned())],
            directories: vec!["tmp".to_owned()],
            entrypoint: vec!["/opt/bin/program".to_owned()],
            arguments: Vec::new(),
        }
    }

    fn entries(bytes: &[u8]) -> HashMap<String, (EntryType, u32, Vec<u8>)> {
        let mut archive = tar::Archive::new(bytes);
        let mut found = HashMap::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let (kind, mode) = (entry.header().entry_type(), entry.header().mode().unwrap());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.insert(name, (kind, mode, content));
        }
        found
    }

    #[test]
    fn the_manifest_names_the_config_and_the_config_names_the_layer() {
        let directory = tempfile::tempdir().unwrap();
        let archive = directory.path().join("example.tar");
        example(directory.path()).write(&archive).unwrap();
        let outer = entries(&std::fs::read(&archive).unwrap());
        let manifest: serde_json::Value = serde_json::from_slice(&outer["manifest.json"].2).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], "registry.lab/example:1");
        let config_name = manifest[0]["Config"].as_str().unwrap();
        let config = &outer[config_name].2;
        assert_eq!(config_name, format!("{}.json", hex(&Sha256::digest(config))));
        let config: serde_json::Value = serde_json::from_slice(config).unwrap();
        let layer = &outer["layer.tar"].2;
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            format!("sha256:{}", hex(&Sha256::digest(layer)))
        );
        assert_eq!(config["config"]["Entrypoint"][0], "/opt/bin/program");
    }

    #[test]
    fn the_layer_has_every_parent_directory_and_the_sticky_tmp() {
        let directory = tempfile::tempdir().unwrap();
        let layer = directory.path().join("layer");
        example(directory.path()).write_layer(&layer).unwrap();
        let inner = entries(&std::fs::read(layer).unwrap());
        for parent in ["opt", "opt/bin", "bin"] {
            let name = format!("{parent}/");
            assert_eq!(inner[&name].0, EntryType::Directory, "{name}");
        }
        assert_eq!(inner["tmp/"].1, 0o1777);
        assert_eq!(
            inner["opt/bin/program"],
            (EntryType::Regular, 0o755, b"#!".to_vec())
        );
        assert_eq!(inner["bin/sh"].0, EntryType::Symlink);
    }

    #[test]
    fn the_same_image_gives_the_same_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let [one, two] = ["one.tar", "two.tar"].map(|name| directory.path().join(name));
        example(directory.path()).write(&one).unwrap();
        example(directory.path()).write(&two).unwrap();
        assert_eq!(std::fs::read(one).unwrap(), std::fs::read(two).unwrap());
    }
}
