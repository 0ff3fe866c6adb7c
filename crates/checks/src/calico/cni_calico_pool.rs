use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use report::{Evidence, Finding, Severity, Subject};

use super::on_addresses;
use super::scene::{Encapsulation, Pool, Scene, gaps, subject};
use super::selector::selects;
use crate::check::{Breaks, Check, Judgement, Need};
use crate::firewall::joined;
use crate::product::{count, gap};
use crate::view::View;

/// Pools say which addresses pods have, on which nodes, and how their packets travel.
pub(crate) static CHECK: Check = Check {
    id: "cni-calico-pool",
    claim: "the pools of Calico fit the cluster and each other",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_addresses(view, |scene, judgement| {
        let calico = scene.calico;
        judgement.gaps = gaps([calico.pools.gap(), scene.cni.ranges.pods.gap()]);
        let Some(all) = calico.pools.seen() else { return };
        let pools = scene.pools();
        for pool in all.iter().filter(|it| it.cidr.parse::<IpNet>().is_err()) {
            let fact = scene.fact(format!("cidr is {:?}", pool.cidr), "ippools", &pool.name);
            let what = format!("ippool/{} has no range that can be understood", pool.name);
            judgement.findings.push(Finding::new(
                CHECK.id,
                Severity::Warning,
                subject(pool),
                what,
                fact,
            ));
        }
        disabled(scene, &pools, judgement);
        judgement
            .findings
            .extend(pools.iter().filter_map(|pool| outside(scene, pool)));
        judgement.findings.extend(mixed(scene, &pools));
        judgement
            .findings
            .extend(pools.iter().filter_map(|pool| twice(scene, pool)));
        judgement.findings.extend(overlaps(scene, &pools));
        for finding in pools.iter().filter_map(|pool| over_nodes(scene, pool)) {
            judgement.cause(finding, Breaks::Nothing);
        }
        without_pool(scene, &pools, judgement);
    })
}

/// Pools that give nothing away are told; that none does is an error.
fn disabled(scene: &Scene<'_>, pools: &[Pool<'_>], judgement: &mut Judgement) {
    let off: Vec<&Pool<'_>> = pools.iter().filter(|pool| pool.pool.disabled).collect();
    if !pools.iter().any(Pool::is_enabled) {
        let what = if off.is_empty() {
            "Calico has no pool to give addresses of: new pods get none".to_owned()
        } else {
            format!(
                "{} disabled: new pods get no address",
                if off.len() == 1 {
                    "Calico's only pool is"
                } else {
                    "all pools of Calico are"
                }
            )
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Cluster,
            what,
            scene.fact(
                format!("{} of {} are disabled", off.len(), pools.len()),
                "ippools",
                "",
            ),
        );
        finding.hint = off.first().map(|pool| {
            format!(
                "take disabled: true out of the right one: `{}`",
                scene.edit("ippools", &pool.pool.name)
            )
        });
        judgement.cause(finding, Breaks::Nothing);
        return;
    }
    for pool in off {
        judgement.findings.push(Finding::new(
            CHECK.id,
            Severity::Note,
            pool.subject(),
            format!("ippool/{} is disabled: its addresses stay with the pods that have them, and no new pod gets one", pool.pool.name),
            scene.fact("disabled is true", "ippools", &pool.pool.name),
        ));
    }
}

