//! The smallest place that accounts for the ways to DNS servers that fail.

use std::collections::{BTreeMap, BTreeSet};

use observation::{LookupServer, Source};
use report::Subject;

use super::table::{Table, Way};

/// Where what is wrong with some ways lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On all ways.
    Everywhere,
    /// On all ways to these DNS pods, and on no other.
    Pods(Vec<Subject>),
    /// On the ways of these nodes.
    Nodes(Vec<String>),
    /// On the ways through the DNS Service from these nodes, though the pods behind it do well; from all where there are none.
    Service(Vec<String>),
    /// On single ways.
    Ways,
}

impl Place {
    /// What findings about it are about, one each.
    pub(crate) fn subjects(&self, table: &Table<'_>) -> Vec<Subject> {
        match self {
            Self::Pods(pods) => pods.clone(),
            Self::Nodes(nodes) | Self::Service(nodes) if !nodes.is_empty() => {
                nodes.iter().map(Subject::node).collect()
            }
            Self::Everywhere | Self::Service(_) | Self::Ways | Self::Nodes(_) => vec![table.service()],
        }
    }

    /// As a clause about one of its subjects.
    pub(crate) fn words(&self, subject: &Subject) -> String {
        match self {
            Self::Everywhere => "from any node, at any server".to_owned(),
            Self::Pods(_) => {
                format!("at {subject} from every node, though at the other DNS pods all is well")
            }
            Self::Nodes(_) => {
                format!("on the ways from and to {subject}, though on those of other nodes all is well")
            }
            Self::Service(nodes) if nodes.is_empty() => {
                "at the address of the DNS Service from every node, though at its pods all is well".to_owned()
            }
            Self::Service(_) => format!(
                "at the address of the DNS Service from {subject}, though from other nodes, or at the pods behind it, all is well"
            ),
            Self::Ways => "on some ways between pods and DNS servers".to_owned(),
        }
    }

    /// Whether a way lies there, of one of its subjects.
    pub(crate) fn has(&self, subject: &Subject, way: &Way<'_>) -> bool {
        match self {
            Self::Everywhere | Self::Ways => true,
            Self::Pods(_) => pod_of(way.server).as_ref() == Some(subject),
            Self::Nodes(_) => touches(way, subject),
            Self::Service(nodes) => {
                *way.server == LookupServer::Service
                    && (nodes.is_empty() || way.source.node().map(Subject::node).as_ref() == Some(subject))
            }
        }
    }
}

fn touches(way: &Way<'_>, node: &Subject) -> bool {
    let ends = [way.source.node(), node_of(way.server)];
    ends.into_iter().flatten().any(|end| Subject::node(end) == *node)
}

/// A DNS pod as a subject.
pub(crate) fn pod_of(server: &LookupServer) -> Option<Subject> {
    match server {
        LookupServer::Pod { namespace, name, .. } => Some(Subject::Object {
            kind: "pod".to_owned(),
            name: name.clone(),
            namespace: Some(namespace.clone()),
        }),
        _ => None,
    }
}

fn node_of(server: &LookupServer) -> Option<&str> {
    match server {
        LookupServer::Pod { node, .. } => node.as_deref(),
        _ => None,
    }
}

/// Where the bad ones of some ways to the cluster's own servers lie; `None` when none is bad. What goes by the Service comes to one of the
/// pods, and tells something of its own only where these do well.
pub(crate) fn locate<'w>(all: &[&Way<'w>], is_bad: impl Fn(&Way<'w>) -> bool) -> Option<Place> {
    let bad = |ways: &[&Way<'w>]| ways.iter().filter(|way| is_bad(way)).count();
    if bad(all) == 0 {
        return None;
    }
    if bad(all) == all.len() {
        return Some(Place::Everywhere);
    }
    let is_pod = |way: &&&Way<'w>| matches!(way.server, LookupServer::Pod { .. });
    let pods: Vec<&Way<'w>> = all.iter().filter(is_pod).copied().collect();
    if bad(&pods) == 0 {
        return Some(through_service(all, &is_bad));
    }
    if bad(&pods) == pods.len() {
        return Some(Place::Everywhere);
    }
    Some(
        sick_pods(&pods, &is_bad)
            .or_else(|| sick_nodes(&pods, &is_bad))
            .unwrap_or(Place::Ways),
    )
}

fn through_service<'w>(all: &[&Way<'w>], is_bad: &impl Fn(&Way<'w>) -> bool) -> Place {
    let mut nodes: BTreeMap<Option<&str>, (usize, usize)> = BTreeMap::new();
    for way in all
        .iter()
        .filter(|way| !matches!(way.server, LookupServer::Pod { .. }))
    {
        let (bad, total) = nodes.entry(way.source.node()).or_default();
        *bad += usize::from(is_bad(way));
        *total += 1;
    }
    let sick = nodes.iter().filter(|(_, (bad, _))| *bad > 0);
    let sick: Vec<String> = sick.filter_map(|(node, _)| Some((*node)?.to_owned())).collect();
    if sick.len() == nodes.len() {
        Place::Service(Vec::new())
    } else {
        Place::Service(sick)
    }
}

