//! What configures DNS servers: the Corefile that a container finds, and all that it can import.

use std::collections::BTreeMap;

use observation::{CorefileSource, DnsCorefile};
use report::{Gap, GapReason, Observed};

use super::Found;
use super::objects::{Container, PodSpec, Volume};
use crate::cluster::Cluster;

/// The files of a container that come from ConfigMaps.
struct Files {
    texts: BTreeMap<String, String>,
    sources: BTreeMap<String, CorefileSource>,
    /// Why some are not known, by the directory or file that they would be.
    unread: BTreeMap<String, Gap>,
    /// Whether nothing else is mounted.
    is_complete: bool,
}

impl Cluster {
    pub(super) async fn corefiles(&self, found: &[Found]) -> Vec<DnsCorefile> {
        let mut corefiles = Vec::new();
        for found in found {
            let pods = &found.item.spec.template.spec;
            let Some(server) = pods.server() else { continue };
            // kube-dns of GKE has none: dnsmasq is configured by its arguments.
            if server.image.contains("kube-dns") || server.image.contains("dnsmasq") {
                continue;
            }
            let namespace = &found.item.metadata.namespace;
            let files = self.mounted(namespace, pods, server).await;
            let controller = found.controller().subject();
            let path = server.corefile();
            let text = match files.texts.get(&path) {
                Some(text) => Observed::Seen(text.clone()),
                None => Observed::Unseen(files.why_not(&path, &controller.to_string())),
            };
            corefiles.push(DnsCorefile {
                role: found.role,
                controller,
                source: files.sources.get(&path).cloned(),
                text,
                is_complete: files.is_complete,
                variables: variables(server),
                files: files.texts,
                path,
            });
        }
        corefiles
    }

    async fn mounted(&self, namespace: &str, pods: &PodSpec, server: &Container) -> Files {
        let mut files = Files {
            texts: BTreeMap::new(),
            sources: BTreeMap::new(),
            unread: BTreeMap::new(),
            is_complete: true,
        };
        for mount in &server.volume_mounts {
            let Some(volume) = pods.volumes.iter().find(|it| it.name == mount.name) else {
                files.is_complete = false;
                continue;
            };
            let Some(map) = &volume.config_map else {
                // The token of the API is mounted below /var/run, where no Corefile imports from.
                files.is_complete &= volume.empty_dir.is_some() || mount.path.starts_with("/var/run/");
                continue;
            };
            let at = mount.path.trim_end_matches('/');
            match self.config_map(namespace, &map.name).await {
                Observed::Seen(data) => {
                    for (path, key, text) in keys(volume, data.unwrap_or_default()) {
                        let place = match &mount.sub_path {
                            Some(part) if *part == path => at.to_owned(),
                            Some(_) => continue,
                            None => format!("{at}/{path}"),
                        };
                        let source = CorefileSource {
                            namespace: namespace.to_owned(),
                            name: map.name.clone(),
                            key,
                        };
                        files.sources.insert(place.clone(), source);
                        files.texts.insert(place, text);
                    }
                }
                Observed::Unseen(gap) => {
                    files.is_complete = false;
                    files.unread.insert(at.to_owned(), gap);
                }
            }
        }
        files
    }
}

impl Files {
    fn why_not(&self, path: &str, controller: &str) -> Gap {
        let gap = self
            .unread
            .iter()
            .find(|(at, _)| path == at.as_str() || path.starts_with(&format!("{at}/")));
        gap.map_or_else(
            || Gap {
                what: format!("the Corefile of {controller}"),
                why: GapReason::Failed,
                message: format!("no ConfigMap that is mounted has {path}"),
                hint: None,
            },
            |(_, gap)| gap.clone(),
        )
    }
}

/// The files that a ConfigMap becomes: path below the mount, key, text.
fn keys(volume: &Volume, mut data: BTreeMap<String, String>) -> Vec<(String, String, String)> {
    let items = volume.config_map.as_ref().map_or(&[][..], |map| &map.items);
    if items.is_empty() {
        return data
            .into_iter()
            .map(|(key, text)| (key.clone(), key, text))
            .collect();
    }
    items
        .iter()
        .filter_map(|item| Some((item.path.clone(), item.key.clone(), data.remove(&item.key)?)))
        .collect()
}

/// Those that are written; what comes from a Secret is not asked for.
fn variables(server: &Container) -> BTreeMap<String, String> {
    let written = server
        .env
        .iter()
        .filter_map(|variable| Some((variable.name.clone(), variable.value.clone()?)));
    written.collect()
}
