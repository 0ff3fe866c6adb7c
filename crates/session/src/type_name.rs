//! Objects as kubectl's command line names them: `NAME` or `TYPE/NAME`.

use plugin::Failure;

/// The type, where one was given, and the name.
///
/// # Errors
/// In kubectl's words: when the text is empty, has more than one slash, or nothing before or behind it.
pub fn type_and_name(text: &str) -> Result<(Option<&str>, &str), Failure> {
    let said = |sentence: &str| Err(Failure::new(format!("error: {sentence}")));
    if text.is_empty() {
        return said("resource name may not be empty");
    }
    let Some((kind, name)) = text.split_once('/') else {
        return Ok((None, text));
    };
    if name.contains('/') {
        return said("arguments in resource/name form may not have more than one slash");
    }
    if kind.is_empty() || name.is_empty() {
        return said("arguments in resource/name form must have a single resource and name");
    }
    Ok((Some(kind), name))
}

/// The names that follow a type that stands by itself, as in `service web db`; all words where the first is no such type. A
/// single word is always a name.
///
/// # Errors
/// In kubectl's words, when one of them has a type of its own.
pub fn after_type<'a>(words: &'a [String], spellings: &[&str]) -> Result<&'a [String], Failure> {
    match words {
        [first, rest @ ..] if !rest.is_empty() && spellings.contains(&first.as_str()) => {
            if rest.iter().any(|word| word.contains('/')) {
                return Err(Failure::new(
                    "error: there is no need to specify a resource type as a separate argument when passing arguments in \
                     resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource \
                     resource/<resource_name>'",
                ));
            }
            Ok(rest)
        }
        _ => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_stands_before_a_slash() {
        assert_eq!(type_and_name("web").unwrap(), (None, "web"));
        assert_eq!(type_and_name("svc/web").unwrap(), (Some("svc"), "web"));
    }

    #[test]
    fn what_is_wrong_is_said_as_kubectl_says_it() {
        for (text, wanted) in [
            ("", "error: resource name may not be empty"),
            (
                "a/b/c",
                "error: arguments in resource/name form may not have more than one slash",
            ),
            (
                "svc/",
                "error: arguments in resource/name form must have a single resource and name",
            ),
            (
                "/web",
                "error: arguments in resource/name form must have a single resource and name",
            ),
        ] {
            assert_eq!(type_and_name(text).unwrap_err().text(), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_type_may_stand_by_itself() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let types = ["svc", "service"];
        assert_eq!(
            after_type(&words("service web db"), &types).unwrap(),
            words("web db")
        );
        assert_eq!(after_type(&words("service"), &types).unwrap(), words("service"));
        assert_eq!(after_type(&words("web db"), &types).unwrap(), words("web db"));
        assert!(after_type(&words("service svc/web"), &types).is_err());
    }
}