/// Packets of pods outside of the cluster's range are taken for those of strangers.
fn outside(scene: &Scene<'_>, pool: &Pool<'_>) -> Option<Finding> {
    if !pool.is_enabled() {
        return None;
    }
    let said = scene.cni.ranges.pods.seen()?;
    let of_family = said.iter().filter_map(|it| {
        let cidr: IpNet = it.cidr.parse().ok()?;
        (cidr.addr().is_ipv4() == pool.cidr.addr().is_ipv4()).then_some((it, cidr))
    });
    let ranges: Vec<_> = of_family.collect();
    let (first, _) = ranges.first()?;
    if ranges.iter().any(|(_, cidr)| cidr.contains(&pool.cidr)) {
        return None;
    }
    let (name, cidr) = (&pool.pool.name, pool.cidr);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        pool.subject(),
        format!(
            "ippool/{name} is {cidr}, outside of the cluster's range of pods {}: what pods of it send to Services has the node's address",
            first.cidr
        ),
        scene.fact(format!("cidr is {cidr}"), "ippools", name),
    );
    finding.evidence.push(Evidence::command(
        format!("{} is {}", first.from, first.cidr),
        first.command.clone(),
    ));
    finding.hint = Some(format!(
        "make a pool within {} with the same encapsulation, disable this one, and make its pods anew bit by bit: `{}`",
        first.cidr,
        scene.show("ippools", name)
    ));
    Some(finding)
}

fn mixed(scene: &Scene<'_>, pools: &[Pool<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for is_v4 in [true, false] {
        let mut kinds: BTreeMap<Encapsulation, Vec<&str>> = BTreeMap::new();
        for pool in pools
            .iter()
            .filter(|it| it.is_enabled() && it.cidr.addr().is_ipv4() == is_v4)
        {
            kinds
                .entry(pool.encapsulation())
                .or_default()
                .push(&pool.pool.name);
        }
        if kinds.len() < 2 {
            continue;
        }
        let all: Vec<String> = kinds
            .iter()
            .map(|(kind, names)| format!("{} ({})", kind.name(), joined(names)))
            .collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::Cluster,
            format!(
                "pools that give addresses away have different encapsulations: {}",
                joined(&all)
            ),
            scene.fact(joined(&all), "ippools", ""),
        );
        finding.hint = Some(format!(
            "disable the pools of the one that is to go: `{}`",
            scene.show("ippools", "")
        ));
        findings.push(finding);
    }
    findings
}

fn twice(scene: &Scene<'_>, pool: &Pool<'_>) -> Option<Finding> {
    let is_on = |mode: &Option<String>| mode.as_deref().is_some_and(|mode| mode != "Never");
    (is_on(&pool.pool.ipip_mode) && is_on(&pool.pool.vxlan_mode)).then(|| {
        Finding::new(
            CHECK.id,
            Severity::Warning,
            pool.subject(),
            format!("ippool/{} is to be IPIP and VXLAN at once", pool.pool.name),
            scene.fact("ipipMode and vxlanMode are both set", "ippools", &pool.pool.name),
        )
    })
}

fn overlaps(scene: &Scene<'_>, pools: &[Pool<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, one) in pools.iter().enumerate() {
        for other in &pools[index + 1..] {
            if !one.cidr.contains(&other.cidr) && !other.cidr.contains(&one.cidr) {
                continue;
            }
            let (a, b) = (&one.pool.name, &other.pool.name);
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                other.subject(),
                format!(
                    "ippool/{b} ({}) overlaps ippool/{a} ({}): two pods may get one address",
                    other.cidr, one.cidr
                ),
                scene.fact(format!("cidr is {}", other.cidr), "ippools", b),
            );
            finding
                .evidence
                .push(scene.fact(format!("cidr is {}", one.cidr), "ippools", a));
            findings.push(finding);
        }
    }
    findings
}

/// A pool around the addresses of nodes takes the packets to them.
fn over_nodes(scene: &Scene<'_>, pool: &Pool<'_>) -> Option<Finding> {
    let inside = scene.nodes?.iter().find_map(|node| {
        let address = node
            .internal_ips
            .iter()
            .find(|address| pool.cidr.contains(*address))?;
        Some((node.name.as_str(), *address))
    });
    let (node, address) = inside.filter(|_| pool.is_enabled())?;
    let name = &pool.pool.name;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        pool.subject(),
        format!(
            "ippool/{name} is {}, in which {node} has its own address {address}: a pod may get it, and packets to nodes go astray",
            pool.cidr
        ),
        scene.fact(format!("cidr is {}", pool.cidr), "ippools", name),
    );
    finding.evidence.push(Evidence::field(
        address.to_string(),
        format!("node/{node} .status.addresses"),
    ));
    finding.hint = Some(format!(
        "make a pool elsewhere within the cluster's range, and disable this one: `{}`",
        scene.edit("ippools", name)
    ));
    Some(finding)
}

