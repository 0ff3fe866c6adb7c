//! Lists of any size, read item by item: a hundred thousand pods pass through without ever being held at once.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::marker::PhantomData;

use bytes::{Buf as _, Bytes};
use http::Request;
use http_body_util::BodyExt as _;
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use report::Observed;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tokio::sync::mpsc;

use crate::cluster::Cluster;

/// Which objects to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    group: String,
    version: String,
    resource: String,
    namespace: Option<String>,
    label_selector: Option<String>,
    field_selector: Option<String>,
    from_cache: bool,
}

impl ListQuery {
    /// All objects of a resource: `ListQuery::new("discovery.k8s.io", "v1", "endpointslices")`. The core group is `""`.
    pub fn new(group: impl Into<String>, version: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
            namespace: None,
            label_selector: None,
            field_selector: None,
            from_cache: false,
        }
    }

    /// Only those in this namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Only those that the label selector matches, as `app=web`.
    #[must_use]
    pub fn with_labels(mut self, selector: impl Into<String>) -> Self {
        self.label_selector = Some(selector.into());
        self
    }

    /// Only those that the field selector matches, as `spec.nodeName=node3`.
    #[must_use]
    pub fn with_fields(mut self, selector: impl Into<String>) -> Self {
        self.field_selector = Some(selector.into());
        self
    }

    /// What the API server has in memory, in one answer: cheap for it however much there is, and possibly a little
    /// behind. Without this the list is current, and comes in pages of 500 as kubectl asks for it.
    #[must_use]
    pub fn from_cache(mut self) -> Self {
        self.from_cache = true;
        self
    }

    /// The resource with its group, as RBAC errors write it: `endpointslices.discovery.k8s.io`.
    fn qualified_resource(&self) -> String {
        if self.group.is_empty() {
            self.resource.clone()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    fn path(&self, paging: &Paging) -> String {
        let base = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        let namespace = self
            .namespace
            .as_ref()
            .map(|namespace| format!("/namespaces/{}", encode(namespace)));
        let mut query = Vec::new();
        if let Some(selector) = &self.label_selector {
            query.push(format!("labelSelector={}", encode(selector)));
        }
        if let Some(selector) = &self.field_selector {
            query.push(format!("fieldSelector={}", encode(selector)));
        }
        match paging {
            Paging::Cache => query.push("resourceVersion=0".to_owned()),
            Paging::First => query.push(format!("limit={PAGE}")),
            Paging::Next(token) => query.push(format!("limit={PAGE}&continue={}", encode(token))),
            Paging::Whole => {}
        }
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{}", query.join("&"))
        };
        format!("{base}{}/{}{query}", namespace.unwrap_or_default(), self.resource)
    }
}

/// kubectl's `--chunk-size`.
const PAGE: u32 = 500;

enum Paging {
    Cache,
    First,
    Next(String),
    /// Everything in one answer: after a page has expired, as `client-go` does it.
    Whole,
}

/// Everything but what never needs an escape in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

impl Cluster {
    /// Lists objects, each as a `T`: a small type with only the fields that are needed, so that the others are never
    /// stored. Unseen when any part of the list could not be had; a list that was cut off is never returned.
    ///
    /// `what` names the objects for the reader of a report: `nodes`, `EndpointSlices of service/web`.
    pub async fn list<T>(&self, what: &str, query: &ListQuery) -> Observed<Vec<T>>
    where
        T: DeserializeOwned + Send + 'static,
    {
        match self.try_list(query).await {
            Ok(items) => Observed::Seen(items),
            Err(error) => {
                let resource = query.qualified_resource();
                Observed::Unseen(self.gap(what, &error, "list", &resource, query.namespace.as_deref()))
            }
        }
    }

    /// As [`Cluster::list`], for a run that cannot go on without the answer.
    ///
    /// # Errors
    /// Any page could not be had or understood.
    pub async fn try_list<T>(&self, query: &ListQuery) -> Result<Vec<T>, kube::Error>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut paging = if query.from_cache {
            Paging::Cache
        } else {
            Paging::First
        };
        let mut items = Vec::new();
        loop {
            let page = self.page(&query.path(&paging), items).await;
            match page {
                Ok(Page {
                    items: more,
                    next: Some(token),
                }) => {
                    items = more;
                    paging = Paging::Next(token);
                }
                Ok(Page { items, next: None }) => return Ok(items),
                // The version that the pages are of was compacted away in between. What was read is of no use:
                // the rest would be of another version.
                Err(kube::Error::Api(status)) if status.code == 410 && matches!(paging, Paging::Next(_)) => {
                    items = Vec::new();
                    paging = Paging::Whole;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads one answer and adds its items to those before.
    async fn page<T>(&self, path: &str, before: Vec<T>) -> Result<Page<T>, kube::Error>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let request = Request::get(path)
            .header(http::header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(kube::Error::HttpError)?;
        let response = self.client().send(request).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await?);
        }
        let mut body = response.into_body();
        // JSON is read where blocking is allowed; the channel holds the network back when that is slower.
        let (sender, receiver) = mpsc::channel(16);
        let reading = tokio::task::spawn_blocking(move || read_page(Chunks::new(receiver), before));
        let mut broken = None;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data()
                        && sender.send(data).await.is_err()
                    {
                        break;
                    }
                }
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        drop(sender);
        let read = reading
            .await
            .map_err(|error| kube::Error::Service(error.into()))?;
        match broken {
            Some(error) => Err(error),
            None => read.map_err(kube::Error::SerdeError),
        }
    }
}

