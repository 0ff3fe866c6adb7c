//! Rewriting of queries and answers.

use super::answering::{is_class, is_type};
use super::forward::is_rcode;
use super::rows::expression;
use crate::Refusal;
use crate::stanza::{Checked, Stanza};
use crate::value;

const KINDS: &[&str] = &["exact", "prefix", "suffix", "substring", "regex"];

pub(super) fn rewrite(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let mut args = stanza.args();
        if args.len() < 2 {
            // With braces the rule goes on over all words within them, whatever their lines are.
            while let Some(word) = stanza.property()? {
                args.push(word);
            }
        }
        rule(stanza, &args)?;
    }
    Ok(())
}

fn rule(stanza: &Stanza<'_>, args: &[&str]) -> Checked {
    const WANTED: &str = "[continue|stop] and name, class, type, edns0, ttl, cname or rcode";
    let Some((first, rest)) = args.split_first() else {
        return Err(stanza.arity(WANTED));
    };
    let lower = first.to_lowercase();
    let (kind, rest) = if lower == "continue" || lower == "stop" {
        let Some((kind, rest)) = rest.split_first() else {
            return Err(stanza.arity(WANTED));
        };
        (kind.to_lowercase(), rest)
    } else {
        (lower, rest)
    };
    match kind.as_str() {
        "answer" => Err(stanza.refuse(
            "a rewrite of answers stands alone",
            "write it behind its rule for the name: `rewrite name exact FROM TO answer auto`",
        )),
        "name" => name(stanza, rest),
        "class" | "type" => {
            let [from, to] = rest else {
                return Err(stanza.arity("two names: from and to"));
            };
            for word in [from, to] {
                let word = word.to_uppercase();
                let known = if kind == "class" {
                    is_class(&word)
                } else {
                    is_type(&word)
                };
                if !known {
                    return Err(stanza.bad(&word, &format!("a {kind} of DNS")));
                }
            }
            Ok(())
        }
        "edns0" => edns0(stanza, rest),
        "ttl" => of_names(
            stanza,
            rest,
            1,
            |words| is_ttl(words[0]),
            "seconds, or a range of them",
        ),
        "rcode" => of_names(
            stanza,
            rest,
            2,
            |words| words.iter().all(|word| is_rcode_or_number(word)),
            "two response codes",
        ),
        "cname" => match rest {
            [_, _] => Ok(()),
            [kind, _, _] if KINDS.contains(&kind.to_lowercase().as_str()) => Ok(()),
            _ => Err(stanza.arity("[exact|prefix|suffix|substring|regex] FROM TO")),
        },
        _ => Err(stanza.bad(first, WANTED)),
    }
}

/// `[KIND] NAME` and `count` words that have to fit.
fn of_names(
    stanza: &Stanza<'_>,
    args: &[&str],
    count: usize,
    fits: impl Fn(&[&str]) -> bool,
    wanted: &str,
) -> Checked {
    let names = args
        .len()
        .checked_sub(count)
        .filter(|names| (1..=2).contains(names));
    let Some(names) = names else {
        return Err(stanza.arity(&format!(
            "[exact|prefix|suffix|substring|regex] NAME and {wanted}"
        )));
    };
    if !fits(&args[names..]) {
        return Err(stanza.bad(&args[names..].join(" "), wanted));
    }
    if names == 2 {
        let kind = args[0].to_lowercase();
        if !KINDS.contains(&kind.as_str()) {
            return Err(stanza.bad(args[0], &KINDS.join(", ")));
        }
        if kind == "regex" {
            expression(stanza, args[1])?;
        }
    }
    Ok(())
}

fn is_rcode_or_number(word: &str) -> bool {
    value::unsigned_up_to(word, 23).is_some() || is_rcode(&word.to_uppercase())
}

fn is_ttl(word: &str) -> bool {
    let number = |text: &str| value::unsigned(text);
    match word.split('-').collect::<Vec<_>>().as_slice() {
        [only] => number(only).is_some(),
        ["", ""] => false,
        [low, high] => {
            let low = if low.is_empty() { Some(0) } else { number(low) };
            let high = if high.is_empty() {
                Some(0x7FFF_FFFF)
            } else {
                number(high)
            };
            matches!((low, high), (Some(low), Some(high)) if low <= high)
        }
        _ => false,
    }
}

