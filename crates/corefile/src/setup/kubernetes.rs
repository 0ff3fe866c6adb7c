//! Names of Services and pods.

use crate::stanza::{Checked, Stanza};
use crate::value;

pub(super) fn kubernetes(stanza: &mut Stanza<'_>) -> Checked {
    let mut seen = false;
    while stanza.next() {
        if std::mem::replace(&mut seen, true) {
            return Err(stanza.twice());
        }
        one(stanza)?;
    }
    Ok(())
}

fn one(stanza: &mut Stanza<'_>) -> Checked {
    let args = stanza.args();
    let zones = stanza.origins(&args)?;
    let is_reverse = |zone: &String| zone.ends_with(".in-addr.arpa.") || zone.ends_with(".ip6.arpa.");
    if zones.iter().all(is_reverse) {
        return Err(stanza.refuse(
            "kubernetes has reverse zones only",
            "add the zone of the cluster, usually `cluster.local`",
        ));
    }
    let (mut namespaces, mut labels) = (false, false);
    let mut clusters: Vec<String> = Vec::new();
    while let Some(property) = stanza.property()? {
        match property {
            "namespaces" => {
                stanza.some("namespaces")?;
                namespaces = true;
            }
            "namespace_labels" => {
                let selector = stanza.some("a label selector")?.join(" ");
                selector_refusal(stanza, &selector)?;
                labels = true;
            }
            "multicluster" => {
                let args = stanza.args();
                clusters = args
                    .iter()
                    .flat_map(|zone| crate::address::normal_zones(zone))
                    .collect();
            }
            _ => kubernetes_property(stanza, property)?,
        }
    }
    if namespaces && labels {
        return Err(stanza.refuse(
            "kubernetes has both `namespaces` and `namespace_labels`",
            "keep one of them",
        ));
    }
    if let Some(zone) = clusters.iter().find(|zone| !zones.contains(zone)) {
        return Err(stanza.refuse(
            format!("`multicluster` names {zone}, which is none of the zones of kubernetes"),
            "add it to the zones behind `kubernetes`",
        ));
    }
    Ok(())
}

fn kubernetes_property(stanza: &mut Stanza<'_>, property: &str) -> Checked {
    match property {
        "endpoint_pod_names" | "noendpoints" | "zonal" => stanza.none(),
        "pods" => {
            let mode = stanza.one("disabled, insecure or verified")?;
            if ["disabled", "insecure", "verified"].contains(&mode) {
                Ok(())
            } else {
                Err(stanza.bad(mode, "disabled, insecure or verified"))
            }
        }
        "endpoint" => stanza.some("the address of the API server").map(drop),
        "tls" => {
            if stanza.args().len() == 3 {
                Ok(())
            } else {
                Err(stanza.arity("a certificate, a key and a CA"))
            }
        }
        "labels" => {
            let selector = stanza.some("a label selector")?.join(" ");
            selector_refusal(stanza, &selector)
        }
        "fallthrough" | "upstream" | "transfer" | "resyncperiod" => {
            stanza.args();
            Ok(())
        }
        "ttl" => ttl(stanza),
        "ignore" => match stanza.args().first() {
            None | Some(&"empty_service") => Ok(()),
            Some(other) => Err(stanza.bad(other, "empty_service")),
        },
        "kubeconfig" => {
            if matches!(stanza.args().len(), 1 | 2) {
                Ok(())
            } else {
                Err(stanza.arity("a file, and a context if wanted"))
            }
        }
        "startup_timeout" => {
            let args = stanza.some("a duration")?;
            stanza.duration(args[0]).map(drop)
        }
        "apiserver_burst" | "apiserver_max_inflight" => {
            let number = stanza.one("a number")?;
            if stanza.integer(number)? < 0 {
                return Err(stanza.bad(number, "a whole number from 0"));
            }
            Ok(())
        }
        "apiserver_qps" => {
            let number = stanza.one("a number")?;
            if number.parse::<f32>().is_ok_and(|number| number >= 0.0) {
                Ok(())
            } else {
                Err(stanza.bad(number, "a number from 0"))
            }
        }
        _ => Err(stanza.unknown_property()),
    }
}

