//! Which kubeconfig files are read, and how they become one.

use std::io;
use std::path::{Path, PathBuf};

use crate::args::ConnectionArgs;
use crate::connection::given;
use crate::environment::Environment;
use crate::error::ClusterError;
use crate::kubeconfig::Kubeconfig;

/// The merged kubeconfig: the file of `--kubeconfig`, else those of `$KUBECONFIG`, else `~/.kube/config`.
///
/// A file named by the flag must exist; of the others, missing ones are skipped. A file that cannot be read or
/// understood is an error wherever it stands in the list.
pub(crate) fn load(explicit: Option<&str>, environment: &Environment) -> Result<Kubeconfig, ClusterError> {
    let paths = match explicit {
        Some(path) => {
            if let Err(error) = std::fs::metadata(path)
                && error.kind() == io::ErrorKind::NotFound
            {
                return Err(ClusterError::Kubeconfig {
                    reasons: vec![go_io("stat", path, &error)],
                });
            }
            vec![PathBuf::from(path)]
        }
        None => default_paths(environment),
    };
    let mut merged = Kubeconfig::default();
    let mut reasons = Vec::new();
    for path in paths {
        match read(&path) {
            Ok(Some(config)) => merged.merge(config),
            Ok(None) => {}
            Err(reason) => reasons.push(format!(
                "error loading config file \"{}\": {reason}",
                path.display()
            )),
        }
    }
    if reasons.is_empty() {
        Ok(merged)
    } else {
        Err(ClusterError::Kubeconfig { reasons })
    }
}

/// What a kubeconfig has names for, each sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeconfigNames {
    /// For `--context`.
    pub contexts: Vec<String>,
    /// For `--cluster`.
    pub clusters: Vec<String>,
    /// For `--user`.
    pub users: Vec<String>,
}

impl KubeconfigNames {
    /// The names of the kubeconfig that these flags and surroundings choose; nothing is asked of a cluster.
    ///
    /// # Errors
    /// When a file of it cannot be read or understood.
    pub fn read(args: &ConnectionArgs, environment: &Environment) -> Result<Self, ClusterError> {
        let config = load(given(args.kubeconfig.as_ref()).map(String::as_str), environment)?;
        Ok(Self {
            contexts: config.contexts.into_keys().collect(),
            clusters: config.clusters.into_keys().collect(),
            users: config.users.into_keys().collect(),
        })
    }
}

fn default_paths(environment: &Environment) -> Vec<PathBuf> {
    if let Some(list) = environment.raw_variable("KUBECONFIG") {
        let mut paths: Vec<PathBuf> = Vec::new();
        for path in std::env::split_paths(list) {
            if !path.as_os_str().is_empty() && !paths.contains(&path) {
                paths.push(path);
            }
        }
        return paths;
    }
    environment
        .home()
        .map(|home| home.join(".kube").join("config"))
        .into_iter()
        .collect()
}

/// The file's content, `None` when there is no such file.
fn read(path: &Path) -> Result<Option<Kubeconfig>, String> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            return Err(go_io("read", &path.display().to_string(), &error));
        }
        Err(error) => return Err(go_io("open", &path.display().to_string(), &error)),
    };
    let text = String::from_utf8(bytes).map_err(|_| "yaml: not valid UTF-8".to_owned())?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let absolute = std::path::absolute(if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    })
    .map_err(|error| go_io("getwd", &directory.display().to_string(), &error))?;
    Kubeconfig::parse(&text, &absolute).map(Some)
}

/// An error of the file system in the words that users of kubectl know: `open /x: no such file or directory`.
pub(crate) fn go_io(operation: &str, path: &str, error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    let mut characters = plain.chars();
    let lowered: String = characters
        .next()
        .map(|first| first.to_lowercase().chain(characters).collect())
        .unwrap_or_default();
    format!("{operation} {path}: {lowered}")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn write(directory: &Path, name: &str, text: &str) -> String {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn list(paths: &[&str]) -> OsString {
        std::env::join_paths(paths.iter().map(|path| if path.is_empty() { "" } else { path })).unwrap()
    }

    #[test]
    fn missing_files_of_the_list_are_skipped_and_the_first_wins() {
        let home = tempfile::tempdir().unwrap();
        let one = write(home.path(), "one", "current-context: one");
        let two = write(home.path(), "two", "current-context: two\nusers: [{name: u}]");
        let environment = Environment::empty().with("KUBECONFIG", list(&["/nope", "", &one, &two, &one]));
        let config = load(None, &environment).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("one"));
        assert!(config.users.contains_key("u"));
    }

    #[test]
    fn without_the_variable_the_file_in_the_home_directory_is_read() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".kube")).unwrap();
        write(home.path(), ".kube/config", "current-context: home");
        let environment = Environment::empty().with("HOME", home.path());
        assert_eq!(
            load(None, &environment).unwrap().current_context.as_deref(),
            Some("home")
        );
        assert_eq!(
            load(None, &environment.with("KUBECONFIG", "/nope")).unwrap(),
            Kubeconfig::default()
        );
    }

    #[test]
    fn the_file_of_the_flag_must_exist_and_is_not_merged() {
        let home = tempfile::tempdir().unwrap();
        let one = write(home.path(), "one", "current-context: one");
        let environment = Environment::empty().with("KUBECONFIG", one);
        let two = write(home.path(), "two", "users: [{name: u}]");
        assert_eq!(load(Some(&two), &environment).unwrap().current_context, None);
        let error = load(Some("/nope"), &environment).unwrap_err();
        assert_eq!(error.to_string(), "error: stat /nope: no such file or directory");
    }

    #[test]
    fn a_broken_file_is_an_error_that_names_it() {
        let home = tempfile::tempdir().unwrap();
        let broken = write(home.path(), "broken", "clusters: [");
        let fine = write(home.path(), "fine", "current-context: fine");
        let environment = Environment::empty().with("KUBECONFIG", list(&[&fine, &broken]));
        let text = load(None, &environment).unwrap_err().to_string();
        assert!(
            text.starts_with(&format!("error: error loading config file \"{broken}\": yaml: ")),
            "{text}"
        );
    }

    #[test]
    fn a_directory_is_not_a_kubeconfig() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        let text = load(Some(path), &Environment::empty()).unwrap_err().to_string();
        assert_eq!(
            text,
            format!("error: error loading config file \"{path}\": read {path}: is a directory")
        );
    }
}
