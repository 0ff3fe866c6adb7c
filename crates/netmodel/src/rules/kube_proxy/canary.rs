use super::super::model::{Family, RuleSet, Table, View};
use super::super::owner::{Owner, owner_of_chain};
use super::{asks_sets, has_services};

/// An empty chain by which kube-proxy sees that somebody has deleted chains: it looks for it every so often, and writes all rules anew
/// where it is gone.
pub const CANARY: &str = "KUBE-PROXY-CANARY";

/// The tables in which kube-proxy's canary is missing although Services are there. A table that does not exist has none to lose, and
/// kube-proxy has none in modes other than `iptables`.
pub fn lost_canaries(set: &RuleSet) -> Vec<(Family, &'static str)> {
    if set.view == View::Nft {
        return Vec::new();
    }
    let mut lost = Vec::new();
    for home in set
        .tables
        .iter()
        .filter(|table| has_services(table) && !asks_sets(table))
    {
        for name in ["mangle", "nat", "filter"] {
            let table = set.table(home.family, name);
            if table.is_some_and(|table| !table.chains.contains_key(CANARY) && !is_restored_whole(table)) {
                lost.push((home.family, name));
            }
        }
    }
    lost
}

/// Whether kube-router writes this table: it saves and restores it as a whole, and what came between is lost, as the canary of a
/// kube-proxy that starts meanwhile. kube-proxy's rules are put back with it, because they were saved too.
fn is_restored_whole(table: &Table) -> bool {
    let mut chains = table.chains.values();
    chains.any(|chain| owner_of_chain(table, chain) == Owner::KubeRouter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::parse_iptables_save;

    fn lost(text: &str) -> Vec<(Family, &'static str)> {
        lost_canaries(&parse_iptables_save(text, View::IptablesNft, Family::Ip))
    }

    #[test]
    fn a_canary_is_missed_where_services_are_and_only_in_mode_iptables() {
        let save = include_str!("../fixtures/flannel-iptables.save");
        assert_eq!(lost(save), []);
        let without = save.replacen(":KUBE-PROXY-CANARY - [0:0]\n", "", 1);
        assert_eq!(lost(&without), [(Family::Ip, "mangle")]);
        // Of the recorded tables kube-router writes filter.
        let without = save.replace(":KUBE-PROXY-CANARY - [0:0]\n", "");
        assert_eq!(lost(&without), [(Family::Ip, "mangle"), (Family::Ip, "nat")]);
        let without = without
            .replace("KUBE-ROUTER-", "OTHER-")
            .replace("KUBE-NWPLCY-", "OTHER-")
            .replace("KUBE-POD-FW-", "OTHER-");
        assert_eq!(lost(&without).len(), 3);
        assert_eq!(lost(include_str!("../fixtures/ipvs.save")), []);
        assert_eq!(lost(include_str!("../fixtures/flannel-nftables.save")), []);
    }
}
