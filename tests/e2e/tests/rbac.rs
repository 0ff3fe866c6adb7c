//! The manifests of `deploy/rbac`, applied: what a user with them runs is refused nothing, and nothing in them is never asked for.

#[path = "rbac/asked.rs"]
mod asked;

use std::collections::BTreeSet;

use asked::{Right, granted, requests};
use e2e::Bench;

/// One set of manifests, and what it is to be enough for.
struct Tier {
    name: &'static str,
    manifests: &'static [&'static str],
    commands: &'static [&'static str],
    /// Rights that no command asks for here, and when it would.
    on_demand: &'static [(&'static str, &'static str)],
}

const PRODUCTS: &str = "the cluster has no such CNI";
const READ: Tier = Tier {
    name: "read",
    manifests: &["read.yaml"],
    commands: &[
        "netcheck policy -A",
        "epcheck scan -A",
        "epcheck svc kubernetes -n default --static",
        "epcheck proxy --host-network=false",
        "dnscheck status",
        "dnscheck corefile",
        "dnscheck logs",
        "dnscheck scale",
        "cnicheck detect",
        "cnicheck status",
        "cnicheck logs",
    ],
    on_demand: &[
        (
            "get daemonsets.apps",
            "`netcheck egress` asks for that of the CNI",
        ),
        ("get services", "one is asked about by its name"),
        ("get pods", "`dnscheck pod` is asked about one"),
        ("get leases.coordination.k8s.io", "a node does not report"),
        (
            "get ingresses.networking.k8s.io",
            "one is asked about by its name",
        ),
        ("gateway.networking.k8s.io", "the Gateway API is not installed"),
        ("list endpoints", "a Service has no selector"),
        ("projectcalico.org", PRODUCTS),
        ("operator.tigera.io", PRODUCTS),
        ("cilium.io", PRODUCTS),
        ("network.alibabacloud.com", PRODUCTS),
        ("policy.networking.k8s.io", PRODUCTS),
        ("antrea.io", PRODUCTS),
        ("ovn.org", PRODUCTS),
    ],
};

const PROBE: Tier = Tier {
    name: "probe",
    manifests: &["read.yaml", "probe.yaml"],
    commands: &[
        "netcheck pod-to-pod",
        "netcheck service --own-service",
        "netcheck control-plane",
        "netcheck egress",
        "netcheck policy -A --live",
        "netcheck diagnose --node-access",
        "epcheck svc kubernetes -n default --node-access",
        "epcheck rules kubernetes -n default --node-access",
        "epcheck conntrack --node-access",
        "dnscheck diagnose",
        "cnicheck diagnose --node-access",
        "cnicheck triage",
        "netcheck cleanup",
    ],
    on_demand: &[
        ("get nodes", "a pod hangs"),
        ("get pods", "a pod hangs"),
        ("get configmaps", "there is the run of another machine"),
        ("delete pods", "a pod is replaced, or a run was killed"),
        ("patch configmaps", "a run is older than its first heartbeat"),
        ("create pods/exec", "the API server is of 1.35 or later"),
        ("get leases.coordination.k8s.io", "a node does not report"),
        (
            "delete services",
            "a run was killed: else it goes with its namespace",
        ),
        ("delete endpointslices.discovery.k8s.io", "a run was killed"),
        ("delete networkpolicies.networking.k8s.io", "a run was killed"),
    ],
};

const IN_NAMESPACE: Tier = Tier {
    name: "probe-in-namespace",
    manifests: &["probe-in-namespace.yaml"],
    commands: &["netcheck pod-to-pod -n network-check"],
    on_demand: &[
        ("get nodes", "a pod hangs"),
        ("list events", "a pod hangs"),
        ("get pods", "a pod hangs"),
        ("get configmaps", "there is the run of another machine"),
        ("delete pods", "a pod is replaced"),
        ("patch configmaps", "a run is older than its first heartbeat"),
        ("create pods/exec", "the API server is of 1.35 or later"),
    ],
};