/// The error that a response says, as the client library would have it.
async fn refusal(response: http::Response<Body>) -> Result<kube::Error, kube::Error> {
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await?;
    let status = serde_json::from_slice::<kube::core::Status>(&bytes).unwrap_or_else(|_| {
        // A proxy's page, or the router's line for a path that it does not know.
        let text = String::from_utf8_lossy(&bytes);
        kube::core::Status::failure(text.trim(), "").with_code(code)
    });
    Ok(kube::Error::Api(Box::new(status)))
}

struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

fn read_page<T: DeserializeOwned>(chunks: Chunks, before: Vec<T>) -> Result<Page<T>, serde_json::Error> {
    let mut deserializer =
        serde_json::Deserializer::from_reader(io::BufReader::with_capacity(64 * 1024, chunks));
    let page = PageSeed(before).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(page)
}

/// The body of a response as a blocking reader.
struct Chunks {
    receiver: mpsc::Receiver<Bytes>,
    current: VecDeque<Bytes>,
}

impl Chunks {
    fn new(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self {
            receiver,
            current: VecDeque::new(),
        }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(chunk) = self.current.front_mut() {
                if chunk.has_remaining() {
                    let length = chunk.remaining().min(buffer.len());
                    chunk.copy_to_slice(&mut buffer[..length]);
                    return Ok(length);
                }
                self.current.pop_front();
                continue;
            }
            match self.receiver.blocking_recv() {
                Some(chunk) => self.current.push_back(chunk),
                None => return Ok(0),
            }
        }
    }
}

/// A list object whose items are added to those of earlier pages.
struct PageSeed<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for PageSeed<T> {
    type Value = Page<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for PageSeed<T> {
    type Value = Page<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
        let mut items = self.0;
        let mut next = None;
        let mut is_list = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "items" => {
                    is_list = true;
                    map.next_value_seed(ItemsSeed(&mut items))?;
                }
                "metadata" => {
                    next = map
                        .next_value::<ListMetadata>()?
                        .next
                        .filter(|token| !token.is_empty());
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // Anything else that is an object is no list: to take it for an empty one would be a lie.
        if is_list {
            Ok(Page { items, next })
        } else {
            Err(serde::de::Error::missing_field("items"))
        }
    }
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// Items, or null for none, as Go writes an empty list.
struct ItemsSeed<'a, T>(&'a mut Vec<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for ItemsSeed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(ItemsVisitor(self.0, PhantomData))
    }
}

struct ItemsVisitor<'a, 'de, T>(&'a mut Vec<T>, PhantomData<&'de ()>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ItemsVisitor<'_, 'de, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("items of a list")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(item) = sequence.next_element()? {
            self.0.push(item);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Named {
        metadata: Name,
    }

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Name {
        name: String,
    }

    fn read(text: &str) -> Result<(Vec<String>, Option<String>), serde_json::Error> {
        let (sender, receiver) = mpsc::channel(text.len() + 1);
        for byte in text.bytes() {
            sender.try_send(Bytes::copy_from_slice(&[byte])).unwrap();
        }
        drop(sender);
        let page: Page<Named> = read_page(Chunks::new(receiver), Vec::new())?;
        Ok((
            page.items.into_iter().map(|item| item.metadata.name).collect(),
            page.next,
        ))
    }

    #[test]
    fn items_are_read_whatever_stands_around_them() {
        let text = r#"{"items":[{"metadata":{"name":"a","uid":"1"},"spec":{}},{"metadata":{"name":"b"}}],
                       "kind":"PodList","metadata":{"continue":"next","resourceVersion":"5"}}"#;
        assert_eq!(
            read(text).unwrap(),
            (vec!["a".to_owned(), "b".to_owned()], Some("next".to_owned()))
        );
        assert_eq!(
            read(r#"{"metadata":{"continue":""},"items":null}"#).unwrap(),
            (vec![], None)
        );
    }

    #[test]
    fn what_is_cut_off_or_no_list_is_an_error() {
        assert!(
            read(r#"{"items":[{"metadata":{"name":"a"}}"#)
                .unwrap_err()
                .is_eof()
        );
        assert!(read(r#"{"kind":"Status"}"#).is_err());
        assert!(read("").unwrap_err().is_eof());
    }

    #[test]
    fn paths_name_group_namespace_and_selectors() {
        let query = ListQuery::new("discovery.k8s.io", "v1", "endpointslices")
            .in_namespace("shop")
            .with_labels("app in (a,b)")
            .with_fields("metadata.name=x");
        assert_eq!(
            query.path(&Paging::First),
            "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices\
             ?labelSelector=app%20in%20%28a%2Cb%29&fieldSelector=metadata.name%3Dx&limit=500"
        );
        let nodes = ListQuery::new("", "v1", "nodes");
        assert_eq!(
            nodes.path(&Paging::Next("a=".into())),
            "/api/v1/nodes?limit=500&continue=a%3D"
        );
        assert_eq!(nodes.path(&Paging::Cache), "/api/v1/nodes?resourceVersion=0");
        assert_eq!(nodes.path(&Paging::Whole), "/api/v1/nodes");
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(text in "[\\[\\]{}\",:a-z0-9 ]{0,60}") {
            let _ = read(&text);
        }
    }
}
