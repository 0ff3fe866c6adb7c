//! The command line, by hand: a parser of arguments would be a third of the agent.

use std::ffi::OsString;

pub(crate) const USAGE: &str = "\
usage: netprobe serve --name NODE --run ID --tcp-port PORT --udp-port PORT
       netprobe run --name NODE --run ID    (reads a plan from standard input)
           [--pod UID]                      (in the network of this pod)
       netprobe read --name NODE --run ID   (reads what to read from standard input)
       netprobe tell --name NODE --run ID --plan JSON --file PATH   (leaves there what it read)
       netprobe version";

/// The longest name or run id: both travel behind a length of one byte, and an object's name is no longer.
const LONGEST: usize = 253;

/// What the agent is asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Serve(ServeOptions),
    Run(RunOptions),
    Read(Identity),
    /// Reads and leaves the answers in a file.
    Tell {
        identity: Identity,
        /// What to read.
        plan: String,
        file: String,
    },
    /// Becomes another program under another root; for [`super::read`] only.
    Under {
        root: String,
        command: Vec<String>,
    },
    Version,
    Help,
}

/// Who the agent is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The name of its node.
    pub(crate) name: String,
    /// The run that it belongs to.
    pub(crate) run: String,
}

/// What a prober needs to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunOptions {
    pub(crate) identity: Identity,
    /// The uid of the pod from whose network it probes; `None` for the one it was started in.
    pub(crate) pod: Option<String>,
}

/// What a server needs to know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ServeOptions {
    pub(crate) identity: Identity,
    /// 0 lets the kernel choose; the first line of output says what it chose.
    pub(crate) tcp_port: u16,
    pub(crate) udp_port: u16,
}

/// Reads the arguments behind the program's name; the error is one line for people.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut words = arguments.map(|word| {
        word.into_string()
            .map_err(|word| format!("argument {:?} is not UTF-8", word.to_string_lossy()))
    });
    let command = words.next().transpose()?;
    if command.as_deref() == Some("under") {
        return under(words);
    }
    let mut flags = Flags::default();
    while let Some(flag) = words.next().transpose()? {
        let (flag, value) = match flag.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
            None => (flag, None),
        };
        let slot = match flag.as_str() {
            "--name" => &mut flags.name,
            "--run" => &mut flags.run,
            "--tcp-port" => &mut flags.tcp_port,
            "--udp-port" => &mut flags.udp_port,
            "--pod" => &mut flags.pod,
            "--plan" => &mut flags.plan,
            "--file" => &mut flags.file,
            other => return Err(format!("unknown argument {other:?}\n{USAGE}")),
        };
        let value = match value {
            Some(value) => value,
            None => words
                .next()
                .transpose()?
                .ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?,
        };
        if slot.replace(value).is_some() {
            return Err(format!("{flag} is given twice"));
        }
    }
    if flags.pod.is_some() && command.as_deref() != Some("run") {
        return Err("only run takes a pod".to_owned());
    }
    match command.as_deref() {
        Some("serve") => Ok(Command::Serve(ServeOptions {
            tcp_port: port("--tcp-port", flags.tcp_port.take())?,
            udp_port: port("--udp-port", flags.udp_port.take())?,
            identity: flags.identity()?,
        })),
        Some("run") => match (&flags.tcp_port, &flags.udp_port) {
            (None, None) => Ok(Command::Run(RunOptions {
                pod: flags.pod.take().map(|pod| word("--pod", Some(pod))).transpose()?,
                identity: flags.identity()?,
            })),
            _ => Err("run takes no ports: they are in the plan".to_owned()),
        },
        Some("read") => match (&flags.tcp_port, &flags.udp_port) {
            (None, None) => Ok(Command::Read(flags.identity()?)),
            _ => Err("read takes no ports".to_owned()),
        },
        Some("tell") => Ok(Command::Tell {
            plan: flags
                .plan
                .take()
                .ok_or_else(|| format!("--plan is missing\n{USAGE}"))?,
            file: flags
                .file
                .take()
                .ok_or_else(|| format!("--file is missing\n{USAGE}"))?,
            identity: flags.identity()?,
        }),
        Some("version" | "--version") => Ok(Command::Version),
        Some("help" | "--help" | "-h") => Ok(Command::Help),
        Some(other) => Err(format!("unknown command {other:?}\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    }
}

fn under(words: impl Iterator<Item = Result<String, String>>) -> Result<Command, String> {
    let mut words = words.collect::<Result<Vec<_>, _>>()?.into_iter();
    match (words.next(), words.collect::<Vec<_>>()) {
        (Some(root), command) if !command.is_empty() => Ok(Command::Under { root, command }),
        _ => Err("under needs a root and a command".to_owned()),
    }
}

#[derive(Default)]
struct Flags {
    name: Option<String>,
    run: Option<String>,
    tcp_port: Option<String>,
    udp_port: Option<String>,
    pod: Option<String>,
    plan: Option<String>,
    file: Option<String>,
}

impl Flags {
    fn identity(self) -> Result<Identity, String> {
        Ok(Identity {
            name: word("--name", self.name)?,
            run: word("--run", self.run)?,
        })
    }
}

fn word(flag: &str, value: Option<String>) -> Result<String, String> {
    let value = value.ok_or_else(|| format!("{flag} is missing\n{USAGE}"))?;
    if value.is_empty() || value.len() > LONGEST {
        return Err(format!("{flag} takes 1 to {LONGEST} bytes, not {}", value.len()));
    }
    Ok(value)
}

fn port(flag: &str, value: Option<String>) -> Result<u16, String> {
    let value = value.ok_or_else(|| format!("{flag} is missing\n{USAGE}"))?;
    value
        .parse()
        .map_err(|_| format!("{flag} {value:?} is not a port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_server_needs_its_name_its_run_and_both_ports() {
        let full = "serve --name node1 --run r1 --tcp-port=7001 --udp-port 7002";
        let identity = Identity {
            name: "node1".to_owned(),
            run: "r1".to_owned(),
        };
        let expected = ServeOptions {
            identity,
            tcp_port: 7001,
            udp_port: 7002,
        };
        assert_eq!(parsed(full), Ok(Command::Serve(expected)));
        for missing in ["--name node1", "--run r1", "--tcp-port=7001", "--udp-port 7002"] {
            let error = parsed(&full.replace(missing, "")).unwrap_err();
            assert!(error.contains("is missing"), "{error}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, named) in [
            ("", "usage"),
            ("walk", "walk"),
            ("run --name", "--name"),
            ("run --name a --name b --run r", "twice"),
            ("run --name a --run r --tcp-port 1", "ports"),
            ("read --name a --run r --pod p", "pod"),
            ("run --name a --run r --pod=", "--pod"),
            ("serve --name a --run r --tcp-port 70000 --udp-port 1", "70000"),
            ("run --name a --run= ", "--run"),
            ("version --loud", "--loud"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
