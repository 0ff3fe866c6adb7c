//! Which endpoints a Service should have, computed as the EndpointSlice controller of Kubernetes does it: candidates are the pods of its
//! namespace whose labels contain its selector; those that have ended, and those without an address of the family, are left out; a pod that
//! is being deleted stays, and is not ready.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use observation::{BackendPod, EndpointSlice, Service, ServicePort};
use report::Family;

/// What writes the slices of Services that have a selector.
pub(super) const CONTROLLER: &str = "endpointslice-controller.k8s.io";

/// An endpoint that a Service should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected<'a> {
    pub(super) pod: &'a BackendPod,
    pub(super) address: IpAddr,
    pub(super) flags: Flags,
    pub(super) ports: BTreeSet<Port>,
}

/// The conditions of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) ready: bool,
    pub(super) serving: bool,
    pub(super) terminating: bool,
}

/// A port of an endpoint: the name of the Service's port, the protocol, the number in the pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) number: u16,
}

/// How the slices of a Service differ from what its pods say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    /// An address of a pod that is not there, has another uid, or is not selected.
    Extra { address: IpAddr, pod: Option<String> },
    /// A pod that is in no slice.
    Missing { address: IpAddr, pod: String },
    /// Another condition than the pod's.
    Flag {
        address: IpAddr,
        pod: String,
        what: &'static str,
        there: bool,
    },
    /// Other ports than the pod has.
    Ports { address: IpAddr, pod: String },
}

impl Difference {
    /// The pod that it is about.
    pub(super) fn pod(&self) -> Option<&str> {
        match self {
            Self::Extra { pod, .. } => pod.as_deref(),
            Self::Missing { pod, .. } | Self::Flag { pod, .. } | Self::Ports { pod, .. } => Some(pod),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Extra {
                address,
                pod: Some(pod),
            } => write!(f, "{address} of pod/{pod} is listed, and that pod is not there"),
            Self::Extra { address, pod: None } => write!(f, "{address} is listed, and no pod has it"),
            Self::Missing { address, pod } => write!(f, "{address} of pod/{pod} is not listed"),
            Self::Flag {
                address,
                pod,
                what,
                there,
            } => write!(
                f,
                "{address} is listed as {what}={there}, and pod/{pod} says otherwise"
            ),
            Self::Ports { address, pod } => {
                write!(f, "{address} is listed with other ports than pod/{pod} has")
            }
        }
    }
}

/// The families of a Service. Where the API said none, those of its addresses, else IPv4.
pub(super) fn families(service: &Service) -> BTreeSet<Family> {
    let named: BTreeSet<Family> = service
        .settings
        .families
        .iter()
        .map(|name| {
            if name == "IPv6" {
                Family::IPv6
            } else {
                Family::IPv4
            }
        })
        .collect();
    if !named.is_empty() {
        return named;
    }
    let of_addresses: BTreeSet<Family> = service.cluster_ips.iter().copied().map(Family::of).collect();
    if of_addresses.is_empty() {
        BTreeSet::from([Family::IPv4])
    } else {
        of_addresses
    }
}

/// The number of a Service's port in a pod: a number as it is, whatever the pod declares; a name by the container port of that name and
/// protocol. `None` where the pod has none: the endpoint is then listed without the port.
pub(super) fn target_port(pod: &BackendPod, port: &ServicePort) -> Option<u16> {
    if let Ok(number) = port.target_port.parse::<u16>() {
        return Some(number);
    }
    let mut ports = pod.containers.iter().flat_map(|container| &container.ports);
    let found =
        ports.find(|it| it.protocol == port.protocol && it.name.as_deref() == Some(&port.target_port));
    found.map(|found| found.number)
}

/// The protocol for which every pod has the port that a Service names, where it is not that of the Service.
pub(super) fn other_protocol<'a>(pods: &[&'a BackendPod], port: &ServicePort) -> Option<&'a str> {
    let named = |pod: &&'a BackendPod| {
        let mut ports = pod.containers.iter().flat_map(|container| &container.ports);
        let found = ports.find(|it| it.name.as_deref() == Some(&port.target_port));
        found
            .map(|found| found.protocol.as_str())
            .filter(|it| *it != port.protocol)
    };
    let first = named(pods.first()?)?;
    let is_alike = |pod: &&'a BackendPod| target_port(pod, port).is_none() && named(pod) == Some(first);
    pods.iter().all(is_alike).then_some(first)
}

/// The conditions that an endpoint of this pod has.
pub(super) fn flags(service: &Service, pod: &BackendPod) -> Flags {
    let (serving, terminating) = (pod.ready, pod.deleted.is_some());
    Flags {
        ready: service.settings.publish_not_ready || (serving && !terminating),
        serving,
        terminating,
    }
}

/// The endpoints that a Service should have, of these candidates.
pub(super) fn expected<'a>(service: &Service, candidates: &[&'a BackendPod]) -> Vec<Expected<'a>> {
    let families = families(service);
    let mut all = Vec::new();
    for pod in candidates.iter().filter(|pod| !pod.has_ended()) {
        let ports: BTreeSet<Port> = service
            .ports
            .iter()
            .filter_map(|port| {
                Some(Port {
                    name: port.name.clone(),
                    protocol: port.protocol.clone(),
                    number: target_port(pod, port)?,
                })
            })
            .collect();
        for family in &families {
            let mut addresses = pod.addresses.iter();
            let Some(address) = addresses.find(|address| Family::of(**address) == *family) else {
                continue;
            };
            all.push(Expected {
                pod,
                address: *address,
                flags: flags(service, pod),
                ports: ports.clone(),
            });
        }
    }
    all
}

