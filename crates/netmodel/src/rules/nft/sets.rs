use std::collections::HashMap;

use serde_json::Value;

/// The named sets and maps of a ruleset.
#[derive(Debug, Default)]
pub(super) struct Sets<'a> {
    by_place: HashMap<(&'a str, &'a str, &'a str), &'a Value>,
}

impl<'a> Sets<'a> {
    pub(super) fn read(objects: &'a [Value]) -> Self {
        let mut sets = Self::default();
        for object in objects {
            let Some(set) = object.get("set").or_else(|| object.get("map")) else {
                continue;
            };
            let field = |key| set.get(key).and_then(Value::as_str);
            if let (Some(family), Some(table), Some(name)) = (field("family"), field("table"), field("name"))
            {
                sets.by_place.insert((family, table, name), set);
            }
        }
        sets
    }

    /// The elements of what stands on the right side of a comparison: those of a set, or the value itself. `None` when
    /// they may change with every packet, or are not known.
    pub(super) fn elements<'s>(
        &'s self,
        family: &str,
        table: &str,
        value: &'s Value,
    ) -> Option<Vec<&'s Value>> {
        if let Some(name) = value.as_str().and_then(|text| text.strip_prefix('@')) {
            let set = *self.by_place.get(&(family, table, name))?;
            let flags = set.get("flags").and_then(Value::as_array);
            let changes = |flag: &Value| matches!(flag.as_str(), Some("timeout" | "dynamic"));
            if flags.is_some_and(|flags| flags.iter().any(changes)) {
                return None;
            }
            return match set.get("elem") {
                None => Some(Vec::new()),
                Some(elements) => Some(elements.as_array()?.iter().map(plain).collect()),
            };
        }
        match value.get("set") {
            Some(Value::Array(elements)) => Some(elements.iter().map(plain).collect()),
            Some(element) => Some(vec![plain(element)]),
            None => Some(vec![value]),
        }
    }
}

/// An element without what is said about it: its comment, its counter, its time.
pub(super) fn plain(element: &Value) -> &Value {
    element
        .get("elem")
        .and_then(|inner| inner.get("val"))
        .unwrap_or(element)
}
