/// One word of a saved rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// It stood in quotation marks, so it is a value even if it begins with a dash.
    pub(crate) is_quoted: bool,
}

/// Splits a saved rule into words. Only double quotes and, within them, backslashes are special: that is how
/// `iptables-save` writes, which is not how a shell reads.
pub(crate) fn split(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&first) = chars.peek() {
        if first.is_ascii_whitespace() {
            chars.next();
            continue;
        }
        let is_quoted = first == '"';
        if is_quoted {
            chars.next();
        }
        let mut text = String::new();
        while let Some(char) = chars.next() {
            match char {
                '\\' if is_quoted => text.extend(chars.next()),
                '"' if is_quoted => break,
                char if !is_quoted && char.is_ascii_whitespace() => break,
                char => text.push(char),
            }
        }
        words.push(Word { text, is_quoted });
    }
    words
}

/// A word that a POSIX shell reads as exactly this text.
pub(crate) fn for_shell(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./,:=+@%".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quoted_words_keep_their_blanks_and_quotes() {
        assert_eq!(
            texts(r#"-A X -m comment --comment "a \"b\" c\\" -j Y"#),
            ["-A", "X", "-m", "comment", "--comment", r#"a "b" c\"#, "-j", "Y"]
        );
        assert_eq!(texts(r#"--comment """#), ["--comment", ""]);
        assert_eq!(texts(r#"--comment "open"#), ["--comment", "open"]);
    }

    #[test]
    fn what_a_shell_would_act_on_is_quoted() {
        assert_eq!(for_shell("10.244.0.0/16"), "10.244.0.0/16");
        assert_eq!(for_shell("$(reboot)"), "'$(reboot)'");
        assert_eq!(for_shell("it's"), r"'it'\''s'");
        assert_eq!(for_shell("!"), "'!'");
        assert_eq!(for_shell(""), "''");
    }
}
