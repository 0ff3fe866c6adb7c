use super::{SyntaxError, duration};

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name of a metric, a label, a function or a keyword.
    Name(String),
    Number(f64),
    /// In seconds.
    Duration(f64),
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// Longer ones first.
const SIGNS: [&str; 25] = [
    "==", "!=", "=~", "!~", "<=", ">=", "(", ")", "{", "}", "[", "]", ",", ":", "=", "<", ">", "+", "-", "*",
    "/", "%", "^", "@", ";",
];

/// The tokens, each with the character where it begins, counted from 1.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let place = text[..at].chars().count() + 1;
        let wrong = |what: String| SyntaxError { what, at: place };
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if first == '#' {
            rest.find('\n').unwrap_or(rest.len())
        } else if matches!(first, '"' | '\'' | '`') {
            let (value, length) =
                quoted(rest, first).ok_or_else(|| wrong("a text that does not end".to_owned()))?;
            tokens.push((Token::Text(value), place));
            length
        } else if first.is_ascii_digit()
            || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            let length = number_length(rest);
            let word = &rest[..length];
            let token = number(word).ok_or_else(|| wrong(format!("{word:?} is no number")))?;
            tokens.push((token, place));
            length
        } else if first.is_ascii_alphabetic() || first == '_' || (first == ':' && !in_brackets(&tokens)) {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
            let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
            tokens.push((Token::Name(rest[..length].to_owned()), place));
            length
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| wrong(format!("{first:?} stands for nothing")))?;
            tokens.push((Token::Sign(sign), place));
            sign.len()
        };
        at += length;
    }
    Ok(tokens)
}

/// Whether a range is open: a colon in it parts range and step.
fn in_brackets(tokens: &[(Token, usize)]) -> bool {
    let last = tokens
        .iter()
        .rev()
        .find(|(token, _)| matches!(token, Token::Sign("[" | "]")));
    matches!(last, Some((Token::Sign("["), _)))
}

fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((value, at + character.len_utf8()));
        }
        if character == '\\' && quote != '`' {
            let (_, escaped) = characters.next()?;
            match escaped {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                '\\' | '"' | '\'' => value.push(escaped),
                other => {
                    value.push('\\');
                    value.push(other);
                }
            }
        } else {
            value.push(character);
        }
    }
    None
}

fn number_length(rest: &str) -> usize {
    let mut length = 0;
    let mut before = ' ';
    for character in rest.chars() {
        let is_exponent =
            matches!(before, 'e' | 'E') && matches!(character, '+' | '-') && !rest.starts_with("0x");
        if !(character.is_ascii_alphanumeric() || matches!(character, '.' | '_') || is_exponent) {
            break;
        }
        before = character;
        length += character.len_utf8();
    }
    length
}

fn number(word: &str) -> Option<Token> {
    if let Some(seconds) = duration(word) {
        return Some(Token::Duration(seconds));
    }
    if let Some(digits) = word.strip_prefix("0x") {
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers of expressions are floating point"
        )]
        return u64::from_str_radix(digits, 16)
            .ok()
            .map(|value| Token::Number(value as f64));
    }
    word.parse().ok().map(Token::Number)
}
