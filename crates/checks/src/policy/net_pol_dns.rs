use std::collections::BTreeMap;

use netmodel::policy::{
    Direction, DirectionVerdict, End, Family, Flow, Outcome, Pod, Policy, PolicyRef, Protocol, evaluate,
};
use report::{Evidence, Finding, Gap, GapReason, Severity};

use crate::check::{Check, Judgement, Need};
use crate::scene::{DnsServer, Objects, Scene, count, dns_servers, lint, pod_name, show, some, subject};
use crate::shell::word;
use crate::view::View;

/// Pods that may reach something and may not ask for its name. Also where a policy keeps them out of the DNS pods.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-dns",
    claim: "pods that are isolated for egress may ask the cluster's DNS",
    needs: &[Need::Policies],
    judge,
};

/// The address of the cache that NodeLocal DNSCache puts on each node.
const NODE_LOCAL: [u8; 4] = [169, 254, 20, 10];

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = lint(view, &[Objects::Pods, Objects::Services], |scene| {
        let groups = groups(scene).into_iter();
        groups
            .filter(|group| !group.udp)
            .filter(|group| !group.tcp)
            .map(|group| finding(&group))
            .collect()
    });
    judgement.gaps.extend(unknown_dns(view));
    judgement
}

/// Where DNS is has to be known before anybody can be said to reach it.
pub(super) fn unknown_dns(view: &View<'_>) -> Option<Gap> {
    let scene = view.scene.as_ref()?;
    let is_seen = scene.facts.services.gap().is_none() && scene.facts.pods.gap().is_none();
    let anybody = scene
        .world
        .policies()
        .any(|policy| policy.egress.is_some() && scene.covers(&policy.name.namespace));
    (is_seen && anybody && dns_servers(scene).is_empty()).then(|| Gap {
        what: "the pods of the cluster's DNS".to_owned(),
        why: GapReason::Failed,
        message: "no Service of theirs with pods was recognised".to_owned(),
        hint: Some("kubectl get services --all-namespaces -l k8s-app=kube-dns".to_owned()),
    })
}

/// Pods for which the same policies decide whether they may ask for names.
pub(super) struct Group<'s> {
    pub(super) pods: Vec<&'s Pod>,
    /// Whose rules would have to allow it.
    pub(super) policies: Vec<PolicyRef>,
    /// Which side of the flow denies it.
    pub(super) direction: Direction,
    pub(super) udp: bool,
    pub(super) tcp: bool,
}

/// The pods that were asked about, by what lets them ask for names; those that may ask over both are not among them.
pub(super) fn groups<'s>(scene: &'s Scene<'_>) -> Vec<Group<'s>> {
    let servers = dns_servers(scene);
    if servers.is_empty() {
        return Vec::new();
    }
    let named = scene.named_pods();
    let wanted = |pod: &&Pod| {
        if scene.is_lint() {
            scene.covers(&pod.namespace)
        } else {
            named.iter().any(|named| named.is(pod))
        }
    };
    // Egress depends on the isolating policies alone, ingress on the client's labels and namespace.
    let mut out: BTreeMap<Vec<&PolicyRef>, Vec<&Pod>> = BTreeMap::new();
    let mut inward: BTreeMap<(&str, &BTreeMap<String, String>), Vec<&Pod>> = BTreeMap::new();
    for pod in scene
        .world
        .pods()
        .iter()
        .filter(wanted)
        .filter(|pod| asks(scene, pod))
    {
        let isolating: Vec<&Policy> = scene.world.isolating(pod, Direction::Egress).collect();
        let has_rules = isolating
            .iter()
            .any(|policy| policy.egress.as_ref().is_some_and(|rules| !rules.is_empty()));
        // Pods that may reach nothing at all are told of by another check.
        if has_rules {
            out.entry(isolating.iter().map(|policy| &policy.name).collect())
                .or_default()
                .push(pod);
        }
        inward
            .entry((pod.namespace.as_str(), &pod.labels))
            .or_default()
            .push(pod);
    }
    let mut groups = Vec::new();
    for (policies, pods) in out {
        let policies = policies.into_iter().cloned().collect();
        groups.extend(group(scene, &servers, Direction::Egress, policies, pods));
    }
    let isolated = servers.iter().any(|server| {
        scene
            .world
            .isolating(server.pod, Direction::Ingress)
            .next()
            .is_some()
    });
    if isolated {
        let isolating = servers
            .first()
            .map(|server| scene.world.isolating(server.pod, Direction::Ingress));
        let policies: Vec<PolicyRef> = isolating
            .into_iter()
            .flatten()
            .map(|policy| policy.name.clone())
            .collect();
        let mut shut_out: BTreeMap<(bool, bool), Vec<&Pod>> = BTreeMap::new();
        for pods in inward.into_values() {
            if let Some(group) = group(scene, &servers, Direction::Ingress, policies.clone(), pods) {
                shut_out
                    .entry((group.udp, group.tcp))
                    .or_default()
                    .extend(group.pods);
            }
        }
        groups.extend(shut_out.into_iter().map(|((udp, tcp), pods)| Group {
            pods,
            policies: policies.clone(),
            direction: Direction::Ingress,
            udp,
            tcp,
        }));
    }
    groups
}

