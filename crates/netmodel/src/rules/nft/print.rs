//! Statements in nft's own language, near enough to find a rule again in what `nft list ruleset` prints.

use serde_json::Value;

/// All statements of a rule but its counters.
pub(super) fn rule(expressions: &[Value]) -> String {
    let statements: Vec<String> = expressions
        .iter()
        .filter(|expression| expression.get("counter").is_none())
        .map(statement)
        .collect();
    statements.join(" ")
}

/// One statement.
pub(super) fn statement(statement: &Value) -> String {
    let Some((kind, value)) = statement.as_object().and_then(|object| object.iter().next()) else {
        return expression(statement);
    };
    let printed = match kind.as_str() {
        "match" => comparison(value),
        "accept" | "drop" | "return" | "continue" | "notrack" => Some(kind.clone()),
        "jump" | "goto" => text(value, "target").map(|chain| format!("{kind} {chain}")),
        "reject" => Some(reject(value)),
        "masquerade" | "redirect" | "snat" | "dnat" => Some(translation(kind, value)),
        "vmap" => pair(value, "key", "data").map(|(key, data)| format!("{key} vmap {data}")),
        "mangle" => pair(value, "key", "value").map(|(key, to)| format!("{key} set {to}")),
        "limit" => limit(value),
        "log" => Some(match text(value, "prefix") {
            Some(prefix) => format!("log prefix \"{prefix}\""),
            None => "log".to_owned(),
        }),
        "xt" => pair(value, "type", "name").map(|(kind, name)| format!("xt {kind} {name}")),
        _ => None,
    };
    printed.unwrap_or_else(|| expression(statement))
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn pair(value: &Value, first: &str, second: &str) -> Option<(String, String)> {
    Some((expression(value.get(first)?), expression(value.get(second)?)))
}

fn comparison(value: &Value) -> Option<String> {
    let (left, right) = pair(value, "left", "right")?;
    Some(match text(value, "op")? {
        "==" | "in" => format!("{left} {right}"),
        op => format!("{left} {op} {right}"),
    })
}

fn reject(value: &Value) -> String {
    match (text(value, "type"), text(value, "expr")) {
        (Some(kind), Some(code)) => format!("reject with {kind} {code}"),
        (Some(kind), None) => format!("reject with {kind}"),
        (None, _) => "reject".to_owned(),
    }
}

fn translation(kind: &str, value: &Value) -> String {
    let mut printed = kind.to_owned();
    let part = |key: &str| value.get(key).filter(|part| !part.is_null()).map(expression);
    if let Some(address) = part("addr") {
        printed.push_str(" to ");
        printed.push_str(&address);
    }
    if let Some(port) = part("port") {
        printed.push_str(if value.get("addr").is_some() { ":" } else { " to :" });
        printed.push_str(&port);
    }
    if let Some(flags) = part("flags") {
        printed.push(' ');
        printed.push_str(&flags);
    }
    printed
}

fn limit(value: &Value) -> Option<String> {
    let over = match value.get("inv").and_then(Value::as_bool) {
        Some(true) => "over ",
        Some(false) | None => "",
    };
    Some(format!(
        "limit rate {over}{}/{}",
        expression(value.get("rate")?),
        text(value, "per")?
    ))
}

/// Anything that has a value.
pub(super) fn expression(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => list(parts, ", "),
        Value::Object(fields) => match fields.iter().next() {
            Some((kind, inner)) if fields.len() == 1 => {
                single(kind, inner).unwrap_or_else(|| value.to_string())
            }
            _ => value.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn list(parts: &[Value], between: &str) -> String {
    let parts: Vec<String> = parts.iter().map(expression).collect();
    parts.join(between)
}

fn single(kind: &str, value: &Value) -> Option<String> {
    let parts = || value.as_array().map(Vec::as_slice);
    Some(match kind {
        "meta" => match text(value, "key")? {
            key @ ("iifname" | "oifname" | "iif" | "oif") => key.to_owned(),
            key => format!("meta {key}"),
        },
        "ct" => format!("ct {}", text(value, "key")?),
        "rt" => format!("rt {}", text(value, "key")?),
        "payload" => format!("{} {}", text(value, "protocol")?, text(value, "field")?),
        "tcp option" => format!("tcp option {} {}", text(value, "name")?, text(value, "field")?),
        "prefix" => format!("{}/{}", text(value, "addr")?, value.get("len")?),
        "range" => list(parts()?, "-"),
        "concat" => list(parts()?, " . "),
        "&" | "|" | "^" => list(parts()?, &format!(" {kind} ")),
        "set" => match value {
            Value::Array(elements) => {
                let elements: Vec<String> = elements.iter().map(element).collect();
                format!("{{ {} }}", elements.join(", "))
            }
            other => format!("{{ {} }}", expression(other)),
        },
        "elem" => expression(value.get("val")?),
        "map" => {
            let (key, data) = pair(value, "key", "data")?;
            format!("{key} map {data}")
        }
        "fib" => {
            let flags = value.get("flags")?.as_array()?;
            format!("fib {} {}", list(flags, " . "), text(value, "result")?)
        }
        "numgen" => format!("numgen {} mod {}", text(value, "mode")?, value.get("mod")?),
        _ => return None,
    })
}

/// An element of a set, or of a map with what it leads to.
fn element(value: &Value) -> String {
    match value.as_array().map(Vec::as_slice) {
        Some([key, to]) => format!("{} : {}", expression(key), statement(to)),
        _ => expression(value),
    }
}
