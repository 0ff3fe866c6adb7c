use serde_json::Value;

use super::expression::{Place, comparison, element, number};
use super::print;
use crate::rules::action::{Action, Mss};
use crate::rules::model::Step;
use crate::rules::test::{Match, Test};

/// What one statement of a rule does.
pub(super) fn steps(place: &Place<'_>, statement: &Value) -> Vec<Step> {
    let Some((kind, value)) = statement.as_object().and_then(|object| object.iter().next()) else {
        return vec![Step::Do(Action::Unread(print::statement(statement)))];
    };
    let text = || print::statement(statement);
    let action = match kind.as_str() {
        "match" => return matched(place, value).map_or_else(|| vec![unread(text())], in_order),
        "limit" | "quota" | "ct count" | "connlimit" => {
            return vec![Step::Match(Match::new(Test::Rate(text())))];
        }
        "vmap" => lookup(place, value).map_or_else(|| Action::Unread(text()), Action::Map),
        "accept" => Action::Accept,
        "drop" => Action::Drop,
        "return" => Action::Return,
        "jump" | "goto" => verdict(statement).unwrap_or_else(|| Action::Unread(text())),
        "reject" => Action::Reject(rejection(value)),
        "masquerade" => Action::Masquerade,
        "snat" => Action::Snat(translations(place, value).join(", ")),
        "dnat" => Action::Dnat(translations(place, value)),
        "redirect" => Action::Redirect,
        "notrack" => Action::NoTrack,
        "mangle" => mangle(value).unwrap_or_else(|| Action::Aside(text())),
        "queue" => Action::Queue,
        // What iptables put into a table of nft: a match is undecided, and a target may do anything.
        "xt" if value.get("type").and_then(Value::as_str) == Some("match") => {
            return vec![unread(text())];
        }
        "continue" | "counter" | "log" | "set" | "map" | "meter" | "dup" | "ct helper" | "ct timeout"
        | "ct expectation" | "secmark" | "last" | "flow" => Action::Aside(text()),
        _ => Action::Unread(text()),
    };
    vec![Step::Do(action)]
}

fn unread(text: String) -> Step {
    Step::Match(Match::new(Test::Unread(text)))
}

fn in_order(matches: Vec<Match>) -> Vec<Step> {
    matches.into_iter().map(Step::Match).collect()
}

fn matched(place: &Place<'_>, value: &Value) -> Option<Vec<Match>> {
    comparison(
        place,
        value.get("op")?.as_str()?,
        value.get("left")?,
        value.get("right")?,
    )
}

/// A verdict as it stands in a rule or in a map.
fn verdict(value: &Value) -> Option<Action> {
    let (kind, value) = value.as_object()?.iter().next()?;
    let chain = || value.get("target")?.as_str().map(str::to_owned);
    Some(match kind.as_str() {
        "accept" => Action::Accept,
        "drop" => Action::Drop,
        "return" => Action::Return,
        "continue" => Action::Aside("continue".to_owned()),
        "jump" => Action::Jump(chain()?),
        "goto" => Action::Goto(chain()?),
        _ => return None,
    })
}

fn lookup(place: &Place<'_>, value: &Value) -> Option<Vec<(Vec<Match>, Action)>> {
    let (key, data) = (value.get("key")?, value.get("data")?);
    place
        .sets
        .elements(place.family.name(), place.table, data)?
        .into_iter()
        .map(|entry| {
            let [wanted, then] = entry.as_array()?.as_slice() else {
                return None;
            };
            // An element that cannot be read may be the one that is found.
            let matches = element(place, key, wanted)
                .unwrap_or_else(|| vec![Match::new(Test::Unread(print::statement(wanted)))]);
            Some((matches, verdict(then)?))
        })
        .collect()
}

/// As iptables names them: `icmp-admin-prohibited`, `tcp-reset`.
fn rejection(value: &Value) -> String {
    match (
        value.get("type").and_then(Value::as_str),
        value.get("expr").and_then(Value::as_str),
    ) {
        (Some("tcp reset"), _) => "tcp-reset".to_owned(),
        (Some("icmpv6"), Some(code)) => format!("icmp6-{code}"),
        (_, Some(code)) => format!("icmp-{code}"),
        _ => "icmp-port-unreachable".to_owned(),
    }
}

/// Every address that a translation may choose.
fn translations(place: &Place<'_>, value: &Value) -> Vec<String> {
    let port = value
        .get("port")
        .filter(|port| !port.is_null())
        .map(print::expression);
    let with_port = |address: String| match &port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address,
    };
    let Some(address) = value.get("addr") else {
        return Vec::new();
    };
    let Some(data) = address.get("map").and_then(|map| map.get("data")) else {
        return vec![with_port(print::expression(address))];
    };
    let elements = place.sets.elements(place.family.name(), place.table, data);
    elements
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.as_array()?.get(1))
        .map(
            |to| match to.get("concat").and_then(Value::as_array).map(Vec::as_slice) {
                Some([address, port]) => {
                    let (address, port) = (print::expression(address), print::expression(port));
                    if address.contains(':') {
                        format!("[{address}]:{port}")
                    } else {
                        format!("{address}:{port}")
                    }
                }
                _ => with_port(print::expression(to)),
            },
        )
        .collect()
}

fn mangle(value: &Value) -> Option<Action> {
    let (key, to) = (value.get("key")?, value.get("value")?);
    if let Some(option) = key.get("tcp option") {
        let clamps = option.get("name")?.as_str()? == "maxseg";
        return clamps.then(|| match to.as_u64().and_then(|bytes| u16::try_from(bytes).ok()) {
            Some(bytes) => Action::ClampMss(Mss::Bytes(bytes)),
            None => Action::ClampMss(Mss::PathMtu),
        });
    }
    let is = |kind: &str| key.get(kind).and_then(|of| of.get("key")).and_then(Value::as_str) == Some("mark");
    if is("ct") {
        return Some(Action::SetConnectionMark);
    }
    is("meta").then(|| match mark_change(to) {
        Some((keep, flip)) => Action::SetMark { keep, flip },
        None => Action::SetMarkUnread,
    })
}

/// `meta mark set …`, as `(mark & keep) ^ flip`.
fn mark_change(to: &Value) -> Option<(u32, u32)> {
    if let Some(value) = number(to) {
        return Some((0, value));
    }
    let (kind, value) = to.as_object()?.iter().next()?;
    if kind == "meta" {
        return (value.get("key")?.as_str()? == "mark").then_some((u32::MAX, 0));
    }
    let [left, right] = value.as_array()?.as_slice() else {
        return None;
    };
    let (keep, flip) = mark_change(left)?;
    let right = number(right)?;
    Some(match kind.as_str() {
        "&" => (keep & right, flip & right),
        "|" => (keep & !right, flip | right),
        "^" => (keep, flip ^ right),
        _ => return None,
    })
}
