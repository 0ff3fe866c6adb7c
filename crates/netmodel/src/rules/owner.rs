use super::model::{Chain, Rule, Table};

/// Who made a chain or a rule, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// kube-proxy, and the few chains of the kubelet that are named as kube-proxy's.
    KubeProxy,
    /// flannel.
    Flannel,
    /// Plugins of the CNI project: bridge, portmap, firewall.
    CniPlugins,
    /// Calico, and Canal's policy part.
    Calico,
    /// Cilium.
    Cilium,
    /// kube-router, also where it only enforces NetworkPolicies.
    KubeRouter,
    /// Weave Net.
    Weave,
    /// Antrea.
    Antrea,
    /// kindnet and kube-network-policies.
    Kindnet,
    /// ip-masq-agent.
    IpMasqAgent,
    /// The CNI of Amazon's VPC.
    AwsVpc,
    /// NodeLocal DNSCache.
    NodeLocalDns,
    /// Docker.
    Docker,
    /// ufw.
    Ufw,
    /// firewalld.
    Firewalld,
    /// libvirt.
    Libvirt,
    /// Nobody who is known: a person, a script, a firewall of another make.
    Foreign,
}

impl Owner {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::KubeProxy => "kube-proxy",
            Self::Flannel => "flannel",
            Self::CniPlugins => "the CNI plugins",
            Self::Calico => "Calico",
            Self::Cilium => "Cilium",
            Self::KubeRouter => "kube-router",
            Self::Weave => "Weave Net",
            Self::Antrea => "Antrea",
            Self::Kindnet => "kindnet",
            Self::IpMasqAgent => "ip-masq-agent",
            Self::AwsVpc => "the Amazon VPC CNI",
            Self::NodeLocalDns => "NodeLocal DNSCache",
            Self::Docker => "Docker",
            Self::Ufw => "ufw",
            Self::Firewalld => "firewalld",
            Self::Libvirt => "libvirt",
            Self::Foreign => "nobody known",
        }
    }

    /// Whether the cluster's own software made it, and keeps it.
    pub fn is_cluster(self) -> bool {
        match self {
            Self::KubeProxy
            | Self::Flannel
            | Self::CniPlugins
            | Self::Calico
            | Self::Cilium
            | Self::KubeRouter
            | Self::Weave
            | Self::Antrea
            | Self::Kindnet
            | Self::IpMasqAgent
            | Self::AwsVpc
            | Self::NodeLocalDns => true,
            Self::Docker | Self::Ufw | Self::Firewalld | Self::Libvirt | Self::Foreign => false,
        }
    }

    /// Whether what it drops or rejects may be what a NetworkPolicy wants.
    pub fn enforces_policies(self) -> bool {
        matches!(
            self,
            Self::Calico
                | Self::Cilium
                | Self::KubeRouter
                | Self::Weave
                | Self::Antrea
                | Self::Kindnet
                | Self::AwsVpc
        )
    }
}

/// By how chains are named; the longer of two that fit comes first.
const CHAINS: &[(&str, Owner)] = &[
    ("KUBE-ROUTER-", Owner::KubeRouter),
    ("KUBE-POD-FW-", Owner::KubeRouter),
    ("KUBE-NWPLCY-", Owner::KubeRouter),
    ("KUBE-", Owner::KubeProxy),
    ("FLANNEL-", Owner::Flannel),
    ("CNI-", Owner::CniPlugins),
    ("CNI_", Owner::CniPlugins),
    ("cali-", Owner::Calico),
    ("CILIUM_", Owner::Cilium),
    ("OLD_CILIUM_", Owner::Cilium),
    ("WEAVE", Owner::Weave),
    ("ANTREA-", Owner::Antrea),
    ("KIND-MASQ-AGENT", Owner::Kindnet),
    ("IP-MASQ", Owner::IpMasqAgent),
    ("AWS-", Owner::AwsVpc),
    ("DOCKER", Owner::Docker),
    ("ufw-", Owner::Ufw),
    ("ufw6-", Owner::Ufw),
    ("LIBVIRT_", Owner::Libvirt),
];