fn ttl(stanza: &mut Stanza<'_>) -> Checked {
    let args = stanza.some("seconds from 0 to 3600")?;
    if (0..=3600).contains(&stanza.integer(args[0])?) {
        Ok(())
    } else {
        Err(stanza.bad(args[0], "seconds from 0 to 3600"))
    }
}

pub(super) fn external(stanza: &mut Stanza<'_>) -> Checked {
    while stanza.next() {
        let args = stanza.args();
        stanza.origins(&args)?;
        while let Some(property) = stanza.property()? {
            match property {
                "ttl" => ttl(stanza)?,
                "apex" => stanza.some("a name").map(drop)?,
                "headless" => {}
                "fallthrough" => {
                    stanza.args();
                }
                _ => return Err(stanza.unknown_property()),
            }
        }
    }
    Ok(())
}

fn selector_refusal(stanza: &Stanza<'_>, selector: &str) -> Checked {
    if is_selector(selector) {
        Ok(())
    } else {
        Err(stanza.bad(
            selector,
            "a label selector, for example `app=web, tier in (a, b), !old`",
        ))
    }
}

/// Whether it is a selector of labels as the API has it, without `<` and `>`.
fn is_selector(selector: &str) -> bool {
    let words = selector_words(selector);
    let mut rest = words.as_slice();
    if rest.is_empty() {
        return true;
    }
    loop {
        let Some(after) = requirement(rest) else {
            return false;
        };
        match after {
            [] => return true,
            [comma, after @ ..] if comma == "," && !after.is_empty() => rest = after,
            _ => return false,
        }
    }
}

fn selector_words(selector: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut letters = selector.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '(' | ')' | ',' => words.push(letter.to_string()),
            '=' | '!' | '<' | '>' => {
                let mut word = letter.to_string();
                while let Some(next) = letters.next_if(|next| matches!(next, '=' | '!' | '<' | '>')) {
                    word.push(next);
                }
                words.push(word);
            }
            letter => {
                let mut word = letter.to_string();
                while let Some(next) =
                    letters.next_if(|next| !next.is_whitespace() && !"(),=!<>".contains(*next))
                {
                    word.push(next);
                }
                words.push(word);
            }
        }
    }
    words
}

fn requirement(words: &[String]) -> Option<&[String]> {
    let (first, rest) = words.split_first()?;
    if first == "!" {
        let (key, rest) = rest.split_first()?;
        return is_label_key(key).then_some(rest);
    }
    if !is_label_key(first) {
        return None;
    }
    let Some(operator) = rest.first().filter(|word| *word != ",") else {
        return Some(rest);
    };
    match operator.as_str() {
        "=" | "==" | "!=" => match rest.get(1) {
            Some(value) if value != "," => is_label_value(value).then_some(&rest[2..]),
            _ => Some(&rest[1..]),
        },
        "in" | "notin" => {
            if rest.get(1)? != "(" {
                return None;
            }
            let end = rest.iter().position(|word| word == ")")?;
            let values = &rest[2..end];
            let plain = values
                .split(|word| word == ",")
                .all(|value| value.len() <= 1 && value.iter().all(|value| is_label_value(value)));
            plain.then_some(&rest[end + 1..])
        }
        _ => None,
    }
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => {
            let prefix_fits = value::is_domain_name(prefix)
                && prefix
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte));
            prefix_fits && !name.is_empty() && is_label_value(name)
        }
        None => !key.is_empty() && is_label_value(key),
    }
}

fn is_label_value(value: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    value.len() <= 63
        && edge(value.as_bytes().first())
        && edge(value.as_bytes().last())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_those_of_the_api() {
        for good in ["app=web", "app", "!app", "a in (b, c),d!=e", "k8s.io/a==b", "a="] {
            assert!(is_selector(good), "{good}");
        }
        for bad in ["a in b", "a=b,", "a b", "a>1", "=b", "a in (b", "-a=b"] {
            assert!(!is_selector(bad), "{bad}");
        }
    }
}
