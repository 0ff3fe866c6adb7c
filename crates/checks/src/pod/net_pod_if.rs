use observation::Link;
use report::{Evidence, Finding, Severity};

use super::{Inside, breaks, in_pods, recreate};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// The interface by which a pod is reached is up, and has the address that the API shows. A pod that hands its address on
/// to a virtual machine behind a bridge or a tap device has it on no interface, and is well.
pub(crate) static CHECK: Check = Check {
    id: "net-pod-if",
    claim: "the interface of every pod is up and has the pod's address",
    needs: &[Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    in_pods(
        view,
        |network| &network.links,
        |_, parts, judgement| {
            for (inside, links) in parts {
                if let Some(finding) = find(*inside, links) {
                    judgement.cause(finding, breaks(&[*inside]));
                }
            }
        },
    )
}

fn find(inside: Inside<'_>, links: &[Link]) -> Option<Finding> {
    let name = inside.pod.subject();
    let addresses = &inside.pod.addresses;
    let holder = addresses.iter().find_map(|address| inside.holder(*address));
    // An interface that is down loses its addresses of IPv6.
    let primary = holder.or_else(|| {
        links
            .iter()
            .find(|link| link.name != "lo" && !is_for_guests(link))
    });
    let missing = addresses
        .iter()
        .find(|address| inside.holder(**address).is_none());
    let found = |summary: String, evidence: Evidence| {
        let mut finding = Finding::new(CHECK.id, Severity::Error, name.clone(), summary, evidence);
        finding.hint = Some(recreate(inside.pod));
        // Without its interface a pod has none of the routes that lead there.
        finding.explains = vec!["net-pod-rt".to_owned()];
        finding
    };
    match (primary, missing) {
        (Some(link), _) if !link.up => {
            let evidence = inside.shows(
                format!("{} is not UP", link.name),
                &format!("ip link show {}", link.name),
            );
            Some(found(
                format!("the interface {} of {name} is down", link.name),
                evidence,
            ))
        }
        (Some(link), _) if !link.carrier => {
            let evidence = inside.shows(
                format!("{} is UP, and has no carrier (LOWER_UP)", link.name),
                &format!("ip link show {}", link.name),
            );
            let summary = format!(
                "nothing is at the other end of {}, the interface of {name}: its peer on {} is down or gone",
                link.name, inside.pod.node
            );
            Some(found(summary, evidence))
        }
        (Some(_), Some(address)) if !links.iter().any(is_for_guests) => {
            let evidence = inside.shows(
                format!("{address} is on no interface; there are {}", listed(links)),
                "ip address",
            );
            Some(found(format!("{name} has lost its address {address}"), evidence))
        }
        (None, Some(address)) if !links.iter().any(is_for_guests) => {
            let evidence = inside.shows("there is no interface but lo", "ip address");
            Some(found(
                format!("{name} has no interface, and so not its address {address}"),
                evidence,
            ))
        }
        _ => None,
    }
}

/// Whether a link leads to a virtual machine in the pod, which then has the pod's address.
fn is_for_guests(link: &Link) -> bool {
    matches!(
        link.kind.as_deref(),
        Some("bridge" | "tun" | "tap" | "macvtap" | "ipvtap")
    )
}

fn listed(links: &[Link]) -> String {
    let each = links.iter().filter(|link| link.name != "lo").map(|link| {
        let addresses: Vec<String> = link
            .addresses
            .iter()
            .map(|address| format!("{}/{}", address.address, address.prefix))
            .collect();
        match addresses.as_slice() {
            [] => format!("{} without an address", link.name),
            some => format!("{} with {}", link.name, some.join(", ")),
        }
    });
    each.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::scene::{PodScene, link};
    use crate::shown;

    fn summary(scene: &PodScene) -> String {
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        let command = format!("{:?}", findings[0].evidence[0].from);
        assert!(command.contains("nsenter -t 1001 -n ip "), "{command}");
        findings[0].summary.clone()
    }

    #[test]
    fn an_interface_that_is_down_or_hangs_in_the_air_is_found() {
        let down = PodScene::healthy().change("web-1", |network| link(network, "eth0").up = false);
        assert_eq!(summary(&down), "the interface eth0 of pod/web-1 -n shop is down");
        let alone = PodScene::healthy().change("web-1", |network| link(network, "eth0").carrier = false);
        assert!(summary(&alone).starts_with("nothing is at the other end of eth0"));
    }

    #[test]
    fn an_address_that_is_on_no_interface_is_found() {
        let bare = PodScene::healthy().change("web-1", |network| link(network, "eth0").addresses.clear());
        assert_eq!(
            summary(&bare),
            "pod/web-1 -n shop has lost its address 10.244.1.5"
        );
        let none = PodScene::healthy().change("web-1", |network| {
            network.links = network.links.clone().map(|mut links| {
                links.retain(|link| link.name == "lo");
                links
            });
        });
        assert!(summary(&none).contains("has no interface"));
    }

    #[test]
    fn an_address_that_a_virtual_machine_took_over_is_well() {
        let scene = PodScene::healthy().change("web-1", |network| {
            link(network, "eth0").addresses.clear();
            let mut bridge = link(network, "eth0").clone();
            (bridge.name, bridge.kind) = ("k6t-eth0".to_owned(), Some("bridge".to_owned()));
            network.links = network.links.clone().map(|mut links| {
                links.push(bridge.clone());
                links
            });
        });
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn pods_with_their_addresses_pass_and_one_whose_network_was_not_found_is_unknown() {
        shown::passes(&CHECK, &PodScene::healthy().observation());
        let gaps = shown::cannot_tell(
            &CHECK,
            &PodScene::healthy().without_network("web-1").observation(),
        );
        assert!(gaps[0].what.contains("pod/web-1 -n shop"), "{gaps:?}");
        shown::cannot_tell(&CHECK, &PodScene::healthy().unread("web-1").observation());
        shown::cannot_tell(&CHECK, &PodScene::healthy().cut_short().observation());
    }

    #[test]
    fn without_node_access_it_is_skipped() {
        let mut observation = PodScene::healthy().observation();
        observation.node_pods = None;
        let judgement = judge(&View::new(&observation));
        assert!(judgement.skipped.is_some_and(|why| why.contains("--node-access")));
    }
}
