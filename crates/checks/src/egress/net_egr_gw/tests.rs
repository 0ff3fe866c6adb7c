use observation::{Observation, Topic};
use report::GapReason;

use super::*;
use crate::reach::{EgressTarget, plan_egress};
use crate::shown;
use crate::tries::scene::{Scene, silence};

fn gateway() -> EgressGateway {
    EgressGateway {
        kind: "ciliumegressgatewaypolicy".to_owned(),
        name: "out".to_owned(),
        pods: Observed::Seen(3),
        chosen_by: "egress=true".to_owned(),
        nodes: Observed::Seen(vec!["node1".to_owned()]),
        addresses: Vec::new(),
        assigned: None,
        enabled: Some(true),
    }
}

fn pool(translated: bool) -> EgressPool {
    EgressPool {
        name: "ippool/default-ipv4-ippool".to_owned(),
        range: Some("10.244.0.0/16".to_owned()),
        translated,
        field: ".spec.natOutgoing".to_owned(),
    }
}

fn with(gateways: Vec<EgressGateway>, pools: Vec<EgressPool>) -> Observation {
    tried(gateways, pools, false)
}

fn tried(gateways: Vec<EgressGateway>, pools: Vec<EgressPool>, is_deaf: bool) -> Observation {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::Egress];
    scene.hosts = true;
    let target = EgressTarget::Address("198.51.100.80:80".parse().expect("an address"));
    scene.more = plan_egress(&[target], None, &[], &scene.options);
    let mut observation = scene.observe(|attempt, _| {
        let is_outside = attempt.purpose == Purpose::AddressOutside;
        (is_deaf && is_outside && matches!(attempt.source, Source::Pod { .. })).then(silence)
    });
    observation.egress_setup = Some(Box::new(Observed::Seen(EgressSetup {
        gateways: vec![Observed::Seen(gateways)],
        pools: vec![Observed::Seen(pools)],
    })));
    observation
}

fn changed(change: impl Fn(&mut EgressGateway)) -> Observation {
    let mut gateway = gateway();
    change(&mut gateway);
    with(vec![gateway], Vec::new())
}

fn only(observation: &Observation) -> String {
    let findings = shown::finds(&CHECK, observation);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings[0].summary.clone()
}

#[test]
fn a_gateway_on_a_ready_node_with_pods_passes() {
    shown::passes(&CHECK, &with(vec![gateway()], vec![pool(true)]));
}

#[test]
fn one_without_a_node_or_on_one_that_is_gone_or_not_ready_is_found() {
    let none = only(&changed(|it| it.nodes = Observed::Seen(Vec::new())));
    assert!(
        none.starts_with("ciliumegressgatewaypolicy/out has no gateway: "),
        "{none}"
    );
    let gone = only(&changed(|it| it.nodes = Observed::Seen(vec!["node9".to_owned()])));
    assert!(gone.ends_with("none of its gateways can send"), "{gone}");
    let mut observation =
        changed(|it| it.nodes = Observed::Seen(vec!["node1".to_owned(), "node2".to_owned()]));
    if let Observed::Seen(nodes) = &mut observation.nodes {
        nodes[0].ready = None;
    }
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        findings[0].summary.ends_with("1 of its 2 gateways cannot send"),
        "{findings:#?}"
    );
    assert_eq!(findings[0].evidence[0].fact, "node1 is not Ready");
}

#[test]
fn one_that_is_for_no_pod_or_that_the_cni_does_not_look_at_is_found() {
    assert!(only(&changed(|it| it.pods = Observed::Seen(0))).contains("is for no pod"));
    assert!(only(&changed(|it| it.enabled = Some(false))).contains("is not turned on"));
    // Where the configuration could not be read, nothing is said of it.
    shown::passes(&CHECK, &changed(|it| it.enabled = None));
}

#[test]
fn addresses_that_no_node_holds_are_found() {
    let summary = only(&changed(|it| {
        it.addresses = vec!["172.30.0.100".to_owned(), "172.30.0.101".to_owned()];
        it.assigned = Some(1);
    }));
    assert!(
        summary.ends_with("asks for 2 addresses, and nodes hold 1 of them"),
        "{summary}"
    );
}

#[test]
fn pods_that_keep_their_address_are_noted_and_found_only_where_that_fails() {
    let findings = shown::finds(&CHECK, &with(Vec::new(), vec![pool(false)]));
    assert_eq!(findings[0].severity, Severity::Note);
    let findings = shown::finds(&CHECK, &tried(Vec::new(), vec![pool(false)], true));
    assert_eq!(findings[0].severity, Severity::Warning);
    assert_eq!(findings[0].evidence.len(), 3);
    // Who translates is not blamed for what fails.
    let judgement = judge(&View::new(&tried(Vec::new(), vec![pool(true)], true)));
    assert!(judgement.findings.is_empty());
}

#[test]
fn what_is_not_set_up_is_skipped_and_what_could_not_be_read_is_unknown() {
    let judgement = judge(&View::new(&with(Vec::new(), vec![pool(true)])));
    assert_eq!(judgement.skipped.as_deref(), Some("no egress gateway is set up"));
    let gap = Gap {
        what: "EgressIPs".to_owned(),
        why: GapReason::Failed,
        message: "the API server did not answer".to_owned(),
        hint: None,
    };
    let mut observation = with(Vec::new(), Vec::new());
    observation.egress_setup = Some(Box::new(Observed::Seen(EgressSetup {
        gateways: vec![Observed::Unseen(gap.clone())],
        pools: Vec::new(),
    })));
    shown::cannot_tell(&CHECK, &observation);
    shown::cannot_tell(&CHECK, &changed(|it| it.pods = Observed::Unseen(gap.clone())));
    observation.egress_setup = None;
    assert!(!judge(&View::new(&observation)).is_asked());
}