/// How the slices that the controller wrote differ from what it should have written.
pub(super) fn differences(
    service: &Service,
    candidates: &[&BackendPod],
    slices: &[&EndpointSlice],
) -> BTreeSet<Difference> {
    let expected = expected(service, candidates);
    let wanted: BTreeMap<(IpAddr, &str), &Expected<'_>> = expected
        .iter()
        .map(|it| ((it.address, it.pod.name.as_str()), it))
        .collect();
    let mut found: BTreeSet<(IpAddr, &str)> = BTreeSet::new();
    let mut differences = BTreeSet::new();
    let own = slices
        .iter()
        .filter(|slice| slice.managed_by.as_deref() == Some(CONTROLLER) && slice.address_type != "FQDN");
    for slice in own {
        let ports: BTreeSet<Port> = slice
            .ports
            .iter()
            .filter_map(|port| {
                Some(Port {
                    name: port.name.clone(),
                    protocol: port.protocol.clone(),
                    number: port.port?,
                })
            })
            .collect();
        for endpoint in &slice.endpoints {
            let Some(&address) = endpoint.addresses.first() else {
                continue;
            };
            let key = (address, endpoint.pod.as_deref().unwrap_or_default());
            let Some(wanted) = wanted
                .get(&key)
                .filter(|it| endpoint.pod_uid.as_deref().is_none_or(|uid| uid == it.pod.uid))
            else {
                differences.insert(Difference::Extra {
                    address,
                    pod: endpoint.pod.clone(),
                });
                continue;
            };
            found.insert(key);
            let pod = || wanted.pod.name.clone();
            for (what, there, right) in [
                ("ready", endpoint.ready, wanted.flags.ready),
                ("serving", endpoint.serving, wanted.flags.serving),
                ("terminating", endpoint.terminating, wanted.flags.terminating),
            ] {
                if there != right {
                    differences.insert(Difference::Flag {
                        address,
                        pod: pod(),
                        what,
                        there,
                    });
                }
            }
            // A Service without ports may have any.
            if !service.ports.is_empty() && ports != wanted.ports {
                differences.insert(Difference::Ports { address, pod: pod() });
            }
        }
    }
    for (key, wanted) in &wanted {
        if !found.contains(key) {
            differences.insert(Difference::Missing {
                address: wanted.address,
                pod: wanted.pod.name.clone(),
            });
        }
    }
    differences
}

#[cfg(test)]
mod tests {
    use observation::{BackendContainer, PolicyPort};

    use super::*;

    fn pod(ports: &[(&str, u16, &str)]) -> BackendPod {
        BackendPod {
            name: "web-1".into(),
            uid: "u".into(),
            ready: true,
            phase: "Running".into(),
            addresses: vec![[10, 244, 1, 5].into(), std::net::Ipv6Addr::LOCALHOST.into()],
            containers: vec![BackendContainer {
                ports: ports
                    .iter()
                    .map(|(name, number, protocol)| PolicyPort {
                        name: Some((*name).into()),
                        number: *number,
                        protocol: (*protocol).into(),
                    })
                    .collect(),
                ..BackendContainer::default()
            }],
            ..BackendPod::default()
        }
    }

    fn service(target: &str) -> Service {
        Service {
            ports: vec![ServicePort {
                name: "http".into(),
                protocol: "TCP".into(),
                port: 80,
                target_port: target.into(),
                node_port: None,
            }],
            ..Service::default()
        }
    }

    #[test]
    fn a_name_is_looked_up_with_its_protocol_and_a_number_is_not_looked_up() {
        let pod = pod(&[("web", 53, "UDP"), ("web", 8080, "TCP")]);
        assert_eq!(target_port(&pod, &service("web").ports[0]), Some(8080));
        assert_eq!(target_port(&pod, &service("Web").ports[0]), None);
        assert_eq!(target_port(&pod, &service("9999").ports[0]), Some(9999));
    }

    #[test]
    fn a_pod_that_is_being_deleted_serves_and_is_not_ready() {
        let going = BackendPod {
            deleted: Some("2026-03-01T09:00:00Z".into()),
            ..pod(&[])
        };
        let right = Flags {
            ready: false,
            serving: true,
            terminating: true,
        };
        assert_eq!(expected(&service("80"), &[&going])[0].flags, right);
    }

    #[test]
    fn unready_pods_are_ready_where_the_service_publishes_them() {
        let slow = BackendPod {
            ready: false,
            ..pod(&[])
        };
        let mut service = service("80");
        assert!(!expected(&service, &[&slow])[0].flags.ready);
        service.settings.publish_not_ready = true;
        assert!(expected(&service, &[&slow])[0].flags.ready);
    }

    #[test]
    fn pods_that_have_ended_or_lack_the_family_are_left_out() {
        let ended = BackendPod {
            phase: "Succeeded".into(),
            ..pod(&[])
        };
        assert_eq!(expected(&service("80"), &[&ended]), []);
        let mut both = service("80");
        both.settings.families = vec!["IPv4".into(), "IPv6".into()];
        assert_eq!(expected(&both, &[&pod(&[])]).len(), 2);
        let old = BackendPod {
            addresses: vec![[10, 244, 1, 5].into()],
            ..pod(&[])
        };
        assert_eq!(expected(&both, &[&old]).len(), 1);
    }

    #[test]
    fn a_port_that_a_pod_does_not_have_is_left_out_and_the_address_stays() {
        let web = pod(&[]);
        let all = expected(&service("web"), &[&web]);
        assert_eq!((all.len(), all[0].ports.len()), (1, 0));
    }
}
