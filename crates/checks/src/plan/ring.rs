use std::collections::{BTreeMap, BTreeSet};

/// Every node to every node, itself included.
pub(super) fn everybody<'a>(names: &[&'a str]) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    names
        .iter()
        .map(|source| (*source, names.iter().copied().collect()))
        .collect()
}

/// Each node to itself, to the next `neighbours` in a ring that is ordered by the hash of the names, and to `sample`
/// more with the least hash of both names. A ring in the order of the names would put nodes of one zone or pool side by
/// side and never probe between them.
pub(super) fn ring<'a>(
    names: &[&'a str],
    neighbours: usize,
    sample: usize,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut ring: Vec<&str> = names.to_vec();
    ring.sort_by_key(|name| (hash(&[name]), *name));
    let mut targets = BTreeMap::new();
    for (position, source) in ring.iter().enumerate() {
        let next = ring
            .iter()
            .cycle()
            .skip(position + 1)
            .take(neighbours.min(ring.len() - 1));
        let mut chosen: BTreeSet<&str> = next.copied().collect();
        chosen.insert(source);
        let mut rest: Vec<&str> = ring
            .iter()
            .copied()
            .filter(|name| !chosen.contains(name))
            .collect();
        rest.sort_by_key(|name| (hash(&[source, name]), *name));
        chosen.extend(rest.into_iter().take(sample));
        targets.insert(*source, chosen);
    }
    targets
}

/// FNV-1a with 64 bits and a final mix (the one of MurmurHash3), each part closed by a zero byte. Fixed for good: the
/// same nodes are compared from one run to the next, which the standard library's hasher does not promise.
fn hash(parts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(&[]), 0xefd0_1f60_ba99_2926);
    }

    #[test]
    fn a_ring_wider_than_the_cluster_is_everybody() {
        let names = ["a", "b", "c"];
        assert_eq!(ring(&names, 10, 2), everybody(&names));
    }
}
