/// Appends a paragraph in lines of at most `width` columns, with `indent` before each of them. A word that is wider than
/// that keeps its line. Columns are counted as characters: the text is ours, not a cluster's.
pub fn wrap(out: &mut String, width: usize, indent: &str, text: &str) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if column > 0 && indent.len() + column + 1 + long > width {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            out.push_str(indent);
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += long;
    }
    if column > 0 {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_wider_than_the_page_keeps_its_line() {
        let mut out = String::new();
        wrap(&mut out, 4, "  ", "a incomprehensible b");
        assert_eq!(out, "  a\n  incomprehensible\n  b\n");
    }
}
