use observation::BgpConfiguration;
use report::{Finding, Severity, Subject};
use serde_json::Value;

use super::on_calico;
use super::scene::{Encapsulation, Scene, gaps, optional};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Settings that take something away which the pools need.
pub(crate) static CHECK: Check = Check {
    id: "cni-calico-cfg",
    claim: "the configuration of Calico fits its pools",
    needs: &[Need::Cni],
    judge,
};

/// What is told where it is not as Calico has it by itself.
const TOLD: [&str; 4] = ["bpfEnabled", "iptablesBackend", "natPortRange", "ipv6Support"];

fn judge(view: &View<'_>) -> Judgement {
    on_calico(view, |scene, judgement| {
        let calico = scene.calico;
        judgement.gaps = gaps([
            calico.felix.gap(),
            calico.bgp.gap(),
            calico.peers.gap(),
            calico.pools.gap(),
            calico.manifest.gap(),
            optional(calico.installations.as_ref()),
        ]);
        judgement.findings.extend(mesh(scene));
        judgement.findings.extend(without_bird(scene));
        judgement.findings.extend(families(scene));
        judgement.findings.extend(told(scene));
    })
}

fn default_bgp<'a>(scene: &Scene<'a>) -> Option<&'a BgpConfiguration> {
    let mut all = scene.calico.bgp.seen()?.iter();
    all.find(|it| it.name == "default")
}

/// Without the mesh between all nodes, and without peers, nobody tells anybody of its pods.
fn mesh(scene: &Scene<'_>) -> Option<Finding> {
    let is_off = default_bgp(scene)?.mesh == Some(false);
    if !is_off || !scene.calico.peers.seen()?.is_empty() || scene.without_bgp().is_some() {
        return None;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::Cluster,
        "the mesh of BGP sessions between nodes is off, and there is no BGPPeer: no node hears of the pods of another",
        scene.fact("nodeToNodeMeshEnabled is false", "bgpconfigurations", "default"),
    );
    finding
        .evidence
        .push(scene.fact("none is listed", "bgppeers", ""));
    finding.hint = Some(format!(
        "make a BGPPeer for route reflectors, or turn the mesh on: `{}`",
        scene.edit("bgpconfigurations", "default")
    ));
    Some(finding)
}

/// Routes of pools that are not VXLAN are spread by BIRD, which runs with one backend only.
fn without_bird(scene: &Scene<'_>) -> Option<Finding> {
    let reason = scene.without_bgp()?;
    let felix = scene.calico.felix.seen()?.get("default");
    let by_felix = felix.and_then(|it| it.get("programClusterRoutes")?.as_str()) == Some("Enabled");
    if by_felix || scene.other_ipam().is_some() {
        return None;
    }
    let pools = scene.pools();
    let pool = pools
        .iter()
        .find(|pool| pool.is_enabled() && pool.encapsulation() == Encapsulation::Ipip)?;
    let name = &pool.pool.name;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        pool.subject(),
        format!("ippool/{name} is IPIP, whose routes BIRD spreads, and BIRD does not run: {reason}"),
        scene.fact(
            format!(
                "ipipMode is {}",
                pool.pool.ipip_mode.as_deref().unwrap_or_default()
            ),
            "ippools",
            name,
        ),
    );
    finding.hint = Some(format!(
        "make the pool VXLAN, ipipMode Never and vxlanMode Always, or turn BGP on: `{}`",
        scene.edit("ippools", name)
    ));
    Some(finding)
}

