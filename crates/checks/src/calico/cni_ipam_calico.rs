use std::collections::{BTreeMap, BTreeSet};

use observation::IpamConfig;
use report::{Evidence, Finding, Severity, Subject};

use super::leak::{self, Leak};
use super::on_addresses;
use super::scene::{Scene, gaps};
use super::usage::{Usage, by_node, of_pools, size};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::firewall::joined;
use crate::product::{count, grade, share};
use crate::view::View;

/// Calico gives each node blocks of a pool, and pods addresses of these. It runs out in several ways: of addresses, of blocks, of what one
/// node may have; and addresses of pods that are gone may be what fills it.
pub(crate) static CHECK: Check = Check {
    id: "cni-ipam-calico",
    claim: "Calico has blocks and addresses left for new pods, and holds none for pods that are gone",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_addresses(view, |scene, judgement| {
        let calico = scene.calico;
        judgement.gaps = gaps([calico.pools.gap(), calico.blocks.gap(), calico.ipam.gap()]);
        if calico.pools.seen().is_none() || calico.blocks.seen().is_none() {
            return;
        }
        let leak = match leak::find(scene) {
            Ok(leak) => Some(leak),
            Err(gap) => {
                judgement.gaps.push(gap.clone());
                None
            }
        };
        let much = leak.as_ref().filter(|leak| leak.is_much());
        let usages = of_pools(scene);
        let mut is_full = false;
        for usage in usages.iter().filter(|usage| usage.pool.is_enabled()) {
            if let Some(finding) = of_pool(scene, usage, much) {
                is_full |= finding.severity == Severity::Error;
                judgement.cause(finding, Breaks::Nothing);
            }
        }
        of_nodes(scene, &usages, judgement);
        judgement
            .findings
            .extend(much.map(|leak| leaked(scene, leak, is_full)));
        judgement.findings.extend(stranded(scene, &usages));
    })
}

fn of_pool(scene: &Scene<'_>, usage: &Usage<'_>, much: Option<&Leak<'_>>) -> Option<Finding> {
    let pool = &usage.pool;
    let (name, size, free) = (&pool.pool.name, pool.size(), usage.free_blocks());
    let taken = grade(usage.used, size);
    // A pool that can be cut into fewer blocks than there are nodes leaves some without one from the start.
    let nodes = scene.nodes.map_or(0, <[_]>::len);
    let is_small = pool.is_automatic() && pool.blocks() < nodes as u128;
    let (severity, what) = match taken {
        Some(severity) => {
            let what = if usage.used >= size {
                "is out of addresses"
            } else {
                "is about to run out of addresses"
            };
            (
                severity,
                format!("ippool/{name} {what}: {} are given away", share(usage.used, size)),
            )
        }
        None if is_small => (
            Severity::Warning,
            format!(
                "ippool/{name} can be cut into {} blocks, and there are {nodes} nodes",
                pool.blocks()
            ),
        ),
        None if free == 0 => (
            Severity::Warning,
            format!(
                "ippool/{name} has no block left for a further node, while {} addresses are given away",
                share(usage.used, size)
            ),
        ),
        None => return None,
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        pool.subject(),
        what,
        scene.fact(
            format!(
                "cidr is {}, in blocks of /{}, which are {} addresses each",
                pool.cidr,
                pool.block_prefix(),
                pool.block_size()
            ),
            "ippools",
            name,
        ),
    );
    finding.evidence.push(scene.fact(
        format!(
            "{} of {} blocks are taken, and {} addresses in them",
            usage.blocks.len(),
            pool.blocks(),
            usage.used
        ),
        "ipamblocks",
        "",
    ));
    finding.hint = Some(match much {
        Some(leak) => format!(
            "{} of them are held for pods that are gone: see which: `calicoctl ipam check --show-problem-ips`",
            leak.addresses.len()
        ),
        None => format!(
            "make a further pool within the cluster's range, with the same encapsulation and natOutgoing: `{}`",
            scene.show("ippools", name)
        ),
    });
    finding.explains = vec!["cni-ipam-use".to_owned(), "net-probe-pod".to_owned()];
    Some(finding)
}

