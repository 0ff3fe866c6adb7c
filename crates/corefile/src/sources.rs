//! What a Corefile refers to outside of itself.

use std::collections::{BTreeMap, BTreeSet};

/// The name and the surroundings of a Corefile: what CoreDNS would find in its container.
#[derive(Clone, Debug)]
pub struct Sources {
    /// How messages call the Corefile. Relative imports are looked for beside it, so an absolute path
    /// (`/etc/coredns/Corefile`) resolves them as CoreDNS does.
    pub name: String,
    /// The environment of the process. A variable that is not there is empty, as it is for CoreDNS.
    pub variables: BTreeMap<String, String>,
    /// Files by absolute path.
    pub files: BTreeMap<String, String>,
    /// Whether `files` is all there is. If not, an import that is not among them is left out and said in
    /// [`crate::Corefile::unread`]; if it is, such an import is refused.
    pub files_are_complete: bool,
    /// The names of the network interfaces that `bind` could mean, if they are known.
    pub interfaces: Option<BTreeSet<String>>,
}

impl Default for Sources {
    /// A file called `Corefile`, of whose surroundings nothing is known.
    fn default() -> Self {
        Self {
            name: "Corefile".to_owned(),
            variables: BTreeMap::new(),
            files: BTreeMap::new(),
            files_are_complete: false,
            interfaces: None,
        }
    }
}

impl Sources {
    /// A file of that name, of whose surroundings nothing is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The path that `path` means when it stands in `file`.
    pub(crate) fn absolute(file: &str, path: &str) -> String {
        if path.starts_with('/') {
            return cleaned(path);
        }
        let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
        cleaned(&format!("{directory}/{path}"))
    }

    /// The files that a pattern with at most one `*` and one `?` means, in the order of their names.
    pub(crate) fn matching(&self, pattern: &str) -> Vec<(&String, &String)> {
        let wanted: Vec<&str> = pattern.split('/').collect();
        self.files
            .iter()
            .filter(|(path, _)| {
                let parts: Vec<&str> = path.split('/').collect();
                parts.len() == wanted.len()
                    && wanted
                        .iter()
                        .zip(&parts)
                        .all(|(wanted, part)| matches(wanted.as_bytes(), part.as_bytes()))
            })
            .collect()
    }

    /// A text with its references to environment variables replaced: `{%NAME%}` first, then `{$NAME}`.
    ///
    /// What a variable holds is looked through again, so a reference that a variable holds is replaced too. A
    /// variable that holds a reference to itself would never end; it ends here after a thousand rounds.
    pub(crate) fn with_variables(&self, text: &str) -> String {
        let text = self.replaced(text, "{%", "%}");
        self.replaced(&text, "{$", "}")
    }

    fn replaced(&self, text: &str, opening: &str, closing: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..1000 {
            let Some(start) = text.find(opening) else { break };
            let Some(length) = text[start..].find(closing) else {
                break;
            };
            if length <= opening.len() {
                // Nothing between the braces: CoreDNS leaves all of the text alone from here on.
                break;
            }
            let reference = text[start..start + length + closing.len()].to_owned();
            let name = &reference[opening.len()..length];
            let value = self.variables.get(name).map_or("", String::as_str);
            text = text.replace(&reference, value);
        }
        text
    }
}

/// The path without `.`, `..` and doubled slashes.
fn cleaned(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let slash = if path.starts_with('/') { "/" } else { "" };
    format!("{slash}{}", parts.join("/"))
}

/// Whether the pattern of an import is one: no `[` that is open, no `\` at its end.
pub(crate) fn is_pattern(pattern: &str) -> bool {
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter == '[' || (letter == '\\' && letters.next().is_none()) {
            return false;
        }
    }
    true
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        Some((b'\\', [escaped, rest @ ..])) => name.first() == Some(escaped) && matches(rest, &name[1..]),
        Some((b'?', rest)) => !name.is_empty() && matches(rest, &name[1..]),
        Some((letter, rest)) => name.first() == Some(letter) && matches(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Sources {
        Sources {
            variables: BTreeMap::from([(name.to_owned(), value.to_owned())]),
            ..Sources::default()
        }
    }

    #[test]
    fn variables_are_replaced_in_both_notations_and_everywhere() {
        let sources = with("A", "x");
        assert_eq!(sources.with_variables("{$A}.{%A%}.{$A}"), "x.x.x");
        assert_eq!(sources.with_variables("{$B}y"), "y");
        assert_eq!(sources.with_variables("{$}{$A}"), "{$}{$A}");
        assert_eq!(sources.with_variables("{$A"), "{$A");
    }

    #[test]
    fn a_variable_that_holds_itself_ends() {
        assert_eq!(with("A", "{$A}").with_variables("{$A}"), "{$A}");
    }

    #[test]
    fn relative_imports_lie_beside_the_file() {
        assert_eq!(
            Sources::absolute("/etc/coredns/Corefile", "custom/*.server"),
            "/etc/coredns/custom/*.server"
        );
        assert_eq!(
            Sources::absolute("/etc/coredns/Corefile", "/opt//x/../y"),
            "/opt/y"
        );
    }

    #[test]
    fn a_backslash_takes_the_next_letter_as_it_is() {
        assert!(matches(br"a\*", b"a*"));
        assert!(!matches(br"a\*", b"ab"));
        assert!(is_pattern(r"a\[*"));
        assert!(!is_pattern("a[") && !is_pattern(r"a\"));
    }

    #[test]
    fn a_star_stays_within_one_directory() {
        let mut sources = Sources::default();
        for path in ["/a/x.server", "/a/b/y.server", "/a/z.override"] {
            sources.files.insert(path.to_owned(), String::new());
        }
        let found: Vec<&String> = sources
            .matching("/a/*.server")
            .into_iter()
            .map(|(path, _)| path)
            .collect();
        assert_eq!(found, ["/a/x.server"]);
    }
}
