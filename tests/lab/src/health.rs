//! Whether a lab is as it should be.

use crate::command::{kubectl, run};
use crate::places::Place;
use crate::plan;
use crate::state::{Settings, StateDir};

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Everything runs and every node is ready.
    Well,
    /// What is wrong, most important first.
    Ill(Vec<String>),
}

/// Every place of a lab.
pub(crate) fn places(settings: &Settings) -> impl Iterator<Item = Place> + use<> {
    let nodes = settings
        .node_numbers()
        .map(|number| Place::Node(plan::node_name(number)));
    [Place::ControlPlane, Place::Outside].into_iter().chain(nodes)
}

/// Looks at processes first, then asks the API.
pub(crate) fn of(state: &StateDir, settings: &Settings) -> Health {
    let places = [Place::ControlPlane, Place::Outside].into_iter().chain(
        settings
            .node_numbers()
            .map(|number| Place::Node(plan::node_name(number))),
    );
    let mut wrong: Vec<String> = places
        .filter(|place| place.holder(state).is_none())
        .map(|place| format!("{place} does not run"))
        .collect();
    if wrong.is_empty() {
        wrong = nodes(state, settings);
    }
    if wrong.is_empty() {
        Health::Well
    } else {
        Health::Ill(wrong)
    }
}

fn nodes(state: &StateDir, settings: &Settings) -> Vec<String> {
    let template =
        "{range .items[*]}{.metadata.name}={.status.conditions[?(@.type==\"Ready\")].status} {end}";
    let listed = run(&mut kubectl(
        state,
        &[
            "get",
            "nodes",
            "--request-timeout=5s",
            "--output",
            &format!("jsonpath={template}"),
        ],
    ));
    match listed {
        Err(error) => vec![format!("the API does not answer: {error:#}")],
        Ok(text) => settings
            .node_numbers()
            .map(plan::node_name)
            .filter(|node| !text.split_whitespace().any(|word| word == format!("{node}=True")))
            .map(|node| format!("{node} is not ready"))
            .collect(),
    }
}
