//! Checks of Terway. One file each, named as the check.

pub(crate) mod cni_terway;
#[cfg(test)]
pub(crate) mod fixture;
mod table;

pub(crate) use table::tables;
