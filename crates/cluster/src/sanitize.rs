//! Text from a cluster must not control the terminal that shows it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with control characters made visible, as kubectl shows them: escape becomes `^[`, carriage return `\r`,
/// other control characters `^A` … `^_`, `^?` and `\u{9b}`. Newline and tab stay.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\r' => safe.push_str("\\r"),
            '\u{7f}' => safe.push_str("^?"),
            low if is_unsafe(low) && low.is_ascii() => {
                safe.push('^');
                safe.push(char::from(low as u8 + b'@'));
            }
            high if is_unsafe(high) => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(high));
            }
            plain => safe.push(plain),
        }
    }
    Cow::Owned(safe)
}

fn is_unsafe(character: char) -> bool {
    character.is_control() && character != '\n' && character != '\t'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_carriage_returns_are_shown_as_kubectl_shows_them() {
        assert_eq!(sanitize("a\u{1b}[31mb\rc\td\n"), "a^[[31mb\\rc\td\n");
        assert_eq!(sanitize("\u{7}\u{7f}\u{9b}"), "^G^?\\u{9b}");
        assert!(matches!(sanitize("plain ä"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn no_control_character_survives(text in ".*") {
            prop_assert!(!sanitize(&text).chars().any(is_unsafe));
        }
    }
}
