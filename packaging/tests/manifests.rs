//! What krew and those who review its index ask of a manifest, held against what the templates become.

#![expect(clippy::unwrap_used, reason = "a manifest that is no YAML fails")]

use std::collections::BTreeSet;
use std::path::Path;

use packaging::checksums::Checksums;
use packaging::manifest::{Release, Wanted, render};
use packaging::platform::PLATFORMS;
use packaging::{PLUGINS, VERSION, krew_name, template};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The manifests as they would be if every archive had the same checksum.
fn manifests() -> Vec<(&'static str, Value)> {
    let release = Release::on_github(VERSION, "https://example.org/team/suite");
    let of = |plugin| {
        let archives = PLATFORMS.map(|platform| (platform.archive(plugin, VERSION), "0f".repeat(32)));
        let sums = Checksums::from(archives);
        let text = render(
            &template(root(), plugin).unwrap(),
            plugin,
            &release,
            &sums,
            Wanted::Every,
        );
        (plugin, serde_saphyr::from_str(&text.unwrap()).unwrap())
    };
    PLUGINS.into_iter().map(of).collect()
}

#[test]
fn a_manifest_is_named_for_its_plugin_and_says_its_version() {
    for (plugin, manifest) in manifests() {
        assert_eq!(
            manifest["apiVersion"],
            "krew.googlecontainertools.github.com/v1alpha2"
        );
        assert_eq!(manifest["kind"], "Plugin");
        assert_eq!(manifest["metadata"]["name"], krew_name(plugin));
        let spec = &manifest["spec"];
        assert_eq!(spec["version"], format!("v{}", env!("CARGO_PKG_VERSION")));
        assert_eq!(spec["homepage"], "https://example.org/team/suite");
    }
}

#[test]
fn descriptions_are_as_reviewers_of_the_index_want_them() {
    for (plugin, manifest) in manifests() {
        let text = |field: &str| manifest["spec"][field].as_str().unwrap().to_owned();
        let short = text("shortDescription");
        assert!((1..=50).contains(&short.chars().count()), "{plugin}: {short}");
        assert!(
            !short.ends_with('.') && !short.contains('\n'),
            "{plugin}: {short}"
        );
        for word in ["kubectl", "Kubernetes", "plugin"] {
            assert!(!short.contains(word), "{plugin}: {short}");
        }
        for field in ["description", "caveats"] {
            let text = text(field);
            assert!(
                text.lines().all(|line| line.chars().count() <= 80),
                "{plugin}: {text}"
            );
            // No usage and no options: those are for --help.
            assert!(
                !text.contains("kubectl ") && !text.contains("--"),
                "{plugin}: {text}"
            );
        }
    }
}

#[test]
fn six_platforms_are_told_apart_by_go_s_names() {
    for (plugin, manifest) in manifests() {
        let platforms = manifest["spec"]["platforms"].as_array().unwrap();
        let mut seen = BTreeSet::new();
        for platform in platforms {
            let labels = &platform["selector"]["matchLabels"];
            let [os, arch] = ["os", "arch"].map(|label| labels[label].as_str().unwrap());
            assert!(["linux", "darwin", "windows"].contains(&os), "{plugin}: {os}");
            assert!(["amd64", "arm64"].contains(&arch), "{plugin}: {arch}");
            assert!(seen.insert((os, arch)), "{plugin}: two for {os}/{arch}");
            assert_eq!(
                platform.get("files"),
                None,
                "everything of an archive is installed"
            );
            let suffix = if os == "windows" { ".exe" } else { "" };
            assert_eq!(platform["bin"], format!("{plugin}{suffix}"));
            let archive = format!("{plugin}_{VERSION}_{os}_{arch}.tar.gz");
            let under = format!("https://example.org/team/suite/releases/download/{VERSION}/");
            assert_eq!(platform["uri"], under + &archive);
            assert_eq!(platform["sha256"], "0f".repeat(32));
        }
        assert_eq!(seen.len(), 6, "{plugin}");
    }
}

/// A custom index reads the manifests in `plugins/`: what lies there is what lies in `krew-manifests/`.
#[test]
fn what_a_custom_index_reads_is_what_the_release_step_rendered() {
    for plugin in PLUGINS {
        let name = format!("{}.yaml", krew_name(plugin));
        let [rendered, index] = ["krew-manifests", "plugins"]
            .map(|directory| std::fs::read_to_string(root().join(directory).join(&name)).ok());
        assert_eq!(rendered, index, "{name}");
        if rendered.is_none() {
            println!("skipped: there is no {name} before the first release");
        }
    }
}
