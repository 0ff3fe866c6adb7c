//! The first process of a lab: its router, with etcd, API server, controller manager and scheduler.

use std::fs;

use anyhow::{Context, Result};

use super::set_kernel;
use super::supervisor::{self, Ending, Service};
use crate::command::ip_batch;
use crate::plan;
use crate::state::{Settings, StateDir};

/// Set when the router's network is there and places can be attached to it.
pub(crate) const NETWORK: &str = "network";
/// Set when the API server says that it is ready.
pub(crate) const API_READY: &str = "api-ready";

/// Never returns while the lab stands.
pub(crate) fn run(state: &StateDir) -> Result<()> {
    let settings = state.settings()?.context("the lab has no settings")?;
    nix::unistd::sethostname(format!("{}-cp", state.name()))?;
    ip_batch(&format!(
        "link set lo up\n\
         link add br0 type bridge\n\
         addr add {}/24 dev br0\n\
         addr add {}/64 dev br0 nodad\n\
         link set br0 up\n",
        plan::ROUTER_V4,
        plan::ROUTER_V6
    ))?;
    set_kernel(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
    // The bridge is the nodes' switch: its own rules must not touch what nodes send each other.
    let _ = set_kernel(&[
        ("bridge/bridge-nf-call-iptables", "0"),
        ("bridge/bridge-nf-call-ip6tables", "0"),
    ]);
    fs::write(state.mark(NETWORK), "")?;
    supervisor::run(state, services(state, &settings))
}

fn services(state: &StateDir, settings: &Settings) -> Vec<Service> {
    let kube = state.program("kube").display().to_string();
    let pki = |file: &str| state.pki(file).display().to_string();
    let kubeconfig = |who: &str| state.kubeconfig(who).display().to_string();
    let pods = plan::pod_cidrs(settings.options.dual_stack);
    let services = plan::service_cidrs(settings.options.dual_stack);

    let component = |name: &str, component: &str, flags: &[String]| {
        let mut service = Service::new(name, &[&kube, component]);
        service.words.extend_from_slice(flags);
        service
    };
    let etcd = component(
        "etcd",
        "etcd",
        &[
            format!("--data-dir={}", state.path().join("etcd").display()),
            "--listen-client-urls=http://127.0.0.1:2379".to_owned(),
            "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
            "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--initial-advertise-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--initial-cluster=default=http://127.0.0.1:2380".to_owned(),
            // The lab's data need not survive a crash of the machine.
            "--unsafe-no-fsync".to_owned(),
        ],
    );
    let apiserver = component(
        "apiserver",
        "kube-apiserver",
        &[
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            "--bind-address=0.0.0.0".to_owned(),
            format!("--advertise-address={}", plan::ROUTER_V4),
            "--secure-port=6443".to_owned(),
            format!("--client-ca-file={}", pki("ca.crt")),
            format!("--tls-cert-file={}", pki("apiserver.crt")),
            format!("--tls-private-key-file={}", pki("apiserver.key")),
            format!("--kubelet-certificate-authority={}", pki("ca.crt")),
            format!("--kubelet-client-certificate={}", pki("kubelet-client.crt")),
            format!("--kubelet-client-key={}", pki("kubelet-client.key")),
            "--kubelet-preferred-address-types=InternalIP,Hostname".to_owned(),
            "--anonymous-auth=false".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            format!("--service-cluster-ip-range={services}"),
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
            format!("--service-account-key-file={}", pki("sa.pub")),
            format!("--service-account-signing-key-file={}", pki("sa.key")),
            "--allow-privileged=true".to_owned(),
        ],
    );
    let controllers = component(
        "controller-manager",
        "kube-controller-manager",
        &[
            format!("--kubeconfig={}", kubeconfig("controller-manager")),
            "--allocate-node-cidrs=true".to_owned(),
            format!("--cluster-cidr={pods}"),
            format!("--service-cluster-ip-range={services}"),
            format!("--service-account-private-key-file={}", pki("sa.key")),
            format!("--root-ca-file={}", pki("ca.crt")),
            format!("--cluster-signing-cert-file={}", pki("ca.crt")),
            format!("--cluster-signing-key-file={}", pki("ca.key")),
            "--use-service-account-credentials=true".to_owned(),
            // With the default of 20 it spends eight seconds waiting for its own service accounts.
            "--kube-api-qps=300".to_owned(),
            "--kube-api-burst=600".to_owned(),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!(
                "--flex-volume-plugin-dir={}",
                state.path().join("flexvolume").display()
            ),
        ],
    );
    let scheduler = component(
        "scheduler",
        "kube-scheduler",
        &[
            format!("--kubeconfig={}", kubeconfig("scheduler")),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
        ],
    );
    // Asking here instead of starting the two at once: their own retries wait longer.
    let mut readyz = Service::new(
        "readyz",
        &[
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "2",
            "--cacert",
            &pki("ca.crt"),
            "--cert",
            &pki("controller-manager.crt"),
            "--key",
            &pki("controller-manager.key"),
            "https://127.0.0.1:6443/readyz",
        ],
    );
    readyz.ending = Ending::Mark(API_READY);
    vec![
        etcd,
        apiserver,
        readyz,
        controllers.after(API_READY),
        scheduler.after(API_READY),
    ]
}