fn families(scene: &Scene<'_>) -> Vec<Finding> {
    let felix = scene.calico.felix.seen().and_then(|all| all.get("default"));
    let is_off = |key: &str| felix.and_then(|it| it.get(key)?.as_bool()) == Some(false);
    let pools = scene.pools();
    let enabled: Vec<_> = pools.iter().filter(|pool| pool.is_enabled()).collect();
    let needs = |name: &str, key: &str, is: bool, pool: Option<&&super::scene::Pool<'_>>| {
        let pool = pool.filter(|_| is)?;
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            pool.subject(),
            format!(
                "ippool/{} is {name}, and Felix is told to leave {name} alone",
                pool.pool.name
            ),
            scene.fact(format!("{key} is false"), "felixconfigurations", "default"),
        );
        finding.hint = Some(format!(
            "take {key} out: `{}`",
            scene.edit("felixconfigurations", "default")
        ));
        Some(finding)
    };
    let of = |kind: Encapsulation| enabled.iter().find(|pool| pool.encapsulation() == kind);
    let v6 = enabled.iter().find(|pool| pool.cidr.addr().is_ipv6());
    [
        needs("IPv6", "ipv6Support", is_off("ipv6Support"), v6),
        needs(
            "VXLAN",
            "vxlanEnabled",
            is_off("vxlanEnabled"),
            of(Encapsulation::Vxlan),
        ),
        needs(
            "IPIP",
            "ipipEnabled",
            is_off("ipipEnabled"),
            of(Encapsulation::Ipip),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What somebody has set, in one note.
fn told(scene: &Scene<'_>) -> Option<Finding> {
    let mut set: Vec<String> = Vec::new();
    if let Some(bgp) = default_bgp(scene) {
        set.extend(
            bgp.as_number
                .filter(|it| *it != 64_512)
                .map(|it| format!("asNumber {it}")),
        );
        set.extend(
            bgp.mesh
                .filter(|mesh| !mesh)
                .map(|_| "nodeToNodeMeshEnabled false".to_owned()),
        );
    }
    let felix = scene.calico.felix.seen().and_then(|all| all.get("default"));
    for key in TOLD {
        let value = felix.and_then(|it| it.get(key));
        let is_usual = |value: &Value| match key {
            "bpfEnabled" => *value == Value::Bool(false),
            "ipv6Support" => *value == Value::Bool(true),
            "iptablesBackend" => *value == "Auto",
            _ => false,
        };
        set.extend(
            value
                .filter(|it| !is_usual(it))
                .map(|value| format!("{key} {}", plain(value))),
        );
    }
    (!set.is_empty()).then(|| {
        Finding::new(
            CHECK.id,
            Severity::Note,
            Subject::Cluster,
            format!("Calico is configured with {}", set.join(", ")),
            scene.fact(set.join(", "), "felixconfigurations", "default"),
        )
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use report::Observed;
    use serde_json::json;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    fn felix(value: Value) -> impl FnOnce(&mut observation::Calico) {
        move |calico| {
            if let Observed::Seen(all) = &mut calico.felix {
                all.insert("default".to_owned(), value);
            }
        }
    }

    fn mesh_off(calico: &mut observation::Calico) {
        calico.bgp = Observed::Seen(vec![BgpConfiguration {
            name: "default".into(),
            mesh: Some(false),
            ..BgpConfiguration::default()
        }]);
    }

    #[test]
    fn a_mesh_that_is_off_needs_peers() {
        let findings = shown::finds(&CHECK, &Fixture::bgp().with(mesh_off).observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        let reflected = Fixture::bgp().with(mesh_off).with(|calico| {
            calico.peers = Observed::Seen(vec![observation::BgpPeer {
                name: "reflectors".into(),
                peer_selector: Some("has(route-reflector)".into()),
                ..observation::BgpPeer::default()
            }]);
        });
        shown::passes(&CHECK, &reflected.observe());
    }

    #[test]
    fn a_pool_of_ipip_without_bird_is_found() {
        let broken = Fixture::vxlan().pool(|pool| {
            pool.vxlan_mode = Some("Never".into());
            pool.ipip_mode = Some("Always".into());
        });
        assert!(
            shown::finds(&CHECK, &broken.observe())[0]
                .summary
                .contains("BIRD does not run")
        );
        let by_felix = broken.with(felix(json!({"programClusterRoutes": "Enabled"})));
        shown::passes(&CHECK, &by_felix.observe());
    }

    #[test]
    fn what_felix_leaves_alone_must_not_be_what_a_pool_is() {
        let broken = Fixture::vxlan().with(felix(json!({"vxlanEnabled": false})));
        assert!(
            shown::finds(&CHECK, &broken.observe())[0]
                .summary
                .contains("leave VXLAN alone")
        );
    }

    #[test]
    fn what_is_set_is_told_and_is_no_fault() {
        let set = Fixture::vxlan().with(felix(
            json!({"natPortRange": "32768:65535", "iptablesBackend": "NFT"}),
        ));
        let findings = shown::finds(&CHECK, &set.observe());
        assert_eq!(
            findings[0].summary,
            "Calico is configured with iptablesBackend NFT, natPortRange 32768:65535"
        );
        shown::passes(&CHECK, &set.observe());
    }

    #[test]
    fn defaults_pass_and_what_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Fixture::vxlan().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::vxlan()
                .with(|calico| calico.felix = Fixture::unseen())
                .observe(),
        );
    }
}
