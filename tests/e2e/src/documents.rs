//! Documents of which parts are generated.

use std::path::Path;

/// Holds a part of `docs/NAME` against what it should be: the lines between `<!-- begin: PART -->` and `<!-- end: PART -->`. With
/// `UPDATE_DOCS` in the environment the part is written instead.
///
/// # Panics
/// When the part is missing or stale.
pub fn assert_generated(name: &str, part: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (begin, end) = (
        format!("<!-- begin: {part} -->\n"),
        format!("<!-- end: {part} -->"),
    );
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("docs/{name} has no part {part}"));
    let (is, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("the part {part} of docs/{name} does not end"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let written = format!("{before}{begin}{wanted}{end}{after}");
        std::fs::write(&path, written).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let differing: Vec<String> = wanted
        .lines()
        .filter(|line| !is.lines().any(|other| other == *line))
        .map(|line| format!("+ {line}"))
        .chain(
            is.lines()
                .filter(|line| !wanted.lines().any(|other| other == *line))
                .map(|line| format!("- {line}")),
        )
        .collect();
    assert!(
        is == wanted,
        "docs/{name} is stale; run the test with UPDATE_DOCS=1 and look at what changed:\n{}",
        differing.join("\n")
    );
}
