//! Whether a node has again what it had before a fault.

use std::collections::BTreeMap;

/// The script that prints it.
pub(crate) const SCRIPT: &str = include_str!("state-of-node.sh");

/// What nodes have, by their names.
pub(crate) type States = BTreeMap<String, String>;

/// What is on a node now and was not before, and the other way round, one line per difference.
pub(crate) fn differences(before: &States, after: &States) -> Vec<String> {
    let mut lines = Vec::new();
    for (node, before) in before {
        let after = after.get(node).map_or("", String::as_str);
        let old = sectioned(before);
        let new = sectioned(after);
        let missing = old.iter().filter(|line| !new.contains(line));
        let added = new.iter().filter(|line| !old.contains(line));
        lines.extend(missing.map(|(part, line)| format!("{node}: {part}: missing: {line}")));
        lines.extend(added.map(|(part, line)| format!("{node}: {part}: new: {line}")));
    }
    lines
}

/// Each line with the heading it stands under.
fn sectioned(text: &str) -> Vec<(&str, &str)> {
    let mut section = "";
    let mut lines = Vec::new();
    for line in text.lines().map(str::trim_end) {
        match line.strip_prefix("## ") {
            Some(heading) => section = heading,
            None => lines.push((section, line)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(text: &str) -> States {
        [("node1".to_owned(), text.to_owned())].into()
    }

    #[test]
    fn a_healed_node_has_what_it_had() {
        let before = states("## routes\na\nb\n## kernel\nx=1\n");
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn what_is_missing_and_what_is_new_is_named_with_its_node() {
        let before = states("## routes\na\nb\n## kernel\nx=1\n");
        let after = states("## routes\na\n## kernel\nx=0\n");
        assert_eq!(
            differences(&before, &after),
            [
                "node1: routes: missing: b",
                "node1: kernel: missing: x=1",
                "node1: kernel: new: x=0"
            ]
        );
    }
}
