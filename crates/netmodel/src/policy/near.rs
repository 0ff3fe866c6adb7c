//! Labels that a selector nearly matches: what its author may have meant.

use std::fmt;

use super::selector::{Labels, Operator, Requirement, Selector};

/// A label that was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// What the selector asks for.
    pub wanted: Requirement,
    /// The key of the label that is there.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whose label it is, as the caller named it.
    pub on: String,
    /// In which way it is near.
    pub how: Nearness,
}

/// In which way a label is near, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// The same but for upper and lower case, for `-`, `_` and `.`, or for white space.
    Spelling,
    /// Key and value changed places.
    Swapped,
    /// The same value under a key that is used for the same purpose, or nearly the same key.
    OtherKey,
    /// One is how the other begins: `shop` and `shop-web`.
    Prefix,
    /// One or two letters differ.
    Typo,
}

impl fmt::Display for Nearness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spelling => "spelled differently",
            Self::Swapped => "key and value swapped",
            Self::OtherKey => "the same value under another key",
            Self::Prefix => "one is the beginning of the other",
            Self::Typo => "a letter or two differ",
        })
    }
}

/// As `app=wbe, where pod/web-1 has app=web (a letter or two differ)`.
impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wanted,
            key,
            value,
            on,
            how,
        } = self;
        write!(f, "{wanted}, where {on} has {key}={value} ({how})")
    }
}

/// Keys under which workloads are named.
const NAMES: [&str; 9] = [
    "app",
    "name",
    "k8s-app",
    "component",
    "service",
    "run",
    "app.kubernetes.io/name",
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
];

/// The nearest of the candidates: labels that meet all requirements of the selector but one, and that one nearly. `None` where
/// nothing is near, or where something is selected: then the author meant that.
pub fn nearest<'a>(
    selector: &Selector,
    candidates: impl IntoIterator<Item = (String, &'a Labels)>,
) -> Option<Near> {
    let mut best: Option<Near> = None;
    for (on, labels) in candidates {
        let unmet = selector.unmet(labels);
        let [requirement] = unmet.as_slice() else {
            if unmet.is_empty() {
                return None;
            }
            continue;
        };
        let Some((how, key, value)) = near_label(requirement, labels) else {
            continue;
        };
        if best.as_ref().is_none_or(|best| how < best.how) {
            best = Some(Near {
                wanted: requirement.clone(),
                key: key.to_owned(),
                value: value.to_owned(),
                on,
                how,
            });
        }
    }
    best
}

fn near_label<'a>(wanted: &Requirement, labels: &'a Labels) -> Option<(Nearness, &'a str, &'a str)> {
    let near = |(key, value): (&'a String, &'a String)| {
        let how = match wanted.operator {
            Operator::In => wanted
                .values
                .iter()
                .filter_map(|want| near(&wanted.key, want, key, value))
                .min(),
            Operator::Exists => near_text(&wanted.key, key),
            Operator::NotIn | Operator::DoesNotExist => None,
        };
        how.map(|how| (how, key.as_str(), value.as_str()))
    };
    labels.iter().filter_map(near).min_by_key(|(how, ..)| *how)
}

fn near(wanted_key: &str, wanted: &str, key: &str, value: &str) -> Option<Nearness> {
    if wanted_key == key {
        return near_text(wanted, value);
    }
    if wanted_key == value && wanted == key {
        return Some(Nearness::Swapped);
    }
    let both_names = NAMES.contains(&wanted_key) && NAMES.contains(&key);
    let same_key = both_names || near_text(wanted_key, key).is_some() || last(wanted_key) == last(key);
    (wanted == value && same_key).then_some(Nearness::OtherKey)
}

/// A key without its prefix: `name` of `app.kubernetes.io/name`.
fn last(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(_, name)| name)
}

