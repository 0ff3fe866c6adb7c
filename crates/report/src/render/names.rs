//! Names of nodes, without what all of them have in common.

/// Shorter names are worth a line that explains them only if so many columns are saved on each.
const WORTH: usize = 6;

/// How the names of a cluster's nodes are shortened: by a common beginning and a common end, cut where a word ends, so
/// that different names stay different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ShortNames {
    start: String,
    end: String,
}

impl ShortNames {
    /// What these names have in common.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut all = names.clone();
        let Some(first) = all.next() else {
            return Self::default();
        };
        let mut start = first;
        let mut end = first;
        for name in all {
            start = common_start(start, name);
            end = common_end(end, name);
        }
        let start = start.rfind(is_break).map_or("", |at| &start[..=at]);
        let end = end.find(is_break).map_or("", |at| &end[at..]);
        let is_whole = names.clone().any(|name| name.len() <= start.len() + end.len());
        if is_whole || names.count() < 2 || start.len() + end.len() < WORTH {
            return Self::default();
        }
        Self {
            start: start.to_owned(),
            end: end.to_owned(),
        }
    }

    /// A name as it is printed.
    pub(super) fn short<'a>(&self, name: &'a str) -> &'a str {
        let rest = name.strip_prefix(self.start.as_str());
        rest.and_then(|rest| rest.strip_suffix(self.end.as_str()))
            .unwrap_or(name)
    }

    /// How printed names become whole ones; `None` where they are whole.
    pub(super) fn pattern(&self) -> Option<String> {
        let is_short = !self.start.is_empty() || !self.end.is_empty();
        is_short.then(|| format!("{}*{}", self.start, self.end))
    }
}

fn is_break(character: char) -> bool {
    matches!(character, '-' | '.' | '_')
}

fn common_start<'a>(a: &'a str, b: &str) -> &'a str {
    let mut length = 0;
    for (left, right) in a.chars().zip(b.chars()) {
        if left != right {
            break;
        }
        length += left.len_utf8();
    }
    &a[..length]
}

fn common_end<'a>(a: &'a str, b: &str) -> &'a str {
    let mut length = 0;
    for (left, right) in a.chars().rev().zip(b.chars().rev()) {
        if left != right {
            break;
        }
        length += left.len_utf8();
    }
    &a[a.len() - length..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(names: &[&str]) -> (Vec<String>, Option<String>) {
        let common = ShortNames::of(names.iter().copied());
        let short = names.iter().map(|name| common.short(name).to_owned());
        (short.collect(), common.pattern())
    }

    #[test]
    fn what_all_names_share_is_left_out_and_told_once() {
        let (names, pattern) = short(&[
            "ip-10-0-101-23.eu-central-1.compute.internal",
            "ip-10-0-102-24.eu-central-1.compute.internal",
        ]);
        assert_eq!(names, ["101-23", "102-24"]);
        assert_eq!(
            pattern.as_deref(),
            Some("ip-10-0-*.eu-central-1.compute.internal")
        );
        let (names, pattern) = short(&["gke-prod-pool-1-3f2a-abcd", "gke-prod-pool-1-3f2a-wxyz"]);
        assert_eq!(names, ["abcd", "wxyz"]);
        assert_eq!(pattern.as_deref(), Some("gke-prod-pool-1-3f2a-*"));
    }

    #[test]
    fn words_are_not_cut_and_little_is_not_shortened() {
        for names in [
            &["node1", "node2"][..],
            &["kind-1", "kind-2"],
            &["worker", "worker"],
            &["only-one-node.example"],
            &[],
            &["a-b-c-d-e-f-", "a-b-c-d-e-f-g"],
            &["größter", "größte"],
        ] {
            assert_eq!(
                short(names),
                (names.iter().map(|&name| name.to_owned()).collect(), None)
            );
        }
    }

    proptest::proptest! {
        /// Two nodes never get one name, and the pattern gives the whole names back.
        #[test]
        fn short_names_stay_apart(names in proptest::collection::btree_set("([a-cä]{1,3}[-.]){1,4}[a-c]{0,2}", 1..8)) {
            let common = ShortNames::of(names.iter().map(String::as_str));
            let short: std::collections::BTreeSet<&str> = names.iter().map(|name| common.short(name)).collect();
            proptest::prop_assert_eq!(short.len(), names.len());
            if let Some(pattern) = common.pattern() {
                for name in &names {
                    proptest::prop_assert_eq!(&pattern.replacen('*', common.short(name), 1), name);
                }
            }
        }
    }
}
