//! Markdown as it is read on a terminal: paragraphs are wrapped anew, tables and code stay as they are.

use report::wrap;

/// Appends Markdown.
pub(super) fn markdown(out: &mut String, width: usize, text: &str) {
    let mut waiting = String::new();
    let mut is_code = false;
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        let is_as_it_is = is_code || is_fence || line.starts_with('|');
        if is_as_it_is || line.trim().is_empty() {
            flush(out, width, &mut waiting);
            is_code ^= is_fence;
            if !is_rule(line) {
                out.push_str(line);
                out.push('\n');
            }
        } else {
            if is_item(line) {
                flush(out, width, &mut waiting);
            }
            waiting.push_str(line);
            waiting.push(' ');
        }
    }
    flush(out, width, &mut waiting);
}

/// The line between the head of a table and its body.
fn is_rule(line: &str) -> bool {
    line.starts_with('|') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let numbered = line
        .split_once(". ")
        .is_some_and(|(number, _)| !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()));
    numbered || line.starts_with("- ") || line.starts_with("* ")
}

fn flush(out: &mut String, width: usize, waiting: &mut String) {
    wrap(out, width, "", waiting);
    waiting.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_wrapped_and_tables_are_not() {
        let mut out = String::new();
        let text = "one two\nthree four five\n\n| a | b |\n|---|---|\n| a long row stays | on one line |\n- an item\n- another";
        markdown(&mut out, 14, text);
        let expected = "one two three\nfour five\n\n| a | b |\n| a long row stays | on one line |\n- an item\n- another\n";
        assert_eq!(out, expected);
    }
}
