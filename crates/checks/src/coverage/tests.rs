use std::collections::BTreeSet;
use std::path::Path;

use super::{Status, coverage, document, row};
use crate::check::CHECKS;

#[test]
fn every_id_stands_once_and_belongs_to_a_plugin() {
    let ids: BTreeSet<&str> = coverage().map(|row| row.id).collect();
    assert_eq!(ids.len(), coverage().count(), "an id stands once");
    for row in coverage() {
        let family = row.id.split_once('-').map_or("", |(family, _)| family);
        assert!(
            ["net", "dns", "ep", "cni", "alert"].contains(&family),
            "{}",
            row.id
        );
        let is_kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(row.id.chars().all(is_kebab), "{}", row.id);
    }
}

#[test]
fn every_registered_check_stands_in_the_table() {
    for check in CHECKS {
        let status = row(check.id)
            .unwrap_or_else(|| panic!("{} is not in src/coverage", check.id))
            .status();
        assert_eq!(status, Some(Status::Check), "{}", check.id);
    }
}

#[test]
fn what_is_not_decided_says_why() {
    for row in coverage() {
        match row.status() {
            Some(Status::Check | Status::Text | Status::Lint) => {}
            Some(Status::Held(words) | Status::NotYet(words)) => {
                assert!(words.len() > 10 && !words.ends_with('.'), "{}: {words:?}", row.id);
            }
            None => panic!("{} is neither decided nor has it a reason why not", row.id),
        }
    }
}

#[test]
fn every_lint_stands_in_the_table() {
    for lint in alerts::LINTS {
        let status = row(lint.id).and_then(super::Row::status);
        assert_eq!(status, Some(Status::Lint), "{}", lint.id);
    }
}

#[test]
fn every_text_that_is_explained_belongs_to_an_id() {
    for text in errortext::texts() {
        assert!(row(text.check).is_some(), "{} names {}", text.name, text.check);
    }
}

#[test]
fn titles_are_clauses() {
    for row in coverage() {
        assert!(!row.title.is_empty() && !row.title.ends_with('.'), "{}", row.id);
        assert!(!row.title.contains('|'), "{} would break the table", row.id);
    }
}

#[test]
fn the_document_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/coverage.md");
    let now = document();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &now).expect("docs/coverage.md can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "docs/coverage.md is out of date: UPDATE_DOCS=1 cargo test -p checks coverage"
    );
}
