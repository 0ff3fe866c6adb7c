//! `docs/report.schema.json` describes the reports that there are.

use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

fn validator() -> Validator {
    jsonschema::validator_for(&report::schema()).expect("the schema is one")
}

#[test]
fn the_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
    let now = serde_json::to_string_pretty(&report::schema()).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &now).expect("docs/report.schema.json can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == now,
        "docs/report.schema.json is out of date: UPDATE_DOCS=1 cargo test -p checks schema"
    );
}

#[test]
fn every_report_of_a_case_is_as_the_schema_says() {
    let validator = validator();
    for report in crate::cases::reports() {
        let document = serde_json::to_value(&report).expect("a report is JSON");
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", report.summary);
    }
}

#[test]
fn what_is_no_report_is_told_apart() {
    let validator = validator();
    let report = crate::cases::reports()
        .into_iter()
        .next()
        .expect("there are cases");
    let good = serde_json::to_value(&report).expect("a report is JSON");
    assert!(validator.is_valid(&good));
    for (pointer, wrong) in [
        ("/apiVersion", Value::from("netcheck.dev/report/v0")),
        ("/verdict", Value::from("fine")),
        ("/checks/0/gaps", Value::Null),
        ("/stats/apiCalls", Value::from("many")),
        ("/target", Value::Null),
    ] {
        let mut document = good.clone();
        *document.pointer_mut(pointer).expect("a part of a report") = wrong;
        assert!(!validator.is_valid(&document), "{pointer}");
    }
}
