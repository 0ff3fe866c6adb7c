//! Label selectors, field selectors and the patterns of faults.

use serde_json::Value;

/// Whether `text` fits `pattern`, in which each `*` stands for any run of characters.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return rest.is_empty();
    };
    for piece in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// What a list, watch or deletecollection is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    /// Path, whether it must be equal, value.
    fields: Vec<(String, bool, String)>,
}

#[derive(Clone, Debug)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Reads both selectors in the notation of query strings.
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, String> {
        let labels = split_outside_parentheses(labels)
            .into_iter()
            .map(requirement)
            .collect::<Result<_, _>>()?;
        let fields = fields
            .split(',')
            .filter(|term| !term.is_empty())
            .map(|term| {
                if let Some((path, value)) = term.split_once("!=") {
                    Ok((path.to_owned(), false, value.to_owned()))
                } else if let Some((path, value)) = term.split_once('=') {
                    Ok((path.to_owned(), true, value.trim_start_matches('=').to_owned()))
                } else {
                    Err(format!("invalid selector: '{term}'; can't understand '{term}'"))
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn selects(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"].get(key).and_then(Value::as_str);
        let labels = self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                label(key).is_some_and(|is| values.iter().any(|value| value == is))
            }
            Requirement::NotIn(key, values) => {
                !label(key).is_some_and(|is| values.iter().any(|value| value == is))
            }
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
        });
        labels
            && self.fields.iter().all(|(path, equal, value)| {
                let is = path.split('.').fold(object, |at, part| &at[part]);
                (is.as_str().unwrap_or("") == value) == *equal
            })
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|term| !term.is_empty())
    .collect()
}

fn requirement(term: &str) -> Result<Requirement, String> {
    let set = |list: &str| {
        let inside = list.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(
            inside
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect::<Vec<_>>(),
        )
    };
    let unreadable = || format!("unable to parse requirement: {term}");
    if let Some((key, list)) = term.split_once(" notin ") {
        return Ok(Requirement::NotIn(
            key.trim().to_owned(),
            set(list).ok_or_else(unreadable)?,
        ));
    }
    if let Some((key, list)) = term.split_once(" in ") {
        return Ok(Requirement::In(
            key.trim().to_owned(),
            set(list).ok_or_else(unreadable)?,
        ));
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Ok(Requirement::NotIn(
            key.trim().to_owned(),
            vec![value.trim().to_owned()],
        ));
    }
    if let Some((key, value)) = term.split_once('=') {
        let value = value.trim_start_matches('=').trim();
        return Ok(Requirement::In(key.trim().to_owned(), vec![value.to_owned()]));
    }
    Ok(match term.strip_prefix('!') {
        Some(key) => Requirement::Absent(key.trim().to_owned()),
        None => Requirement::Exists(term.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        assert!(fits("/api/v1/nodes", "/api/v1/nodes"));
        assert!(fits(
            "/api/v1/namespaces/*/pods/*/exec",
            "/api/v1/namespaces/a/pods/b/exec"
        ));
        assert!(fits("*", ""));
        assert!(fits("node-*", "node-001"));
        assert!(!fits("node-*1", "node-002"));
        assert!(!fits("/api/v1/nodes", "/api/v1/nodes/x"));
    }

    #[test]
    fn labels_are_selected_by_every_operator() {
        let pod = json!({"metadata": {"labels": {"app": "web", "tier": "front"}}});
        let selects = |labels: &str| Selector::parse(labels, "").unwrap().selects(&pod);
        assert!(selects("app=web,tier in (front,back)"));
        assert!(selects("app==web,!gone,tier,app!=db,app notin (db)"));
        assert!(!selects("app=db"));
        assert!(!selects("gone"));
    }

    #[test]
    fn fields_are_selected_by_their_path() {
        let pod =
            json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}});
        let selects = |fields: &str| Selector::parse("", fields).unwrap().selects(&pod);
        assert!(selects("spec.nodeName=n1,status.phase!=Failed"));
        assert!(!selects("metadata.name=b"));
        assert!(Selector::parse("", "nonsense").is_err());
    }
}
