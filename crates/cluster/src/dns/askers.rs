//! Pods whose settings of DNS are out of the ordinary, picked out of all while the list is read.

use observation::{DnsAsker, DnsSettings};
use report::Observed;
use serde::Deserialize;

use super::objects::Metadata;
use crate::cluster::Cluster;
use crate::list::ListQuery;

#[derive(Deserialize)]
struct AskerItem {
    metadata: Metadata,
    #[serde(default)]
    spec: AskerSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AskerSpec {
    node_name: Option<String>,
    dns_policy: String,
    dns_config: Option<SettingsItem>,
    host_network: bool,
    host_aliases: Vec<AliasItem>,
    containers: Vec<AskerContainer>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SettingsItem {
    nameservers: Vec<std::net::IpAddr>,
    searches: Vec<String>,
    options: Vec<OptionItem>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OptionItem {
    name: String,
    value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AliasItem {
    ip: String,
    hostnames: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AskerContainer {
    image: String,
    command: Vec<String>,
    args: Vec<String>,
    env: Vec<super::objects::Variable>,
}

/// An item of the list, reduced while it is read: `None` where nothing about it is out of the ordinary, so that of a hundred thousand pods
/// only those few are held.
struct Kept(Option<DnsAsker>);

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = AskerItem::deserialize(deserializer)?;
        let is_odd = item.spec.dns_config.is_some()
            || item.spec.dns_policy == "None"
            || (item.spec.host_network && item.spec.dns_policy == "ClusterFirst");
        Ok(Self(is_odd.then(|| item.asker())))
    }
}

/// The largest number of settings that are quoted of a pod.
const MENTIONS: usize = 5;
/// The longest that is quoted: it may be a script.
const LONGEST: usize = 200;

impl AskerItem {
    fn asker(self) -> DnsAsker {
        let spec = self.spec;
        let mentions = spec.containers.iter().flat_map(|container| {
            let words = container.command.iter().chain(&container.args).cloned();
            let set = container.env.iter().filter_map(|variable| {
                let value = variable.value.as_ref()?;
                Some(format!("{}={value}", variable.name))
            });
            words.chain(set).collect::<Vec<_>>()
        });
        DnsAsker {
            controller: self.metadata.controller(),
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            node: spec.node_name,
            created: self.metadata.creation_timestamp,
            policy: spec.dns_policy,
            host_network: spec.host_network,
            config: spec.dns_config.map(|config| DnsSettings {
                nameservers: config.nameservers,
                searches: config.searches,
                options: config
                    .options
                    .into_iter()
                    .map(|option| match option.value {
                        Some(value) => format!("{}:{value}", option.name),
                        None => option.name,
                    })
                    .collect(),
            }),
            host_aliases: spec
                .host_aliases
                .into_iter()
                .map(|alias| format!("{} {}", alias.ip, alias.hostnames.join(" ")))
                .collect(),
            mentions: mentions
                .filter(|text| text.len() <= LONGEST && names_a_service(text))
                .take(MENTIONS)
                .map(|text| without_credentials(&text))
                .collect(),
            images: spec
                .containers
                .into_iter()
                .map(|container| container.image)
                .collect(),
            files: None,
        }
    }
}

/// Whether a word of the text is a name in the way of Services: `web.shop.svc`, with or without a domain.
fn names_a_service(text: &str) -> bool {
    let in_name = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '.';
    text.split(|character| !in_name(character)).any(|word| {
        let labels: Vec<&str> = word.trim_end_matches('.').split('.').collect();
        labels.len() >= 3 && labels[2] == "svc" && labels.iter().all(|label| !label.is_empty())
    })
}

/// `scheme://user:password@host` without the user: reports are passed on.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

impl Cluster {
    /// Pods in the network of their node that were left at `ClusterFirst`, and those with settings of their own.
    pub(super) async fn odd_askers(&self) -> Observed<Vec<DnsAsker>> {
        let query = ListQuery::new("", "v1", "pods");
        let listed = self.list::<Kept>("pods", &query).await;
        listed.map(|kept| {
            let mut askers: Vec<DnsAsker> = kept.into_iter().filter_map(|kept| kept.0).collect();
            askers.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
            askers
        })
    }

    /// One pod, whatever its settings; `None` where there is none of this name.
    pub async fn dns_asker(&self, namespace: &str, name: &str) -> Observed<Option<DnsAsker>> {
        let what = format!("pod/{name} -n {namespace}");
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let found = self
            .found::<AskerItem>(&what, &path, "pods", Some(namespace))
            .await;
        found.map(|found| found.map(AskerItem::asker))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_services_are_told_from_other_text() {
        for text in [
            "WEB=http://web.faults.svc.cluster.local",
            "--db=db.shop.svc:5432",
            "web.shop.svc.",
        ] {
            assert!(names_a_service(text), "{text}");
        }
        for text in [
            "WEB=http://web.example.com",
            "a.svc",
            "..svc",
            "sleep",
            "x.y.svcs",
        ] {
            assert!(!names_a_service(text), "{text}");
        }
    }

    #[test]
    fn passwords_in_addresses_are_left_out() {
        assert_eq!(
            without_credentials("DB=postgres://me:se@cret@db.shop.svc/x@y"),
            "DB=postgres://db.shop.svc/x@y"
        );
        assert_eq!(without_credentials("http://web.shop.svc"), "http://web.shop.svc");
    }

    #[test]
    fn only_pods_that_are_out_of_the_ordinary_are_kept() {
        let kept = |spec: serde_json::Value| {
            let item = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": spec});
            serde_json::from_value::<Kept>(item).unwrap().0
        };
        assert!(kept(json!({"dnsPolicy": "ClusterFirst"})).is_none());
        assert!(kept(json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true})).is_none());
        let host = kept(json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true,
            "containers": [{"env": [{"name": "WEB", "value": "http://web.shop.svc"}, {"name": "X"}]}]}))
        .unwrap();
        assert_eq!(host.effective_policy(), "Default");
        assert_eq!(host.mentions, ["WEB=http://web.shop.svc"]);
        let own = kept(
            json!({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}}),
        )
        .unwrap();
        assert_eq!(own.config.unwrap().options, ["ndots:2", "edns0"]);
    }
}
