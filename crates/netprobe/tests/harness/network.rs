//! A small network of network namespaces: a source, a router and a target, with addresses of both families.
//!
//! ```text
//! source 10.0.1.2 ── 10.0.1.1 router 10.0.2.1 ── 10.0.2.2 target
//!        fd01::2     fd01::1         fd02::1     fd02::2
//! ```

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{RUN, Ran, Server, agent, run, skipped};
use netprobe::Plan;

static NEXT: AtomicU32 = AtomicU32::new(0);
const PREFIX: &str = "netprobe-test-";
const PLACES: [&str; 3] = ["source", "router", "target"];

pub(crate) struct Network {
    id: String,
}

/// Whether namespaces can be made here; the reason, where they cannot.
pub(crate) fn forbidden() -> Option<String> {
    let name = format!(
        "{PREFIX}{}-try-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let output = match Command::new("ip").args(["netns", "add", &name]).output() {
        Ok(output) => output,
        Err(error) => return Some(format!("cannot run ip: {error}")),
    };
    let _ = Command::new("ip").args(["netns", "del", &name]).output();
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (!output.status.success()).then(|| format!("no network namespaces here (needs root): {said}"))
}

impl Network {
    /// A network for the test of this name, which is skipped where none can be made.
    pub(crate) fn made_for(test: &str) -> Option<Self> {
        match forbidden() {
            None => Some(Self::new()),
            Some(why) => {
                skipped(test, &why);
                None
            }
        }
    }

    pub(crate) fn new() -> Self {
        remove_leftovers();
        let id = format!(
            "{PREFIX}{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let network = Self { id };
        for place in PLACES {
            shell(&format!("ip netns add {}", network.name(place)));
            // Addresses of IPv6 are used at once, without looking for their duplicates.
            network.at(
                place,
                "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0",
            );
            network.at(place, "ip link set lo up");
            // Every packet that is refused shall be answered, except where a test is about the limit.
            network.limit_icmp_errors(place, 0);
        }
        network.at(
            "router",
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        );
        for (place, link, net) in [("source", "left", 1), ("target", "right", 2)] {
            let name = network.name(place);
            network.at(
                "router",
                &format!("ip link add {link} type veth peer name eth0 netns {name}"),
            );
            network.at("router", &format!("ip addr add 10.0.{net}.1/24 dev {link}"));
            network.at("router", &format!("ip addr add fd0{net}::1/64 dev {link} nodad"));
            network.at("router", &format!("ip link set {link} up"));
            network.at(place, &format!("ip addr add 10.0.{net}.2/24 dev eth0"));
            network.at(place, &format!("ip addr add fd0{net}::2/64 dev eth0 nodad"));
            network.at(place, "ip link set eth0 up");
            network.at(place, &format!("ip route add default via 10.0.{net}.1"));
            network.at(place, &format!("ip route add default via fd0{net}::1"));
        }
        network
    }

    pub(crate) fn name(&self, place: &str) -> String {
        format!("{}-{place}", self.id)
    }

    /// How much time there is between two ICMP errors to one address, in milliseconds; the kernel's default is 1000.
    pub(crate) fn limit_icmp_errors(&self, place: &str, rate: u32) {
        self.at(
            place,
            &format!("sysctl -qw net.ipv4.icmp_ratelimit={rate} net.ipv6.icmp.ratelimit={rate}"),
        );
    }

    /// Runs a command line at this place and insists on its success.
    pub(crate) fn at(&self, place: &str, line: &str) {
        shell(&format!("ip netns exec {} {line}", self.name(place)));
    }

    /// What puts a program at this place.
    pub(crate) fn command(&self, place: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(place)]).arg(program);
        command
    }

    pub(crate) fn serve(&self) -> Server {
        Server::start(self.command("target", agent()), "target", RUN)
    }

    /// Runs a plan at the source.
    pub(crate) fn run(&self, plan: &Plan) -> Ran {
        run(self.command("source", agent()), plan)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for place in PLACES {
            let _ = Command::new("ip")
                .args(["netns", "del", &self.name(place)])
                .output();
        }
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn address(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(text.parse().unwrap(), port)
}

/// Whoever was killed could not clean up; its process id says that it is gone.
fn remove_leftovers() {
    let output = Command::new("ip").args(["netns", "list"]).output().unwrap();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line.split_whitespace().next().unwrap_or("");
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = Command::new("ip").args(["netns", "del", name]).output();
        }
    }
}

fn shell(line: &str) {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