/// What is refused on purpose: who may make no namespace is refused one, and then told where probe pods run instead.
const ASKED_IN_VAIN: [&str; 2] = ["delete namespaces", "create namespaces"];

impl Tier {
    fn manifest(&self) -> String {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rbac/");
        let read = |name: &&str| std::fs::read_to_string(format!("{root}{name}")).expect("a manifest");
        self.manifests
            .iter()
            .map(read)
            .collect::<Vec<_>>()
            .join("\n---\n")
    }

    fn user(&self) -> String {
        format!("e2e-{}", self.name)
    }

    /// Binds every role of the manifests to a user of the tier's own.
    fn bindings(&self, bench: &Bench) -> String {
        let roles = asked::roles(bench, &self.manifest());
        let of = |(kind, name, namespace): (String, String, Option<String>)| {
            let (binding, place) = match namespace {
                Some(namespace) => ("RoleBinding", format!(", namespace: {namespace}")),
                None => ("ClusterRoleBinding", String::new()),
            };
            let user = self.user();
            format!(
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: {binding}\nmetadata: {{name: {user}-{name}{place}}}\n\
                 roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}\n\
                 subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]\n"
            )
        };
        roles.into_iter().map(of).collect::<Vec<_>>().join("---\n")
    }
}

/// Removes what the test applied, also where it fails.
struct Applied<'a>(&'a Bench, String);

impl Drop for Applied<'_> {
    fn drop(&mut self) {
        asked::delete(self.0, &self.1);
    }
}

fn is_enough_and_not_more(tier: &Tier, before: &str) {
    let Some(bench) = Bench::cluster() else { return };
    let all = format!("{before}{}\n---\n{}", tier.manifest(), tier.bindings(&bench));
    bench.apply(&all);
    let _applied = Applied(&bench, all);
    let mut asked_for: BTreeSet<Right> = BTreeSet::new();
    let mut refused = Vec::new();
    for command in tier.commands {
        let user = tier.user();
        let words = command.split(' ').chain(["--as", &user, "-o", "json", "-v", "6"]);
        let run = bench.run(&words.collect::<Vec<_>>());
        assert!(matches!(run.code, Some(0 | 1 | 3)), "{run}");
        // It is a whole report, and the log beside it is what was asked for.
        run.json();
        let requests = requests(&run.stderr);
        assert!(!requests.is_empty(), "{run}");
        for (right, status) in requests {
            let in_vain = ASKED_IN_VAIN.contains(&right.to_string().as_str());
            if status == 403 && !in_vain {
                refused.push(format!("{command}: {right}"));
            }
            asked_for.insert(right);
        }
    }
    assert_eq!(refused, Vec::<String>::new(), "the manifest is not enough");
    let of_tier = tier.manifests.last().expect("a manifest");
    let own = std::fs::read_to_string(format!(
        "{}/../../deploy/rbac/{of_tier}",
        env!("CARGO_MANIFEST_DIR")
    ));
    let idle: Vec<String> = granted(&bench, &own.expect("a manifest"))
        .into_iter()
        .filter(|right| !asked_for.contains(right))
        .map(|right| right.to_string())
        .filter(|right| !tier.on_demand.iter().any(|(known, _)| right.ends_with(known)))
        .collect();
    assert_eq!(idle, Vec::<String>::new(), "nobody asks for these");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn what_is_only_read_needs_no_more_and_no_less_than_read() {
    is_enough_and_not_more(&READ, "");
}

#[test]
fn what_is_tried_needs_no_more_and_no_less_than_read_and_probe() {
    is_enough_and_not_more(&PROBE, "");
}

#[test]
fn who_may_make_no_namespace_probes_in_one_that_is_there() {
    is_enough_and_not_more(
        &IN_NAMESPACE,
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: network-check}\n---\n",
    );
}
