//! A Service of the run's own before its own pods, to see whether any Service works.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use observation::Place;
use report::{Gap, GapReason, Observed};

use super::ProbeRun;
use crate::trouble::{PATIENCE, Trouble, within};

const NAME: &str = "own-service";
const SERVICES: &str = "services";
const SLICES: &str = "endpointslices.discovery.k8s.io";
/// The port of the Service; pods have another, so that an answer shows that it was translated.
const PORT: u16 = 80;
/// So many pods stand behind it.
const ENDPOINTS: usize = 100;

/// The Service that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnService {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.clusterIPs`: of one family.
    pub addresses: Vec<IpAddr>,
    /// Its port.
    pub port: u16,
}

impl ProbeRun {
    /// Makes a Service without a selector, and an EndpointSlice with the run's own probe pods. `manager` is the value of the managed-by label. Both
    /// go with the namespace of the run; in a namespace that is not the run's own nothing is made. Every kube-proxy of the cluster then writes its
    /// rules anew: what is to be read of them has to be read before.
    ///
    /// # Errors
    /// The namespace is another's, no probe pod runs, or one of the two was refused.
    pub async fn make_service(&self, manager: &str) -> Result<OwnService, Gap> {
        if let Observed::Unseen(gap) = &self.placement.own_namespace {
            return Err(gap.clone());
        }
        let services: Api<Service> = self.own();
        let params = PostParams::default();
        let wanted = self.service(manager);
        let made = within(PATIENCE, services.create(&params, &wanted)).await;
        let made = made.map_err(|trouble| self.not_made("create", SERVICES, &trouble))?;
        let spec = made.spec.unwrap_or_default();
        let texts = spec
            .cluster_ips
            .or(spec.cluster_ip.map(|ip| vec![ip]))
            .unwrap_or_default();
        let addresses: Vec<IpAddr> = texts.iter().filter_map(|ip| ip.parse().ok()).collect();
        let nothing = |message: &str| Gap {
            what: "a Service of our own".to_owned(),
            why: GapReason::Failed,
            message: message.to_owned(),
            hint: None,
        };
        let first = *addresses.first().ok_or_else(|| nothing("it got no ClusterIP"))?;
        let slice = self.slice(manager, first.is_ipv4());
        if slice.endpoints.is_empty() {
            return Err(nothing("no probe pod has an address of its family"));
        }
        let slices: Api<EndpointSlice> = self.own();
        let created = within(PATIENCE, slices.create(&params, &slice)).await;
        created.map_err(|trouble| self.not_made("create", SLICES, &trouble))?;
        Ok(OwnService {
            namespace: self.placement.namespace.clone(),
            name: NAME.to_owned(),
            addresses,
            port: PORT,
        })
    }

    /// Takes the Service of [`ProbeRun::make_service`] away again, and the slice with it.
    ///
    /// # Errors
    /// It could not be deleted; it goes with the namespace then.
    pub async fn remove_service(&self) -> Result<(), Gap> {
        let params = DeleteParams::default();
        let (services, slices): (Api<Service>, Api<EndpointSlice>) = (self.own(), self.own());
        let service = within(PATIENCE, services.delete(NAME, &params)).await.map(drop);
        let slice = within(PATIENCE, slices.delete(NAME, &params)).await.map(drop);
        for (result, resource) in [(service, SERVICES), (slice, SLICES)] {
            match result {
                Err(trouble) if !trouble.is_not_found() => {
                    return Err(self.not_made("delete", resource, &trouble));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn service(&self, manager: &str) -> Service {
        let (tcp_port, _) = self.ports();
        Service {
            metadata: self.metadata(NAME, manager, &[]),
            spec: Some(ServiceSpec {
                ports: Some(vec![ServicePort {
                    name: Some("probe".to_owned()),
                    port: i32::from(PORT),
                    protocol: Some("TCP".to_owned()),
                    target_port: Some(IntOrString::Int(i32::from(tcp_port))),
                    ..ServicePort::default()
                }]),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        }
    }

    fn slice(&self, manager: &str, v4: bool) -> EndpointSlice {
        let (tcp_port, _) = self.ports();
        let of = |(node, place): (&String, &Place)| match place {
            Place::Ready(pod) => {
                let address = pod.addresses.iter().find(|address| address.is_ipv4() == v4)?;
                Some(Endpoint {
                    addresses: vec![address.to_string()],
                    conditions: Some(EndpointConditions {
                        ready: Some(true),
                        ..EndpointConditions::default()
                    }),
                    node_name: Some(node.clone()),
                    ..Endpoint::default()
                })
            }
            Place::LeftOut { .. } | Place::Failed(_) => None,
        };
        EndpointSlice {
            metadata: self.metadata(NAME, manager, &[("kubernetes.io/service-name", NAME)]),
            address_type: if v4 { "IPv4" } else { "IPv6" }.to_owned(),
            endpoints: self
                .placement
                .nodes
                .iter()
                .filter_map(of)
                .take(ENDPOINTS)
                .collect(),
            ports: Some(vec![EndpointPort {
                name: Some("probe".to_owned()),
                port: Some(i32::from(tcp_port)),
                protocol: Some("TCP".to_owned()),
                ..EndpointPort::default()
            }]),
        }
    }

    fn not_made(&self, verb: &str, resource: &str, trouble: &Trouble) -> Gap {
        let namespace = &self.placement.namespace;
        trouble.gap(
            "a Service of our own in the namespace of the run",
            verb,
            resource,
            Some(namespace),
        )
    }
}
