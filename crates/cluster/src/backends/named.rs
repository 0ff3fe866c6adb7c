//! Ingresses, routes and Gateways by their names: which Services stand behind them.

use http::Request;
use observation::AskedCaller;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::caller::{GATEWAY, IngressItem, RouteItem};
use crate::cluster::Cluster;
use crate::error::ClusterError;
use crate::list::ListQuery;

/// A kind of object that sends requests to Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerKind {
    /// An Ingress.
    Ingress,
    /// A route of the Gateway API.
    Route(RouteKind),
    /// A Gateway: the routes that hang on it are meant.
    Gateway,
}

/// A kind of route of the Gateway API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// An `HTTPRoute`.
    Http,
    /// A `GRPCRoute`.
    Grpc,
    /// A `TLSRoute`.
    Tls,
    /// A `TCPRoute`.
    Tcp,
    /// A `UDPRoute`.
    Udp,
}

impl RouteKind {
    const ALL: [Self; 5] = [Self::Http, Self::Grpc, Self::Tls, Self::Tcp, Self::Udp];

    fn singular(self) -> &'static str {
        match self {
            Self::Http => "httproute",
            Self::Grpc => "grpcroute",
            Self::Tls => "tlsroute",
            Self::Tcp => "tcproute",
            Self::Udp => "udproute",
        }
    }
}

impl CallerKind {
    /// Reads the word that kubectl takes for it: singular, plural or short, alone or with its group, or with version and group, as
    /// `ing`, `httproutes.gateway.networking.k8s.io`, `ingresses.v1.networking.k8s.io`.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        let (name, group) = word.split_once('.').unwrap_or((&word, ""));
        let (kind, own) = match name {
            "ing" | "ingress" | "ingresses" => (Self::Ingress, "networking.k8s.io"),
            "gtw" | "gateway" | "gateways" => (Self::Gateway, GATEWAY),
            _ => {
                let singular = name.strip_suffix('s').unwrap_or(name);
                let route = RouteKind::ALL.into_iter().find(|it| it.singular() == singular)?;
                (Self::Route(route), GATEWAY)
            }
        };
        let is_version = |text: &str| {
            let number = text.strip_prefix('v');
            number.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        };
        let fits = group.is_empty()
            || group == own
            || group
                .split_once('.')
                .is_some_and(|(version, rest)| is_version(version) && rest == own);
        fits.then_some(kind)
    }

    /// As findings name it: `httproute`.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Gateway => "gateway",
            Self::Route(route) => route.singular(),
        }
    }
}

#[derive(Deserialize)]
struct Group {
    versions: Vec<GroupVersion>,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
}

#[derive(Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
}

/// Only that it is there.
#[derive(Deserialize)]
struct Anything {}

impl Cluster {
    /// The object of this name, or of a Gateway the routes of all namespaces that hang on it. `word` is what was typed for the kind.
    ///
    /// # Errors
    /// In kubectl's words, when it does not exist or cannot be read, and when the server does not have the kind.
    pub async fn asked_callers(
        &self,
        kind: CallerKind,
        word: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Vec<AskedCaller>, ClusterError> {
        let unknown = || ClusterError::Value(format!("the server doesn't have a resource type {word:?}"));
        match kind {
            CallerKind::Ingress => {
                let path = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}");
                let item: IngressItem = self.get(&path).await?.ok_or_else(unknown)?;
                Ok(vec![item.asked()])
            }
            CallerKind::Route(route) => {
                let plural = format!("{}s", route.singular());
                let version = self.gateway_version(&plural).await?.ok_or_else(unknown)?;
                let path = format!("/apis/{GATEWAY}/{version}/namespaces/{namespace}/{plural}/{name}");
                let item: RouteItem = self.get(&path).await?.ok_or_else(unknown)?;
                Ok(vec![item.asked(route.singular())])
            }
            CallerKind::Gateway => {
                let version = self.gateway_version("gateways").await?.ok_or_else(unknown)?;
                let path = format!("/apis/{GATEWAY}/{version}/namespaces/{namespace}/gateways/{name}");
                let _: Anything = self.get(&path).await?.ok_or_else(unknown)?;
                self.routes_of(&format!("gateway/{name} -n {namespace}")).await
            }
        }
    }

    /// The routes of all namespaces that hang on this.
    async fn routes_of(&self, parent: &str) -> Result<Vec<AskedCaller>, ClusterError> {
        let mut routes = Vec::new();
        for kind in RouteKind::ALL {
            let plural = format!("{}s", kind.singular());
            let Some(version) = self.gateway_version(&plural).await? else {
                continue;
            };
            let query = ListQuery::new(GATEWAY, version, plural);
            let items = self.try_list::<RouteItem>(&query).await;
            let items = items.map_err(|error| self.in_words(&error))?;
            let asked = items.into_iter().map(|item| item.asked(kind.singular()));
            routes.extend(asked.filter(|route| route.parents.iter().any(|it| it == parent)));
        }
        Ok(routes)
    }

    /// The version in which the server has a resource of the Gateway API, the one that it prefers; `None` where it has none. Kinds of
    /// routes are in different versions of it.
    pub(super) async fn gateway_version(&self, plural: &str) -> Result<Option<String>, ClusterError> {
        let Some(group) = self.get::<Group>(&format!("/apis/{GATEWAY}")).await? else {
            return Ok(None);
        };
        for GroupVersion { version } in group.versions {
            let path = format!("/apis/{GATEWAY}/{version}");
            let Some(found) = self.get::<Resources>(&path).await? else {
                continue;
            };
            if found.resources.iter().any(|resource| resource.name == plural) {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// What is at a path; `None` where the server has no such path. That an object is not there is an error.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ClusterError> {
        let request = Request::get(path).body(Vec::new());
        let request = request.map_err(|error| ClusterError::Value(format!("{path} is no path: {error}")))?;
        match self.client().request::<T>(request).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 && crate::gap::is_unknown_path(&status) => {
                Ok(None)
            }
            Err(error) => Err(self.in_words(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_as_kubectl_takes_them() {
        let http = CallerKind::Route(RouteKind::Http);
        for (word, kind) in [
            ("ing", CallerKind::Ingress),
            ("Ingress", CallerKind::Ingress),
            ("ingresses.networking.k8s.io", CallerKind::Ingress),
            ("ingresses.v1.networking.k8s.io", CallerKind::Ingress),
            ("httproute", http),
            ("httproutes.gateway.networking.k8s.io", http),
            ("httproutes.v1beta1.gateway.networking.k8s.io", http),
            ("tlsroutes", CallerKind::Route(RouteKind::Tls)),
            ("gtw", CallerKind::Gateway),
        ] {
            assert_eq!(CallerKind::parse(word), Some(kind), "{word}");
        }
        for word in [
            "svc",
            "pod",
            "ingresses.example.com",
            "gateways.networking.istio.io",
            "ings",
            "",
        ] {
            assert_eq!(CallerKind::parse(word), None, "{word}");
        }
    }
}
