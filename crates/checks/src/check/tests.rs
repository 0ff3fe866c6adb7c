use std::collections::BTreeSet;
use std::path::Path;

use super::CHECKS;

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_file_of_a_folder_of_checks_is_a_registered_check_of_the_same_name() {
    let names = |folder: &Path| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a folder of sources");
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let folders = |of: &Path| names(of).into_iter().filter(|path| path.is_dir());
    // A folder of checks may keep some in a folder of their own.
    let all: Vec<std::path::PathBuf> = folders(&crate_folder().join("src"))
        .flat_map(|folder| folders(&folder).chain([folder.clone()]).collect::<Vec<_>>())
        .collect();
    let stems = all
        .into_iter()
        .flat_map(|folder| names(&folder))
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let plugins = ["net_", "dns_", "ep_", "cni_", "alert_"];
    let files: BTreeSet<String> = stems
        .filter(|stem| plugins.iter().any(|plugin| stem.starts_with(plugin)))
        .map(|stem| stem.replace('_', "-"))
        .collect();
    let ids: BTreeSet<String> = CHECKS.iter().map(|check| check.id.to_owned()).collect();
    assert_eq!(files, ids);
    assert_eq!(ids.len(), CHECKS.len(), "an id is registered once");
}

#[test]
fn every_check_has_a_heading_in_the_docs_and_every_heading_a_check() {
    let docs = std::fs::read_to_string(crate_folder().join("../../docs/checks.md")).expect("docs/checks.md");
    let headings: BTreeSet<&str> = docs.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let ids: BTreeSet<&str> = CHECKS.iter().map(|check| check.id).collect();
    assert_eq!(headings, ids);
}

#[test]
fn claims_are_sentences_without_a_full_stop() {
    for check in CHECKS {
        assert!(
            !check.claim.is_empty() && !check.claim.ends_with('.'),
            "{}",
            check.id
        );
    }
}
