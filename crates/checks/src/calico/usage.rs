//! How much of Calico's pools is given away.

use std::collections::BTreeMap;

use ipnet::IpNet;
use observation::IpamBlock;

use super::scene::{Pool, Scene};

/// What is taken of a pool.
#[derive(Debug)]
pub(crate) struct Usage<'a> {
    pub(crate) pool: Pool<'a>,
    /// Addresses given away.
    pub(crate) used: u128,
    /// Its blocks.
    pub(crate) blocks: Vec<(&'a IpamBlock, IpNet)>,
}

impl Usage<'_> {
    /// Blocks that nobody has yet.
    pub(crate) fn free_blocks(&self) -> u128 {
        self.pool.blocks().saturating_sub(self.blocks.len() as u128)
    }
}

/// The use of each pool. A block is counted for the smallest pool that it lies in.
pub(crate) fn of_pools<'a>(scene: &Scene<'a>) -> Vec<Usage<'a>> {
    let mut usages: Vec<Usage<'a>> = scene
        .pools()
        .into_iter()
        .map(|pool| Usage {
            pool,
            used: 0,
            blocks: Vec::new(),
        })
        .collect();
    for (block, cidr) in scene.blocks() {
        let around = usages.iter_mut().filter(|usage| usage.pool.cidr.contains(&cidr));
        if let Some(usage) = around.max_by_key(|usage| usage.pool.cidr.prefix_len()) {
            usage.used += u128::from(block.used);
            usage.blocks.push((block, cidr));
        }
    }
    usages
}

/// The blocks of each node, by its name, of pools that give addresses away.
pub(crate) fn by_node<'a>(usages: &[Usage<'a>]) -> BTreeMap<&'a str, Vec<(&'a IpamBlock, IpNet)>> {
    let mut nodes: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (block, cidr) in usages
        .iter()
        .filter(|it| it.pool.is_enabled())
        .flat_map(|it| &it.blocks)
    {
        if let Some(node) = &block.node {
            nodes.entry(node).or_default().push((*block, *cidr));
        }
    }
    nodes
}

/// How many addresses a range has.
pub(crate) fn size(cidr: &IpNet) -> u128 {
    let bits = u32::from(cidr.max_prefix_len() - cidr.prefix_len());
    1_u128.checked_shl(bits).unwrap_or(u128::MAX)
}