fn name(stanza: &Stanza<'_>, args: &[&str]) -> Checked {
    let (kind, from, to) = match args {
        [from, to] => ("exact".to_owned(), *from, *to),
        [kind, from, to, ..] => (kind.to_lowercase(), *from, *to),
        _ => return Err(stanza.arity("[exact|prefix|suffix|substring|regex] FROM TO")),
    };
    if args.len() > 3 {
        answers(stanza, &args[3..])?;
    }
    match kind.as_str() {
        // CoreDNS looks at the replacement of an exact rule as if it were an expression.
        "exact" => pattern(stanza, &value::normal_name(to), &value::normal_name(from)),
        "prefix" | "suffix" | "substring" => Ok(()),
        "regex" => pattern(stanza, from, to),
        _ => Err(stanza.bad(args[0], &KINDS.join(", "))),
    }
}

/// An expression whose replacement uses no more groups than it has.
fn pattern(stanza: &Stanza<'_>, pattern: &str, replacement: &str) -> Checked {
    let groups = expression(stanza, pattern)?;
    let used = (0..=100)
        .filter(|group| replacement.contains(&format!("{{{group}}}")))
        .count();
    if used > groups {
        return Err(stanza.refuse(
            format!("`{replacement}` uses more groups than `{pattern}` has"),
            "put what it uses in parentheses",
        ));
    }
    Ok(())
}

fn answers(stanza: &Stanza<'_>, args: &[&str]) -> Checked {
    const WANTED: &str = "`answer auto`, `answer name FROM TO` or `answer value FROM TO` behind the names";
    if args.len() < 2 || args[0] != "answer" {
        return Err(stanza.bad(&args.join(" "), WANTED));
    }
    let (mut auto, mut names) = (false, false);
    let mut rest = args;
    while let Some(first) = rest.first() {
        if *first == "answer" {
            rest = &rest[1..];
        }
        rest = match rest {
            ["auto", after @ ..] => {
                auto = true;
                after
            }
            ["name", from, to, after @ ..] => {
                pattern(stanza, from, to)?;
                names = true;
                after
            }
            ["value", from, to, after @ ..] => {
                pattern(stanza, from, to)?;
                after
            }
            _ => return Err(stanza.bad(&args.join(" "), WANTED)),
        };
    }
    if auto && names {
        return Err(stanza.refuse(
            "`answer auto` and `answer name` exclude each other",
            "keep one of them",
        ));
    }
    Ok(())
}

fn edns0(stanza: &Stanza<'_>, args: &[&str]) -> Checked {
    const WANTED: &str = "local, nsid or subnet, then set, replace, append or unset, then what to set";
    let [kind, action, rest @ ..] = args else {
        return Err(stanza.arity(WANTED));
    };
    let kind = kind.to_lowercase();
    let action = action.to_lowercase();
    let refused = || -> Refusal { stanza.bad(&args.join(" "), WANTED) };
    let fits = match action.as_str() {
        "unset" => match (kind.as_str(), rest) {
            ("local", [code]) => value::number_of_any_base(code).is_some(),
            ("nsid" | "subnet", []) => true,
            _ => false,
        },
        "append" | "replace" | "set" => {
            let rest = rest.strip_suffix(&["revert"]).unwrap_or(rest);
            match (kind.as_str(), rest) {
                ("local", [code, data]) => value::number_of_any_base(code).is_some() && is_data(data),
                ("nsid", []) => true,
                ("subnet", [four, six]) => {
                    value::number_of_any_base(four).is_some_and(|bits| bits <= 32)
                        && value::number_of_any_base(six).is_some_and(|bits| bits <= 128)
                }
                _ => false,
            }
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(refused()) }
}

fn is_data(data: &str) -> bool {
    const VARIABLES: &[&str] = &[
        "qname",
        "qtype",
        "client_ip",
        "client_port",
        "protocol",
        "server_ip",
        "server_port",
    ];
    if let Some(name) = data.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let slash = name.find('/');
        return VARIABLES.contains(&name) || slash.is_some_and(|slash| slash > 0 && slash + 1 < name.len());
    }
    match data.strip_prefix("0x") {
        Some(digits) => digits.len() % 2 == 0 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => true,
    }
}
