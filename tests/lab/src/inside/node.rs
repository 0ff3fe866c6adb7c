//! The first process of a node: its files, its network, containerd and the kubelet.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};

use super::supervisor::{self, Service};
use super::{await_mark, set_kernel};
use crate::build::PAUSE_IMAGE;
use crate::cgroups;
use crate::command::{ip_batch, program, run as run_program};
use crate::places::turn_off_offloads;
use crate::plan;
use crate::state::{Settings, StateDir};

/// Where Debian has the CNI plugins.
const CNI_PLUGINS: &str = "/usr/lib/cni";
const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";

/// The mark that a node's link into the lab is there.
pub(crate) fn attached_mark(node: &str) -> String {
    format!("{node}.attached")
}

/// Never returns while the node runs.
pub(crate) fn run(state: &StateDir, number: u8) -> Result<()> {
    let settings = state.settings()?.context("the lab has no settings")?;
    let node = Node {
        state,
        settings: &settings,
        number,
        name: plan::node_name(number),
    };
    cgroups::join(state, &cgroups::node_system(&node.name))?;
    nix::unistd::sethostname(&node.name)?;
    node.files()?;
    node.network()?;
    let containerd = containerd_config()?;
    let kubelet = node.kubelet_config()?;
    node.run(&containerd, &kubelet)
}

struct Node<'a> {
    state: &'a StateDir,
    settings: &'a Settings,
    number: u8,
    name: String,
}

impl Node<'_> {
    /// Gives the node its own `/var/lib`, `/var/log`, `/opt`, `/run`, `/tmp` and its own version of `/etc`;
    /// everything else of this machine it can read but not change.
    fn files(&self) -> Result<()> {
        let own = self.state.node(&self.name);
        let etc = own.join("etc");
        for directory in [
            "var-lib/containerd",
            "var-lib/kubelet",
            "var-lib/cni",
            "var-log/pods",
            "var-log/containers",
            "opt/cni/bin",
            "cni-plugins",
            "overlay/etc",
            "overlay/cni",
            "etc/cni/net.d",
        ] {
            fs::create_dir_all(own.join(directory))?;
        }
        let address = plan::node_v4(self.number);
        fs::write(etc.join("hostname"), format!("{}\n", self.name))?;
        fs::write(
            etc.join("resolv.conf"),
            format!("nameserver {}\n", plan::OUTSIDE_DNS_V4),
        )?;
        fs::write(
            etc.join("hosts"),
            format!("127.0.0.1 localhost\n::1 localhost\n{address} {}\n", self.name),
        )?;

        temporary("/tmp", "mode=1777")?;
        temporary("/run", "mode=755")?;
        for directory in ["/run/lock", "/run/netns", "/run/state"] {
            fs::create_dir_all(directory)?;
        }
        // The lab's directory lies below one that is covered next.
        bind(self.state.path(), Path::new("/run/state"))?;
        overlay(
            Path::new("/etc"),
            &etc,
            &own.join("overlay/etc"),
            Path::new("/etc"),
        )?;
        bind(&own.join("opt"), Path::new("/opt"))?;
        // An overlay, so that nothing done to a plugin here can reach the one of this machine.
        overlay(
            Path::new(CNI_PLUGINS),
            &own.join("cni-plugins"),
            &own.join("overlay/cni"),
            Path::new("/opt/cni/bin"),
        )?;
        bind(&own.join("var-log"), Path::new("/var/log"))?;
        bind(&own.join("var-lib"), Path::new("/var/lib"))?;
        fs::create_dir_all(self.state.path())?;
        bind(Path::new("/run/state"), self.state.path())?;
        // Mounts that pods make below it must be seen by the runtime and the other way round.
        let kubelet = Path::new("/var/lib/kubelet");
        bind(kubelet, kubelet)?;
        mount(
            None::<&str>,
            kubelet,
            None::<&str>,
            MsFlags::MS_SHARED | MsFlags::MS_REC,
            None::<&str>,
        )?;
        // Last, because a bind inherits it: what is left of this machine's files cannot be changed from here.
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(None::<&str>, "/", None::<&str>, read_only, None::<&str>).context("make / read-only")
    }

    fn network(&self) -> Result<()> {
        await_mark(self.state, &attached_mark(&self.name))?;
        ip_batch(&format!(
            "link set lo up\n\
             addr add {}/24 dev eth0\n\
             addr add {}/64 dev eth0 nodad\n\
             link set eth0 up\n\
             route add default via {}\n\
             route add default via {}\n",
            plan::node_v4(self.number),
            plan::node_v6(self.number),
            plan::ROUTER_V4,
            plan::ROUTER_V6
        ))?;
        turn_off_offloads(&mut program("ethtool", ["--features", "eth0"]));
        set_kernel(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])
    }

    fn kubelet_config(&self) -> Result<String> {
        let path = "/var/lib/kubelet/config.yaml";
        let pki = |file: &str| self.state.pki(file).display().to_string();
        let config = serde_json::json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true, "cacheTTL": "10s"},
                "x509": {"clientCAFile": pki("ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": pki(&format!("{}-serving.crt", self.name)),
            "tlsPrivateKeyFile": pki(&format!("{}-serving.key", self.name)),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": format!("/{}/{}", self.state.group(), self.name),
            "cgroupsPerQOS": true,
            "enforceNodeAllocatable": [],
            "clusterDNS": [plan::DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": format!("unix://{CONTAINERD_SOCKET}"),
            "resolvConf": "/etc/resolv.conf",
            "failSwapOn": false,
            // All nodes share this machine's disk: how full it is says nothing about a node.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "10Mi",
            },
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
            "address": "0.0.0.0",
            "readOnlyPort": 0,
        });
        fs::write(path, serde_json::to_string_pretty(&config)?)?;
        Ok(path.to_owned())
    }

    fn run(&self, containerd: &str, kubelet: &str) -> Result<()> {
        let at = |component: &str| format!("{component}@{}", self.name);
        let mut address = plan::node_v4(self.number);
        if self.settings.options.dual_stack {
            address = format!("{address},{}", plan::node_v6(self.number));
        }
        let kube = self.state.program("kube").display().to_string();
        let kubeconfig = self.state.kubeconfig(&self.name).display().to_string();
        let services = vec![
            Service::new(&at("containerd"), &["containerd", "--config", containerd]),
            // The kubelet tries to reach the runtime again by itself.
            Service::new(
                &at("kubelet"),
                &[
                    &kube,
                    "kubelet",
                    &format!("--config={kubelet}"),
                    &format!("--kubeconfig={kubeconfig}"),
                    &format!("--hostname-override={}", self.name),
                    &format!("--node-ip={address}"),
                ],
            ),
        ];
        supervisor::run(self.state, services)
    }
}

