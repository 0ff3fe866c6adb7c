//! Words: how a Corefile is cut into them, and how they are written.

use std::fmt::Write as _;
use std::sync::Arc;

/// One word of a Corefile, without its quotes.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
    pub(crate) text: String,
    /// A comment sign that was glued to the end of the word. CoreDNS forgets such a comment at the next space, so
    /// that the words of the comment become words of the configuration.
    pub(crate) before_comment: bool,
}

impl Token {
    /// The line on which the word ends: quoted words may have several lines.
    pub(crate) fn last_line(&self) -> usize {
        self.line + self.text.matches('\n').count()
    }

    /// Whether CoreDNS takes this word to stand on a later line than `previous`.
    pub(crate) fn is_on_new_line_after(&self, previous: &Token) -> bool {
        previous.file != self.file || previous.last_line() < self.line
    }
}

/// Cuts a text into words.
///
/// A word ends at white space. One that starts with `"` ends at the next `"` that has no `\` before it. `#` outside
/// of quotes starts a comment, also within a word. Carriage returns outside of quotes do not count at all.
pub(crate) fn tokens(text: &str, file: &Arc<str>) -> Vec<Token> {
    let mut found = Vec::new();
    let mut letters = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    let mut line = 1;
    while letters.peek().is_some() {
        if let Some(token) = next_token(&mut letters, &mut line, file) {
            found.push(token);
        }
    }
    found
}

fn next_token(
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    line: &mut usize,
    file: &Arc<str>,
) -> Option<Token> {
    let mut comment = false;
    let mut token = Token {
        file: Arc::clone(file),
        line: *line,
        text: String::new(),
        before_comment: false,
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {}
            letter if letter.is_whitespace() => {
                if letter == '\n' {
                    *line += 1;
                    comment = false;
                }
                if !token.text.is_empty() {
                    token.before_comment &= letter != '\n' && has_words(letters.clone());
                    return Some(token);
                }
            }
            '#' => {
                token.before_comment |= !token.text.is_empty();
                comment = true;
            }
            _ if comment => {}
            '"' if token.text.is_empty() => {
                token.line = *line;
                return quoted(letters, line, token);
            }
            letter => {
                if token.text.is_empty() {
                    token.line = *line;
                }
                token.text.push(letter);
            }
        }
    }
    token.before_comment = false;
    (!token.text.is_empty()).then_some(token)
}

/// Whether another word stands on this line.
fn has_words(letters: std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    letters
        .take_while(|letter| *letter != '\n')
        .find(|letter| !letter.is_whitespace())
        .is_some_and(|letter| letter != '#')
}

fn quoted(
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    line: &mut usize,
    mut token: Token,
) -> Option<Token> {
    let mut escaped = false;
    for letter in letters.by_ref() {
        match letter {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '"' if !escaped => return Some(token),
            _ => {}
        }
        if letter == '\n' {
            *line += 1;
        }
        if escaped && letter != '"' {
            token.text.push('\\');
        }
        token.text.push(letter);
        escaped = false;
    }
    // A quote that is never closed takes the rest of the file.
    (!token.text.is_empty()).then_some(token)
}

/// The word as it is written, in quotes where it needs them.
pub(crate) fn written(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.starts_with(['"', '\u{feff}'])
        && !text.chars().any(|letter| letter == '#' || letter.is_whitespace());
    if plain {
        return text.to_owned();
    }
    let mut written = String::from("\"");
    for letter in text.chars() {
        if letter == '"' {
            written.push('\\');
        }
        let _ = written.write_char(letter);
    }
    written.push('"');
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(usize, String)> {
        tokens(text, &"Corefile".into())
            .into_iter()
            .map(|token| (token.line, token.text))
            .collect()
    }

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn words_know_their_lines() {
        assert_eq!(
            words("a b\n\n c\n"),
            [(1, "a".to_owned()), (1, "b".to_owned()), (3, "c".to_owned())]
        );
    }

    #[test]
    fn quotes_keep_spaces_and_only_a_quote_can_be_escaped() {
        assert_eq!(texts(r#""a b" c"d e"#), ["a b", "c\"d", "e"]);
        assert_eq!(texts(r#""a\"b\c" "" x"#), ["a\"b\\c", "", "x"]);
        assert_eq!(words("\"a\nb\" c"), [(1, "a\nb".to_owned()), (2, "c".to_owned())]);
        assert_eq!(texts("\"a b"), ["a b"]);
        assert_eq!(texts("\"a\"b"), ["a", "b"]);
    }

    #[test]
    fn a_comment_of_its_own_goes_to_the_end_of_the_line() {
        assert_eq!(texts("a # b c\nd"), ["a", "d"]);
        assert_eq!(texts("#a b\nc"), ["c"]);
    }

    #[test]
    fn a_comment_glued_to_a_word_ends_at_the_next_space() {
        assert_eq!(texts("a#b c\nd"), ["a", "c", "d"]);
        assert_eq!(texts("a#b\nd"), ["a", "d"]);
        let found = tokens("a# b", &"x".into());
        assert!(found[0].before_comment);
        assert!(!tokens("a#b\nc", &"x".into())[0].before_comment);
        assert!(!tokens("a# \nc", &"x".into())[0].before_comment);
    }

    #[test]
    fn carriage_returns_and_a_byte_order_mark_do_not_count() {
        assert_eq!(texts("\u{feff}a\r\nb\rc"), ["a", "bc"]);
    }

    #[test]
    fn words_are_written_so_that_they_are_read_again() {
        for text in ["a", "", "a b", "\"x", "a#b", "say \"x\"", "\u{feff}"] {
            assert_eq!(texts(&written(text)), [text]);
        }
    }
}
