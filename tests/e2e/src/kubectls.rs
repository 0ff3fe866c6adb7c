//! kubectl in every version at hand.

use std::path::PathBuf;

/// kubectl in every version that can be found: those that `NETCHECK_KUBECTLS` lists (as `PATH` does), else
/// `kubectl.1.NN` beside the real file of the `kubectl` in the path, else that one; and the one of `NETCHECK_NEWER_KUBECTL`,
/// which `cargo lab test` builds.
pub fn kubectls() -> Vec<PathBuf> {
    if let Some(list) = std::env::var_os("NETCHECK_KUBECTLS") {
        return std::env::split_paths(&list).collect();
    }
    let mut found = on_this_machine();
    found.extend(std::env::var_os("NETCHECK_NEWER_KUBECTL").map(PathBuf::from));
    found
}

fn on_this_machine() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|directory| directory.join("kubectl"))
        .find(|path| path.is_file());
    let Some(real) = found.and_then(|path| path.canonicalize().ok()) else {
        return Vec::new();
    };
    let siblings = real
        .parent()
        .and_then(|directory| std::fs::read_dir(directory).ok())
        .into_iter()
        .flatten();
    let mut versions: Vec<PathBuf> = siblings
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("kubectl.1."))
        })
        .collect();
    versions.sort();
    if versions.is_empty() { vec![real] } else { versions }
}
