//! The ranges from which pods and Services are given addresses, by whatever says so and may be read.

use observation::{ClusterRanges, RangeSign};
use report::{GapReason, Observed};
use serde::Deserialize;
use serde_json::Value;

use super::objects::PodItem;
use crate::cluster::Cluster;
use crate::list::ListQuery;

const SYSTEM: &str = "kube-system";
/// The static pods of a control plane, by the label that kubeadm gives them, and which flag names which range.
const COMPONENTS: [(&str, &str, Of); 3] = [
    ("kube-controller-manager", "--cluster-cidr", Of::Pods),
    (
        "kube-controller-manager",
        "--service-cluster-ip-range",
        Of::Services,
    ),
    ("kube-apiserver", "--service-cluster-ip-range", Of::Services),
];

/// Whose range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Pods,
    Services,
}

#[derive(Deserialize)]
struct ServiceCidrItem {
    metadata: NameOnly,
    #[serde(default)]
    spec: ServiceCidrSpec,
}

#[derive(Deserialize)]
struct NameOnly {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceCidrSpec {
    cidrs: Vec<String>,
}

impl Cluster {
    pub(super) async fn cluster_ranges(&self) -> ClusterRanges {
        let (flags, objects, documents) = tokio::join!(
            self.ranges_of_flags(),
            self.service_cidrs(),
            self.ranges_of_documents()
        );
        let mut ranges = ClusterRanges {
            pods: Observed::Seen(Vec::new()),
            services: objects,
        };
        // Any one that says so is enough: what may not be read matters only where nothing else was.
        for part in [flags, documents] {
            match part {
                Observed::Seen(signs) => {
                    for (of, sign) in signs {
                        let into = match of {
                            Of::Pods => &mut ranges.pods,
                            Of::Services => &mut ranges.services,
                        };
                        match into {
                            Observed::Seen(known) => known.push(sign),
                            Observed::Unseen(_) => *into = Observed::Seen(vec![sign]),
                        }
                    }
                }
                Observed::Unseen(gap) => {
                    for into in [&mut ranges.pods, &mut ranges.services] {
                        if into.seen().is_some_and(Vec::is_empty) {
                            *into = Observed::Unseen(gap.clone());
                        }
                    }
                }
            }
        }
        ranges
    }

    async fn service_cidrs(&self) -> Observed<Vec<RangeSign>> {
        for version in ["v1", "v1beta1"] {
            let query = ListQuery::new("networking.k8s.io", version, "servicecidrs");
            match self.list::<ServiceCidrItem>("ServiceCIDRs", &query).await {
                Observed::Unseen(gap) if gap.why == GapReason::NotServed => {}
                listed => {
                    return listed.map(|items| {
                        let signs = items.into_iter().flat_map(|item| {
                            let name = item.metadata.name;
                            let cidrs = item.spec.cidrs.into_iter();
                            cidrs.map(move |cidr| RangeSign {
                                cidr,
                                from: format!("servicecidr/{name} .spec.cidrs"),
                                command: format!("kubectl get servicecidr {name} -o yaml"),
                            })
                        });
                        signs.collect()
                    });
                }
            }
        }
        Observed::Seen(Vec::new())
    }

    async fn ranges_of_flags(&self) -> Observed<Vec<(Of, RangeSign)>> {
        let query = ListQuery::new("", "v1", "pods")
            .in_namespace(SYSTEM)
            .with_labels("tier=control-plane");
        let listed = self.list::<PodItem>("pods of the control plane", &query).await;
        listed.map(|pods| {
            let mut signs = Vec::new();
            for pod in &pods {
                for (component, flag, of) in COMPONENTS {
                    if !pod.name().starts_with(component) {
                        continue;
                    }
                    let values = pod
                        .words()
                        .filter_map(|word| word.strip_prefix(flag)?.strip_prefix('='));
                    for cidr in values.flat_map(|value| value.split(',')) {
                        let sign = RangeSign {
                            cidr: crate::sanitize(cidr.trim()).into_owned(),
                            from: format!("{component} {flag}"),
                            command: format!("kubectl -n {SYSTEM} get pod {} -o yaml", pod.name()),
                        };
                        signs.push((of, sign));
                    }
                }
            }
            signs.sort_by(|one, other| one.1.cmp(&other.1));
            signs.dedup_by(|one, other| (&one.1.cidr, &one.1.from) == (&other.1.cidr, &other.1.from));
            signs
        })
    }

    /// What kubeadm was told, and what kube-proxy is.
    async fn ranges_of_documents(&self) -> Observed<Vec<(Of, RangeSign)>> {
        let mut signs = Vec::new();
        for (name, key, fields) in [
            (
                "kubeadm-config",
                "ClusterConfiguration",
                &[
                    ("/networking/podSubnet", Of::Pods),
                    ("/networking/serviceSubnet", Of::Services),
                ][..],
            ),
            ("kube-proxy", "config.conf", &[("/clusterCIDR", Of::Pods)][..]),
        ] {
            let map = match self.config_map(SYSTEM, name).await {
                Observed::Seen(Some(map)) => map,
                Observed::Seen(None) => continue,
                Observed::Unseen(gap) => return Observed::Unseen(gap),
            };
            let document = map
                .get(key)
                .and_then(|text| serde_saphyr::from_str::<Value>(text).ok());
            for (path, of) in fields {
                let value = document.as_ref().and_then(|it| it.pointer(path)?.as_str());
                let cidrs = value.into_iter().flat_map(|value| value.split(','));
                signs.extend(cidrs.map(str::trim).filter(|it| !it.is_empty()).map(|cidr| {
                    let sign = RangeSign {
                        cidr: crate::sanitize(cidr).into_owned(),
                        from: format!("configmap/{name} -n {SYSTEM} {}", path.replace('/', ".")),
                        command: format!("kubectl -n {SYSTEM} get configmap {name} -o yaml"),
                    };
                    (*of, sign)
                }));
            }
        }
        Observed::Seen(signs)
    }
}
