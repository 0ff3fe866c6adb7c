//! The resolv.conf that a pod gets by its settings and its kubelet's, and what a lookup costs with it.

use std::fmt::Write as _;
use std::net::IpAddr;

use netmodel::resolv::{self, Libc};
use observation::{DnsAsker, KubeletDns};
use report::{Gap, Observed};

use super::Scene;
use crate::check::Judgement;
use crate::view::View;

/// What the kubelet writes for `ClusterFirst`.
const NDOTS_OF_CLUSTER: usize = 5;

/// The pod that was asked about and its kubelet's settings; or what a check that needs them comes to without.
pub(super) fn asked<'a>(
    view: &View<'_>,
    scene: &Scene<'a>,
) -> Result<(&'a DnsAsker, &'a KubeletDns), Judgement> {
    let Some(pod) = &scene.dns.pod else {
        return Err(Judgement::not_asked());
    };
    let asker = match &pod.asker {
        Observed::Seen(Some(asker)) => asker,
        Observed::Seen(None) => return Err(Judgement::skipped(format!("there is no pod {}", pod.name))),
        Observed::Unseen(gap) => return Err(Judgement::unread(gap)),
    };
    if let Some(kubelet) = scene.kubelet_of(asker) {
        return Ok((asker, kubelet));
    }
    let gaps: Vec<Gap> = unread_kubelets(view, scene);
    Err(if gaps.is_empty() {
        Judgement::skipped("the pod is on no node yet")
    } else {
        Judgement {
            gaps,
            ..Judgement::default()
        }
    })
}

/// One reason why what a kubelet gives to a pod is not known, if there is one.
pub(super) fn unread_kubelets(view: &View<'_>, scene: &Scene<'_>) -> Vec<Gap> {
    let kubelets = scene.dns.kubelets.values().filter_map(Observed::gap).cloned();
    kubelets
        .chain(Scene::gaps([view.observation.nodes.gap()]))
        .take(1)
        .collect()
}

/// What a pod finds in its resolv.conf, as far as it follows from settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvConf {
    pub(crate) nameservers: Vec<IpAddr>,
    /// Without those of the node's own file, which is not read here.
    pub(crate) searches: Vec<String>,
    pub(crate) options: Vec<String>,
    /// Whether nameservers are those of the node's file; its search domains stand behind the others in any case but `None`.
    pub(crate) is_the_nodes: bool,
}

impl ResolvConf {
    /// As the kubelet puts it together: the policy first, then what dnsConfig adds, the same only once.
    pub(crate) fn of(asker: &DnsAsker, kubelet: &KubeletDns) -> Self {
        let policy = asker.effective_policy();
        let is_clusters = policy == "ClusterFirst" && !kubelet.addresses.is_empty();
        let domain = kubelet.domain.trim_end_matches('.');
        let mut conf = Self {
            nameservers: Vec::new(),
            searches: Vec::new(),
            options: Vec::new(),
            is_the_nodes: !is_clusters && policy != "None",
        };
        if is_clusters {
            conf.nameservers.clone_from(&kubelet.addresses);
            conf.options.push(format!("ndots:{NDOTS_OF_CLUSTER}"));
            if !domain.is_empty() {
                conf.searches = vec![
                    format!("{}.svc.{domain}", asker.namespace),
                    format!("svc.{domain}"),
                    domain.to_owned(),
                ];
            }
        }
        if let Some(own) = &asker.config {
            let others = own
                .nameservers
                .iter()
                .filter(|it| !kubelet.addresses.contains(it) || !is_clusters);
            conf.nameservers.extend(others.copied().collect::<Vec<_>>());
            for search in &own.searches {
                if !conf.searches.contains(search) {
                    conf.searches.push(search.clone());
                }
            }
            for option in &own.options {
                let name = option.split(':').next();
                conf.options.retain(|it| it.split(':').next() != name);
                conf.options.push(option.clone());
            }
        }
        conf
    }

