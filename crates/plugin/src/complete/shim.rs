//! The subcommand `completion`: the file by which kubectl's own completion finds a plugin's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, ValueHint};

use crate::entry::Program;
use crate::failure::Failure;
use crate::print::write;

const LONG: &str = "\
Print the file with which kubectl completes the words after this plugin's name, or put it in its place.

kubectl (1.26 and newer) asks a program kubectl_complete-NAME in the PATH; its own completion has to be loaded in the shell: see
kubectl completion --help. krew links only the plugin itself, so this file is yours to put there. Names of contexts, namespaces,
nodes, pods and Services are completed as well, with the flags that stand on the line.";

/// The subcommand as clap knows it.
pub(crate) fn command() -> Command {
    let install = Arg::new("install")
        .long("install")
        .value_name("DIR")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("")
        .value_hint(ValueHint::DirPath)
        .help("Write the file beside the plugin, or with =DIR there, instead of printing it");
    Command::new("completion")
        .about("Make kubectl complete what is typed after this plugin's name. Needs no cluster.")
        .long_about(LONG)
        .arg(install)
}

/// The name under which kubectl looks for it.
fn file_name(program: &Program) -> String {
    format!("kubectl_complete-{}", program.plugin)
}

fn script(program: &Program) -> String {
    let plugin = program.plugin;
    format!(
        "#!/usr/bin/env sh\n# kubectl completes `kubectl {plugin}` by this; written by `kubectl {plugin} completion`.\nexec kubectl {plugin} __complete \"$@\"\n"
    )
}

/// Prints the file, or writes it and says where.
pub(crate) fn run(program: &Program, matches: &ArgMatches, called: Option<&OsString>) -> Result<(), Failure> {
    let text = script(program);
    let Some(directory) = matches.get_one::<String>("install") else {
        return write(&text);
    };
    let directory = match directory.as_str() {
        "" => beside(called).ok_or_else(|| {
            Failure::new(
                "error: could not tell where the plugin lies; name a directory of the PATH: --install=DIR",
            )
        })?,
        named => PathBuf::from(named),
    };
    let path = directory.join(file_name(program));
    put(&path, &text).map_err(|error| {
        Failure::new(format!("error: could not write {}: {error}", path.display())).with_hint(Some(
            "name a directory of the PATH that you may write to: --install=DIR".to_owned(),
        ))
    })?;
    write(&format!("{} written\n", path.display()))
}

/// The directory of the name by which kubectl started the program: a link of krew there leads elsewhere.
fn beside(called: Option<&OsString>) -> Option<PathBuf> {
    let called = Path::new(called?);
    if called.components().count() > 1 {
        return called.parent().map(Path::to_owned);
    }
    std::env::split_paths(&std::env::var_os("PATH")?).find(|directory| directory.join(called).is_file())
}

fn put(path: &Path, text: &str) -> std::io::Result<()> {
    // A link may lead to the plugin itself, which must not be written over.
    if path.is_symlink() {
        std::fs::remove_file(path)?;
    }
    std::fs::write(path, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}
