//! Get and list.

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use crate::bulk::{NAMESPACE, Template};
use crate::delete::selector;
use crate::failure::Failure;
use crate::request::{Answer, Call};
use crate::selector::Selector;
use crate::shared::{Shared, typed};
use crate::store::Key;

pub(crate) fn get(shared: &Shared, call: &Call) -> Result<Answer, Failure> {
    let route = &call.route;
    let key = Key::new(&route.resource, call.namespace(), call.name());
    if let Some(object) = shared.store().get(&key) {
        return Ok(Answer::Whole {
            code: 200,
            body: typed(&route.resource, &object),
        });
    }
    if key.is("pods")
        && key.namespace == NAMESPACE
        && let Some(number) =
            Template::number(&key.name).filter(|number| *number < shared.config.cluster.bulk_pods)
    {
        return Ok(Answer::Whole {
            code: 200,
            body: typed(&route.resource, &shared.template.value(number)),
        });
    }
    Err(Failure::not_found(route, &key.name))
}

/// Where a page begins: after an object, or at a bulk pod.
enum Start {
    After(String, String),
    Bulk(u32),
}

impl Start {
    fn parse(token: &str) -> Option<Self> {
        match token.split_once(':')? {
            ("after", rest) => {
                let (namespace, name) = rest.split_once('/')?;
                Some(Self::After(namespace.to_owned(), name.to_owned()))
            }
            ("bulk", number) => Some(Self::Bulk(number.parse().ok()?)),
            _ => None,
        }
    }
}

pub(crate) fn list(shared: &std::sync::Arc<Shared>, call: &Call) -> Result<Answer, Failure> {
    let route = &call.route;
    let selector = selector(call)?;
    // The watch cache, which serves version 0, knows no pages.
    let whole = call.query.get("resourceVersion") == Some("0") && call.query.get("continue").is_none();
    let limit = call.query.number("limit").filter(|limit| *limit > 0 && !whole);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let start = match call.query.get("continue") {
        Some(token) => {
            Some(Start::parse(token).ok_or_else(|| Failure::new(400, "continue key is not valid"))?)
        }
        None => None,
    };
    let namespace = route.namespace.as_deref();
    let has_bulk =
        Key::new(&route.resource, "", "").is("pods") && namespace.is_none_or(|name| name == NAMESPACE);
    let bulk_end = if has_bulk {
        shared.config.cluster.bulk_pods
    } else {
        0
    };

    let store = shared.store();
    let mut items = Vec::new();
    let mut next = None;
    let mut bulk_start = 0;
    let mut left = 0;
    if let Some(Start::Bulk(number)) = start {
        bulk_start = number;
    } else {
        let from = match &start {
            Some(Start::After(namespace, name)) => Some((namespace.as_str(), name.as_str())),
            _ => None,
        };
        let mut last = None;
        let mut found = store
            .list(&route.resource, namespace, from)
            .filter(|(_, object)| selector.selects(object));
        for (key, object) in found.by_ref().take(limit.unwrap_or(usize::MAX)) {
            items.push(object.to_string());
            last = Some(key);
        }
        left = found.count();
        if left > 0
            && let Some(key) = last
        {
            next = Some(format!("after:{}/{}", key.namespace, key.name));
        }
    }
    let room = limit.map_or(u32::MAX, |limit| {
        u32::try_from(limit - items.len().min(limit)).unwrap_or(u32::MAX)
    });
    let bulk = if next.is_some() {
        0..0
    } else {
        bulk_start.min(bulk_end)..bulk_end.min(bulk_start.saturating_add(room))
    };
    if next.is_none() && bulk.end < bulk_end {
        next = Some(format!("bulk:{}", bulk.end));
    }
    let mut metadata = json!({"resourceVersion": store.version().to_string()});
    drop(store);
    if let Some(token) = next {
        metadata["continue"] = json!(token);
        if selector.is_empty() {
            let bulk_left = bulk_end.saturating_sub(bulk.end.max(bulk_start)) as usize;
            metadata["remainingItemCount"] = json!(left + bulk_left);
        }
    }
    let head = format!(
        "{{\"kind\":\"{}List\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[{}",
        route.resource.kind,
        route.resource.api_version(),
        items.join(",")
    );
    if bulk.is_empty() {
        return Ok(Answer::Whole {
            code: 200,
            body: (head + "]}").into_bytes(),
        });
    }
    Ok(stream(
        shared,
        head.into_bytes(),
        items.is_empty(),
        bulk,
        selector,
    ))
}

/// How many bulk pods go into one piece of a response.
const PIECE: u32 = 200;

fn stream(
    shared: &std::sync::Arc<Shared>,
    head: Vec<u8>,
    first: bool,
    bulk: std::ops::Range<u32>,
    selector: Selector,
) -> Answer {
    let shared = std::sync::Arc::clone(shared);
    let mut separate = !first;
    let pieces = bulk.clone().step_by(PIECE as usize).map(move |start| {
        let mut text = Vec::with_capacity(PIECE as usize * 5200);
        for number in start..bulk.end.min(start.saturating_add(PIECE)) {
            if !selector.is_empty() {
                let pod: Value = shared.template.value(number);
                if !selector.selects(&pod) {
                    continue;
                }
            }
            if std::mem::replace(&mut separate, true) {
                text.push(b',');
            }
            shared.template.write(number, &mut text);
        }
        Bytes::from(text)
    });
    let whole = std::iter::once(Bytes::from(head))
        .chain(pieces)
        .chain(std::iter::once(Bytes::from_static(b"]}")));
    let frames = futures::stream::iter(whole).map(|bytes| Ok(Frame::data(bytes)));
    Answer::Stream(StreamBody::new(frames).boxed_unsync())
}