    /// The file, without what is the node's.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for address in &self.nameservers {
            let _ = writeln!(text, "nameserver {address}");
        }
        if !self.searches.is_empty() {
            let _ = writeln!(text, "search {}", self.searches.join(" "));
        }
        if !self.options.is_empty() {
            let _ = writeln!(text, "options {}", self.options.join(" "));
        }
        text
    }

    /// As a resolver reads it.
    pub(crate) fn parsed(&self) -> resolv::ResolvConf {
        resolv::ResolvConf::parse(&self.text())
    }

    /// The full names that are asked for one that a program looks up, in their order, until one exists. As glibc does it.
    pub(crate) fn candidates(&self, name: &str) -> Vec<String> {
        resolv::candidates(&self.parsed(), Libc::Glibc, name)
    }

    /// How many queries a name takes that exists as it is and below no search domain, for both families.
    pub(crate) fn queries(&self, name: &str) -> usize {
        let conf = self.parsed();
        let all = || resolv::candidates(&conf, Libc::Glibc, name).len() * 2;
        resolv::queries(&conf, Libc::Glibc, name, name, 2).unwrap_or_else(all)
    }
}

#[cfg(test)]
mod tests {
    use observation::DnsSettings;
    use proptest::prelude::*;

    use super::*;

    fn kubelet() -> KubeletDns {
        KubeletDns {
            addresses: vec!["10.96.0.10".parse().expect("an address")],
            domain: "cluster.local".into(),
            resolv_conf: "/etc/resolv.conf".into(),
        }
    }

    fn asker(policy: &str) -> DnsAsker {
        DnsAsker {
            namespace: "shop".into(),
            name: "web".into(),
            policy: policy.into(),
            ..DnsAsker::default()
        }
    }

    #[test]
    fn a_name_outside_is_asked_below_every_search_domain_first() {
        let conf = ResolvConf::of(&asker("ClusterFirst"), &kubelet());
        assert_eq!(
            conf.candidates("www.example.com"),
            [
                "www.example.com.shop.svc.cluster.local.",
                "www.example.com.svc.cluster.local.",
                "www.example.com.cluster.local.",
                "www.example.com."
            ]
        );
        assert_eq!(conf.queries("www.example.com"), 8);
        assert_eq!(conf.queries("www.example.com."), 2);
    }

    #[test]
    fn own_settings_are_merged_and_replace_options() {
        let mut own = asker("ClusterFirst");
        own.config = Some(DnsSettings {
            nameservers: vec![
                "10.96.0.10".parse().expect("an address"),
                "8.8.8.8".parse().expect("an address"),
            ],
            searches: vec!["svc.cluster.local".into(), "example.com".into()],
            options: vec!["ndots:2".into(), "edns0".into()],
        });
        let conf = ResolvConf::of(&own, &kubelet());
        assert_eq!((conf.nameservers.len(), conf.searches.len()), (2, 4));
        assert_eq!(conf.queries("www.example.com"), 2);
    }

    #[test]
    fn policies_without_the_clusters_dns_have_none_of_it() {
        let default = ResolvConf::of(&asker("Default"), &kubelet());
        assert!(default.is_the_nodes && default.searches.is_empty());
        let mut host = asker("ClusterFirst");
        host.host_network = true;
        assert!(ResolvConf::of(&host, &kubelet()).is_the_nodes);
        assert!(!ResolvConf::of(&asker("None"), &kubelet()).is_the_nodes);
    }

    proptest! {
        #[test]
        fn a_name_is_always_among_its_candidates(name in "[a-z.]{1,20}", option in "\\PC{0,10}") {
            let mut own = asker("ClusterFirst");
            own.config = Some(DnsSettings { options: vec![format!("ndots:{option}")], ..DnsSettings::default() });
            let conf = ResolvConf::of(&own, &kubelet());
            let whole = format!("{}.", name.strip_suffix('.').unwrap_or(&name));
            prop_assert!(conf.candidates(&name).contains(&whole));
            prop_assert!(conf.queries(&name) >= 2);
        }
    }
}