fn near_text(one: &str, other: &str) -> Option<Nearness> {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|it| !it.is_whitespace() && !"-_.".contains(*it))
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (short, long) = if one.len() <= other.len() {
        (one, other)
    } else {
        (other, one)
    };
    if short.is_empty() || short == long {
        return None;
    }
    if plain(short) == plain(long) {
        return Some(Nearness::Spelling);
    }
    let rest = long.strip_prefix(short).filter(|_| short.len() >= 3);
    // A number at the end counts things of one kind: `web1` is not `web`.
    if rest.is_some_and(|rest| rest.contains(|it: char| it.is_alphabetic())) {
        return Some(Nearness::Prefix);
    }
    let letters = |text: &str| -> String { text.chars().filter(|it| !it.is_ascii_digit()).collect() };
    let far = if short.chars().count() < 6 { 1 } else { 2 };
    let is_typo = short.chars().count() >= 3
        && letters(short) != letters(long)
        && (strsim::osa_distance(short, long) <= far || transposed(short, long));
    is_typo.then_some(Nearness::Typo)
}

/// Two neighbouring letters changed places, in a word however short.
fn transposed(one: &str, other: &str) -> bool {
    one.len() == other.len() && strsim::osa_distance(one, other) == 1 && strsim::levenshtein(one, other) == 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(text: &str) -> Labels {
        text.split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    fn of(selector: &str, there: &str) -> Option<Nearness> {
        let selector = Selector {
            match_labels: labels(selector),
            match_expressions: Vec::new(),
        };
        nearest(&selector, [("pod/it".to_owned(), &labels(there))]).map(|near| near.how)
    }

    #[test]
    fn each_kind_of_slip_is_known() {
        assert_eq!(of("app=wbe", "app=web"), Some(Nearness::Typo));
        assert_eq!(
            of("app=frontned,tier=a", "app=frontend,tier=a"),
            Some(Nearness::Typo)
        );
        assert_eq!(of("app=Web", "app=web"), Some(Nearness::Spelling));
        assert_eq!(of("app=web_front", "app=web-front"), Some(Nearness::Spelling));
        assert_eq!(of("app=my-app", "app=my-application"), Some(Nearness::Prefix));
        assert_eq!(of("app=web", "k8s-app=web"), Some(Nearness::OtherKey));
        assert_eq!(
            of("name=web", "app.kubernetes.io/name=web"),
            Some(Nearness::OtherKey)
        );
        assert_eq!(of("web=app", "app=web"), Some(Nearness::Swapped));
    }

    #[test]
    fn what_only_looks_alike_is_not_taken_for_a_slip() {
        assert_eq!(of("app=db", "app=web"), None, "another workload");
        assert_eq!(of("version=v1", "version=v2"), None, "another version");
        assert_eq!(of("app=web1", "app=web2"), None, "another instance");
        assert_eq!(of("app=web", "app=web-1"), None, "numbered");
        assert_eq!(of("a=x,b=y", "a=z,b=w"), None, "nothing in common");
        assert_eq!(of("team=web", "app=web"), None, "another purpose");
        assert_eq!(of("app=web", "app=web"), None, "it is selected");
    }

    #[test]
    fn the_surest_candidate_is_named() {
        let selector = Selector {
            match_labels: labels("app=web-front"),
            match_expressions: Vec::new(),
        };
        let (one, other) = (labels("app=web-frond"), labels("app=web_front"));
        let candidates = [("pod/one".to_owned(), &one), ("pod/other".to_owned(), &other)];
        let near = nearest(&selector, candidates).unwrap();
        assert_eq!(
            near.to_string(),
            "app=web-front, where pod/other has app=web_front (spelled differently)"
        );
    }

    proptest! {
        #[test]
        fn any_two_texts_are_near_or_not_and_it_is_mutual(one in "\\PC{0,12}", other in "\\PC{0,12}") {
            prop_assert_eq!(near_text(&one, &other), near_text(&other, &one));
        }
    }
}
