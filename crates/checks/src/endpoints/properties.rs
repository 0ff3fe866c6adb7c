//! That expected endpoints and what is found of them fit together, for any pods.

use std::collections::BTreeSet;

use observation::{BackendPod, EndpointSlice, Service};
use proptest::prelude::*;

use super::expected::{differences, expected, families, flags};
use super::fixture::{controlled, pod, service};

/// A pod in any state, behind the Service web or not.
fn any_pod(number: u8) -> impl Strategy<Value = BackendPod> {
    let phase = prop_oneof![
        Just("Running"),
        Just("Pending"),
        Just("Succeeded"),
        Just("Failed")
    ];
    (any::<(bool, bool, bool, bool, bool)>(), phase).prop_map(
        move |((ready, going, selected, has_six, has_port), phase)| {
            let mut pod = pod("web", number);
            pod.phase = phase.into();
            pod.ready = ready;
            pod.deleted = going.then(|| "2026-03-01T09:00:20Z".into());
            if !selected {
                pod.labels.clear();
            }
            if phase == "Pending" {
                pod.addresses.clear();
            } else if has_six {
                pod.addresses
                    .push(std::net::Ipv6Addr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)]).into());
            }
            if !has_port {
                pod.containers[0].ports.clear();
            }
            pod
        },
    )
}

fn any_service() -> impl Strategy<Value = Service> {
    (any::<(bool, bool, bool)>()).prop_map(|(publishes, dual, by_number)| {
        let mut service = service("web");
        service.settings.publish_not_ready = publishes;
        if dual {
            service.settings.families = vec!["IPv4".into(), "IPv6".into()];
        }
        if by_number {
            service.ports[0].target_port = "8080".into();
        }
        service
    })
}

fn any_cluster() -> impl Strategy<Value = (Service, Vec<BackendPod>)> {
    (any_service(), (any_pod(1), any_pod(2), any_pod(3)))
        .prop_map(|(service, (one, two, three))| (service, vec![one, two, three]))
}

fn candidates<'p>(service: &Service, pods: &'p [BackendPod]) -> Vec<&'p BackendPod> {
    pods.iter()
        .filter(|pod| observation::selects(&service.selector, &pod.labels))
        .collect()
}

proptest! {
    #[test]
    fn every_expected_endpoint_is_an_address_of_a_selected_pod_that_has_not_ended(
        (service, pods) in any_cluster()
    ) {
        let candidates = candidates(&service, &pods);
        let all = expected(&service, &candidates);
        for it in &all {
            prop_assert!(it.pod.addresses.contains(&it.address));
            prop_assert!(!it.pod.has_ended());
            prop_assert!(it.flags.ready || !it.flags.serving || it.flags.terminating);
            prop_assert_eq!(it.flags.ready, service.settings.publish_not_ready || (it.pod.ready && it.pod.deleted.is_none()));
        }
        let keys: BTreeSet<_> = all.iter().map(|it| (it.address, &it.pod.name)).collect();
        prop_assert_eq!(keys.len(), all.len());
        let most = candidates.len() * families(&service).len();
        prop_assert!(all.len() <= most);
    }

    #[test]
    fn slices_that_follow_their_pods_have_no_difference((service, pods) in any_cluster()) {
        let slices = controlled(&service, &pods);
        let slices: Vec<&EndpointSlice> = slices.iter().collect();
        prop_assert_eq!(differences(&service, &candidates(&service, &pods), &slices), BTreeSet::new());
    }

    #[test]
    fn a_pod_that_changes_its_state_makes_a_difference((service, pods) in any_cluster(), which in 0usize..3) {
        let slices = controlled(&service, &pods);
        let slices: Vec<&EndpointSlice> = slices.iter().collect();
        let mut changed = pods.clone();
        changed[which].ready = !changed[which].ready;
        let is_listed = expected(&service, &candidates(&service, &pods))
            .iter()
            .any(|it| it.pod.name == pods[which].name);
        let found = differences(&service, &candidates(&service, &changed), &slices);
        prop_assert_eq!(found.is_empty(), !is_listed || flags(&service, &pods[which]) == flags(&service, &changed[which]));
    }

    #[test]
    fn a_pod_that_is_gone_leaves_its_addresses((service, pods) in any_cluster(), which in 0usize..3) {
        let slices = controlled(&service, &pods);
        let slices: Vec<&EndpointSlice> = slices.iter().collect();
        let gone = pods[which].name.clone();
        let listed = expected(&service, &candidates(&service, &pods))
            .iter()
            .filter(|it| it.pod.name == gone)
            .count();
        let mut left = pods;
        left.remove(which);
        let found = differences(&service, &candidates(&service, &left), &slices);
        prop_assert_eq!(found.len(), listed);
        prop_assert!(found.iter().all(|difference| difference.pod() == Some(&gone)));
    }
}