/// Nodes that no pool is for.
fn without_pool(scene: &Scene<'_>, pools: &[Pool<'_>], judgement: &mut Judgement) {
    let automatic: Vec<&Pool<'_>> = pools.iter().filter(|pool| pool.is_automatic()).collect();
    let is_chosen = |pool: &&Pool<'_>| {
        pool.pool
            .node_selector
            .as_deref()
            .is_some_and(|it| it.trim() != "all()")
    };
    // Where pools are only for those who ask, nothing can be concluded.
    if automatic.is_empty() || !automatic.iter().all(is_chosen) {
        return;
    }
    let labels = match &scene.calico.node_labels {
        report::Observed::Seen(labels) => labels,
        report::Observed::Unseen(gap) => {
            judgement.gaps.push(gap.clone());
            return;
        }
    };
    let mut unclear: BTreeSet<&str> = BTreeSet::new();
    let mut without: Vec<&str> = Vec::new();
    for (node, labels) in labels {
        let mut is_selected = false;
        for pool in &automatic {
            let selector = pool.pool.node_selector.as_deref().unwrap_or("all()");
            if let Some(is) = selects(selector, labels) {
                is_selected |= is;
            } else {
                unclear.insert(&pool.pool.name);
                is_selected = true;
            }
        }
        if !is_selected {
            without.push(node);
        }
    }
    for name in unclear {
        let what = format!("which nodes ippool/{name} is for");
        judgement.gaps.push(gap(
            what,
            "its nodeSelector could not be understood",
            Some(scene.show("ippools", name)),
        ));
    }
    // Pools of which none is for any node are all for those who ask.
    let Some(first) = without.first().filter(|_| without.len() < labels.len()) else {
        return;
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(*first),
        format!(
            "no pool is for {}: new pods there get no address",
            joined(&without)
        ),
        scene.fact(selectors(&automatic), "ippools", ""),
    );
    finding.evidence.push(Evidence::command(
        "its labels",
        format!("kubectl get node {} --show-labels", crate::shell::word(first)),
    ));
    finding.hint = Some(format!(
        "label {} as a pool wants it, or make a pool for {}: `{}`",
        count(without.len(), "node"),
        if without.len() == 1 { "it" } else { "them" },
        scene.show("ippools", &automatic[0].pool.name)
    ));
    judgement.cause(finding, Breaks::Nothing);
}