/// Whether it takes its names from the cluster's DNS.
fn asks(scene: &Scene<'_>, pod: &Pod) -> bool {
    let policy = scene.seen_pod(pod).and_then(|pod| pod.dns_policy.as_deref());
    !pod.host_network && !matches!(policy, Some("None" | "Default"))
}

fn group<'s>(
    scene: &Scene<'_>,
    servers: &[DnsServer<'_>],
    direction: Direction,
    policies: Vec<PolicyRef>,
    pods: Vec<&'s Pod>,
) -> Option<Group<'s>> {
    let client = pods.first()?;
    let may = |protocol| may_ask(scene, servers, client, direction, protocol);
    let (udp, tcp) = (may(Protocol::Udp), may(Protocol::Tcp));
    (!udp || !tcp).then_some(Group {
        pods,
        policies,
        direction,
        udp,
        tcp,
    })
}

/// Whether any DNS pod may be asked. What depends on the network plugin counts as allowed: this is about what was forgotten.
fn may_ask(
    scene: &Scene<'_>,
    servers: &[DnsServer<'_>],
    client: &Pod,
    direction: Direction,
    protocol: Protocol,
) -> bool {
    let passes = |destination: End<'_>, port: u16, family: Family| {
        let flow = Flow {
            source: End::Pod(client),
            destination,
            protocol,
            port,
            family,
        };
        let verdict = evaluate(&flow, &scene.world);
        let side: DirectionVerdict = match direction {
            Direction::Egress => verdict.egress,
            Direction::Ingress => verdict.ingress,
        };
        side.outcome() != Outcome::Denied
    };
    let mut of_protocol = servers
        .iter()
        .filter(|server| server.protocol == protocol)
        .peekable();
    // A DNS that does not answer over this protocol at all is no fault of a policy.
    if of_protocol.peek().is_none() {
        return true;
    }
    let families = [Family::V4, Family::V6];
    let mut pods = of_protocol.flat_map(|server| families.map(|family| (server, family)));
    pods.any(|(server, family)| passes(End::Pod(server.pod), server.port, family))
        || (direction == Direction::Egress
            && scene.has_node_local_dns()
            && passes(End::Outside(NODE_LOCAL.into()), 53, Family::V4))
}

fn finding(group: &Group<'_>) -> Finding {
    let mut finding = told(group, CHECK.id, "names");
    finding.explains.push(super::net_pol_dns_tcp::CHECK.id.to_owned());
    finding
}

