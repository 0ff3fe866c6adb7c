use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::Link;
use report::{Finding, Severity};

use super::{Inside, breaks, has, in_pods, later, recreate};
use crate::check::{Check, Judgement, Need};
use crate::nodes::Nodes;
use crate::shell::on_node;
use crate::view::View;

/// An address that two have leads to the one or to the other, as the neighbour tables happen to say. Only addresses that
/// the API shows of a pod are looked for: second networks may use the same ones many times.
pub(crate) static CHECK: Check = Check {
    id: "cni-dup-ip",
    claim: "no address of a pod is used by another pod or by a node",
    needs: &[Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    in_pods(view, |network| &network.links, find)
}

fn find(nodes: &Nodes<'_>, parts: &[(Inside<'_>, &Vec<Link>)], judgement: &mut Judgement) {
    let mut owners: BTreeMap<IpAddr, Inside<'_>> = BTreeMap::new();
    for (inside, _) in parts {
        for address in &inside.pod.addresses {
            let Some(owner) = owners.insert(*address, *inside) else {
                continue;
            };
            // Both are told to have it: the one that came later is told to be wrong.
            let wrong = later(owner, *inside);
            let right = if wrong.pod.uid == inside.pod.uid {
                owner
            } else {
                *inside
            };
            owners.insert(*address, right);
            judgement.cause(given_twice(wrong, right, *address), breaks(&[wrong, right]));
        }
    }
    for (address, owner) in &owners {
        for (inside, links) in parts {
            let is_own = inside.pod.uid == owner.pod.uid || inside.pod.addresses.contains(address);
            if !is_own && links.iter().any(|link| has(link, *address)) {
                let finding = taken(*inside, *owner, *address, nodes);
                judgement.cause(finding, breaks(&[*inside, *owner]));
            }
        }
        for node in nodes.evidence.keys() {
            let links = nodes.links(node).into_iter().flatten();
            for link in links.filter(|link| has(link, *address)) {
                let finding = of_node(node, &link.name, *owner, *address);
                judgement.cause(finding, breaks(&[*owner]));
            }
        }
    }
}

/// The CNI gave two pods the same.
fn given_twice(wrong: Inside<'_>, right: Inside<'_>, address: IpAddr) -> Finding {
    let (name, owner) = (wrong.pod.subject(), right.pod.subject());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        name.clone(),
        format!("{name} was given the address {address}, which {owner} has already"),
        wrong.shows(format!("it has {address}"), "ip address"),
    );
    finding
        .evidence
        .push(right.shows(format!("{owner} has {address} too"), "ip address"));
    finding.hint = Some(recreate(wrong.pod));
    finding
}

/// A pod has, beside its own, the address of another.
fn taken(wrong: Inside<'_>, owner: Inside<'_>, address: IpAddr, nodes: &Nodes<'_>) -> Finding {
    let (name, of) = (wrong.pod.subject(), owner.pod.subject());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        name.clone(),
        format!("{name} has the address {address} of {of}"),
        wrong.shows(
            format!("{address} is on an interface of it, beside or instead of its own"),
            "ip address",
        ),
    );
    finding
        .evidence
        .push(owner.shows(format!("{of} has {address}, as the API says"), "ip address"));
    finding.evidence.extend(sent_to(wrong, address, nodes));
    finding.hint = Some(recreate(wrong.pod));
    finding
}

/// That the node sends to the wrong one.
fn sent_to(wrong: Inside<'_>, address: IpAddr, nodes: &Nodes<'_>) -> Option<report::Evidence> {
    let node = wrong.pod.node.as_str();
    let neighbours = nodes.evidence.get(node)?.before.neighbours.seen()?;
    let mac = neighbours
        .iter()
        .find(|entry| entry.address == address)?
        .mac
        .as_ref()?;
    let links = wrong.network.links.seen()?;
    let link = links.iter().find(|link| link.mac.as_ref() == Some(mac))?;
    Some(report::Evidence::command(
        format!(
            "{node} takes {address} to be at {mac}, which is {} of {}",
            link.name,
            wrong.pod.subject()
        ),
        on_node(node, &[&format!("ip neigh show {address}")]),
    ))
}

fn of_node(node: &str, device: &str, owner: Inside<'_>, address: IpAddr) -> Finding {
    let of = owner.pod.subject();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        of.clone(),
        format!("{of} was given the address {address}, which {device} of {node} has"),
        report::Evidence::command(
            format!("{device} has {address}"),
            on_node(node, &[&format!("ip address show {device}")]),
        ),
    );
    finding
        .evidence
        .push(owner.shows(format!("{of} has {address} too"), "ip address"));
    finding.hint = Some(recreate(owner.pod));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::scene::{PodScene, address};
    use crate::shown;

    #[test]
    fn a_pod_with_the_address_of_another_is_named_and_not_its_owner() {
        let scene = PodScene::healthy().change("db-1", |network| address(network, "eth0", "10.244.1.5", 32));
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            findings[0].summary,
            "pod/db-1 -n shop has the address 10.244.1.5 of pod/web-1 -n shop"
        );
        assert_eq!(findings[0].evidence.len(), 2, "the node has not asked for it");
    }

    #[test]
    fn whom_the_node_sends_it_to_is_evidence() {
        let scene = PodScene::healthy()
            .change("db-1", |network| address(network, "eth0", "10.244.1.5", 32))
            .neighbour_of_node("10.244.1.5", "0a:00:00:00:01:06");
        let findings = shown::finds(&CHECK, &scene.observation());
        let last = findings[0].evidence.last().unwrap();
        assert!(last.fact.contains("which is eth0 of pod/db-1"), "{}", last.fact);
    }

    #[test]
    fn of_two_pods_that_were_given_the_same_the_later_one_is_wrong() {
        let scene = PodScene::healthy().given("db-1", "10.244.1.5");
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].summary.starts_with("pod/db-1 -n shop was given"));
    }

    #[test]
    fn an_address_of_the_node_itself_is_found() {
        let scene = PodScene::healthy().given("db-1", "10.244.1.1");
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].summary.contains("which cni0 of node1 has"));
    }

    #[test]
    fn addresses_that_no_pod_is_known_by_may_be_used_many_times() {
        let mut scene = PodScene::healthy();
        for pod in PodScene::PODS {
            scene = scene.change(pod, |network| address(network, "eth0", "10.0.2.1", 24));
        }
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn distinct_addresses_pass_and_pods_that_were_not_read_are_unknown() {
        shown::passes(&CHECK, &PodScene::healthy().observation());
        shown::cannot_tell(&CHECK, &PodScene::healthy().unread("web-1").observation());
    }
}
