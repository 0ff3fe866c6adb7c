//! Whether a text is a template of Go, as far as mistakes are made there.
//!
//! Looked at: that actions are closed, that blocks have their ends, that functions and variables are known, and that
//! quotes and parentheses are closed. Types and fields are not looked at, as Go looks at them when a query comes.

const FUNCTIONS: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "parseInt",
    "print", "printf", "println", "slice", "urlquery", "true", "false", "nil",
];

/// `Err` says what is wrong.
pub(crate) fn check(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut variables: Vec<String> = vec!["$".to_owned()];
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let after_dash = after.strip_prefix("- ").unwrap_or(after);
        if let Some(comment) = after_dash.strip_prefix("/*") {
            let Some((_, end)) = comment.split_once("*/") else {
                return Err("a comment is not closed".to_owned());
            };
            let end = end.strip_prefix(" -").unwrap_or(end);
            rest = end
                .strip_prefix("}}")
                .ok_or("a comment has to end right before `}}`")?;
            continue;
        }
        let (words, end) = action(after_dash)?;
        rest = end;
        block(&words, &mut open, &mut variables)?;
    }
    match open.last() {
        Some(block) => Err(format!("`{{{{{block}}}}}` has no `{{{{end}}}}`")),
        None => Ok(()),
    }
}

fn block<'a>(words: &[&'a str], open: &mut Vec<&'a str>, variables: &mut Vec<String>) -> Result<(), String> {
    let Some((first, arguments)) = words.split_first() else {
        return Err("`{{}}` is empty".to_owned());
    };
    match *first {
        "end" => {
            if open.pop().is_none() || !arguments.is_empty() {
                return Err("an `{{end}}` ends nothing".to_owned());
            }
            Ok(())
        }
        "else" => {
            if open.is_empty() {
                return Err("an `{{else}}` belongs to nothing".to_owned());
            }
            match arguments {
                [] => Ok(()),
                ["if" | "with", condition @ ..] => pipeline(condition, variables),
                _ => Err("`{{else}}` takes only an `if` or a `with`".to_owned()),
            }
        }
        "if" | "with" | "range" => {
            open.push(first);
            pipeline(arguments, variables)
        }
        "define" | "block" => {
            open.push(first);
            Ok(())
        }
        "template" => Ok(()),
        "break" | "continue" if arguments.is_empty() && open.contains(&"range") => Ok(()),
        _ => pipeline(words, variables),
    }
}

fn pipeline(words: &[&str], variables: &mut Vec<String>) -> Result<(), String> {
    if words.is_empty() {
        return Err("a value is missing".to_owned());
    }
    if let Some(at) = words.iter().position(|word| *word == ":=") {
        variables.extend(
            words[..at]
                .iter()
                .filter(|word| word.starts_with('$'))
                .map(|word| (*word).to_owned()),
        );
        return pipeline(&words[at + 1..], variables);
    }
    let mut depth = 0_usize;
    let mut expects = true;
    for word in words {
        match *word {
            "(" => {
                depth += 1;
                expects = true;
                continue;
            }
            ")" => depth = depth.checked_sub(1).ok_or("a `)` closes nothing")?,
            "|" if expects => return Err("a `|` stands behind nothing".to_owned()),
            "|" => {
                expects = true;
                continue;
            }
            "=" | "," => {}
            word => operand(word, variables)?,
        }
        expects = false;
    }
    if depth > 0 {
        return Err("a `(` is not closed".to_owned());
    }
    if expects {
        return Err("a value is missing at the end".to_owned());
    }
    Ok(())
}

fn operand(word: &str, variables: &[String]) -> Result<(), String> {
    let first = word.chars().next().unwrap_or_default();
    if first == '$' {
        let name = word.split('.').next().unwrap_or(word);
        return if variables.iter().any(|known| known == name) {
            Ok(())
        } else {
            Err(format!("the variable {name} is not set"))
        };
    }
    if first.is_alphabetic() || first == '_' {
        return if FUNCTIONS.contains(&word) {
            Ok(())
        } else {
            Err(format!("there is no function `{word}`"))
        };
    }
    let plain = first.is_ascii_digit() || "\"`'.+-".contains(first);
    let dots = word.starts_with('.') && (word.contains("..") || (word.len() > 1 && word.ends_with('.')));
    let number = first.is_ascii_digit()
        && !word
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._+-".contains(letter));
    if plain && !dots && !number {
        Ok(())
    } else {
        Err(format!("`{word}` is no value"))
    }
}

/// The words of an action and what follows its `}}`.
fn action(text: &str) -> Result<(Vec<&str>, &str), String> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if let Some(after) = rest.strip_prefix("}}").or_else(|| rest.strip_prefix("-}}")) {
            return Ok((words, after));
        }
        let Some(first) = rest.chars().next() else {
            return Err("a `{{` is not closed".to_owned());
        };
        let length = match first {
            '"' | '\'' => quoted(rest, first).ok_or("a quote is not closed")?,
            '`' => rest[1..].find('`').ok_or("a quote is not closed")? + 2,
            '(' | ')' | '|' | ',' | '=' => 1,
            ':' if rest.starts_with(":=") => 2,
            _ => rest
                .find(|letter: char| letter.is_whitespace() || "()|,=\"`'}:".contains(letter))
                .unwrap_or(rest.len())
                .max(first.len_utf8()),
        };
        words.push(&rest[..length]);
        rest = &rest[length..];
    }
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return None,
            letter if letter == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn templates_as_people_write_them_are_taken() {
        for text in [
            "{{ .Name }} 60 IN A 127.0.0.1",
            "{{ .Name }} 60 IN A {{ index .Match 1 }}.{{ .Group.a }}",
            "{{if eq .Type \"A\"}}x{{else}}y{{end}}",
            "{{ $a := index .Match 1 }}{{ $a }}",
            "{{ parseInt .Group.n 16 32 | printf \"%d\" }}",
            "{{- .Name -}}",
            "{{/* why */}}x",
            "no action } {",
            "{{ .Meta \"kubernetes/client-namespace\" }}",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_found() {
        for text in [
            "{{ .Name",
            "{{ }}",
            "{{ if .A }}x",
            "{{ end }}",
            "{{ upper .Name }}",
            "{{ $x }}",
            "{{ (.A }}",
            "{{ .A | }}",
            "{{ \"x }}",
            "{{ .A..B }}",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