/// Pods to which every way is bad, where these are all that is bad.
fn sick_pods<'w>(pods: &[&Way<'w>], is_bad: &impl Fn(&Way<'w>) -> bool) -> Option<Place> {
    let mut by_pod: BTreeMap<Subject, (usize, usize)> = BTreeMap::new();
    for way in pods {
        let (bad, total) = by_pod.entry(pod_of(way.server)?).or_default();
        *bad += usize::from(is_bad(way));
        *total += 1;
    }
    let is_whole = by_pod.values().all(|(bad, total)| *bad == 0 || bad == total);
    let sick = by_pod.into_iter().filter(|(_, (bad, _))| *bad > 0);
    is_whole.then(|| Place::Pods(sick.map(|(pod, _)| pod).collect()))
}

/// The nodes from which every way to a pod elsewhere is bad, where all that is bad begins or ends there.
fn sick_nodes<'w>(pods: &[&Way<'w>], is_bad: &impl Fn(&Way<'w>) -> bool) -> Option<Place> {
    let from = |node: &str| -> Vec<&&Way<'w>> {
        let leaves = |way: &&&Way<'w>| way.source.node() == Some(node) && node_of(way.server) != Some(node);
        pods.iter().filter(leaves).collect()
    };
    let nodes: BTreeSet<&str> = pods.iter().filter_map(|way| way.source.node()).collect();
    let sick: BTreeSet<&str> = nodes
        .into_iter()
        .filter(|node| {
            let leaving = from(node);
            !leaving.is_empty() && leaving.iter().all(|way| is_bad(way))
        })
        .collect();
    let bad: Vec<&&Way<'w>> = pods.iter().filter(|way| is_bad(way)).collect();
    let covers = |nodes: &BTreeSet<&str>| {
        let is_covered = |way: &&&Way<'w>| {
            let ends = [way.source.node(), node_of(way.server)];
            ends.into_iter().flatten().any(|end| nodes.contains(end))
        };
        bad.iter().all(is_covered)
    };
    // Where a pod is on a sick node, the ways of other nodes to it are bad too: one that accounts for all is enough.
    let alone = sick.iter().map(|node| BTreeSet::from([*node])).find(&covers);
    let nodes = alone.or_else(|| Some(sick).filter(|sick| !sick.is_empty() && covers(sick)))?;
    Some(Place::Nodes(nodes.into_iter().map(str::to_owned).collect()))
}

/// The names of the nodes from which ways lead.
pub(crate) fn sources(ways: &[&Way<'_>]) -> BTreeSet<String> {
    let name = |source: &Source| crate::tries::source_name(source);
    ways.iter().map(|way| name(way.source)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODS: [(&str, &str); 2] = [("a", "node1"), ("b", "node2")];

    fn server(name: &str) -> LookupServer {
        match PODS.iter().find(|(pod, _)| *pod == name) {
            Some((pod, node)) => LookupServer::Pod {
                namespace: "kube-system".into(),
                name: (*pod).into(),
                node: Some((*node).into()),
            },
            None => LookupServer::Service,
        }
    }

    /// Where what is bad lies, of three nodes, two pods and the Service.
    fn place(bad: impl Fn(&str, &str) -> bool) -> Option<Place> {
        let nodes = ["node1", "node2", "node3"].map(|node| Source::Pod { node: node.into() });
        let servers = ["a", "b", "Service"].map(server);
        let mut ways = Vec::new();
        for source in &nodes {
            for (at, server) in (1..).zip(&servers) {
                ways.push(Way {
                    source,
                    server,
                    address: [10, 0, 0, at].into(),
                    tcp: false,
                    asked: 10,
                    lost: 0,
                    answered: 10,
                    failure: None,
                });
            }
        }
        let all: Vec<&Way<'_>> = ways.iter().collect();
        locate(&all, |way| {
            let name = match way.server {
                LookupServer::Pod { name, .. } => name.as_str(),
                _ => "Service",
            };
            bad(way.source.node().unwrap(), name)
        })
    }

    #[test]
    fn what_is_bad_is_put_where_it_lies() {
        let pod = |name: &str| pod_of(&server(name)).unwrap();
        let node = |name: &str| Place::Nodes(vec![name.to_owned()]);
        assert_eq!(place(|_, _| false), None);
        assert_eq!(place(|_, _| true), Some(Place::Everywhere));
        assert_eq!(
            place(|_, server| server == "a"),
            Some(Place::Pods(vec![pod("a")]))
        );
        assert_eq!(
            place(|_, server| server == "a" || server == "Service"),
            Some(Place::Pods(vec![pod("a")]))
        );
        assert_eq!(place(|from, _| from == "node3"), Some(node("node3")));
        assert_eq!(
            place(|from, server| from == "node1" || server == "a"),
            Some(node("node1")),
            "the pod on the node that loses is reached by nobody well"
        );
        assert_eq!(
            place(|_, server| server == "Service"),
            Some(Place::Service(Vec::new()))
        );
        assert_eq!(
            place(|from, server| from == "node2" && server == "Service"),
            Some(Place::Service(vec!["node2".to_owned()]))
        );
        assert_eq!(
            place(|from, server| from == "node3" && server == "b"),
            Some(Place::Ways)
        );
    }
}
