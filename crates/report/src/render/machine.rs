use crate::{Report, Severity};

pub(super) fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("a report holds nothing that JSON cannot say");
    text.push('\n');
    text
}

pub(super) fn yaml(report: &Report) -> String {
    let mut text = serde_saphyr::to_string(report).expect("a report holds nothing that YAML cannot say");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

pub(super) fn names(report: &Report) -> String {
    let mut names: Vec<String> = Vec::new();
    let problems = report
        .findings()
        .iter()
        .filter(|finding| finding.severity >= Severity::Warning);
    for name in problems.flat_map(|finding| finding.subject.names()) {
        let name = super::sanitize::sanitize(&name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().map(|name| name + "\n").collect()
}
