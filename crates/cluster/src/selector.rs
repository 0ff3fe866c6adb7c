//! Label selectors as kubectl's `-l` takes them.

use std::collections::BTreeMap;

use thiserror::Error;

/// A label selector: requirements that must all hold. The empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

/// A text that is no label selector.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unable to parse requirement {requirement:?} of the selector: {reason}")]
pub struct SelectorError {
    requirement: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operator {
    Exists,
    DoesNotExist,
    In(Vec<String>),
    NotIn(Vec<String>),
    GreaterThan(i64),
    LessThan(i64),
}

impl Selector {
    /// Reads `a=b,c==d,e!=f,g in (h, i),j notin (k),l,!m,n>1,o<2`.
    ///
    /// # Errors
    /// A requirement is none of these.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        if !text.trim().is_empty() {
            for part in split(text) {
                requirements.push(parse_requirement(part.trim())?);
            }
        }
        Ok(Self { requirements })
    }

    /// Whether an object with these labels is selected. As for Kubernetes, `!=` and `notin` also select objects that
    /// do not have the label.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let number = || value.and_then(|value| value.parse::<i64>().ok());
            match &requirement.operator {
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
                Operator::In(values) => value.is_some_and(|value| values.contains(value)),
                Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Operator::GreaterThan(bound) => number().is_some_and(|number| number > *bound),
                Operator::LessThan(bound) => number().is_some_and(|number| number < *bound),
            }
        })
    }
}

/// Splits at the commas that are not between parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(text: &str) -> Result<Requirement, SelectorError> {
    let fail = |reason| SelectorError {
        requirement: text.to_owned(),
        reason,
    };
    let (key, operator) = if let Some(key) = text.strip_prefix('!') {
        (key.trim(), Operator::DoesNotExist)
    } else if let Some((key, value)) = text.split_once("!=") {
        (key.trim(), Operator::NotIn(vec![value.trim().to_owned()]))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (key.trim(), Operator::In(vec![value.trim().to_owned()]))
    } else if let Some((head, values)) = text.split_once('(') {
        let values = values
            .strip_suffix(')')
            .ok_or_else(|| fail("the parenthesis is not closed"))?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => (key, Operator::In(values)),
            [key, "notin"] => (key, Operator::NotIn(values)),
            _ => return Err(fail("want KEY in (VALUE, …) or KEY notin (VALUE, …)")),
        }
    } else if let Some((key, bound)) = text.split_once('>') {
        (
            key.trim(),
            Operator::GreaterThan(
                bound
                    .trim()
                    .parse()
                    .map_err(|_| fail("want a whole number after >"))?,
            ),
        )
    } else if let Some((key, bound)) = text.split_once('<') {
        (
            key.trim(),
            Operator::LessThan(
                bound
                    .trim()
                    .parse()
                    .map_err(|_| fail("want a whole number after <"))?,
            ),
        )
    } else {
        (text, Operator::Exists)
    };
    if !is_key(key) {
        return Err(fail("not a label key"));
    }
    let values = match &operator {
        Operator::In(values) | Operator::NotIn(values) => values.as_slice(),
        Operator::Exists | Operator::DoesNotExist | Operator::GreaterThan(_) | Operator::LessThan(_) => &[],
    };
    if !values.iter().all(|value| value.is_empty() || is_name(value)) {
        return Err(fail("not a label value"));
    }
    Ok(Requirement {
        key: key.to_owned(),
        operator,
    })
}

/// A name with an optional DNS prefix: `example.com/name`.
fn is_key(key: &str) -> bool {
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_prefix = |prefix: &str| {
        !prefix.is_empty()
            && prefix.len() <= 253
            && prefix
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
    };
    is_name(name) && prefix.is_none_or(is_prefix)
}

/// At most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    bytes.len() <= 63
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(selector: &str) -> bool {
        let labels = [
            ("app", "web"),
            ("zone", "b"),
            ("rank", "3"),
            ("kubernetes.io/os", "linux"),
            ("role", ""),
        ];
        let labels = labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        Selector::parse(selector).unwrap().matches(&labels)
    }

    #[test]
    fn every_operator_selects_as_kubernetes_does() {
        for selector in [
            "",
            " ",
            "app",
            "app=web",
            "app==web",
            "app = web",
            "app!=db",
            "missing!=x",
            "!missing",
            "zone in (a, b)",
            "zone notin (c)",
            "missing notin (c)",
            "rank>2",
            "rank<4",
            "kubernetes.io/os=linux",
            "role=",
            "app=web,zone in (a,b),!x",
        ] {
            assert!(matches(selector), "{selector:?} selects");
        }
        for selector in [
            "missing",
            "app=db",
            "app!=web",
            "!app",
            "zone in (a)",
            "rank>3",
            "app>1",
            "app=web,zone=a",
        ] {
            assert!(!matches(selector), "{selector:?} does not select");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "=",
            "a=b,",
            "a in b",
            "a in (b",
            "a like (b)",
            "a>x",
            "a b",
            "/a",
            "a=b c",
            "-a",
            "!",
        ] {
            assert!(Selector::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = Selector::parse(&text);
        }
    }
}
