//! The command line of `cargo lab`.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::plan::MAX_NODES;
use crate::progress::{note, result};
use crate::requirements::{self, Missing};
use crate::state::{Options, ProxyMode, StateDir};
use crate::{Lab, User, cargo, demo, down, health, inside, leftovers, suite, up};

/// A real Kubernetes cluster of several nodes on this machine, for tests.
#[derive(Debug, Parser)]
#[command(name = "cargo lab", bin_name = "cargo lab")]
struct Cli {
    /// Which lab; several can stand side by side.
    #[arg(long, global = true, default_value = "lab")]
    name: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the lab; the first time, build its parts.
    Up(Up),
    /// End the lab; nothing of it stays.
    Down,
    /// Say whether the lab is up and well.
    Status,
    /// Print the path of a kubeconfig.
    Kubeconfig {
        /// Whose: admin may do everything, alice edits in the namespace shop, vera only reads.
        #[arg(long, value_enum, default_value = "admin")]
        user: User,
    },
    /// Run a command on a node.
    Node {
        /// node1, node2, …
        node: String,
        /// The command and its arguments, after `--`.
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
    /// Run a command in the world outside of the cluster.
    Outside {
        /// The command and its arguments, after `--`.
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
    /// Run a command on the router, where the control plane runs.
    ControlPlane {
        /// The command and its arguments, after `--`.
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
    /// End a node at once, as when its plug is pulled.
    NodeStop {
        /// node1, node2, …
        node: String,
    },
    /// Start a stopped node again, with what is on its disk.
    NodeStart {
        /// node1, node2, …
        node: String,
    },
    /// End a node's kubelet; its pods go on running.
    KubeletStop {
        /// node1, node2, …
        node: String,
    },
    /// Let a node's kubelet run again.
    KubeletStart {
        /// node1, node2, …
        node: String,
    },
    /// Put an image of static programs on all nodes.
    Load {
        /// The name that pods use, as network-check:v0.1.0.
        image: String,
        /// The programs; each lies at `/` under its own name.
        #[arg(required = true)]
        programs: Vec<PathBuf>,
    },
    /// Print what a component has logged.
    Logs {
        /// As apiserver or kubelet@node1; an unknown one lists those that there are.
        component: String,
    },
    /// Install and build what is missing, start the lab and run the plugin on it.
    Demo,
    /// Run all tests: those without a cluster, then those on a lab of their own.
    Test {
        /// Only the end-to-end tests that need no access to nodes, on this cluster.
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
    },
    /// Break a lab in known ways, ask the plugins what is wrong, and keep the score.
    #[command(disable_help_flag = true)]
    Faults {
        /// As `--only 'N-*'`; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        words: Vec<String>,
    },
    /// First process of a place.
    #[command(name = "__control-plane", hide = true)]
    InsideControlPlane { state: PathBuf },
    /// First process of a place.
    #[command(name = "__outside", hide = true)]
    InsideOutside { state: PathBuf },
    /// First process of a place.
    #[command(name = "__node", hide = true)]
    InsideNode { state: PathBuf, number: u8 },
    /// Start a program and leave it to itself.
    #[command(name = "__launch", hide = true)]
    Launch {
        state: PathBuf,
        #[arg(long)]
        parent: Option<u32>,
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Up {
    #[command(flatten)]
    options: UpOptions,
    /// Install missing Debian packages and Rust targets.
    #[arg(long)]
    install: bool,
}

#[derive(Debug, Args)]
struct UpOptions {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_NODES)))]
    nodes: u8,
    /// How kube-proxy writes its rules.
    #[arg(long, value_enum, default_value = "iptables")]
    proxy_mode: ProxyMode,
    /// IPv4 and IPv6 for pods and Services.
    #[arg(long)]
    dual_stack: bool,
    /// Leave out what enforces NetworkPolicy objects.
    #[arg(long)]
    no_network_policy: bool,
}

impl UpOptions {
    /// What `up` takes when nothing is said.
    fn default_options() -> Options {
        Options {
            nodes: 3,
            proxy_mode: ProxyMode::Iptables,
            dual_stack: false,
            network_policy: true,
        }
    }

