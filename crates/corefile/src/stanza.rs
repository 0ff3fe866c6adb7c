//! The words of all directives of one plugin in a server block, and how plugins step through them.

use crate::error::{Place, Refusal, Rule};
use crate::setup::Surroundings;
use crate::token::Token;
use crate::value;
use crate::version::property_span;

/// The words of a plugin. CoreDNS gives a plugin the words of all its directives as one row, so that where one ends
/// is the plugin's own doing.
pub(crate) struct Stanza<'a> {
    pub(crate) around: &'a Surroundings<'a>,
    pub(crate) plugin: &'a str,
    tokens: Vec<&'a Token>,
    /// One more than the index of the current word; 0 before the first.
    at: usize,
    in_block: bool,
    property: Option<String>,
}

pub(crate) type Checked = Result<(), Refusal>;

impl<'a> Stanza<'a> {
    pub(crate) fn new(around: &'a Surroundings<'a>, plugin: &'a str, tokens: Vec<&'a Token>) -> Self {
        Self {
            around,
            plugin,
            tokens,
            at: 0,
            in_block: false,
            property: None,
        }
    }

    /// Goes to the next word, on whatever line. Where a plugin looks for its next directive, this is all it does.
    pub(crate) fn next(&mut self) -> bool {
        let more = self.at < self.tokens.len();
        self.at += usize::from(more);
        if !self.in_block {
            self.property = None;
        }
        more
    }

