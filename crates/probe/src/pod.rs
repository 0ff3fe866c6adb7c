//! The objects of a run, as they are sent to the API server. Pure.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, HostPathVolumeSource, LocalObjectReference,
    Namespace, Pod, PodSecurityContext, PodSpec, ResourceRequirements, SeccompProfile, SecurityContext,
    Sysctl, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::names::{self, Role};
use crate::options::{HOST_ROOT, ProbeOptions, Resources, Tier};

/// The only container of a probe pod.
pub(crate) const CONTAINER: &str = "netprobe";
/// Where the agent is in a probe pod.
pub(crate) const AGENT: &str = "/netprobe/netprobe";
/// Opens ICMP sockets to every group, so that ping needs no capability. On the list of safe sysctls, so that PodSecurity
/// `restricted` allows it.
pub(crate) const PING_SYSCTL: &str = "net.ipv4.ping_group_range";

/// What all objects of a run share.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) namespace: String,
    /// Who runs it: [`crate::owner::Owner`].
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Run {
    pub(crate) fn labels(&self, options: &ProbeOptions) -> BTreeMap<String, String> {
        BTreeMap::from([
            (names::MANAGED_BY.to_owned(), options.manager()),
            (names::RUN.to_owned(), self.id.clone()),
        ])
    }

    fn metadata(&self, options: &ProbeOptions, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(self.labels(options)),
            annotations: Some(self.annotations.clone()),
            ..ObjectMeta::default()
        }
    }
}