fn selectors(pools: &[&Pool<'_>]) -> String {
    let all: Vec<String> = pools
        .iter()
        .map(|pool| {
            format!(
                "ippool/{} is for {}",
                pool.pool.name,
                pool.pool.node_selector.as_deref().unwrap_or("all()")
            )
        })
        .collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use report::Observed;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn a_pool_outside_of_the_clusters_range_is_a_warning_unless_it_is_disabled() {
        let wrong = Fixture::vxlan().pool(|pool| pool.cidr = "192.168.0.0/16".into());
        let findings = shown::finds(&CHECK, &wrong.observe());
        assert!(
            findings[0]
                .summary
                .contains("outside of the cluster's range of pods 10.244.0.0/16"),
            "{findings:?}"
        );
        assert_eq!(findings[0].evidence.len(), 2);
        let old = Fixture::vxlan().further_pool("old", "192.168.0.0/16", |pool| pool.disabled = true);
        let findings = shown::finds(&CHECK, &old.observe());
        assert!(
            findings.iter().all(|finding| finding.severity == Severity::Note),
            "{findings:?}"
        );
        shown::passes(&CHECK, &old.observe());
    }

    #[test]
    fn no_pool_that_gives_addresses_away_is_an_error() {
        let broken = Fixture::vxlan().pool(|pool| pool.disabled = true);
        assert_eq!(
            shown::finds(&CHECK, &broken.observe())[0].severity,
            Severity::Error
        );
    }

    #[test]
    fn two_encapsulations_are_one_too_many_unless_one_is_on_its_way_out() {
        let mixed = |disabled: bool| {
            Fixture::vxlan()
                .pool(|pool| pool.cidr = "10.244.0.0/17".into())
                .further_pool("ipip", "10.244.128.0/17", move |pool| {
                    pool.vxlan_mode = None;
                    pool.ipip_mode = Some("Always".into());
                    pool.disabled = disabled;
                })
        };
        assert!(
            shown::finds(&CHECK, &mixed(false).observe())[0]
                .summary
                .contains("IPIP (ipip) and VXLAN (default-ipv4-ippool)")
        );
        shown::passes(&CHECK, &mixed(true).observe());
    }

    #[test]
    fn pools_for_some_nodes_leave_the_others_without() {
        let broken = Fixture::vxlan()
            .pool(|pool| pool.node_selector = Some("zone == 'a'".into()))
            .labels("node1", "zone", "a");
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(
            findings[0].summary,
            "no pool is for node2 and node3: new pods there get no address"
        );
        let for_those_who_ask = Fixture::vxlan()
            .pool(|pool| pool.cidr = "10.244.0.0/17".into())
            .further_pool("asked", "10.244.128.0/24", |pool| {
                pool.node_selector = Some("!all()".into());
            });
        shown::passes(&CHECK, &for_those_who_ask.observe());
        let unclear = Fixture::vxlan().pool(|pool| pool.node_selector = Some("zone ~ a".into()));
        shown::cannot_tell(&CHECK, &unclear.observe());
    }

    #[test]
    fn a_pool_around_a_nodes_own_address_is_an_error() {
        let broken = Fixture::vxlan().further_pool("lan", "172.30.0.0/24", |_| {});
        let findings = shown::finds(&CHECK, &broken.observe());
        assert!(
            findings.iter().any(|it| it.severity == Severity::Error),
            "{findings:?}"
        );
    }

    #[test]
    fn ranges_that_are_none_and_overlaps_are_said() {
        let broken = Fixture::vxlan()
            .further_pool("odd", "10.244.0.0/99", |_| {})
            .further_pool("part", "10.244.7.0/24", |_| {});
        let findings = shown::finds(&CHECK, &broken.observe());
        assert!(
            findings.iter().any(|it| it.summary.contains("no range")),
            "{findings:?}"
        );
        assert!(
            findings.iter().any(|it| it.summary.contains("overlaps")),
            "{findings:?}"
        );
    }

    #[test]
    fn what_nobody_says_is_nothing_to_compare_with_and_what_may_not_be_read_is_unknown() {
        shown::passes(&CHECK, &Fixture::vxlan().observe());
        shown::passes(
            &CHECK,
            &Fixture::vxlan().ranges(Observed::Seen(Vec::new())).observe(),
        );
        shown::cannot_tell(&CHECK, &Fixture::vxlan().ranges(Fixture::unseen()).observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::vxlan()
                .with(|calico| calico.pools = Fixture::unseen())
                .observe(),
        );
    }

    #[test]
    fn where_another_plugin_has_the_addresses_pools_mean_nothing() {
        let canal = Fixture::vxlan().with(|calico| {
            calico.manifest = Observed::Seen(Some(observation::CalicoManifest {
                ipam: Some("host-local".into()),
                ..observation::CalicoManifest::default()
            }));
            calico.installations = None;
        });
        let judgement = (CHECK.judge)(&View::new(&canal.observe()));
        assert!(judgement.skipped.is_some(), "{judgement:?}");
    }
}
