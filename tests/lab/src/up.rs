//! Starting a lab.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::cgroups;
use crate::command::{program, run, run_with_input, succeeds};
use crate::down;
use crate::health::{self, Health};
use crate::inside::{control_plane, node, outside};
use crate::manifests;
use crate::pki;
use crate::places::{Place, enter, in_network_of, turn_off_offloads};
use crate::plan::{self, Leg};
use crate::progress::Progress;
use crate::state::{Options, Settings, StateDir};

/// How long one step of the start may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Starts the lab, or says that it is up already.
///
/// # Errors
/// When a lab of this name is up with other options, or a step fails. Then what was started stays for `logs`;
/// the next `up` or `down` removes it.
pub(crate) fn up(state: &StateDir, options: &Options) -> Result<()> {
    let progress = Progress::new();
    let _lock = state.lock()?;
    if let Some(settings) = state.settings()? {
        match health::of(state, &settings) {
            Health::Well if settings.options == *options => {
                progress.line(state.name(), "is up already");
                return Ok(());
            }
            Health::Well => bail!(
                "lab {} is up with other options ({}): end it first, with `cargo lab down`",
                state.name(),
                describe(&settings.options)
            ),
            Health::Ill(reasons) => {
                progress.line(
                    state.name(),
                    format_args!("is not well ({}): starting anew", reasons.join("; ")),
                );
            }
        }
    }
    let parts = build::parts(&progress)?;
    down::clear(state)?;
    let settings = state.create(options, is_free)?;
    link(&parts.kube, &state.program("kube"))?;
    link(&parts.kube, &state.program("kubectl"))?;
    link(&parts.coredns, &state.program("coredns"))?;
    fs::copy(std::env::current_exe()?, state.program("lab")).context("copy this program into the lab")?;
    pki::create(state, &settings)?;
    cgroups::create(state, &settings)?;
    progress.line("certificates", "made");

    start_control_plane(state, settings.leg()?)?;
    start_outside(state)?;
    start_nodes(state, &settings, &parts.template)?;
    progress.line("processes", "started");
    await_file(&state.mark(control_plane::API_READY), "the API server")?;
    progress.line("API server", "ready");
    apply(state, &manifests::network(options)?)?;
    progress.line("network", "applied");
    await_nodes(state, &settings)?;
    progress.line("nodes", "ready");
    await_rollout(state, "kube-flannel", "daemonset/kube-flannel-ds")?;
    await_rollout(state, "kube-system", "daemonset/kube-proxy")?;
    if options.network_policy {
        await_rollout(state, "kube-system", "daemonset/netpol")?;
    }
    // Not earlier: a CoreDNS that does not reach the API at once waits twenty seconds before it asks again, and
    // while only one node is ready both replicas land on it.
    apply(state, &manifests::dns(options)?)?;
    await_rollout(state, "kube-system", "deployment/coredns")?;
    progress.line("system pods", "ready");
    await_services(state, &settings)?;
    progress.line(state.name(), format_args!("is up: {}", describe(options)));
    Ok(())
}

/// The options as a person reads them.
pub(crate) fn describe(options: &Options) -> String {
    format!(
        "{} node{}, kube-proxy with {}, {}, network policies {}",
        options.nodes,
        if options.nodes == 1 { "" } else { "s" },
        options.proxy_mode.as_str(),
        if options.dual_stack {
            "IPv4 and IPv6"
        } else {
            "IPv4"
        },
        if options.network_policy {
            "enforced"
        } else {
            "not enforced"
        },
    )
}

/// The lab's own kubectl, as its administrator.
pub(crate) fn kubectl(state: &StateDir, words: &[&str]) -> Command {
    let mut command = program(state.program("kubectl"), words);
    command.env("KUBECONFIG", state.kubeconfig("admin"));
    command
}

/// Whether nothing but the default route would lead to the leg, and no link has its name.
fn is_free(leg: Leg) -> bool {
    let lab_end = leg.lab_end().to_string();
    let routes = run(&mut program(
        "ip",
        ["-4", "route", "show", "to", "match", &lab_end],
    ));
    let only_default = routes.is_ok_and(|text| {
        text.lines()
            .all(|route| route.trim().is_empty() || route.starts_with("default"))
    });
    only_default && !succeeds(&mut program("ip", ["link", "show", &leg.link()]))
}

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

