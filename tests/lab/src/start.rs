//! Starting the places of a lab and linking them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{program, run, succeeds};
use crate::inside;
use crate::places::{Place, enter, in_network_of, turn_off_offloads};
use crate::plan::{self, Leg};
use crate::state::{Settings, StateDir};

/// How long one step of the start may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A program with the pid, mount and network namespaces of its own that make it a machine.
fn machine(words: &mut Vec<String>, state: &StateDir, hidden: &[&str]) {
    words.extend(
        [
            "unshare",
            "--pid",
            "--fork",
            "--kill-child=SIGKILL",
            "--mount",
            "--propagation",
            "private",
        ]
        .map(str::to_owned),
    );
    words.extend(["--net", "--uts", "--mount-proc"].map(str::to_owned));
    words.push(state.program("lab").display().to_string());
    words.extend(hidden.iter().map(|&word| word.to_owned()));
}

/// `lab __launch` in front of a command: it goes on without whoever started it.
fn launch(state: &StateDir) -> Vec<String> {
    let path = state.path().display().to_string();
    vec![
        state.program("lab").display().to_string(),
        "__launch".to_owned(),
        path,
    ]
}

/// Starts the router with the control plane, and links this machine to it.
pub(crate) fn control_plane(state: &StateDir, leg: Leg) -> Result<()> {
    let path = state.path().display().to_string();
    let mut words = launch(state);
    words.push(format!("--parent={}", std::process::id()));
    words.push("--".to_owned());
    machine(&mut words, state, &["__control-plane", &path]);
    spawn(state, &words, Place::ControlPlane.log())?;
    let router = Place::ControlPlane.await_holder(state, PATIENCE)?;
    await_file(&state.mark(inside::control_plane::NETWORK), "the router")?;

    // One link with a connected route, and no other route: see `plan`.
    let (pid, link) = (router.to_string(), leg.link());
    run(&mut program(
        "ip",
        [
            "link", "add", &link, "type", "veth", "peer", "name", "host0", "netns", &pid,
        ],
    ))?;
    run(&mut program(
        "ip",
        ["address", "add", &format!("{}/30", leg.host_end()), "dev", &link],
    ))?;
    run(&mut program("ip", ["link", "set", &link, "up"]))?;
    let address = format!("{}/30", leg.lab_end());
    run(&mut in_network_of(
        router,
        ["ip", "address", "add", &address, "dev", "host0"],
    ))?;
    run(&mut in_network_of(router, ["ip", "link", "set", "host0", "up"])).map(drop)
}

/// Starts the world outside of the cluster.
pub(crate) fn outside(state: &StateDir) -> Result<()> {
    let router = Place::ControlPlane.await_holder(state, PATIENCE)?;
    let path = state.path().display().to_string();
    let mut words = launch(state);
    words.extend(["--", "unshare", "--net", "--mount", "--uts"].map(str::to_owned));
    words.extend([
        state.program("lab").display().to_string(),
        "__outside".to_owned(),
        path,
    ]);
    spawn_in(state, router, &words, Place::Outside.log())?;
    let holder = Place::Outside.await_holder(state, PATIENCE)?.to_string();
    let link = "wan";
    let add = [
        "ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", &holder,
    ];
    run(&mut in_network_of(router, add))?;
    for address in [
        format!("{}/24", plan::GATEWAY_V4),
        format!("{}/64", plan::GATEWAY_V6),
    ] {
        run(&mut in_network_of(
            router,
            ["ip", "address", "add", &address, "dev", link],
        ))?;
    }
    turn_off_offloads(&mut in_network_of(router, ["ethtool", "--features", link]));
    run(&mut in_network_of(router, ["ip", "link", "set", link, "up"]))?;
    fs::write(state.mark(inside::outside::ATTACHED), "")?;
    Ok(())
}

/// Starts all nodes at once: most of the time each waits for the kernel.
pub(crate) fn nodes(state: &StateDir, settings: &Settings, template: &Path) -> Result<()> {
    thread::scope(|scope| {
        let starting: Vec<_> = settings
            .node_numbers()
            .map(|number| scope.spawn(move || node(state, number, template)))
            .collect();
        starting.into_iter().try_for_each(|node| match node.join() {
            Ok(started) => started,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Starts a node and attaches it to the lab's switch. `template` fills a node that has no images yet.
pub(crate) fn node(state: &StateDir, number: u8, template: &Path) -> Result<()> {
    let router = Place::ControlPlane.await_holder(state, PATIENCE)?;
    let name = plan::node_name(number);
    inside::node::fill(template, &state.node(&name))?;
    let attached = state.mark(&inside::node::attached_mark(&name));
    if attached.exists() {
        fs::remove_file(&attached)?;
    }
    let mut words = launch(state);
    words.push("--".to_owned());
    machine(
        &mut words,
        state,
        &["__node", &state.path().display().to_string(), &number.to_string()],
    );
    spawn_in(state, router, &words, &name)?;
    let holder = Place::Node(name.clone())
        .await_holder(state, PATIENCE)?
        .to_string();
    let link = format!("v-{name}");
    // The link of a node that was stopped goes with its namespace, which takes a moment.
    let deadline = Instant::now() + PATIENCE;
    while succeeds(&mut in_network_of(router, ["ip", "link", "show", &link])) {
        if Instant::now() > deadline {
            bail!("the old link {link} of lab {} does not go away", state.name());
        }
        sleep(Duration::from_millis(50));
    }
    let add = [
        "ip", "link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &holder,
    ];
    run(&mut in_network_of(router, add))?;
    turn_off_offloads(&mut in_network_of(router, ["ethtool", "--features", &link]));
    run(&mut in_network_of(
        router,
        ["ip", "link", "set", &link, "master", "br0", "up"],
    ))?;
    fs::write(attached, "")?;
    Ok(())
}

/// Starts a program inside of the lab, seen from this machine's side of it.
fn spawn_in(state: &StateDir, router: i32, words: &[String], log: &str) -> Result<()> {
    let mut command = enter(router, words);
    spawn_command(state, &mut command, log)
}

fn spawn(state: &StateDir, words: &[String], log: &str) -> Result<()> {
    let (name, arguments) = words.split_first().context("nothing to start")?;
    spawn_command(state, &mut program(name, arguments), log)
}

fn spawn_command(state: &StateDir, command: &mut Command, log: &str) -> Result<()> {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(state.log(log))?;
    // `__launch` ends as soon as it has started the program.
    let status = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()?;
    if !status.success() {
        bail!(
            "a part of lab {} was not started: see `cargo lab logs`",
            state.name()
        );
    }
    Ok(())
}

/// Waits for a file that a part of the lab writes when it is ready.
pub(crate) fn await_file(path: &Path, what: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        if Instant::now() > deadline {
            bail!(
                "{what} did not become ready within {} s: see `cargo lab logs`",
                PATIENCE.as_secs()
            );
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
