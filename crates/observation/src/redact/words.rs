//! Names that say nothing of a cluster because every cluster has them, and words that are too common to be searched for.

/// Names of the parts that clusters are made of. They stay, alone and with what their controllers add to them.
const PARTS: &[&str] = &[
    "antrea",
    "aws-network-policy-agent",
    "aws-node",
    "azure-npm",
    "calico",
    "canal",
    "cilium",
    "contrail",
    "coredns",
    "default",
    "default-ipv4-ippool",
    "default-ipv6-ippool",
    "dns-default",
    "etcd",
    "flannel",
    "istio-system",
    "kindnet",
    "kindnetd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-dns",
    "kube-flannel",
    "kube-multus",
    "kube-network-policies",
    "kube-node-lease",
    "kube-ovn",
    "kube-proxy",
    "kube-public",
    "kube-router",
    "kube-scheduler",
    "kube-system",
    "kubernetes",
    "metrics-server",
    "netcheck",
    "node-local-dns",
    "nodelocaldns",
    "nsx-ncp",
    "nsx-node-agent",
    "ovn-kube",
    "ovn-kubernetes",
    "ovnkube",
    "romana",
    "terway",
    "tigera-operator",
    "weave-net",
    "weave-npc",
];

/// Whether this is the name of a part, or of something that a controller made for one.
pub(super) fn is_of_a_part(name: &str) -> bool {
    let made_for = |part: &&str| {
        let rest = name.strip_prefix(*part);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    PARTS.iter().any(made_for)
}

/// Words by which the name of something that enforces policies is told from others. Whether there is such a thing is
/// judged, so that it has to be seen in the alias too.
const ENFORCERS: [&str; 4] = ["netpol", "network-polic", "networkpolic", "policy-agent"];

/// Whether a name says of what it names that it enforces policies.
pub(super) fn is_of_an_enforcer(name: &str) -> bool {
    ENFORCERS.iter().any(|word| name.contains(word))
}

/// Words that texts of the kernel, of Kubernetes and of bundles use themselves. A name that is one of them is replaced
/// where a name stands, and not in sentences, which it could turn into others.
const COMMON: &str = "
    absent accept action adapters added address addresses affinities after agent agents alias all allocated annotations answer answered
    answers antrea any anything api app architecture arrived asked asker askers assigned assured attempts authoritative authorities auto
    autoscalers available azure backend backends base64 before bgp birds blocks body both bound bridge broken buckets budgets bulk bytes
    cache calico callers calls canal carrier cause cells certain chain changed check checks cidr cilium claim class client clock cluster cni
    code colour columns command component concurrency conditions confidence config configuration connect connections conntrack container
    containers control controller controllers corefiles count counters coverage cpu created daemonset damaged data dataplane deleted
    deployment desired destination detail dev device direction directories disabled dns document domain down drop drops during edns effect
    egress either elsewhere enabled end ended endpoint endpoints ends enforcement errno error errors eth0 events everything evidence example
    exited expected explains external fact fail failed failing failure failures fallback false families family felix field files filter
    filters finalizers findings first fix flaky flannel floor flows forbidden forward forwarding found from full gaps gateway gateways given
    grants group groups hairpin handles head headless health held hello hint holder host hostname html http https icmp image images incoming
    index info ingress init input inside installations interfaces internal ip6tables ipam ips iptables ipv4 ipv6 ipvs json junit kernel key
    kind kindnet kubelet kubelets labels large last learning likely lines link links listeners listening liveness load loaders local
    localisation log lookups loss lost lower mac made main manifest mark master matrix max measured memory mentions mesh message metric
    metrics missing mode modules more most mtu multus name names nameservers namespace namespaces nat neighbours net netlink network
    networkings nft nftables node nodes none not note notes number object objects offender only operator operstate options other others
    outcome outgoing output outside pace pair pairs parent parents partial parts pass passes path paths pattern peer peers performance
    periods phase phases placement platform pod pods pointer policies policy pool pools port ports prefix previous priority privileged probe
    probes process product prometheus protocol protocols proxy purpose qtype question range ranges rate rcode reach read readiness reads
    ready reason reasons record records refusal refused reject release renewed replacements replicaset replied reset resolve resource
    resources restarts result results retry reverse rights ring role roles root route routes rows rules run running sample samples saw
    scattered scope searched searches second seconds seen selection selector sends sent sentence server service services serving sessions
    set settings severity sign silence silent since size skipped slices something source sources spec speeds spread spreads stalled started
    state static stats status statuses stderr stdout subject sufficient summary suspect svc sysctls system table tables taints target
    targets tcp terminating terway text throttled tier time timeout title told tool topics tracked tracking train translated tried triggered
    true truncated truth ttl tunnel twin type udp uid unasked uncached underlay unhealthy unicode unknown unreachable unread unseen updated
    upstream usage used value variables verb verbs verdict verify version veth vni vswitch vswitches vxlan waiting wanted warn warning way
    weave webhooks what whole why wide width words workloads written yaml zone zones
";

/// Whether a name can be searched for in any text.
pub(super) fn is_telling(name: &str) -> bool {
    let has_letter = name.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_common = COMMON
        .split_whitespace()
        .any(|word| word.eq_ignore_ascii_case(name));
    name.len() >= 3 && has_letter && !is_common
}

/// Whether a label's key is Kubernetes' own, or one that everybody uses.
pub(super) fn is_common_label(key: &str) -> bool {
    match key.split_once('/') {
        Some((owner, _)) => {
            let owners = [
                "kubernetes.io",
                "k8s.io",
                "projectcalico.org",
                "cilium.io",
                "tigera.io",
            ];
            owners
                .iter()
                .any(|known| owner == *known || owner.ends_with(&format!(".{known}")))
        }
        None => matches!(
            key,
            "app"
                | "k8s-app"
                | "component"
                | "tier"
                | "name"
                | "role"
                | "run"
                | "version"
                | "env"
                | "environment"
                | "release"
                | "chart"
                | "heritage"
                | "controller-revision-hash"
                | "pod-template-hash"
                | "pod-template-generation"
                | "statefulset"
        ),
    }
}

/// Whether one of two values may be a slip for the other, as findings about selectors see it: another spelling, the
/// beginning of the other, a letter or two.
pub(super) fn are_alike(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.replace(['-', '_', '.'], "").to_lowercase();
    let letters = |text: &str| text.replace(|it: char| it.is_ascii_digit(), "");
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    if short.is_empty() || short == long {
        return false;
    }
    let rest = long.strip_prefix(short).filter(|_| short.len() >= 3);
    let most = if short.chars().count() < 6 { 1 } else { 2 };
    let is_slip =
        short.chars().count() >= 3 && letters(short) != letters(long) && distance(short, long) <= most;
    plain(short) == plain(long) || rest.is_some_and(|rest| rest.contains(char::is_alphabetic)) || is_slip
}

/// How many letters differ; two neighbours that changed places are one.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (row[j] + usize::from(a != b))
                .min(row[j + 1] + 1)
                .min(next[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_alike_and_other_words_and_numbers_are_not() {
        for (one, other) in [
            ("wbe", "web"),
            ("frontned", "frontend"),
            ("web", "web-front"),
            ("my-web", "my_web"),
        ] {
            assert!(are_alike(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("web", "db"),
            ("web", "web"),
            ("web1", "web2"),
            ("", "a"),
            ("cache", "shop"),
        ] {
            assert!(!are_alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn common_words_and_very_short_ones_are_not_searched_for() {
        assert!(!is_telling("tcp") && !is_telling("a1") && is_telling("shop") && is_telling("node1"));
    }

    #[test]
    fn what_a_controller_made_for_a_part_is_of_the_part() {
        assert!(is_of_a_part("coredns-5d5c66d598-tlmgb") && is_of_a_part("kube-system"));
        assert!(!is_of_a_part("corednsx") && !is_of_a_part("shop"));
    }
}