    fn options(&self) -> Options {
        Options {
            nodes: self.nodes,
            proxy_mode: self.proxy_mode,
            dual_stack: self.dual_stack,
            network_policy: !self.no_network_policy,
        }
    }
}

/// Parses the command line and does what it says. Errors are on standard error; the status is 1 for an error
/// of the lab, 2 for one of usage, and that of the command for `node`, `outside` and `control-plane`.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    let state = StateDir::of(&cli.name)?;
    match cli.command {
        Command::Up(arguments) => {
            requirements::ensure(if arguments.install {
                Missing::Install
            } else {
                Missing::Report
            })?;
            up::up(&state, &arguments.options.options())?;
            note(format_args!(
                "kubeconfig: {}",
                state.kubeconfig("admin").display()
            ));
        }
        Command::Down => {
            requirements::ensure_root()?;
            down::down(&state)?;
        }
        Command::Status => return status(&state),
        Command::Kubeconfig { user } => result(Lab::open(&cli.name)?.kubeconfig(user).display()),
        Command::Node { node, words } => {
            return become_command(&mut Lab::open(&cli.name)?.node(&node).command(&refs(&words))?);
        }
        Command::Outside { words } => {
            return become_command(&mut Lab::open(&cli.name)?.outside().command(&refs(&words))?);
        }
        Command::ControlPlane { words } => {
            return become_command(&mut Lab::open(&cli.name)?.control_plane().command(&refs(&words))?);
        }
        Command::NodeStop { node } => Lab::open(&cli.name)?.node_stop(&node)?,
        Command::NodeStart { node } => Lab::open(&cli.name)?.node_start(&node)?,
        Command::KubeletStop { node } => Lab::open(&cli.name)?.kubelet_stop(&node)?,
        Command::KubeletStart { node } => Lab::open(&cli.name)?.kubelet_start(&node)?,
        Command::Load { image, programs } => Lab::open(&cli.name)?.load(&image, &programs)?,
        Command::Logs { component } => logs(&state, &component)?,
        Command::Demo => return demo::demo(&state, &UpOptions::default_options()),
        Command::Test {
            kubeconfig: Some(file),
        } => return suite::on_a_cluster(&file),
        Command::Test { kubeconfig: None } => {
            // Not the lab that somebody may be working on.
            let state = StateDir::of(&format!("{}-test", cli.name))?;
            return suite::on_a_lab(&state, &UpOptions::default_options());
        }
        Command::Faults { words } => {
            // A program of its own: what is tested here is not part of the lab.
            let own = ["run", "--quiet", "--package=faults", "--", "--name", &cli.name];
            return become_command(cargo::cargo(&own).args(words));
        }
        Command::InsideControlPlane { state } => inside::control_plane::run(&StateDir::at(&state)?)?,
        Command::InsideOutside { state } => inside::outside::run(&StateDir::at(&state)?)?,
        Command::InsideNode { state, number } => inside::node::run(&StateDir::at(&state)?, number)?,
        Command::Launch { state, parent, words } => {
            inside::launch(&StateDir::at(&state)?, parent, &words)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Its status becomes ours, and signals reach it directly.
fn become_command(command: &mut std::process::Command) -> Result<ExitCode> {
    Err(command.exec()).with_context(|| format!("start {}", command.get_program().display()))
}

fn status(state: &StateDir) -> Result<ExitCode> {
    let Some(settings) = state.settings()? else {
        let left = leftovers::of(state, None);
        if left.is_empty() {
            result(format_args!("lab {} is down", state.name()));
        } else {
            result(format_args!(
                "lab {} is down, but left:\n  {}",
                state.name(),
                left.join("\n  ")
            ));
        }
        return Ok(ExitCode::FAILURE);
    };
    match health::of(state, &settings) {
        health::Health::Well => {
            result(format_args!("lab {} is up: {}", state.name(), settings.options));
            result(format_args!(
                "kubeconfig: {}",
                state.kubeconfig("admin").display()
            ));
            Ok(ExitCode::SUCCESS)
        }
        health::Health::Ill(reasons) => {
            result(format_args!(
                "lab {} is not well:\n  {}",
                state.name(),
                reasons.join("\n  ")
            ));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn logs(state: &StateDir, component: &str) -> Result<()> {
    let mut known = Vec::new();
    let directory = state.path().join("logs");
    for entry in fs::read_dir(&directory).with_context(|| format!("lab {} has no logs", state.name()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        known.extend(name.strip_suffix(".log").map(str::to_owned));
    }
    known.sort();
    if !known.iter().any(|name| name == component) {
        bail!(
            "lab {} has no component {component:?}; it has:\n  {}",
            state.name(),
            known.join("\n  ")
        );
    }
    let mut log = fs::File::open(state.log(component))?;
    io::copy(&mut log, &mut io::stdout())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn up_without_options_is_three_nodes_with_policies() {
        let Command::Up(up) = parse("lab up").unwrap().command else {
            panic!("not up")
        };
        assert_eq!(up.options.options(), UpOptions::default_options());
    }

    #[test]
    fn the_name_may_stand_before_and_after_the_command() {
        assert_eq!(parse("lab --name two down").unwrap().name, "two");
        assert_eq!(parse("lab down --name two").unwrap().name, "two");
        assert_eq!(parse("lab down").unwrap().name, "lab");
    }

    #[test]
    fn what_follows_the_dashes_is_the_command_of_the_node() {
        let Command::Node { node, words } = parse("lab node node2 -- ip -6 route").unwrap().command else {
            panic!("not node")
        };
        assert_eq!(
            (node.as_str(), words.join(" ").as_str()),
            ("node2", "ip -6 route")
        );
        assert!(parse("lab node node2").is_err());
    }

    #[test]
    fn what_follows_faults_is_for_another_program() {
        for line in [
            "lab --name two faults --only N-01 --list --help",
            "lab faults --only N-01 --list --help --name two",
        ] {
            let cli = parse(line).unwrap();
            let Command::Faults { words } = cli.command else {
                panic!("not faults")
            };
            assert_eq!(words[..4], ["--only", "N-01", "--list", "--help"]);
        }
    }

    #[test]
    fn a_lab_without_nodes_is_refused() {
        assert!(parse("lab up --nodes 0").is_err());
        assert!(parse("lab up --nodes 21").is_err());
        assert!(parse("lab up --nodes 1").is_ok());
    }
}
