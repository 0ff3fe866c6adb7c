/// The text with everything made visible that could steer a terminal: escape as `^[`, carriage return as `\r`, and
/// line feeds, tabs, other controls and marks that turn the direction of writing as escapes. Names and messages come
/// from a cluster, and whoever wrote them is not to write on the reader's terminal.
pub fn sanitize(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{1b}' => clean.push_str("^["),
            '\r' => clean.push_str("\\r"),
            '\n' => clean.push_str("\\n"),
            '\t' => clean.push_str("\\t"),
            '\u{061c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => {
                clean.extend(character.escape_unicode());
            }
            control if control.is_control() => clean.extend(control.escape_unicode()),
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_is_made_visible() {
        assert_eq!(
            sanitize("a\u{1b}[2Jb\rc\nd\u{7}\u{9b}"),
            "a^[[2Jb\\rc\\nd\\u{7}\\u{9b}"
        );
        assert_eq!(sanitize("evil\u{202e}txt"), "evil\\u{202e}txt");
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(sanitize("node-3 · größer → 北"), "node-3 · größer → 北");
    }
}