/// A finding about pods that may not ask for `what`.
pub(super) fn told(group: &Group<'_>, id: &str, what: &str) -> Finding {
    let policies = some(
        group
            .policies
            .iter()
            .map(|policy| format!("networkpolicy/{}", policy.name)),
    );
    let namespace = group
        .policies
        .first()
        .map_or("", |policy| policy.namespace.as_str());
    let whose = group.pods.first().map_or("", |pod| pod.namespace.as_str());
    let pods = count(group.pods.len(), "pod");
    let summary = match group.direction {
        Direction::Egress => {
            format!("{pods} of namespace {whose} may not ask for {what}: {policies} of it does not let them")
        }
        Direction::Ingress => {
            format!("{policies} of namespace {namespace} keeps {pods} from asking for {what}")
        }
    };
    let named = some(group.pods.iter().map(|pod| pod_name(pod)));
    let evidence: Vec<Evidence> = group
        .policies
        .iter()
        .map(|policy| {
            let fact = format!(
                "{policy} isolates for {}, and none of its rules covers {what}: {named}",
                group.direction
            );
            Evidence::command(fact, show(policy))
        })
        .collect();
    let client = group.pods.first().map_or_else(String::new, |pod| {
        format!(
            "kubectl netcheck policy {} -n {} --suggest",
            word(&pod.name),
            word(&pod.namespace)
        )
    });
    Finding {
        id: id.to_owned(),
        severity: Severity::Warning,
        subject: group.policies.first().map_or(report::Subject::Cluster, subject),
        summary,
        evidence,
        hint: Some(match group.direction {
            Direction::Egress => {
                format!("a policy that allows names, to be put beside the others: `{client}`")
            }
            Direction::Ingress => {
                "allow UDP and TCP of the DNS pods' port from all namespaces in a policy beside it".to_owned()
            }
        }),
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scene::fixture::{Fixture, deny_all, without_pods};
    use crate::shown;

    fn egress(rules: &Value) -> Fixture {
        let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": rules});
        Fixture::shop().with("shop", "web", spec)
    }

    fn dns() -> Value {
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}})
    }

    #[test]
    fn egress_to_the_database_alone_leaves_names_out() {
        let rules =
            json!([{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}]);
        let findings = shown::finds(&CHECK, &egress(&rules).observe());
        assert_eq!(
            findings[0].summary,
            "2 pods of namespace shop may not ask for names: networkpolicy/web of it does not let them"
        );
        assert_eq!(
            findings[0].hint.as_deref(),
            Some(
                "a policy that allows names, to be put beside the others: `kubectl netcheck policy web-1 -n shop --suggest`"
            )
        );
    }

    #[test]
    fn names_are_allowed_by_pods_by_port_alone_or_by_another_policy() {
        let ports = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
        let observation = egress(&json!([{"to": [dns()], "ports": ports}])).observe();
        shown::passes(&CHECK, &observation);
        shown::passes(&CHECK, &egress(&json!([{"ports": ports}])).observe());
        let beside = json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [dns()]}]});
        let only = egress(&json!([{"to": [{"podSelector": {}}]}]));
        shown::passes(&CHECK, &only.with("shop", "names", beside).observe());
    }

    #[test]
    fn the_block_of_everything_may_hold_the_dns_pods_too() {
        let observation = egress(&json!([{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])).observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn pods_that_may_reach_nothing_or_resolve_elsewhere_are_not_meant() {
        shown::passes(&CHECK, &egress(&json!([])).observe());
        let mut observation = egress(&json!([{"to": [{"podSelector": {}}]}])).observe();
        if let Some(report::Observed::Seen(pods)) = observation.policy.as_mut().map(|facts| &mut facts.pods) {
            for pod in pods {
                pod.dns_policy = Some("None".into());
            }
        }
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn with_a_cache_on_the_node_its_address_is_enough() {
        let rules =
            json!([{"to": [{"ipBlock": {"cidr": "169.254.20.10/32"}}]}, {"to": [{"podSelector": {}}]}]);
        let node_local = egress(&rules).daemon("kube-system", "node-local-dns", "k8s-dns-node-cache:1");
        shown::passes(&CHECK, &node_local.observe());
        shown::finds(&CHECK, &egress(&rules).observe());
    }

    #[test]
    fn a_policy_in_front_of_dns_that_forgets_clients_is_found() {
        let spec = json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]});
        let findings = shown::finds(
            &CHECK,
            &Fixture::shop().with("kube-system", "own", spec).observe(),
        );
        assert_eq!(
            findings[0].summary,
            "networkpolicy/own of namespace kube-system keeps 5 pods from asking for names"
        );
    }

    #[test]
    fn where_dns_is_must_be_known() {
        let rules = json!([{"to": [{"podSelector": {}}]}]);
        shown::cannot_tell(&CHECK, &without_pods(egress(&rules).observe()));
        let mut observation = egress(&rules).observe();
        if let Some(report::Observed::Seen(services)) =
            observation.policy.as_mut().map(|facts| &mut facts.services)
        {
            services.clear();
        }
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn a_deny_of_other_pods_is_no_matter() {
        shown::passes(&CHECK, &Fixture::shop().with("ops", "deny", deny_all()).observe());
    }
}
