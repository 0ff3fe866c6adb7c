//! A Corefile that was read, in the order in which it is written.

use std::fmt;

use crate::error::Place;
use crate::token::{Token, written};

/// A Corefile with its imports and variables put in.
///
/// Two are equal if they have the same words on the same lines of the same blocks, wherever those lines stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corefile {
    /// The server blocks, in order.
    pub blocks: Vec<ServerBlock>,
    /// What it imports and could not be looked at. Where this is not empty, directives may be missing.
    pub unread: Vec<Unread>,
    /// Words that look like a comment to a reader and are configuration to CoreDNS: see [`Swallowed`].
    pub swallowed: Vec<Swallowed>,
}

/// An import whose files are not among [`crate::Sources::files`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Where it is imported.
    pub place: Place,
    /// The path or pattern, absolute where the Corefile's own path is.
    pub path: String,
}

/// A comment that is glued to a word: CoreDNS forgets the comment at the next space, and reads on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swallowed {
    /// Where it stands.
    pub place: Place,
    /// The word before the comment sign.
    pub word: String,
}

/// A server block: whom it serves, and with what.
#[derive(Clone, Debug)]
pub struct ServerBlock {
    /// Zones as they are written, with scheme and port. A block without any is read and dropped by CoreDNS.
    pub keys: Vec<Key>,
    /// The directives in order; what imports brought stands where it was imported.
    pub directives: Vec<Directive>,
    /// Where the block starts.
    pub place: Place,
}

/// One zone of a server block, as it is written.
#[derive(Clone, Debug)]
pub struct Key {
    /// Without the comma.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// One directive: a plugin with its arguments and properties.
#[derive(Clone, Debug)]
pub struct Directive {
    /// The plugin.
    pub name: String,
    /// The directive's words, its name first, braces included. Never empty.
    pub(crate) tokens: Vec<Token>,
}

/// One line within the braces of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The first word of the line.
    pub name: String,
    /// The words after it.
    pub args: Vec<String>,
    /// Where it stands.
    pub place: Place,
}

impl ServerBlock {
    /// The directives of a plugin.
    pub fn all<'a>(&'a self, plugin: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.directives
            .iter()
            .filter(move |directive| directive.name == plugin)
    }

    /// The first directive of a plugin.
    pub fn first(&self, plugin: &str) -> Option<&Directive> {
        self.directives.iter().find(|directive| directive.name == plugin)
    }
}

impl Directive {
    /// Where it stands.
    pub fn place(&self) -> Place {
        self.tokens[0].place()
    }

    /// The words after the name and before the brace.
    pub fn args(&self) -> Vec<&str> {
        self.lines()
            .first()
            .map(|line| {
                line[1..]
                    .iter()
                    .map(|token| token.text.as_str())
                    .take_while(|word| *word != "{")
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The lines within the braces. Braces of their own do not become properties.
    pub fn properties(&self) -> Vec<Property> {
        let mut properties = Vec::new();
        for (index, line) in self.lines().into_iter().enumerate() {
            let words = match line.iter().position(|token| token.text == "{") {
                Some(brace) if index == 0 => &line[brace + 1..],
                _ if index == 0 => continue,
                _ => line,
            };
            let words: Vec<&Token> = words
                .iter()
                .filter(|token| !matches!(token.text.as_str(), "{" | "}"))
                .collect();
            if let Some((first, args)) = words.split_first() {
                properties.push(Property {
                    name: first.text.clone(),
                    args: args.iter().map(|token| token.text.clone()).collect(),
                    place: first.place(),
                });
            }
        }
        properties
    }

    /// The first property of that name.
    pub fn property(&self, name: &str) -> Option<Property> {
        self.properties()
            .into_iter()
            .find(|property| property.name == name)
    }

    /// The words by line, as CoreDNS sees lines.
    fn lines(&self) -> Vec<&[Token]> {
        let mut lines = Vec::new();
        let mut start = 0;
        for index in 1..self.tokens.len() {
            if self.tokens[index].is_on_new_line_after(&self.tokens[index - 1]) {
                lines.push(&self.tokens[start..index]);
                start = index;
            }
        }
        lines.push(&self.tokens[start..]);
        lines
    }

    fn words(&self) -> Vec<Vec<&str>> {
        self.lines()
            .into_iter()
            .map(|line| line.iter().map(|token| token.text.as_str()).collect())
            .collect()
    }
}

impl Token {
    pub(crate) fn place(&self) -> Place {
        Place {
            file: self.file.clone(),
            line: self.line,
        }
    }
}

impl PartialEq for ServerBlock {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && self.directives == other.directives
    }
}

impl Eq for ServerBlock {}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Key {}

impl PartialEq for Directive {
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}

impl Eq for Directive {}

impl fmt::Display for Corefile {
    /// Writes the Corefile, with imports put in and without comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, block) in self.blocks.iter().enumerate() {
            if index > 0 {
                // At the start of a line it would be an import.
                let glued = block.keys.first().is_some_and(|key| key.text == "import");
                f.write_str(if glued { " " } else { "\n" })?;
            }
            write!(f, "{block}")?;
        }
        if self.blocks.is_empty() {
            Ok(())
        } else {
            f.write_str("\n")
        }
    }
}

impl fmt::Display for ServerBlock {
    /// Writes the block, without a line break at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.keys.iter().enumerate() {
            if index + 1 < self.keys.len() {
                write!(f, "{} ", written(&format!("{},", key.text)))?;
            } else {
                write!(f, "{} ", written(&key.text))?;
            }
        }
        if let [key] = self.keys.as_slice()
            && key.text.starts_with('(')
            && key.text.ends_with(')')
        {
            // With braces it would be a snippet. As a block it only comes at the end of a file, without any.
            return Ok(());
        }
        f.write_str("{\n")?;
        for directive in &self.directives {
            let mut depth: usize = 1;
            for line in directive.words() {
                let closes = line.first() == Some(&"}");
                let indent = depth.saturating_sub(usize::from(closes));
                let words: Vec<String> = line.iter().map(|word| written(word)).collect();
                writeln!(f, "{:width$}{}", "", words.join(" "), width = 4 * indent)?;
                for word in line {
                    match word {
                        "{" => depth += 1,
                        "}" => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                }
            }
        }
        f.write_str("}")
    }
}
