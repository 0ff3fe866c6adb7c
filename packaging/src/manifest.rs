//! krew's manifests: a template with what people wrote, and the facts of one release.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::checksums::Checksums;
use crate::platform::{PLATFORMS, Platform};

/// What a release is called and where it lies.
#[derive(Clone, Debug)]
pub struct Release {
    /// With its `v`.
    pub version: String,
    /// Where the code lives, as `https://example.org/team/suite`.
    pub repository: String,
    /// What the archives lie under, without a slash at its end.
    pub downloads: String,
}

impl Release {
    /// A release whose archives lie where GitHub puts what is attached to one.
    pub fn on_github(version: &str, repository: &str) -> Self {
        let repository = repository.trim_end_matches('/').to_owned();
        Self {
            version: version.to_owned(),
            downloads: format!("{repository}/releases/download/{version}"),
            repository,
        }
    }
}

/// Which platforms a manifest must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    Every,
    /// Those of which there are archives, and at least one.
    Present,
}

/// The archives of a release that there are no checksums of.
pub fn missing(plugins: &[&str], version: &str, sums: &Checksums) -> Vec<String> {
    let all = plugins
        .iter()
        .flat_map(|plugin| PLATFORMS.map(|platform| platform.archive(plugin, version)));
    all.filter(|archive| !sums.contains_key(archive)).collect()
}

/// Renders the manifest of `plugin` (`kubectl-netcheck`) from its template.
///
/// # Errors
/// When an archive is not among the checksums, which are never made up; when the template has a marker that is not known.
pub fn render(
    template: &str,
    plugin: &str,
    release: &Release,
    sums: &Checksums,
    wanted: Wanted,
) -> Result<String> {
    let mut platforms = String::new();
    for platform in PLATFORMS {
        let archive = platform.archive(plugin, &release.version);
        match sums.get(&archive) {
            Some(sum) => platforms.push_str(&entry(plugin, platform, &release.downloads, &archive, sum)),
            None if wanted == Wanted::Every => bail!("there is no {archive}"),
            None => {}
        }
    }
    if platforms.is_empty() {
        bail!("there is no archive of {plugin} {}", release.version);
    }
    let text = template
        .replace("{{version}}", &release.version)
        .replace("{{repository}}", &release.repository)
        .replace("{{platforms}}\n", &platforms);
    if let Some((_, rest)) = text.split_once("{{") {
        let marker = rest.split("}}").next().unwrap_or_default();
        bail!(
            "the template of {plugin} has the marker {marker:?}; known are version, repository and platforms"
        );
    }
    Ok(text)
}

fn entry(plugin: &str, platform: Platform, downloads: &str, archive: &str, sum: &str) -> String {
    let Platform { os, arch } = platform;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "    - selector:\n        matchLabels:\n          os: {os}\n          arch: {arch}\n      \
         uri: {downloads}/{archive}\n      sha256: {sum}\n      bin: {}\n",
        platform.binary(plugin)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str =
        "spec:\n  version: {{version}}\n  homepage: {{repository}}\n  platforms:\n{{platforms}}\n";

    fn release() -> Release {
        Release::on_github("v1.2.3", "https://example.org/team/suite/")
    }

    fn sums(platforms: &[Platform]) -> Checksums {
        let archive = |platform: &Platform| platform.archive("kubectl-x", "v1.2.3");
        platforms
            .iter()
            .map(|platform| (archive(platform), "ab".repeat(32)))
            .collect()
    }

    #[test]
    fn each_platform_has_its_archive_its_sum_and_its_program() {
        let text = render(
            TEMPLATE,
            "kubectl-x",
            &release(),
            &sums(&PLATFORMS[3..5]),
            Wanted::Present,
        )
        .unwrap();
        let sum = "ab".repeat(32);
        let downloads = "https://example.org/team/suite/releases/download/v1.2.3";
        assert_eq!(
            text,
            format!(
                "spec:
  version: v1.2.3
  homepage: https://example.org/team/suite
  platforms:
    - selector:
        matchLabels:
          os: darwin
          arch: arm64
      uri: {downloads}/kubectl-x_v1.2.3_darwin_arm64.tar.gz
      sha256: {sum}
      bin: kubectl-x
    - selector:
        matchLabels:
          os: windows
          arch: amd64
      uri: {downloads}/kubectl-x_v1.2.3_windows_amd64.tar.gz
      sha256: {sum}
      bin: kubectl-x.exe
"
            )
        );
    }

    #[test]
    fn no_checksum_is_made_up() {
        let sums = sums(&PLATFORMS[..5]);
        let error = render(TEMPLATE, "kubectl-x", &release(), &sums, Wanted::Every).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no kubectl-x_v1.2.3_windows_arm64.tar.gz"
        );
        assert_eq!(
            missing(&["kubectl-x"], "v1.2.3", &sums),
            ["kubectl-x_v1.2.3_windows_arm64.tar.gz"]
        );
        // Those of another version are no help.
        assert_eq!(missing(&["kubectl-x"], "v1.2.4", &sums).len(), 6);
        let none = render(
            TEMPLATE,
            "kubectl-x",
            &release(),
            &Checksums::new(),
            Wanted::Present,
        );
        assert!(none.is_err());
    }

    #[test]
    fn a_marker_that_is_not_known_is_named() {
        let template = format!("name: {{{{nmae}}}}\n{TEMPLATE}");
        let error = render(
            &template,
            "kubectl-x",
            &release(),
            &sums(&PLATFORMS),
            Wanted::Every,
        )
        .unwrap_err();
        assert!(error.to_string().contains("\"nmae\""), "{error}");
    }
}
