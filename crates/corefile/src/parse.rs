//! The grammar: server blocks, directives, imports, snippets.
//!
//! It follows the parser of CoreDNS step by step, because it accepts and refuses what no grammar on paper would:
//! a final brace may be missing if the last word is a brace anyway, and an import is decided by where the line
//! before it ended.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ast::{Corefile, Directive, Key, ServerBlock, Swallowed, Unread};
use crate::error::{Place, Refusal, Rule};
use crate::sources::{Sources, is_pattern};
use crate::token::{Token, tokens};

/// After so many imports it is a circle, which CoreDNS would follow until its memory is full.
const MOST_IMPORTS: usize = 5_000;
/// The most words that imports may make of a file: snippets of snippets grow fast.
const MOST_TOKENS: usize = 2_000_000;

/// Reads a Corefile.
///
/// Only the grammar is looked at here, not what directives mean: see [`crate::check`]. The error is what CoreDNS
/// would end with.
pub fn parse(text: &str, sources: &Sources) -> Result<Corefile, Refusal> {
    let file: Arc<str> = sources.name.as_str().into();
    let mut parser = Parser {
        tokens: tokens(text, &file),
        at: 0,
        file,
        sources,
        snippets: HashMap::new(),
        imports: 0,
        ended: false,
        corefile: Corefile::default(),
    };
    parser.note_swallowed(0..parser.tokens.len());
    while parser.next() {
        parser.block()?;
    }
    Ok(parser.corefile)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    /// One more than the index of the current word; 0 before the first.
    at: usize,
    file: Arc<str>,
    sources: &'a Sources,
    snippets: HashMap<String, Vec<Token>>,
    imports: usize,
    /// The file ended within the keys of a block.
    ended: bool,
    corefile: Corefile,
}

