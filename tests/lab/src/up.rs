//! Starting a lab.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::cgroups;
use crate::command::{kubectl, program, run, run_with_input, succeeds};
use crate::down;
use crate::health::{self, Health};
use crate::inside::control_plane;
use crate::manifests;
use crate::pki;
use crate::places::{Place, in_network_of};
use crate::plan::{self, Leg};
use crate::progress::Progress;
use crate::start::{self, PATIENCE};
use crate::state::{Options, Settings, StateDir};

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
                settings.options
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
    // Not by its path: cargo may have put another build there since this one was started.
    fs::copy("/proc/self/exe", state.program("lab")).context("copy this program into the lab")?;
    pki::create(state, &settings)?;
    cgroups::create(state, &settings)?;
    progress.line("certificates", "made");

    start::control_plane(state, settings.leg()?)?;
    start::outside(state)?;
    start::nodes(state, &settings, &parts.template)?;
    progress.line("processes", "started");
    start::await_file(&state.mark(control_plane::API_READY), "the API server")?;
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
    progress.line(state.name(), format_args!("is up: {options}"));
    Ok(())
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

fn link(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).with_context(|| format!("copy {} into the lab", from.display()))?;
    }
    Ok(())
}