/// By how the tables of nft are named, which their owners have for themselves.
const TABLES: &[(&str, Owner)] = &[
    ("kube-proxy", Owner::KubeProxy),
    ("kubernetes", Owner::KubeProxy),
    ("flannel-", Owner::Flannel),
    ("cni_", Owner::CniPlugins),
    ("calico", Owner::Calico),
    ("kindnet", Owner::Kindnet),
    ("kube-network-policies", Owner::Kindnet),
    ("antrea", Owner::Antrea),
    ("firewalld", Owner::Firewalld),
    ("docker", Owner::Docker),
    ("libvirt", Owner::Libvirt),
];

/// By what stands in comments, for rules in chains that belong to nobody.
const COMMENTS: &[(&str, Owner)] = &[
    ("cali:", Owner::Calico),
    ("flanneld ", Owner::Flannel),
    ("cilium: ", Owner::Cilium),
    ("cilium-feeder", Owner::Cilium),
    ("kubernetes ", Owner::KubeProxy),
    ("CNI portfwd", Owner::CniPlugins),
    ("CNI firewall", Owner::CniPlugins),
    ("kube-router", Owner::KubeRouter),
    ("KUBE-ROUTER rule ", Owner::KubeRouter),
    ("rule to explicitly ACCEPT", Owner::KubeRouter),
    ("ip-masq-agent:", Owner::IpMasqAgent),
    ("AWS, ", Owner::AwsVpc),
    ("AWS SNAT", Owner::AwsVpc),
    ("NodeLocal DNS Cache", Owner::NodeLocalDns),
    ("Antrea: ", Owner::Antrea),
];

fn starting(names: &[(&str, Owner)], name: &str) -> Option<Owner> {
    names
        .iter()
        .find(|(beginning, _)| name.starts_with(beginning))
        .map(|(_, owner)| *owner)
}

/// Who made a chain. Base chains of iptables belong to nobody: anyone may put rules there.
pub fn owner_of_chain(table: &Table, chain: &Chain) -> Owner {
    starting(CHAINS, &chain.name)
        .or_else(|| starting(TABLES, &table.name))
        .unwrap_or_else(|| firewalld(&chain.name))
}

/// The chains that firewalld makes where it still uses iptables: `FORWARD_direct`, `IN_public_allow`.
fn firewalld(chain: &str) -> Owner {
    let beginnings = ["IN_", "FWDI_", "FWDO_", "FWD_", "PRE_", "POST_"];
    let ends = [
        "_direct",
        "_ZONES",
        "_ZONES_SOURCE",
        "_allow",
        "_deny",
        "_log",
        "_pre",
        "_post",
        "_POLICIES_pre",
        "_POLICIES_post",
        "_IN_ZONES",
        "_OUT_ZONES",
    ];
    let hook = ["INPUT_", "FORWARD_", "OUTPUT_", "PREROUTING_", "POSTROUTING_"];
    let is_of_hook = hook.iter().any(|hook| chain.starts_with(hook));
    let is_of_zone = beginnings.iter().any(|beginning| chain.starts_with(beginning));
    if (is_of_hook || is_of_zone) && ends.iter().any(|end| chain.ends_with(end)) {
        Owner::Firewalld
    } else {
        Owner::Foreign
    }
}

/// Who made a rule: by its chain, by the chain that it calls, by its comment.
pub fn owner_of_rule(table: &Table, chain: &Chain, rule: &Rule) -> Owner {
    let of_chain = owner_of_chain(table, chain);
    if of_chain != Owner::Foreign {
        return of_chain;
    }
    let called = rule.targets().into_iter().find_map(|name| {
        let called = table.chains.get(name)?;
        Some(owner_of_chain(table, called)).filter(|owner| *owner != Owner::Foreign)
    });
    let commented = || starting(COMMENTS, rule.comment.as_deref()?);
    called.or_else(commented).unwrap_or(Owner::Foreign)
}