/// The namespace of a run: PodSecurity `restricted` shows that the probe pods keep to it, and the marks tell meshes to
/// stay away. Pods in the network of their node need `privileged`, which is the only level that admits them.
pub(crate) fn namespace(run: &Run, options: &ProbeOptions) -> Namespace {
    let mut metadata = run.metadata(options, run.namespace.clone());
    metadata.namespace = None;
    let labels = metadata.labels.get_or_insert_default();
    let level = match options.tier {
        Tier::Pod => "restricted",
        Tier::HostNetwork | Tier::Privileged => "privileged",
    };
    for (key, value) in [
        ("pod-security.kubernetes.io/enforce", level),
        ("pod-security.kubernetes.io/audit", level),
        ("pod-security.kubernetes.io/warn", level),
        ("istio-injection", "disabled"),
        ("kuma.io/sidecar-injection", "disabled"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    metadata
        .annotations
        .get_or_insert_default()
        .insert("linkerd.io/inject".to_owned(), "disabled".to_owned());
    Namespace {
        metadata,
        ..Namespace::default()
    }
}

/// The ConfigMap that owns all others and the pods, and carries the run's heartbeat. It is apart from the agent's, so
/// that a heartbeat does not send the agent to etcd and to every kubelet again.
pub(crate) fn record(run: &Run, options: &ProbeOptions) -> ConfigMap {
    let note = format!(
        "Made by `kubectl {tool}` for one run. Deleting this ConfigMap deletes the run's pods; `kubectl {tool} cleanup` removes runs that were killed.",
        tool = options.tool
    );
    ConfigMap {
        metadata: run.metadata(options, names::run_name(&options.tool, &run.id)),
        data: Some(BTreeMap::from([("about".to_owned(), note)])),
        ..ConfigMap::default()
    }
}

/// The ConfigMap with the agent for one architecture. Immutable, so that kubelets do not watch it.
pub(crate) fn agent(
    run: &Run,
    options: &ProbeOptions,
    owner: &OwnerReference,
    architecture: &str,
    binary: &[u8],
) -> ConfigMap {
    let mut metadata = run.metadata(options, names::agent_name(&options.tool, &run.id, architecture));
    metadata.owner_references = Some(vec![owner.clone()]);
    ConfigMap {
        metadata,
        binary_data: Some(BTreeMap::from([(
            "netprobe".to_owned(),
            ByteString(binary.to_vec()),
        )])),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

/// One attempt to start a pod.
#[derive(Clone, Debug)]
pub(crate) struct PodPlan<'a> {
    pub(crate) node: &'a str,
    pub(crate) architecture: &'a str,
    pub(crate) role: Role,
    pub(crate) image: &'a str,
    /// Whether [`PING_SYSCTL`] is set.
    pub(crate) sysctl: bool,
    /// Counts from 0; part of the name, so that a kubelet never meets two pods of one name.
    pub(crate) attempt: u32,
}

impl PodPlan<'_> {
    pub(crate) fn name(&self, run: &Run, options: &ProbeOptions) -> String {
        names::pod_name(&options.tool, &run.id, self.node, self.role, self.attempt)
    }
}

/// A probe pod. It keeps to PodSecurity `restricted`, is pinned to its node without the scheduler, and needs no image
/// of its own, no token, no cluster DNS and no injected sidecar.
pub(crate) fn pod(run: &Run, options: &ProbeOptions, owner: &OwnerReference, plan: &PodPlan<'_>) -> Pod {
    let mut metadata = run.metadata(options, plan.name(run, options));
    metadata.owner_references = Some(vec![owner.clone()]);
    let labels = metadata.labels.get_or_insert_default();
    for (key, value) in [
        (names::ROLE, plan.role.as_str()),
        ("sidecar.istio.io/inject", "false"),
        ("kuma.io/sidecar-injection", "disabled"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    let annotations = metadata.annotations.get_or_insert_default();
    for (key, value) in [
        (names::NODE, plan.node),
        // Older releases of Istio read the annotation only.
        ("sidecar.istio.io/inject", "false"),
        ("linkerd.io/inject", "disabled"),
        ("consul.hashicorp.com/connect-inject", "false"),
    ] {
        annotations.insert(key.to_owned(), value.to_owned());
    }
    Pod {
        metadata,
        spec: Some(spec(run, options, plan)),
        status: None,
    }
}

fn spec(run: &Run, options: &ProbeOptions, plan: &PodPlan<'_>) -> PodSpec {
    let user = if is_privileged(options) { 0 } else { 65532 };
    let seconds = i64::try_from(options.max_run.as_secs().max(1)).unwrap_or(i64::MAX);
    PodSpec {
        node_name: Some(plan.node.to_owned()),
        active_deadline_seconds: Some(seconds),
        automount_service_account_token: Some(false),
        // The node's own resolver: names are never needed, and cluster DNS may be what is broken.
        dns_policy: Some("Default".to_owned()),
        enable_service_links: Some(false),
        image_pull_secrets: options
            .image_pull_secret
            .clone()
            .map(|name| vec![LocalObjectReference { name }]),
        restart_policy: Some("Never".to_owned()),
        // One second of grace makes deletion take four (measured); the agent has nothing to finish.
        termination_grace_period_seconds: Some(0),
        host_network: (options.tier != Tier::Pod).then_some(true),
        // Networks of other pods are entered by way of their processes.
        host_pid: is_privileged(options).then_some(true),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(!is_privileged(options)),
            run_as_user: Some(user),
            run_as_group: Some(user),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            // Those of the node's network are not a pod's to set.
            sysctls: (plan.sysctl && options.tier == Tier::Pod).then(|| {
                vec![Sysctl {
                    name: PING_SYSCTL.to_owned(),
                    value: "0 2147483647".to_owned(),
                }]
            }),
            ..PodSecurityContext::default()
        }),
        tolerations: tolerations(options),
        containers: vec![container(run, options, plan)],
        volumes: Some(volumes(run, options, plan)),
        ..PodSpec::default()
    }
}

fn is_privileged(options: &ProbeOptions) -> bool {
    options.tier == Tier::Privileged
}

fn volumes(run: &Run, options: &ProbeOptions, plan: &PodPlan<'_>) -> Vec<Volume> {
    let agent = Volume {
        name: "netprobe".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: names::agent_name(&options.tool, &run.id, plan.architecture),
            default_mode: Some(0o555),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let node = is_privileged(options).then(|| Volume {
        name: "node".to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: "/".to_owned(),
            type_: None,
        }),
        ..Volume::default()
    });
    std::iter::once(agent).chain(node).collect()
}

fn mounts(options: &ProbeOptions) -> Vec<VolumeMount> {
    let agent = VolumeMount {
        name: "netprobe".to_owned(),
        mount_path: "/netprobe".to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let node = is_privileged(options).then(|| VolumeMount {
        name: "node".to_owned(),
        mount_path: HOST_ROOT.to_owned(),
        read_only: Some(true),
        // No propagation: a node whose root is no shared mount would refuse it.
        ..VolumeMount::default()
    });
    std::iter::once(agent).chain(node).collect()
}

fn container_security(options: &ProbeOptions) -> SecurityContext {
    if is_privileged(options) {
        return SecurityContext {
            privileged: Some(true),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        };
    }
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

fn container(run: &Run, options: &ProbeOptions, plan: &PodPlan<'_>) -> Container {
    let command = [
        AGENT,
        "serve",
        "--name",
        plan.node,
        "--run",
        &run.id,
        "--tcp-port",
        &options.tcp_port.to_string(),
        "--udp-port",
        &options.udp_port.to_string(),
    ];
    // An image of the node was seen there: pulling it again could only fail where there is no registry.
    let pull_policy = if options.image.is_some() {
        "IfNotPresent"
    } else {
        "Never"
    };
    Container {
        name: CONTAINER.to_owned(),
        image: Some(plan.image.to_owned()),
        image_pull_policy: Some(pull_policy.to_owned()),
        command: Some(command.iter().map(|&word| word.to_owned()).collect()),
        // The image may name a directory that does not exist for our user.
        working_dir: Some("/".to_owned()),
        resources: Some(ResourceRequirements {
            requests: Some(quantities(&options.requests)),
            limits: Some(quantities(&options.limits)),
            ..ResourceRequirements::default()
        }),
        security_context: Some(container_security(options)),
        volume_mounts: Some(mounts(options)),
        ..Container::default()
    }
}

fn quantities(resources: &Resources) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), Quantity(resources.cpu.clone())),
        ("memory".to_owned(), Quantity(resources.memory.clone())),
    ])
}

