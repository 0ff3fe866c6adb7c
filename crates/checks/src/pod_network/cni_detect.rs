use std::collections::BTreeSet;

use observation::CniProduct;
use report::{Evidence, Finding, Severity, Subject};

use super::{Cnis, NO_NETWORK, ids, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::firewall::joined;
use crate::shell::word;
use crate::view::View;

/// A cluster has one CNI that gives pods their network. Whether a pod of one runs says little by itself: some distributions have it in
/// their own process, and clouds in theirs.
pub(crate) static CHECK: Check = Check {
    id: "cni-detect",
    claim: "the cluster has one CNI, and no pieces of another",
    needs: &[Need::Cni],
    judge,
};

/// A CNI that can also stand beside another and only enforce policies, or be called behind it.
const BESIDE: [CniProduct; 3] = [CniProduct::Calico, CniProduct::Cilium, CniProduct::KubeRouter];
/// Those of clouds, beside which that is usual.
const OF_CLOUDS: [CniProduct; 3] = [CniProduct::AwsVpc, CniProduct::Azure, CniProduct::Terway];

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        if part(&scene.facts.controllers, judgement).is_none() {
            return;
        }
        let primaries: Vec<CniProduct> = scene.primaries().into_iter().collect();
        match primaries.as_slice() {
            [] => none(scene, judgement),
            [_] => {}
            several => judgement.findings.extend(two(scene, several)),
        }
        if let Some(groups) = part(&scene.facts.groups, judgement) {
            judgement.findings.extend(left_over(scene, groups));
        }
    })
}

/// No DaemonSet is that of a CNI that is known.
fn none(scene: &Cnis<'_>, judgement: &mut Judgement) {
    let says_so =
        |text: &str| text.contains("cni plugin not initialized") || text.contains("cni config uninitialized");
    let without: Vec<&str> = scene
        .nodes
        .iter()
        .filter(|node| {
            let ready = node.ready.as_ref();
            ready.is_some_and(|ready| ready.status != "True" && says_so(&ready.message))
        })
        .map(|node| node.name.as_str())
        .collect();
    if without.is_empty() || without.len() < scene.nodes.len() {
        return;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::Cluster,
        "no CNI is installed: no pod is given a network on any node",
        Evidence::command("no DaemonSet of a CNI is there", "kubectl get daemonsets -A"),
    );
    finding.evidence.push(Evidence::command(
        format!("{} nodes say “cni plugin not initialized”", without.len()),
        "kubectl describe nodes",
    ));
    finding.explains = ids(&["cni-conf", "cni-ds-ready"]);
    finding.explains.extend(ids(&NO_NETWORK));
    finding.hint = Some("install one whose range is that of the cluster: `kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDR:.spec.podCIDR` shows it".to_owned());
    judgement.cause(finding, Breaks::Nothing);
}

/// More than one that could give pods their network.
fn two(scene: &Cnis<'_>, several: &[CniProduct]) -> Option<Finding> {
    let is_usual = several.len() == 2
        && several.iter().any(|product| BESIDE.contains(product))
        && several.iter().any(|product| OF_CLOUDS.contains(product));
    if is_usual {
        return None;
    }
    let names: Vec<String> = several.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let controllers: Vec<String> = scene
        .controllers()
        .filter(|it| !it.product.is_meta())
        .map(|it| it.subject().to_string())
        .collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::Cluster,
        format!("pieces of {} CNIs are here: {}", several.len(), joined(&names)),
        Evidence::command(controllers.join(", "), "kubectl get daemonsets -A -o wide"),
    );
    finding.hint = Some(
        "one of them may be there for policies only; else the one whose file comes second in /etc/cni/net.d of nodes does nothing, \
         and its DaemonSet is to go: `kubectl cnicheck config --node-access`"
            .to_owned(),
    );
    Some(finding)
}

/// APIs of a CNI that does not run.
fn left_over(scene: &Cnis<'_>, groups: &[String]) -> Option<Finding> {
    let owner = |group: &str| match group {
        "crd.projectcalico.org" => Some(CniProduct::Calico),
        "cilium.io" => Some(CniProduct::Cilium),
        "crd.antrea.io" => Some(CniProduct::Antrea),
        "kubeovn.io" => Some(CniProduct::KubeOvn),
        _ => None,
    };
    let primaries = scene.primaries();
    let is_there = |product: &CniProduct| {
        primaries.contains(product)
            || (*product == CniProduct::Calico && primaries.contains(&CniProduct::Canal))
    };
    if primaries.is_empty() {
        return None;
    }
    let gone: BTreeSet<(CniProduct, &str)> = groups
        .iter()
        .filter_map(|group| Some((owner(group)?, group.as_str())))
        .filter(|(product, _)| !is_there(product))
        .collect();
    let (product, group) = gone.first()?;
    Some(Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::Cluster,
        format!("APIs of {product} are served, and no DaemonSet of it is there"),
        Evidence::command(
            format!("the group {group} is served"),
            format!("kubectl api-resources --api-group={}", word(group)),
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, controller, no, seen};
    use super::*;
    use crate::shown;

    fn bare(fixture: Fixture) -> Fixture {
        fixture.change(|cni| seen(&mut cni.controllers).clear())
    }

    #[test]
    fn nodes_that_all_wait_for_one_have_none() {
        let mut fixture = bare(Fixture::healthy());
        for node in ["node1", "node2", "node3"] {
            fixture = fixture.node(node, |node| {
                let ready = node.ready.as_mut().unwrap();
                ready.status = "False".into();
                ready.message = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized".into();
            });
        }
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn no_pod_of_one_does_not_mean_that_there_is_none() {
        shown::passes(&CHECK, &bare(Fixture::healthy()).observe());
    }

    #[test]
    fn two_are_a_failed_migration_unless_one_is_usual_beside_the_other() {
        let with = |product, name: &str| {
            Fixture::healthy().change(|cni| seen(&mut cni.controllers).push(controller(product, name)))
        };
        let findings = shown::finds(&CHECK, &with(CniProduct::Cilium, "cilium").observe());
        assert_eq!(
            findings[0].summary,
            "pieces of 2 CNIs are here: flannel and Cilium"
        );
        shown::passes(&CHECK, &with(CniProduct::Multus, "kube-multus-ds").observe());
        let cloud = Fixture::healthy().change(|cni| {
            *seen(&mut cni.controllers) = vec![
                controller(CniProduct::AwsVpc, "aws-node"),
                controller(CniProduct::Calico, "calico-node"),
            ];
        });
        shown::passes(&CHECK, &cloud.observe());
    }

    #[test]
    fn what_another_left_is_only_told() {
        let fixture =
            Fixture::healthy().change(|cni| seen(&mut cni.groups).push("crd.projectcalico.org".into()));
        assert_eq!(
            shown::finds(&CHECK, &fixture.observe())[0].severity,
            Severity::Note
        );
    }

    #[test]
    fn without_the_daemon_sets_nobody_knows() {
        let fixture = Fixture::healthy().change(|cni| cni.controllers = no("DaemonSets"));
        shown::cannot_tell(&CHECK, &fixture.observe());
    }
}