/// Nodes whose own blocks are full, and which get no other and borrow nothing.
fn of_nodes(scene: &Scene<'_>, usages: &[Usage<'_>], judgement: &mut Judgement) {
    let Some(config) = scene.calico.ipam.seen() else {
        return;
    };
    let config = config.clone().unwrap_or(IpamConfig {
        auto_allocate_blocks: true,
        ..IpamConfig::default()
    });
    let is_left = usages
        .iter()
        .any(|usage| usage.pool.is_automatic() && usage.free_blocks() > 0);
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (node, blocks) in by_node(usages) {
        let room: u128 = blocks.iter().map(|(_, cidr)| size(cidr)).sum();
        let used: u128 = blocks.iter().map(|(block, _)| u128::from(block.used)).sum();
        let limit = config
            .max_blocks_per_host
            .map(|it| usize::try_from(it).unwrap_or(usize::MAX));
        let is_at_limit = limit.is_some_and(|limit| blocks.len() >= limit);
        // It borrows from blocks of others where it may, for as long as there is anything in them.
        if used < room || !config.strict_affinity || (is_left && !is_at_limit) {
            continue;
        }
        let why = match limit.filter(|_| is_at_limit) {
            Some(limit) => format!(
                "it has {} and may have no more (maxBlocksPerHost is {limit})",
                count(blocks.len(), "block")
            ),
            None => "no pool has a block left".to_owned(),
        };
        reasons.entry(why).or_default().push(node);
    }
    for (why, nodes) in reasons {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(nodes[0]),
            format!(
                "new pods get no address on {}: every address of its blocks is given away, {why}, and it may not borrow",
                joined(&nodes)
            ),
            scene.fact("every address of its blocks is given away", "ipamblocks", ""),
        );
        finding
            .evidence
            .push(scene.fact("strictAffinity is true", "ipamconfigs", "default"));
        finding.hint = Some(if why.contains("maxBlocksPerHost") {
            format!(
                "raise maxBlocksPerHost, or have fewer pods there: `{}`",
                scene.edit("ipamconfigs", "default")
            )
        } else {
            format!(
                "make a further pool within the cluster's range: `{}`",
                scene.show("ippools", "")
            )
        });
        finding.explains = vec!["cni-ipam-use".to_owned(), "net-probe-pod".to_owned()];
        judgement.cause(finding, Breaks::Nothing);
    }
}

fn leaked(scene: &Scene<'_>, leak: &Leak<'_>, is_full: bool) -> Finding {
    let total = leak.addresses.len();
    let some: Vec<String> = leak
        .addresses
        .iter()
        .take(5)
        .map(|held| format!("{} for {}", held.address, held.pod))
        .collect();
    let some: Vec<&str> = some.iter().map(String::as_str).collect();
    let severity = if is_full {
        Severity::Error
    } else {
        Severity::Warning
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::Cluster,
        format!(
            "Calico holds {} for pods that are gone, of {} that pods have",
            count(total, "addresse")
                .replace("addressess", "addresses")
                .replace("1 addresse", "1 address"),
            leak.held
        ),
        scene.fact(format!("held are {}", joined(&some)), "ipamblocks", ""),
    );
    finding.evidence.push(Evidence::command(
        "none of these pods is listed",
        "kubectl get pods -A",
    ));
    finding.explains = vec!["cni-ipam-leak".to_owned()];
    let controllers = scene.agents("calico-kube-controllers").any(|agent| agent.ready);
    finding.hint = Some(format!(
        "{}; let Calico compare them itself, and release nothing that it does not name: `calicoctl ipam check --show-problem-ips`",
        if controllers {
            "calico-kube-controllers gives them back within some fifteen minutes, if nothing keeps it from it"
        } else {
            "calico-kube-controllers would give them back, and none is ready"
        }
    ));
    finding
}

