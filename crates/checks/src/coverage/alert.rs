//! What `kubectl netcheck alerts lint` decides.

use super::{Row, lint};

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    lint("alert-unknown-metric", "every metric in a rule exists, in a version that is said"),
    lint("alert-absent-label", "no rule filters by a label that the metric does not have"),
    lint("alert-quantile", "quantiles of histograms are computed, not selected"),
    lint("alert-never-true", "no comparison that a series can never satisfy"),
    lint("alert-vector-match", "both sides of an operator have labels in common"),
    lint("alert-relabel-drop", "no monitor drops a metric that a rule needs"),
    lint("alert-job-name", "that a job is no longer scraped is noticed"),
    lint("alert-count-as-rate", "no count that grows with traffic is called a rate"),
    lint("alert-readiness-as-network", "readiness is not taken for the network"),
    lint("alert-syntax", "rules can be read, and wait long enough to see two scrapes"),
    lint("alert-coverage", "each kind of failure has a rule"),
];
