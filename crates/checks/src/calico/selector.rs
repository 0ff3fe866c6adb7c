//! Calico's selectors, as `has(zone) && zone in {"a", "b"}`.

use std::collections::BTreeMap;

/// Deeper than this nobody writes them, and a reader that calls itself must end.
const DEPTH: usize = 32;

/// Whether a selector selects what has these labels; `None` where it cannot be understood.
pub(crate) fn selects(selector: &str, labels: &BTreeMap<String, String>) -> Option<bool> {
    let mut reader = Reader {
        rest: selector.trim(),
        labels,
    };
    if reader.rest.is_empty() {
        return Some(true);
    }
    let selected = reader.any(0)?;
    reader.skip();
    reader.rest.is_empty().then_some(selected)
}

struct Reader<'a> {
    rest: &'a str,
    labels: &'a BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// One of several, with `||` between them.
    fn any(&mut self, depth: usize) -> Option<bool> {
        let mut is = self.all(depth)?;
        while self.take("||") {
            is |= self.all(depth)?;
        }
        Some(is)
    }

    fn all(&mut self, depth: usize) -> Option<bool> {
        let mut is = self.one(depth)?;
        while self.take("&&") {
            is &= self.one(depth)?;
        }
        Some(is)
    }

    fn one(&mut self, depth: usize) -> Option<bool> {
        if depth > DEPTH {
            return None;
        }
        if self.take("!") {
            return Some(!self.one(depth + 1)?);
        }
        if self.take("(") {
            let is = self.any(depth + 1)?;
            return self.take(")").then_some(is);
        }
        let name = self.word()?;
        if self.take("(") {
            let is = match name {
                // The second is of objects without a namespace, as nodes are.
                "all" | "global" => Some(true),
                "has" => Some(self.labels.contains_key(self.word()?)),
                _ => None,
            };
            return is.filter(|_| self.take(")"));
        }
        self.compared(name)
    }

    fn compared(&mut self, name: &str) -> Option<bool> {
        let value = self.labels.get(name).map(String::as_str);
        if self.take("==") {
            let wanted = self.text()?;
            return Some(value == Some(wanted));
        }
        if self.take("!=") {
            let unwanted = self.text()?;
            return Some(value != Some(unwanted));
        }
        let mut is_not = false;
        let mut operator = self.word()?;
        if operator == "not" {
            is_not = true;
            operator = self.word()?;
        }
        if operator == "in" {
            let set = self.set()?;
            return Some(value.is_some_and(|value| set.contains(&value)) != is_not);
        }
        if operator == "contains" {
            let part = self.text()?;
            return Some(value.is_some_and(|value| value.contains(part)));
        }
        let is_start = operator == "starts";
        if (is_start || operator == "ends") && self.word()? == "with" {
            let part = self.text()?;
            let fits = |value: &str| {
                if is_start {
                    value.starts_with(part)
                } else {
                    value.ends_with(part)
                }
            };
            return Some(value.is_some_and(fits));
        }
        None
    }

    /// A name of a label, or a word of the language.
    fn word(&mut self) -> Option<&'a str> {
        self.skip();
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let end = self.rest.find(|c: char| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn text(&mut self) -> Option<&'a str> {
        self.skip();
        let quote = self.rest.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        let (text, rest) = self.rest[1..].split_once(quote)?;
        self.rest = rest;
        Some(text)
    }

    fn set(&mut self) -> Option<Vec<&'a str>> {
        if !self.take("{") {
            return None;
        }
        let mut set = Vec::new();
        if self.take("}") {
            return Some(set);
        }
        loop {
            set.push(self.text()?);
            if self.take("}") {
                return Some(set);
            }
            if !self.take(",") {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn selectors_select_by_labels() {
        let node = labels(&[("kubernetes.io/os", "linux"), ("zone", "west-1")]);
        for (selector, selected) in [
            ("", Some(true)),
            ("all()", Some(true)),
            ("!all()", Some(false)),
            ("has(zone)", Some(true)),
            ("!has(zone)", Some(false)),
            ("kubernetes.io/os == 'linux'", Some(true)),
            ("kubernetes.io/os != \"linux\"", Some(false)),
            ("gpu != 'yes'", Some(true)),
            ("zone in {'west-1', 'east-1'}", Some(true)),
            ("zone not in {'west-1'}", Some(false)),
            ("gpu not in {'yes'}", Some(true)),
            ("zone contains 'st'", Some(true)),
            ("zone starts with 'west'", Some(true)),
            ("zone ends with '2'", Some(false)),
            (
                "has(gpu) || (zone == 'west-1' && has(kubernetes.io/os))",
                Some(true),
            ),
            ("! (has(zone) && has(gpu))", Some(true)),
            ("zone = 'west-1'", None),
            ("has(zone", None),
            ("all() all()", None),
            ("zone in {'a' 'b'}", None),
        ] {
            assert_eq!(selects(selector, &node), selected, "{selector}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC*", depth in 0..200_usize) {
            selects(&text, &BTreeMap::new());
            selects(&"(!".repeat(depth), &BTreeMap::new());
        }
    }
}
