//! The archives of a release in the hands of the real krew: installed, run by the real kubectl, upgraded, removed, and
//! refused where they should be.
//!
//! `cargo lab test` builds what these tests need and names it in `NETCHECK_RELEASE_TOOLS` (a directory with `krew` and
//! `validate-krew-manifest`) and `NETCHECK_ARCHIVES` (what `cargo packaging build` made for this machine).

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what cannot be set up fails, and figures are printed"
)]

#[path = "krew/bench.rs"]
mod bench;
#[path = "krew/web.rs"]
mod web;

use std::fs;

use bench::Bench;
use packaging::archive::{Entry, pack};
use packaging::{PLUGINS, VERSION, krew_name};

/// What an older release is called in these tests.
const OLDER: &str = "v0.0.9";

#[test]
fn each_plugin_is_installed_from_its_archive_run_and_removed_without_a_trace() {
    let Some(bench) = Bench::new() else { return };
    // Nobody answers there: with --archive nothing is downloaded.
    bench.render(VERSION, bench.archives(), "https://nowhere.invalid");
    bench.publish("all plugins");
    bench.krew(&["index", "add", "suite", &bench.index_uri()]).well();
    for plugin in PLUGINS {
        let name = krew_name(plugin);
        let manifest = format!("--manifest={}", bench.manifest(plugin).display());
        let archive = format!("--archive={}", bench.archive(plugin).display());
        let installed = bench.krew(&["install", &manifest, &archive]).well();
        assert!(
            installed.stderr.contains(&format!("Installed plugin: {name}")),
            "{installed}"
        );
        println!("`kubectl krew install` of {name}: {:.2?}", installed.took);

        let version = bench.kubectl(&[name, "--version"]).well();
        assert_eq!(version.stdout, format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
        let help = bench.kubectl(&[name, "--help"]).well();
        assert!(help.stdout.contains(&format!("Usage: kubectl {name}")), "{help}");
    }

    let listed = bench.kubectl(&["plugin", "list", "--name-only"]).well();
    let mut expected = PLUGINS.map(str::to_owned).to_vec();
    expected.push("kubectl-krew".to_owned());
    expected.sort_unstable();
    let mut names: Vec<_> = listed
        .stdout
        .lines()
        .filter(|line| line.starts_with("kubectl-"))
        .collect();
    names.sort_unstable();
    assert_eq!(names, expected, "{listed}");
    assert!(!listed.stderr.to_lowercase().contains("warning"), "{listed}");

    for plugin in PLUGINS {
        bench.krew(&["uninstall", krew_name(plugin)]).well();
    }
    assert_eq!(bench.installed_files(), Vec::<String>::new());
    let gone = bench.kubectl(&["netcheck", "--version"]);
    assert_ne!(gone.code, Some(0), "{gone}");
}

#[test]
fn a_custom_index_installs_and_upgrades() {
    let Some(bench) = Bench::new() else { return };
    let older = bench.repack(OLDER);
    let web = web::Server::start(&older);
    bench.render(OLDER, &older, &web.url());
    bench.publish("an older release");
    bench.krew(&["index", "add", "suite", &bench.index_uri()]).well();
    for plugin in PLUGINS {
        let name = krew_name(plugin);
        bench.krew(&["install", &format!("suite/{name}")]).well();
    }
    assert_eq!(bench.versions(), PLUGINS.map(|_| OLDER), "as installed");

    let web = web::Server::start(bench.archives());
    bench.render(VERSION, bench.archives(), &web.url());
    bench.publish("a newer release");
    let upgraded = bench.krew(&["upgrade"]).well();
    assert_eq!(bench.versions(), PLUGINS.map(|_| VERSION), "{upgraded}");
    for plugin in PLUGINS {
        let name = krew_name(plugin);
        bench.kubectl(&[name, "--help"]).well();
        let left = bench.installed_files();
        assert!(
            left.iter().any(|file| file.contains(VERSION)) && !left.iter().any(|file| file.contains(OLDER)),
            "{left:?}"
        );
    }
    for plugin in PLUGINS {
        bench.krew(&["uninstall", krew_name(plugin)]).well();
    }
    bench.krew(&["index", "remove", "suite"]).well();
    assert_eq!(bench.installed_files(), Vec::<String>::new());
}

#[test]
fn the_check_of_krew_s_index_accepts_the_manifests() {
    let Some(bench) = Bench::new() else { return };
    let web = web::Server::start(bench.archives());
    bench.render(VERSION, bench.archives(), &web.url());
    for plugin in PLUGINS {
        let judged = bench.validate(plugin).well();
        println!(
            "validate-krew-manifest {}: {:.2?}",
            krew_name(plugin),
            judged.took
        );
    }
}

#[test]
fn an_archive_that_is_not_the_one_of_the_manifest_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let other = bench.repack(OLDER);
    bench.render(OLDER, &other, "https://nowhere.invalid");
    let manifest = format!("--manifest={}", bench.manifest(PLUGINS[0]).display());
    let archive = format!("--archive={}", bench.archive(PLUGINS[0]).display());
    let refused = bench.krew(&["install", &manifest, &archive]);
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("checksum does not match"), "{refused}");
    assert_eq!(bench.installed_files(), Vec::<String>::new());
}

#[test]
fn an_archive_without_a_licence_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let [plugin, ..] = PLUGINS;
    let bare = bench.directory("bare");
    let name = bench.archive(plugin).file_name().unwrap().to_owned();
    let program = Entry {
        name: plugin,
        content: b"#!/bin/sh\n",
        mode: 0o755,
    };
    pack(&[program], 0, fs::File::create(bare.join(&name)).unwrap()).unwrap();
    let web = web::Server::start(&bare);
    bench.render_one(plugin, VERSION, &bare, &web.url());
    let refused = bench.validate(plugin);
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.stderr.contains("LICENSE"), "{refused}");
}

#[test]
fn installed_by_krew_it_probes_a_cluster() {
    let Some(bench) = Bench::new() else { return };
    let Some(kubeconfig) = std::env::var_os("KUBECONFIG") else {
        println!("skipped: KUBECONFIG names no cluster: run `cargo lab test`");
        return;
    };
    bench.render(VERSION, bench.archives(), "https://nowhere.invalid");
    let manifest = format!("--manifest={}", bench.manifest("kubectl-netcheck").display());
    let archive = format!("--archive={}", bench.archive("kubectl-netcheck").display());
    bench.krew(&["install", &manifest, &archive]).well();
    let probed = bench.kubectl_on(&kubeconfig, &["netcheck", "pod-to-pod"]).well();
    assert!(probed.stdout.contains("node1"), "{probed}");
}
