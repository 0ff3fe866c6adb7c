//! On which nodes pods may be started yet.

use std::collections::BTreeSet;

use tokio::sync::watch;

/// Lets pods be started on some nodes sooner than on others.
#[derive(Clone, Debug)]
pub struct Gate(watch::Receiver<Open>);

/// Opens a [`Gate`]. One that is dropped leaves it open for all, since nobody else ever would.
#[derive(Debug)]
pub struct Opener(watch::Sender<Open>);

#[derive(Clone, Debug)]
enum Open {
    All,
    Only(BTreeSet<String>),
}

impl Gate {
    /// One that is closed for every node, and what opens it.
    pub fn closed() -> (Opener, Self) {
        let (opener, gate) = watch::channel(Open::Only(BTreeSet::new()));
        (Opener(opener), Self(gate))
    }

    /// One that is open for all.
    pub fn open() -> Self {
        Self(watch::channel(Open::All).1)
    }

    /// Whether pods may be started on this node.
    pub(crate) fn is_open(&self, node: &str) -> bool {
        match &*self.0.borrow() {
            Open::All => true,
            Open::Only(nodes) => nodes.contains(node),
        }
    }

    /// Waits until it is open for more nodes than it was; forever, if nobody will open it any further.
    pub(crate) async fn opened(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Opener {
    /// Lets pods be started on this node.
    pub fn open(&self, node: &str) {
        self.0.send_if_modified(|open| match open {
            Open::All => false,
            Open::Only(nodes) => nodes.insert(node.to_owned()),
        });
    }

    /// Lets pods be started on every node.
    pub fn open_all(&self) {
        self.0.send_replace(Open::All);
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.open_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gate_opens_node_by_node_and_for_all_when_nobody_opens_it_any_more() {
        let (opener, mut gate) = Gate::closed();
        assert!(!gate.is_open("node1"));
        opener.open("node1");
        gate.opened().await;
        assert!(gate.is_open("node1") && !gate.is_open("node2"));
        drop(opener);
        gate.opened().await;
        assert!(gate.is_open("node2"));
    }

    #[test]
    fn a_gate_that_was_never_closed_is_open() {
        assert!(Gate::open().is_open("node1"));
    }
}