fn tolerations(options: &ProbeOptions) -> Option<Vec<Toleration>> {
    let tolerations: Vec<Toleration> = options
        .tolerations
        .iter()
        .map(|toleration| Toleration {
            key: toleration.key.clone(),
            operator: Some(
                if toleration.value.is_some() {
                    "Equal"
                } else {
                    "Exists"
                }
                .to_owned(),
            ),
            value: toleration.value.clone(),
            effect: toleration.effect.clone(),
            toleration_seconds: None,
        })
        .collect();
    (!tolerations.is_empty()).then_some(tolerations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        Run {
            id: "0123456789".to_owned(),
            namespace: "netcheck-0123456789".to_owned(),
            annotations: BTreeMap::from([("netcheck.dev/owner-pid".to_owned(), "42".to_owned())]),
        }
    }

    fn owner() -> OwnerReference {
        OwnerReference {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            name: "netcheck-0123456789".to_owned(),
            uid: "a-uid".to_owned(),
            ..OwnerReference::default()
        }
    }

    fn yaml(object: &impl serde::Serialize) -> String {
        serde_saphyr::to_string(object).unwrap()
    }

    #[test]
    fn the_namespace_of_a_run() {
        insta::assert_snapshot!(yaml(&namespace(&run(), &ProbeOptions::new("netcheck"))));
    }

    #[test]
    fn the_config_maps_of_a_run() {
        let options = ProbeOptions::new("netcheck");
        insta::assert_snapshot!("record", yaml(&record(&run(), &options)));
        insta::assert_snapshot!("agent", yaml(&agent(&run(), &options, &owner(), "amd64", b"ELF")));
    }

    #[test]
    fn a_probe_pod_on_an_image_of_its_node() {
        let plan = PodPlan {
            node: "node1",
            architecture: "amd64",
            role: Role::Probe,
            image: "registry.k8s.io/pause:3.10",
            sysctl: true,
            attempt: 0,
        };
        insta::assert_snapshot!(yaml(&pod(
            &run(),
            &ProbeOptions::new("netcheck"),
            &owner(),
            &plan
        )));
    }

    #[test]
    fn a_probe_pod_in_the_network_of_its_node() {
        let plan = PodPlan {
            node: "node1",
            architecture: "amd64",
            role: Role::Probe,
            image: "registry.k8s.io/pause:3.10",
            sysctl: true,
            attempt: 0,
        };
        for (name, tier) in [
            ("host-network", Tier::HostNetwork),
            ("privileged", Tier::Privileged),
        ] {
            let mut options = ProbeOptions::new("netcheck").on_host(tier);
            (options.tcp_port, options.udp_port) = (17410, 17410);
            insta::assert_snapshot!(name, yaml(&pod(&run(), &options, &owner(), &plan)));
            let levels = namespace(&run(), &options).metadata.labels.unwrap();
            assert_eq!(levels["pod-security.kubernetes.io/enforce"], "privileged");
        }
    }

    #[test]
    fn a_twin_on_an_image_of_the_users_choice_that_may_not_set_sysctls() {
        let mut options = ProbeOptions::new("netcheck");
        options.image = Some("registry.example.com/tiny:1".to_owned());
        options.image_pull_secret = Some("registry".to_owned());
        options.tolerations = vec!["*".parse().unwrap(), "dedicated=db:NoSchedule".parse().unwrap()];
        let plan = PodPlan {
            node: "node.with.dots",
            architecture: "arm64",
            role: Role::Twin,
            image: "registry.example.com/tiny:1",
            sysctl: false,
            attempt: 1,
        };
        insta::assert_snapshot!(yaml(&pod(&run(), &options, &owner(), &plan)));
    }
}