/// Writes containerd's configuration where it is looked for.
fn containerd_config() -> Result<String> {
    let path = "/etc/containerd/config.toml";
    fs::create_dir_all("/etc/containerd")?;
    fs::write(
        path,
        format!(
            "version = 2

[grpc]
  address = \"{CONTAINERD_SOCKET}\"

[plugins.\"io.containerd.grpc.v1.cri\"]
  # Lowering the score below the parent's needs a capability that a container on the way may lack.
  restrict_oom_score_adj = true
  sandbox_image = \"{PAUSE_IMAGE}\"
  [plugins.\"io.containerd.grpc.v1.cri\".containerd]
    snapshotter = \"overlayfs\"
  [plugins.\"io.containerd.grpc.v1.cri\".cni]
    bin_dir = \"/opt/cni/bin\"
    conf_dir = \"/etc/cni/net.d\"
"
        ),
    )?;
    Ok(path.to_owned())
}

/// Fills a node's containerd root from the template. Blobs and unpacked layers are never written again, so
/// they are linked; the two databases are copied. A node that has a root already keeps it.
pub(crate) fn fill(template: &Path, own: &Path) -> Result<()> {
    let root = own.join("var-lib/containerd");
    if root.exists() {
        return Ok(());
    }
    fs::create_dir_all(own.join("var-lib"))?;
    link_tree(template, &root).with_context(|| format!("fill {}", root.display()))
}

fn link_tree(from: &Path, to: &Path) -> Result<()> {
    let kind = fs::symlink_metadata(from)?;
    if kind.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            link_tree(&from.join(&name), &to.join(&name))?;
        }
        fs::set_permissions(to, fs::Permissions::from_mode(kind.permissions().mode()))?;
    } else if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if from.extension().is_some_and(|suffix| suffix == "db") || fs::hard_link(from, to).is_err() {
        // A database, or the cache lies on another file system.
        run_program(program("cp", ["--archive", "--reflink=auto"]).arg(from).arg(to))?;
    }
    Ok(())
}

fn bind(from: &Path, to: &Path) -> Result<()> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .with_context(|| format!("bind {} to {}", from.display(), to.display()))
}

fn temporary(at: &str, options: &str) -> Result<()> {
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some(options))
        .with_context(|| format!("mount a tmpfs at {at}"))
}

fn overlay(lower: &Path, upper: &Path, work: &Path, at: &Path) -> Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    mount(
        Some("overlay"),
        at,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .with_context(|| format!("mount an overlay at {}", at.display()))
}