/// Blocks of nodes that are gone.
fn stranded(scene: &Scene<'_>, usages: &[Usage<'_>]) -> Option<Finding> {
    let nodes: BTreeSet<&str> = scene.nodes?.iter().map(|node| node.name.as_str()).collect();
    let by_node = by_node(usages);
    let gone: Vec<(&str, usize)> = by_node
        .iter()
        .filter(|(node, _)| !nodes.contains(*node))
        .map(|(node, blocks)| (*node, blocks.len()))
        .collect();
    let blocks: usize = gone.iter().map(|(_, count)| count).sum();
    let names: Vec<&str> = gone.iter().map(|(node, _)| *node).collect();
    let first = *names.first()?;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::Cluster,
        format!(
            "{} still belong to nodes that are gone: {}",
            count(blocks, "block"),
            joined(&names)
        ),
        scene.fact(format!("spec.affinity is host:{first}"), "ipamblocks", ""),
    );
    finding.evidence.push(Evidence::command(
        format!("{first} is not listed"),
        "kubectl get nodes",
    ));
    finding.hint = Some(
        "calico-kube-controllers gives them back; see what keeps it from it: `kubectl logs -A -l k8s-app=calico-kube-controllers \
         --tail=100`"
            .to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use report::Observed;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    fn strict(limit: Option<u32>) -> impl FnOnce(&mut observation::Calico) {
        move |calico| {
            calico.ipam = Observed::Seen(Some(IpamConfig {
                strict_affinity: true,
                auto_allocate_blocks: true,
                max_blocks_per_host: limit,
            }));
        }
    }

    #[test]
    fn a_pool_that_is_full_is_an_error_and_one_that_nearly_is_a_warning() {
        let full = Fixture::vxlan()
            .pool(|pool| pool.cidr = "10.244.0.0/24".into())
            .full_blocks(4, 64);
        let findings = shown::finds(&CHECK, &full.observe());
        assert_eq!(
            findings[0].summary,
            "ippool/default-ipv4-ippool is out of addresses: 256 of 256 (100 %) are given away"
        );
        assert_eq!(findings[0].severity, Severity::Error);
        let nearly = Fixture::vxlan()
            .pool(|pool| pool.cidr = "10.244.0.0/24".into())
            .full_blocks(4, 52);
        assert_eq!(
            shown::finds(&CHECK, &nearly.observe())[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn no_block_left_is_told_while_there_are_addresses() {
        let taken = Fixture::vxlan()
            .pool(|pool| pool.cidr = "10.244.0.0/24".into())
            .full_blocks(4, 3);
        assert!(
            shown::finds(&CHECK, &taken.observe())[0]
                .summary
                .contains("no block left")
        );
        let small = Fixture::vxlan().pool(|pool| pool.cidr = "10.244.0.0/25".into());
        assert!(
            shown::finds(&CHECK, &small.observe())[0]
                .summary
                .contains("2 blocks, and there are 3 nodes")
        );
    }

    #[test]
    fn a_node_that_may_not_borrow_is_stuck_with_its_own_blocks() {
        let at_limit = Fixture::vxlan()
            .block("node1", |block| block.used = 64)
            .with(strict(Some(1)));
        let findings = shown::finds(&CHECK, &at_limit.observe());
        assert!(
            findings[0].summary.contains("maxBlocksPerHost is 1"),
            "{findings:?}"
        );
        assert_eq!(findings[0].subject, Subject::node("node1"));
        // It gets another block where there are some, and borrows where it may.
        shown::passes(
            &CHECK,
            &Fixture::vxlan()
                .block("node1", |block| block.used = 64)
                .with(strict(None))
                .observe(),
        );
        shown::passes(
            &CHECK,
            &Fixture::vxlan().block("node1", |block| block.used = 64).observe(),
        );
    }

    #[test]
    fn addresses_of_pods_that_are_gone_are_counted_and_named() {
        let leaking = Fixture::vxlan().leaked(10);
        let findings = shown::finds(&CHECK, &leaking.observe());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            findings[0].summary,
            "Calico holds 10 addresses for pods that are gone, of 13 that pods have"
        );
        assert!(findings[0].explains.contains(&"cni-ipam-leak".to_owned()));
        // A few come and go.
        shown::passes(&CHECK, &Fixture::vxlan().leaked(5).observe());
    }

    #[test]
    fn blocks_of_nodes_that_are_gone_are_told() {
        let stranded = Fixture::vxlan().block("node3", |block| block.node = Some("old".into()));
        assert!(
            shown::finds(&CHECK, &stranded.observe())[0]
                .summary
                .ends_with("nodes that are gone: old")
        );
    }

    #[test]
    fn disabled_pools_may_be_full() {
        let old = Fixture::vxlan()
            .further_pool("old", "10.245.0.0/26", |pool| pool.disabled = true)
            .with(|calico| {
                if let Observed::Seen(blocks) = &mut calico.blocks {
                    blocks.push(observation::IpamBlock {
                        cidr: "10.245.0.0/26".into(),
                        node: Some("node1".into()),
                        used: 64,
                        held: Vec::new(),
                    });
                }
            });
        shown::passes(&CHECK, &old.observe());
    }

    #[test]
    fn room_passes_and_blocks_or_pods_that_were_not_read_are_unknown() {
        shown::passes(&CHECK, &Fixture::vxlan().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::vxlan()
                .with(|calico| calico.blocks = Fixture::unseen())
                .observe(),
        );
        shown::cannot_tell(&CHECK, &Fixture::vxlan().pods_unseen().observe());
    }
}