impl Parser<'_> {
    fn next(&mut self) -> bool {
        let more = self.at < self.tokens.len();
        self.at += usize::from(more);
        more
    }

    fn current(&self) -> Option<&Token> {
        self.at.checked_sub(1).and_then(|index| self.tokens.get(index))
    }

    fn word(&self) -> &str {
        self.current().map_or("", |token| &token.text)
    }

    /// Goes to the next word if it stands on the line on which this one ends.
    fn next_on_line(&mut self) -> bool {
        let same = self.current().is_some_and(|current| {
            self.tokens
                .get(self.at)
                .is_some_and(|next| current.file == next.file && current.last_line() == next.line)
        });
        self.at += usize::from(same);
        same
    }

    fn is_on_new_line(&self) -> bool {
        if self.at < 2 {
            return true;
        }
        match self.tokens.get(self.at - 1) {
            Some(current) => current.is_on_new_line_after(&self.tokens[self.at - 2]),
            None => false,
        }
    }

    fn place(&self) -> Place {
        let last = || self.tokens.last().map_or(1, Token::last_line);
        self.current().map_or_else(
            || Place {
                file: self.file.clone(),
                line: last(),
            },
            Token::place,
        )
    }

    fn refuse(&self, what: impl Into<String>, next: impl Into<String>) -> Refusal {
        Refusal {
            place: self.place(),
            what: what.into(),
            next: next.into(),
            rule: Rule::Grammar,
        }
    }

    fn block(&mut self) -> Result<(), Refusal> {
        let place = self.place();
        let keys = self.keys()?;
        if self.ended {
            if !keys.is_empty() {
                self.corefile.blocks.push(ServerBlock {
                    keys,
                    directives: Vec::new(),
                    place,
                });
            }
            return Ok(());
        }
        if let [key] = keys.as_slice()
            && let Some(name) = key.text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
        {
            return self.snippet(name.to_owned());
        }
        let directives = self.block_contents()?;
        self.corefile.blocks.push(ServerBlock {
            keys,
            directives,
            place,
        });
        Ok(())
    }

    fn keys(&mut self) -> Result<Vec<Key>, Refusal> {
        let mut keys = Vec::new();
        let mut expects_another = false;
        loop {
            let word = self.sources.with_variables(self.word());
            if word == "import" && self.is_on_new_line() {
                self.import()?;
                continue;
            }
            if word == "{" {
                if expects_another {
                    return Err(self.refuse(
                        "a comma is followed by `{` instead of another zone",
                        "remove the comma, or add the zone",
                    ));
                }
                return Ok(keys);
            }
            if !word.is_empty() {
                let text = word.strip_suffix(',');
                expects_another = text.is_some();
                keys.push(Key {
                    text: text.unwrap_or(&word).to_owned(),
                    place: self.place(),
                });
            }
            let more = self.next();
            if !more {
                if expects_another {
                    return Err(
                        self.refuse("the file ends after a comma", "remove the comma, or add the zone")
                    );
                }
                self.ended = true;
                return Ok(keys);
            }
            if !expects_another && self.is_on_new_line() {
                return Ok(keys);
            }
        }
    }

    fn snippet(&mut self, name: String) -> Result<(), Refusal> {
        if self.snippets.contains_key(&name) {
            return Err(self.refuse(
                format!("the snippet `({name})` is defined a second time"),
                "rename or remove one of them",
            ));
        }
        if self.word() != "{" {
            return Err(self.refuse(
                format!("the snippet `({name})` has no `{{` on its line"),
                "put the `{` behind the name of the snippet",
            ));
        }
        let mut depth = 1;
        let mut tokens = Vec::new();
        while self.next() {
            match self.word() {
                "}" => depth -= 1,
                "{" => depth += 1,
                _ => {}
            }
            if depth == 0 {
                self.snippets.insert(name, tokens);
                return Ok(());
            }
            tokens.extend(self.current().cloned());
        }
        Err(self.refuse(
            format!("the snippet `({name})` is not closed"),
            "add the missing `}`",
        ))
    }

    fn block_contents(&mut self) -> Result<Vec<Directive>, Refusal> {
        let braces = self.word() == "{";
        if !braces {
            self.at -= 1;
        }
        let directives = self.directives()?;
        // A block that the file's end closes is accepted if the last word is a brace, whatever it closed.
        if braces && self.word() != "}" {
            return Err(self.refuse(
                "the file ends before the server block is closed",
                "add the missing `}`",
            ));
        }
        Ok(directives)
    }

    fn directives(&mut self) -> Result<Vec<Directive>, Refusal> {
        let mut directives = Vec::new();
        while self.next() {
            match self.word() {
                "}" => break,
                "import" => {
                    self.import()?;
                    self.at -= 1;
                }
                _ => directives.push(self.directive()?),
            }
        }
        Ok(directives)
    }

    fn directive(&mut self) -> Result<Directive, Refusal> {
        let name = self.sources.with_variables(self.word());
        let mut tokens: Vec<Token> = self.current().cloned().into_iter().collect();
        if let Some(first) = tokens.first_mut() {
            first.text.clone_from(&name);
        }
        let opened_at = self.place();
        let mut depth = 0;
        while self.next() {
            match self.word() {
                "{" => depth += 1,
                _ if depth == 0 && self.is_on_new_line() => {
                    self.at -= 1;
                    return Ok(Directive { name, tokens });
                }
                "}" if depth > 0 => depth -= 1,
                "}" => {
                    return Err(self.refuse(
                        format!("`}}` closes nothing that `{name}` opened"),
                        "put the `}` on a line of its own, or remove it",
                    ));
                }
                "import" if self.is_on_new_line() => {
                    self.import()?;
                    self.at -= 1;
                    continue;
                }
                _ => {}
            }
            let sources = self.sources;
            if let Some(token) = self
                .at
                .checked_sub(1)
                .and_then(|index| self.tokens.get_mut(index))
            {
                token.text = sources.with_variables(&token.text);
                tokens.push(token.clone());
            }
        }
        if depth > 0 {
            return Err(self.refuse(
                format!(
                    "the file ends before the `{{` of `{name}` at line {} is closed",
                    opened_at.line
                ),
                "add the missing `}`",
            ));
        }
        Ok(Directive { name, tokens })
    }

    /// Puts what is imported in the place of the import. Afterwards the current word is the first of it.
    fn import(&mut self) -> Result<(), Refusal> {
        if !self.next_on_line() {
            return Err(self.refuse(
                "`import` names nothing",
                "name a snippet, a file or a pattern behind it",
            ));
        }
        let pattern = self.sources.with_variables(self.word());
        let place = self.place();
        if pattern.is_empty() {
            return Err(self.refuse(
                "`import` has an empty name",
                "name a snippet, a file or a pattern behind it",
            ));
        }
        if self.next_on_line() {
            return Err(self.refuse(
                "`import` takes one name",
                "give each name an `import` line of its own",
            ));
        }
        self.imports += 1;
        if self.imports > MOST_IMPORTS || self.tokens.len() > MOST_TOKENS {
            return Err(self.refuse(
                format!("`import {pattern}` never ends: what it imports imports it again"),
                "break the circle",
            ));
        }
        let imported = match self.snippets.get(&pattern) {
            Some(tokens) => tokens.clone(),
            None => self.imported_files(&pattern, &place)?,
        };
        let start = self.at - 2;
        self.tokens.splice(start..self.at, imported);
        self.at = start + 1;
        Ok(())
    }

    fn imported_files(&mut self, pattern: &str, place: &Place) -> Result<Vec<Token>, Refusal> {
        let path = Sources::absolute(&place.file, pattern);
        let wild = path.contains(['*', '?', '[', ']']);
        if path.matches('*').count() > 1
            || path.matches('?').count() > 1
            || (path.contains('[') && path.contains(']'))
        {
            return Err(self.refuse(
                format!("the pattern `{pattern}` has more than one wildcard"),
                "use one `*`, and one import for each directory",
            ));
        }
        if !is_pattern(&path) {
            return Err(self.refuse(
                format!("`{pattern}` is no pattern of files"),
                "close its `[`, and remove a `\\` at its end",
            ));
        }
        let found: Vec<(String, String)> = self
            .sources
            .matching(&path)
            .into_iter()
            .map(|(path, text)| (path.clone(), text.clone()))
            .collect();
        if found.is_empty() && !self.sources.files_are_complete {
            self.corefile.unread.push(Unread {
                place: place.clone(),
                path,
            });
            return Ok(Vec::new());
        }
        if found.is_empty() && !wild {
            return Err(self.refuse(
                format!("the file to import is not there: {path}"),
                "create it, or remove the import; only a pattern may match nothing",
            ));
        }
        let mut imported = Vec::new();
        for (path, text) in found {
            let start = imported.len();
            imported.extend(tokens(&text, &path.as_str().into()));
            for token in &imported[start..] {
                if token.before_comment {
                    self.corefile.swallowed.push(swallowed(token));
                }
            }
        }
        Ok(imported)
    }

    fn note_swallowed(&mut self, range: std::ops::Range<usize>) {
        for token in &self.tokens[range] {
            if token.before_comment {
                self.corefile.swallowed.push(swallowed(token));
            }
        }
    }
}

fn swallowed(token: &Token) -> Swallowed {
    Swallowed {
        place: token.place(),
        word: token.text.clone(),
    }
}

#[cfg(test)]
mod tests;