fn start_control_plane(state: &StateDir, leg: Leg) -> Result<()> {
    let path = state.path().display().to_string();
    let mut words = launch(state);
    words.push(format!("--parent={}", std::process::id()));
    words.push("--".to_owned());
    machine(&mut words, state, &["__control-plane", &path]);
    spawn(state, &words, Place::ControlPlane.log())?;
    let router = Place::ControlPlane.await_holder(state, PATIENCE)?;
    await_file(&state.mark(control_plane::NETWORK), "the router")?;

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

fn start_outside(state: &StateDir) -> Result<()> {
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
    fs::write(state.mark(outside::ATTACHED), "")?;
    Ok(())
}

/// Starts all nodes at once: most of the time each waits for the kernel.
fn start_nodes(state: &StateDir, settings: &Settings, template: &Path) -> Result<()> {
    thread::scope(|scope| {
        let starting: Vec<_> = settings
            .node_numbers()
            .map(|number| scope.spawn(move || start_node(state, number, template)))
            .collect();
        starting.into_iter().try_for_each(|node| match node.join() {
            Ok(started) => started,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

/// Starts a node and attaches it to the lab's switch. `template` fills a node that has no images yet.
pub(crate) fn start_node(state: &StateDir, number: u8, template: &Path) -> Result<()> {
    let router = Place::ControlPlane.await_holder(state, PATIENCE)?;
    let name = plan::node_name(number);
    node::fill(template, &state.node(&name))?;
    let attached = state.mark(&node::attached_mark(&name));
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

fn await_nodes(state: &StateDir, settings: &Settings) -> Result<()> {
    let nodes: Vec<String> = settings
        .node_numbers()
        .map(|number| format!("node/{}", plan::node_name(number)))
        .collect();
    // `kubectl wait --for=create` gives up at once when a named object is not there.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let registered = run(&mut kubectl(state, &["get", "nodes", "--output=name"]))?;
        if nodes
            .iter()
            .all(|node| registered.lines().any(|line| line == node))
        {
            break;
        }
        for place in health::places(settings) {
            if place.holder(state).is_none() {
                bail!("{place} has ended: see `cargo lab logs {}`", place.log());
            }
        }
        if Instant::now() > deadline {
            bail!("not every node has registered: see `cargo lab logs kubelet@node1`");
        }
        sleep(Duration::from_millis(200));
    }
    let mut words = vec!["wait", "--for=condition=Ready", "--timeout=120s"];
    words.extend(nodes.iter().map(String::as_str));
    run(&mut kubectl(state, &words)).map(drop)
}

fn apply(state: &StateDir, manifests: &str) -> Result<()> {
    run_with_input(&mut kubectl(state, &["apply", "--filename=-"]), manifests).map(drop)
}

fn await_rollout(state: &StateDir, namespace: &str, workload: &str) -> Result<()> {
    run(&mut kubectl(
        state,
        &[
            "--namespace",
            namespace,
            "rollout",
            "status",
            workload,
            "--timeout=120s",
        ],
    ))
    .map(drop)
}

/// Waits until each node resolves a name through the cluster's DNS Service: a pod that is ready says nothing
/// about whether kube-proxy has written its rules.
fn await_services(state: &StateDir, settings: &Settings) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for number in settings.node_numbers() {
        let place = Place::Node(plan::node_name(number));
        let holder = place.await_holder(state, PATIENCE)?;
        let question = [
            "busybox",
            "nslookup",
            "-type=a",
            "kubernetes.default.svc.cluster.local",
            plan::DNS_SERVICE,
        ];
        while !succeeds(&mut in_network_of(holder, question)) {
            if Instant::now() > deadline {
                bail!(
                    "{place} does not reach the DNS Service {}: see `cargo lab logs`",
                    plan::DNS_SERVICE
                );
            }
            sleep(Duration::from_millis(100));
        }
    }
    Ok(())
}

fn await_file(path: &Path, what: &str) -> Result<()> {
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

fn link(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).with_context(|| format!("copy {} into the lab", from.display()))?;
    }
    Ok(())
}