    pub(crate) fn word(&self) -> &'a str {
        self.at
            .checked_sub(1)
            .and_then(|index| self.tokens.get(index))
            .map_or("", |token| &token.text)
    }

    /// Goes to the next word of this line.
    pub(crate) fn arg(&mut self) -> Option<&'a str> {
        let current = self.at.checked_sub(1).and_then(|index| self.tokens.get(index))?;
        let next = self.tokens.get(self.at)?;
        if current.file != next.file || current.last_line() != next.line {
            return None;
        }
        self.at += 1;
        Some(&next.text)
    }

    /// The remaining words of this line, up to a brace.
    pub(crate) fn args(&mut self) -> Vec<&'a str> {
        let mut args = Vec::new();
        while let Some(word) = self.arg() {
            if word == "{" {
                self.at -= 1;
                break;
            }
            args.push(word);
        }
        args
    }

    /// Goes to the next word within the braces, entering them if they open here. What a property does not take of
    /// its line comes out as a property of its own.
    pub(crate) fn property(&mut self) -> Result<Option<&'a str>, Refusal> {
        if self.in_block && self.at >= self.tokens.len() && self.word() != "}" {
            return Err(self.refuse(
                format!(
                    "the words of `{}` end before its `}}`, and CoreDNS never gets past that",
                    self.plugin
                ),
                "put the `}` on a line of its own",
            ));
        }
        let found = self.next_in_block();
        self.property = found.map(str::to_owned);
        if let Some(name) = found
            && let Some(span) = property_span(self.plugin, name)
            && !span.has(self.around.version)
        {
            return Err(self.absent_property(span.since.filter(|since| *since > self.around.version)));
        }
        Ok(found)
    }

    fn next_in_block(&mut self) -> Option<&'a str> {
        if self.in_block {
            if !self.next() || self.word() == "}" {
                self.in_block = false;
                return None;
            }
            return Some(self.word());
        }
        if self.arg()? != "{" {
            self.at -= 1;
            return None;
        }
        self.next();
        if self.word() == "}" {
            return None;
        }
        self.in_block = true;
        Some(self.word())
    }

    pub(crate) fn place(&self) -> Place {
        let index = self.at.saturating_sub(1).min(self.tokens.len().saturating_sub(1));
        self.tokens[index].place()
    }

    /// The name of the plugin and, within its braces, of the property.
    fn subject(&self) -> String {
        match &self.property {
            Some(property) => format!("`{property}` of {}", self.plugin),
            None => format!("`{}`", self.plugin),
        }
    }

    /// A refusal of arguments.
    pub(crate) fn refuse(&self, what: impl Into<String>, next: impl Into<String>) -> Refusal {
        Refusal {
            place: self.place(),
            what: what.into(),
            next: next.into(),
            rule: Rule::Argument {
                plugin: self.plugin.into(),
                property: self.property.as_deref().map(Into::into),
            },
        }
    }

    /// The arguments are too few or too many. `wanted` says what there should be.
    pub(crate) fn arity(&self, wanted: &str) -> Refusal {
        self.refuse(
            format!(
                "{} does not have the number of arguments that it needs",
                self.subject()
            ),
            format!("give it {wanted}"),
        )
    }

    /// A word is not of the form that it should have.
    pub(crate) fn bad(&self, word: &str, wanted: &str) -> Refusal {
        self.refuse(
            format!("{} does not take `{word}`", self.subject()),
            format!("give it {wanted}"),
        )
    }

    /// The plugin stands in the block a second time.
    pub(crate) fn twice(&self) -> Refusal {
        Refusal {
            place: self.place(),
            what: format!("`{}` may stand in a server block once", self.plugin),
            next: "merge the two, or remove one".to_owned(),
            rule: Rule::Once {
                plugin: self.plugin.into(),
            },
        }
    }

    /// The plugin has no such property.
    pub(crate) fn unknown_property(&self) -> Refusal {
        self.absent_property(None)
    }

    fn absent_property(&self, since: Option<crate::Version>) -> Refusal {
        let property = self.property.clone().unwrap_or_else(|| self.word().to_owned());
        Refusal {
            place: self.place(),
            what: match since {
                Some(since) => format!(
                    "{} has `{property}` only since CoreDNS {since}, and this is {}",
                    self.plugin, self.around.version
                ),
                None => format!(
                    "{} has no property `{property}` in CoreDNS {}",
                    self.plugin, self.around.version
                ),
            },
            next: if property.contains(['{', '}']) {
                "put braces on lines of their own".to_owned()
            } else {
                "remove the line, or correct its first word".to_owned()
            },
            rule: Rule::Property {
                plugin: self.plugin.into(),
                property: property.into(),
            },
        }
    }

    pub(crate) fn one(&mut self, wanted: &str) -> Result<&'a str, Refusal> {
        match self.args().as_slice() {
            [one] => Ok(one),
            _ => Err(self.arity(wanted)),
        }
    }

    pub(crate) fn none(&mut self) -> Checked {
        if self.args().is_empty() {
            Ok(())
        } else {
            Err(self.arity("none"))
        }
    }

    pub(crate) fn some(&mut self, wanted: &str) -> Result<Vec<&'a str>, Refusal> {
        let args = self.args();
        if args.is_empty() {
            Err(self.arity(wanted))
        } else {
            Ok(args)
        }
    }

    pub(crate) fn required(&mut self, wanted: &str) -> Result<&'a str, Refusal> {
        self.arg().ok_or_else(|| self.arity(wanted))
    }

    pub(crate) fn integer(&self, word: &str) -> Result<i64, Refusal> {
        value::integer(word).ok_or_else(|| self.bad(word, "a whole number"))
    }

    pub(crate) fn duration(&self, word: &str) -> Result<i64, Refusal> {
        value::duration(word).ok_or_else(|| self.bad(word, "a duration with its unit, for example `30s`"))
    }

    /// The zones that arguments name, or those of the server block where there are none.
    pub(crate) fn origins(&self, args: &[&str]) -> Result<Vec<String>, Refusal> {
        if !args.is_empty() {
            return Ok(args
                .iter()
                .flat_map(|zone| crate::address::normal_zones(zone))
                .collect());
        }
        if self.around.zones.is_empty() {
            return Err(self.refuse(
                "the server block has no zone that plugins could take, and CoreDNS crashes",
                "serve a zone with the scheme dns, tls, https, grpc or quic",
            ));
        }
        Ok(self.around.zones.clone())
    }
}
