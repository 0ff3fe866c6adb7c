//! Patterns of error texts: literal text in lower case, where `*` stands for anything within the line, also nothing, and
//! `{name}` for a word that is kept under this name. Texts are compared without regard to case, but for literal text in upper
//! case: a word that only then is one of its kind, as `REFUSED`. A pattern that begins or ends in a letter or a digit begins or
//! ends at a word.

/// Where a pattern was found in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Byte offsets in the line.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// How many bytes of the pattern are literal: how much it takes to match.
    pub(crate) literal: usize,
    /// What stood in the named places.
    pub(crate) kept: Vec<(&'static str, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Literal(&'static str),
    Any,
    Word(&'static str),
}

impl Found {
    /// Whether all of it is literal.
    pub(crate) fn is_literal(&self) -> bool {
        self.literal == self.end - self.start
    }
}

/// The line as a literal is compared with it.
fn as_compared<'a>(literal: &str, line: &'a str, lower: &'a str) -> &'a str {
    if literal.contains(|c: char| c.is_ascii_uppercase()) {
        line
    } else {
        lower
    }
}

/// The first place where the pattern stands.
pub(crate) fn find(pattern: &'static str, line: &str) -> Option<Found> {
    let tokens = tokens(pattern);
    let lower = line.to_ascii_lowercase();
    let Some(Token::Literal(first)) = tokens.first() else {
        return None;
    };
    as_compared(first, line, &lower)
        .match_indices(first)
        .map(|(start, _)| start)
        .filter(|start| begins_at_word(&lower, *start, first))
        .find_map(|start| from(&tokens, line, &lower, start))
}

fn tokens(pattern: &'static str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('*') {
            tokens.push(Token::Any);
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            tokens.push(Token::Word(name));
            rest = after;
        } else {
            let end = rest[1..].find(['*', '{']).map_or(rest.len(), |end| end + 1);
            tokens.push(Token::Literal(&rest[..end]));
            rest = &rest[end..];
        }
    }
    tokens
}

/// Each gap ends at the nearest place where what follows it stands: no going back, so that no line takes long.
fn from(tokens: &[Token], line: &str, lower: &str, start: usize) -> Option<Found> {
    let mut found = Found {
        start,
        end: start,
        literal: 0,
        kept: Vec::new(),
    };
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        let rest = &lower[found.end..];
        let rest_for = |literal: &str| &as_compared(literal, line, lower)[found.end..];
        match (*token, tokens.get(index + 1)) {
            (Token::Literal(literal), _) => {
                if !rest_for(literal).starts_with(literal) {
                    return None;
                }
                found.end += literal.len();
                found.literal += literal.len();
            }
            (Token::Any, Some(Token::Literal(next))) => found.end += rest_for(next).find(next)?,
            (Token::Any, _) => found.end = lower.len(),
            (Token::Word(name), next) => {
                let word = rest.split(char::is_whitespace).next().unwrap_or_default();
                let length = match next {
                    Some(Token::Literal(next)) => word_length(rest_for(next), next)?,
                    Some(_) => word.len(),
                    None => word
                        .trim_end_matches([':', ',', '.', ';', '"', '\'', ')', ']'])
                        .len(),
                };
                if length == 0 {
                    return None;
                }
                let kept = &line[found.end..found.end + length];
                found.kept.push((name, kept.to_owned()));
                found.end += length;
            }
        }
        index += 1;
    }
    ends_at_word(lower, &found, tokens).then_some(found)
}

/// How long the word is that ends before `next`, if that is a word.
fn word_length(rest: &str, next: &str) -> Option<usize> {
    let length = rest.find(next)?;
    let is_word = !rest[..length].contains(char::is_whitespace);
    is_word.then_some(length)
}

fn begins_at_word(text: &str, at: usize, literal: &str) -> bool {
    let is_word = literal.starts_with(|c: char| c.is_ascii_alphanumeric());
    !is_word || !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn ends_at_word(text: &str, found: &Found, tokens: &[Token]) -> bool {
    let Some(Token::Literal(last)) = tokens.last() else {
        return true;
    };
    let is_word = last.ends_with(|c: char| c.is_ascii_alphanumeric());
    !is_word || !text[found.end..].starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_named_word_is_kept_as_it_was_written() {
        let found = find(
            "lookup {name} on {server}: no such host",
            "dial: lookup Web.shop on 10.96.0.10:53: no such host",
        )
        .expect("it stands there");
        assert_eq!(
            found.kept,
            [
                ("name", "Web.shop".to_owned()),
                ("server", "10.96.0.10:53".to_owned())
            ]
        );
    }

    #[test]
    fn a_gap_is_anything_and_also_nothing() {
        assert!(
            find(
                "table full*dropping packet",
                "nf_conntrack: table full, dropping packet"
            )
            .is_some()
        );
        assert!(find("table full*dropping packet", "dropping packet, table full").is_none());
    }

    #[test]
    fn words_are_whole() {
        assert!(find("eof", "unexpected EOF").is_some());
        assert!(find("eof", "unexpected EOFX").is_none());
        assert!(find("refused", "unrefused").is_none());
    }

    #[test]
    fn upper_case_is_meant_as_it_stands() {
        assert!(find("REFUSED", "status: REFUSED").is_some());
        assert!(find("REFUSED", "status: refused").is_none());
        assert!(find("rcode * REFUSED", "Rcode is REFUSED").is_some());
        assert!(find("rcode * REFUSED", "rcode is refused").is_none());
    }

    #[test]
    fn a_word_has_no_spaces() {
        assert!(find("lookup {name}: no such host", "lookup of a thing: no such host").is_none());
    }

    proptest! {
        #[test]
        fn no_line_breaks_it(line in "\\PC{0,200}") {
            for text in crate::texts() {
                for pattern in text.patterns {
                    if let Some(found) = find(pattern, &line) {
                        prop_assert!(line.get(found.start..found.end).is_some());
                    }
                }
            }
        }

        #[test]
        fn what_is_made_of_its_own_pieces_breaks_nothing(pieces in proptest::collection::vec(0usize..64, 0..20)) {
            let all: Vec<&str> = crate::texts().flat_map(|text| text.patterns.iter().copied()).collect();
            let line: String = pieces.iter().map(|piece| all[piece * 7 % all.len()]).collect();
            let _ = crate::read(&line);
        }
    }
}
